//! A manager that is wrong on purpose is caught by random work, shrunk to a few steps, and
//! explained by its rule.

use hostmem::campaign::plan::RandomPlan;
use hostmem::engine::{Engine, Settings};
use hostmem::report::VerdictWord;
use hostmem::run::{Ending, run_scenario};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem_twin::canary;

/// How many cases of 500 operations a canary may survive.
const CASES: u64 = 40;
/// The most steps of a shrunk failure.
const STEPS: usize = 4;

fn is_caught_and_explained(name: &str) {
    let backend = canary(name).expect("a canary of that name");
    for index in 0..CASES {
        let case = RandomPlan::new(Seed::DEFAULT, None, 500, &["wide"]).case(index);
        let ran = Runner.random(&case, &backend, Settings::default()).expect("a known profile");
        if ran.result.word != VerdictWord::Diverges {
            continue;
        }
        let failing = ran.failing.expect("a failure is kept as a scenario");
        let rule = ran.result.rule.expect("a divergence names its rule");
        let text = hostmem_interface::scenario::write(&failing);
        assert!(failing.steps.len() <= STEPS, "{name}, {} steps: {text}", failing.steps.len());
        let id = hostmem_model::RuleId::named(&rule).expect("a rule of the law");
        assert!(backend.canary().is_some_and(|it| it.is_named_by(id)), "{name}: {rule}");
        assert!(ran.result.expected.is_some() && ran.result.observed.is_some());
        let again = run_scenario(&failing, "", &backend, &mut |_, _| {});
        assert!(matches!(again.ending, Ending::Diverges(_)), "{name}: the file replays");
        return;
    }
    panic!("{name} survived {CASES} cases");
}

#[test]
fn stale_bytes_after_a_decommit() {
    is_caught_and_explained("decommit-keeps-bytes");
}

#[test]
fn the_old_protection_of_the_wrong_page() {
    is_caught_and_explained("old-protection-of-last-page");
}

#[test]
fn a_release_of_the_inside() {
    is_caught_and_explained("release-interior");
}

#[test]
fn neighbours_merged_in_a_query() {
    is_caught_and_explained("query-merges-allocations");
}

#[test]
fn a_guard_that_fires_twice() {
    is_caught_and_explained("guard-not-one-shot");
}
