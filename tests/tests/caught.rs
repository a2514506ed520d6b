//! Every manager that is wrong on purpose is caught by a random campaign within a fixed number
//! of calls, named by its rule, and shrunk to a few steps that replay.
//!
//! Deliberately not here: how many calls each needs (`cargo bench -p hostmem --bench canaries`).

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hostmem::report::VerdictWord;
use hostmem::runner::hunt::{Catch, Hunt};
use hostmem::seed::Seed;
use hostmem_interface::scenario::write;
use hostmem_model::RuleId;
use hostmem_twin::{CANARIES, Canary, canary};

/// How many calls a canary may survive. Most need a hundredth of it.
const MOST_CALLS: usize = 100_000;
/// How many operations a case has.
const OPS: usize = 500;
/// The most steps of a shrunk failure, in the middle and at worst.
const STEPS: (usize, usize) = (5, 8);

fn hunted(canary: &Canary) -> Result<Catch, String> {
    let backend = hostmem_twin::canary(canary.name).expect("a canary of the table");
    let named = |id: &str| RuleId::named(id).is_some_and(|rule| canary.is_named_by(rule));
    let hunt = Hunt {
        seed: Seed::DEFAULT,
        profile: "wide",
        ops: OPS,
        // A race is only lost where calls overlap.
        threads: if canary.needs_threads() { 3 } else { 1 },
        most_calls: MOST_CALLS,
    };
    let mut strange = Vec::new();
    let caught = hunt.run(&backend, named, |result| {
        strange.push(format!("{:?}{:?}", result.rule, result.reason));
    });
    let catch = caught.ok_or_else(|| format!("{} survived; {strange:?}", canary.name))?;
    let text = write(&catch.failing);
    if catch.result.word != VerdictWord::Diverges || catch.result.observed.is_none() {
        return Err(format!("{}: not explained: {:?}", canary.name, catch.result));
    }
    // A scenario whose steps overlap may have to be run many times.
    if !canary.needs_threads() && hostmem::reproducer::check_on(&backend, &text).is_ok() {
        return Err(format!("{}: the scenario does not replay: {text}", canary.name));
    }
    // On a busy machine a race may not show again while it is shrunk, and then stays long.
    if !canary.needs_threads() && catch.failing.steps.len() > STEPS.1 {
        return Err(format!("{}: {} steps: {text}", canary.name, catch.failing.steps.len()));
    }
    Ok(catch)
}

#[test]
fn every_canary_is_caught_by_a_random_campaign_and_shrunk() {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(canary) = CANARIES.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let hunted = hunted(canary);
                    found.lock().expect("no thread panics while it holds it").push(hunted);
                }
            });
        }
    });
    let found = found.into_inner().expect("no thread panics while it holds it");
    assert_eq!(found.len(), CANARIES.len());
    let (caught, wrong): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CANARIES.len(), wrong.join("\n"));
    let steps = caught.into_iter().filter_map(Result::ok).map(|catch| catch.failing.steps.len());
    let mut steps: Vec<usize> = steps.collect();
    steps.sort_unstable();
    let median = steps[steps.len() / 2];
    assert!(median <= STEPS.0, "the median is {median} steps: {steps:?}");
}

#[test]
fn the_manager_that_is_not_broken_is_not_caught() {
    let sound = canary(hostmem_twin::NONE).expect("the unbroken one");
    let hunt = Hunt {
        seed: Seed::DEFAULT,
        profile: "wide",
        ops: OPS,
        threads: 1,
        most_calls: MOST_CALLS / 5,
    };
    let mut strange = Vec::new();
    let caught = hunt.run(&sound, |_| true, |result| strange.push(result.clone()));
    assert!(caught.is_none() && strange.is_empty(), "{caught:#?} {strange:#?}");
}
