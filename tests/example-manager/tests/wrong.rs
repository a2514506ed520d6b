//! A manager with a mistake is caught, the failure is shrunk to a few steps, named by its
//! rule, and kept as a scenario that fails again for as long as the mistake is there.

use std::path::Path;

use hostmem_example_manager::Manager;
use hostmem_proptest::{Conformance, Failed, Failure, HostBackend, Machine, Tally, site};

/// The most steps of a shrunk failure: make, write, decommit, commit, and look.
const STEPS: usize = 6;
/// What is read is what was written, and zero where memory is new.
const RULES: [&str; 2] = ["ZF-01", "ZF-02"];

fn tests(folder: &Path, make: fn() -> Manager) -> Conformance {
    let backend = HostBackend::new("example", move |_: &Machine| make());
    Conformance::new(backend, site(folder))
}

fn the_failure(came: Result<Tally, Failed>) -> Failure {
    match came.expect_err("the mistake is caught") {
        Failed::Cases { mut failures, .. } => failures.pop().expect("a failure"),
        other => panic!("{other}"),
    }
}

fn is_caught(test: fn(&Conformance) -> Result<Tally, Failed>) {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = tests(folder.path(), Manager::that_forgets_to_scrub);
    let failure = the_failure(test(&wrong));
    assert!(failure.rule().is_some_and(|rule| RULES.contains(&rule)), "{failure}");
    assert!(failure.scenario.steps.len() <= STEPS, "{failure}");
    let told = failure.to_string();
    for part in ["expected", "observed", "replay", "regressions", ".json"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    // The file fails again, by the same rule, and no more once the mistake is mended.
    assert!(failure.file().is_some_and(Path::is_file), "{failure}");
    assert_eq!(the_failure(wrong.regressions()).rule(), failure.rule());
    let mended = tests(folder.path(), Manager::new).regressions().expect("it agrees now");
    assert_eq!(mended.agreed, 1);
}

#[test]
fn a_random_campaign_catches_it() {
    is_caught(|tests| tests.random("wide"));
}

#[test]
fn the_state_machine_catches_it() {
    is_caught(Conformance::state_machine);
}

#[test]
fn a_scenario_catches_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = tests(folder.path(), Manager::that_forgets_to_scrub);
    let failure = the_failure(wrong.scenarios("access"));
    assert!(failure.rule().is_some_and(|rule| RULES.contains(&rule)), "{failure}");
}

/// What keeps none of its promises is not passed over.
#[test]
fn a_manager_that_can_do_nothing_is_told_so() {
    use hostmem_interface::{Description, HostMemoryManager};
    use hostmem_proptest::ManagerOnly;

    struct Idle;
    impl HostMemoryManager for Idle {
        fn virtual_alloc(
            &self,
            _: hostmem_interface::Address,
            _: u64,
            _: hostmem_interface::AllocationType,
            _: hostmem_interface::Protection,
            _: hostmem_interface::CriticalLevel,
        ) -> Result<hostmem_interface::Address, hostmem_interface::Refusal> {
            panic!("not written yet")
        }

        fn virtual_free(
            &self,
            _: hostmem_interface::Address,
            _: u64,
            _: hostmem_interface::FreeType,
        ) -> Result<(), hostmem_interface::Refusal> {
            panic!("not written yet")
        }

        fn virtual_protect(
            &self,
            _: hostmem_interface::Address,
            _: u64,
            _: hostmem_interface::Protection,
            _: hostmem_interface::OutPointer,
        ) -> Result<hostmem_interface::Protection, hostmem_interface::Refusal> {
            panic!("not written yet")
        }
    }

    let folder = tempfile::tempdir().expect("a folder");
    let make = |_: &Machine| ManagerOnly::new(Idle, Description::new("idle"));
    let tests = Conformance::new(HostBackend::new("idle", make), site(folder.path()));
    let failure = the_failure(tests.random("wide"));
    assert!(failure.to_string().contains("it panicked: not written yet"), "{failure}");
}
