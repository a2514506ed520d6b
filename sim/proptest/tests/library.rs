//! The library face: the same intents as the command, shrinking that ends at the simplest,
//! every shipped folder tested, and a broken manager caught through `prop_state_machine!`.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::PathBuf;

use hostmem::files::{builtin, load};
use hostmem::intent::{Extent, Intent};
use hostmem::random::Draw;
use hostmem::run::{Ending, run_scenario};
use hostmem::swarm::Swarm;
use hostmem::workload::random::{Random, WIDE};
use hostmem_interface::{Backend, Machine};
use hostmem_proptest::{Conforms, Reference, Tested, calls, intents, intents_of};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestError, TestRng, TestRunner};

fn runner() -> TestRunner {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng)
}

#[test]
fn proptest_and_the_command_draw_the_same_intents() {
    let (mut ours, mut theirs) = (runner(), runner());
    let mut usual = Swarm::usual(WIDE);
    usual.pin("mistakes=50").expect("a knob");
    let random = Random::new(&usual);
    for _ in 0..500 {
        let mut seed = [0; 32];
        theirs.rng().fill_bytes(&mut seed);
        let tree = intents().new_tree(&mut ours).expect("an intent");
        assert_eq!(tree.current(), random.intent(&mut Draw::from_seed(seed)));
    }
}

#[test]
fn the_kinds_can_be_chosen() {
    let only = intents_of("commit=3,decommit=1").expect("two kinds");
    let mut runner = runner();
    for _ in 0..100 {
        let intent = only.new_tree(&mut runner).expect("an intent").current();
        assert!(matches!(intent, Intent::Alloc { .. } | Intent::Free { .. }), "{intent:?}");
    }
}

#[test]
fn shrinking_ends_at_the_simplest_intent_that_fails() {
    let fails = |intent: &Intent| matches!(intent, Intent::Protect { .. });
    let found = runner().run(&intents(), |intent| {
        prop_assert!(!fails(&intent));
        Ok(())
    });
    let Err(TestError::Fail(_, intent)) = found else { panic!("it is found") };
    let Intent::Protect { aim, extent, protect, .. } = &intent else { panic!("{intent:?}") };
    assert_eq!((aim.nth, aim.share, aim.nudge), (0, 0, 0), "{intent:?}");
    assert_eq!(*extent, Extent::Pages(1), "{intent:?}");
    assert_eq!(protect.to_string(), "PAGE_READWRITE", "{intent:?}");
}

#[test]
fn every_step_of_shrinking_can_be_undone() {
    let mut runner = runner();
    for _ in 0..50 {
        let mut tree = intents().new_tree(&mut runner).expect("an intent");
        let mut steps = 0;
        loop {
            let before = tree.current();
            if !tree.simplify() {
                break;
            }
            steps += 1;
            if steps % 2 == 1 {
                assert!(tree.complicate());
                assert_eq!(tree.current(), before);
            }
            assert!(steps < 20_000, "shrinking ends: {before:?}");
        }
    }
}

#[test]
fn calls_are_those_of_the_state() {
    let mut reference = Reference::new(Machine::WINDOWS_X64);
    let mut runner = runner();
    for _ in 0..200 {
        let intent = intents().new_tree(&mut runner).expect("an intent").current();
        reference.carry_out(&intent);
        let call = calls(&reference, intents()).new_tree(&mut runner).expect("a call").current();
        assert!(hostmem_model::rules::decide(reference.state(), &call).readings().count() > 0);
    }
    assert!(reference.state().space.len() > 3, "the machine goes somewhere");
}

#[test]
fn every_shipped_folder_has_a_test() {
    let shipped = builtin::all();
    let folders: BTreeSet<&str> =
        shipped.iter().filter_map(|file| file.name.split('/').nth(1)).collect();
    let text = include_str!("../src/macros.rs");
    for folder in folders {
        assert!(text.contains(&format!("scenarios(\"{folder}\")")), "no test of {folder}");
    }
}

/// A manager that gives pages back with their old bytes.
struct Canary;

const CANARY: &str = "decommit-keeps-bytes";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("library")
}

impl Tested for Canary {
    fn backend() -> Box<dyn Backend> {
        Box::new(hostmem_twin::canary(CANARY).expect("a canary of that name"))
    }

    fn folder() -> PathBuf {
        folder()
    }
}

hostmem_proptest::prop_state_machine! {
    #![proptest_config(Config {
        cases: 500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    })]
    fn it_conforms(sequential 1..60 => Conforms<Canary>);
}

#[test]
fn a_state_machine_test_catches_a_canary_and_keeps_the_case() {
    let payload = catch_unwind(it_conforms).expect_err("the canary is caught");
    let told = payload.downcast_ref::<String>().expect("a message");
    assert!(told.contains("rule"), "{told}");
    let files = load(&folder().display().to_string()).expect("the case was kept");
    let canary = hostmem_twin::canary(CANARY).expect("a canary of that name");
    let outcome = run_scenario(&files[0].scenario, "", &canary, &mut |_, _| {});
    let Ending::Diverges(finding) = outcome.ending else { panic!("{:?}", outcome.ending) };
    assert!(canary.canary().is_some_and(|it| it.is_named_by(finding.rule)), "{finding:?}");
    assert!(files[0].scenario.steps.len() < 8, "{told}");
}
