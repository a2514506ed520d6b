//! What `hostmem check` does if nothing is said reaches the law, on a fixed seed.

use std::thread;

use hostmem::campaign::plan::{CASES, OPS, RandomPlan};
use hostmem::engine::{Engine, Settings};
use hostmem::report::VerdictWord;
use hostmem::run::Coverage;
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem::workload::TURNS;
use hostmem_interface::Backend;
use hostmem_interface::scenario::Level;
use hostmem_model::rule::Proof;
use hostmem_model::{ModelBackend, RULES, RuleId};

/// A part of the default campaign is enough: one case in twenty, with all their operations.
const PART: u64 = CASES / 20;

/// What the first cases of the default campaign reach on a backend, none of which may end
/// early.
fn reached(backend: &dyn Backend) -> Coverage {
    let plan = RandomPlan::new(Seed::DEFAULT, Some(PART), OPS, TURNS);
    let settings = Settings { coverage: true, ..Settings::default() };
    let half = |odd: u64| {
        let mut coverage = Coverage::default();
        for index in (odd..PART).step_by(2) {
            let case = plan.case(index);
            let ran = Runner.random(&case, backend, settings).expect("a known profile");
            assert_eq!(ran.result.word, VerdictWord::Agrees, "{}: {:?}", case.name(), ran.result);
            coverage.merge(&ran.coverage);
        }
        coverage
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut coverage = half(0);
        coverage.merge(&other.join().expect("no panic"));
        coverage
    })
}

#[test]
fn it_reaches_every_must_and_should_rule() {
    let coverage = reached(&ModelBackend);
    let insisted = |rule: &RuleId| {
        let row = rule.rule();
        row.proof == Proof::Decided && row.level >= Level::Should
    };
    let missed: Vec<&str> = RuleId::all()
        .filter(|rule| insisted(rule) && !coverage.reached(*rule))
        .map(|rule| RULES[rule.index()].id)
        .collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}
