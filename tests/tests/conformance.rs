//! Every scenario that ships, on every manager that this machine has.
//!
//! A skip is only permitted for a capability that the subject says it lacks, with a reason.

use hostmem::run::{Ending, run_scenario};
use hostmem_interface::Backend;
use hostmem_model::ModelBackend;
use hostmem_slow_twin::SlowTwinBackend;
use hostmem_tests::scenarios;

fn all_agree(backend: &dyn Backend) {
    let mut wrong = Vec::new();
    let mut skipped = Vec::new();
    for (name, scenario) in scenarios() {
        let outcome = run_scenario(&scenario, &name, backend, &mut |_, _| {});
        match outcome.ending {
            Ending::Agrees => {}
            Ending::Skipped(_) if outcome.missing.is_some() => skipped.push(name),
            // A machine with a stated limit is the model's and the twin's alone.
            Ending::Skipped(why) if why.starts_with("machine") => skipped.push(name),
            ending => wrong.push(format!("{name}, step {}: {ending:#?}", outcome.steps)),
        }
    }
    // Shown by `cargo test -- --nocapture`: what this machine lacks is never silent.
    eprintln!("{}: {} skipped {skipped:?}", backend.name(), skipped.len());
    assert!(wrong.is_empty(), "on {}:\n{}", backend.name(), wrong.join("\n"));
}

#[test]
fn the_model_agrees_with_itself() {
    all_agree(&ModelBackend);
}

#[test]
fn the_slow_twin_agrees() {
    all_agree(&SlowTwinBackend);
}

#[cfg(target_os = "linux")]
#[test]
fn linux_agrees() {
    all_agree(&hostmem_backends::linux::LinuxBackend::new(
        hostmem_backends::linux::LinuxOptions::default(),
    ));
}
