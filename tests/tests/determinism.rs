//! Same seed, same bytes: two runs, one thread and two, debug and release.

use std::thread;

use hostmem::campaign::plan::RandomPlan;
use hostmem::engine::{Engine, Settings};
use hostmem::report::{CaseResult, digest};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem_model::ModelBackend;

const CASES: u64 = 24;
const OPS: usize = 200;

/// The digest of the cases below, on any machine and in any build: `.ci/run` runs this test
/// in debug and in release. It changes when a generator, a rule or a sentence of a record
/// does; then the new value is printed by the failing test.
const DIGEST: &str = "3ca00986853e336a7d57a5de7bd4f3faca166668ac35d53cd2bc1f7d2c9ee4af";

fn run(profile: &str, index: u64) -> CaseResult {
    let case = RandomPlan::new(Seed::Number(42), None, OPS, &[profile]).case(index);
    let ran = Runner.random(&case, &ModelBackend, Settings::default()).expect("a known profile");
    ran.result
}

fn all() -> Vec<CaseResult> {
    let profiles = ["clr", "wide", "hostile"].into_iter().cycle();
    (0..CASES).zip(profiles).map(|(index, profile)| run(profile, index)).collect()
}

#[test]
fn two_runs_and_two_threads_give_the_same_records() {
    let alone = all();
    let together: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(all)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    for other in together {
        assert_eq!(alone, other);
    }
}

#[test]
fn the_digest_is_the_same_everywhere() {
    assert_eq!(digest::of(&all()), DIGEST);
}
