//! Same seed, same bytes: two runs, one thread and two, debug and release.

use std::thread;

use hostmem::campaign::plan::RandomPlan;
use hostmem::engine::{Engine, Settings};
use hostmem::report::{CaseResult, digest};
use hostmem::run::{Ending, run_scenario};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem_interface::scenario::read;
use hostmem_interface::{Backend, Machine};
use hostmem_model::ModelBackend;

const CASES: u64 = 24;
const OPS: usize = 200;

/// The digest of the cases below, on any machine and in any build: `.ci/run` runs this test
/// in debug and in release. It changes when a generator, a rule or a sentence of a record
/// does; then the new value is printed by the failing test.
const DIGEST: &str = "06126e8579ca74493dcbd8d5fecdd487d058653b05e5d71221d49cb7d26acfde";

fn run(profile: &str, index: u64) -> CaseResult {
    run_on(&ModelBackend, profile, index)
}

fn run_on(backend: &dyn Backend, profile: &str, index: u64) -> CaseResult {
    let case = RandomPlan::new(Seed::Number(42), None, OPS, &[profile]).case(index);
    Runner.random(&case, backend, Settings::default()).expect("a known profile").result
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

/// Where a real system puts memory changes from run to run; what is recorded does not. A
/// manager that holds the place of the first run moves the second.
#[cfg(target_os = "linux")]
#[test]
fn a_record_does_not_tell_where_memory_lay() {
    let linux = hostmem_backends::linux::LinuxBackend::default();
    for profile in ["clr", "wide", "hostile"] {
        for index in 0..12 {
            let first = run_on(&linux, profile, index);
            let held = linux.open(&Machine::WINDOWS_X64).expect("room for another one");
            let second = run_on(&linux, profile, index);
            drop(held);
            assert_eq!(first.record, second.record, "{profile} {index}");
        }
    }
}

/// Which of two threads is served first is chance; here it is the order in the file.
#[test]
fn a_record_does_not_tell_who_won_a_race() {
    let file = |first: u32, second: u32| {
        let reserve = |offset: u32, thread: u32| {
            format!(
                r#"{{ "call": "VirtualAlloc", "address": "h+{offset:#x}", "size": "0x10000",
                "type": "MEM_RESERVE", "protect": "PAGE_READWRITE",
                "thread": {thread}, "with": 1 }}"#
            )
        };
        let text = format!(
            r#"{{ "format": "hostmem/1", "about": "a race", "rules": [], "steps": [
            {{ "call": "Hole", "size": "0x40000", "bind": "h" }}, {}, {},
            {{ "call": "VirtualQuery", "address": "h" }} ] }}"#,
            reserve(first, 1),
            reserve(second, 2)
        );
        read(text.as_bytes()).expect("a scenario")
    };
    let record = |first, second| {
        let scenario = file(first, second);
        let outcome = run_scenario(&scenario, "", &ModelBackend, &mut |_, _| {});
        assert!(matches!(outcome.ending, Ending::Agrees), "{:?}", outcome.ending);
        outcome.record
    };
    assert_eq!(record(0, 0x8000), record(0x8000, 0));
}

#[test]
fn the_digest_is_the_same_everywhere() {
    assert_eq!(digest::of(&all()), DIGEST);
}
