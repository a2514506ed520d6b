//! Which capabilities a step, and a whole scenario, needs beyond the core.
//!
//! Deliberately not here: what a call needs (`hostmem-interface`).

use hostmem_interface::scenario::{Action, Scenario, Step};
use hostmem_interface::{Capabilities, Capability, Outcome};
use hostmem_model::ModelBackend;

use super::run_scenario;

pub use hostmem_interface::needs::call_needs;

/// What a step needs.
#[must_use]
pub fn needs(step: &Step) -> Capabilities {
    match &step.action {
        Action::Call(call) => call_needs(call),
        Action::Walk { .. } => Capabilities::NONE.with(Capability::Query),
        Action::Hole { .. } | Action::FailNext { .. } => Capabilities::NONE,
    }
}

/// What a scenario needs: whatever its steps do, and faults where the law has one for them.
#[must_use]
pub fn scenario_needs(scenario: &Scenario) -> Capabilities {
    let steps = scenario.steps.iter().map(needs);
    let mut needed = steps.fold(Capabilities::NONE, Capabilities::union);
    let unbounded = Scenario { needs: Capabilities::NONE, ..scenario.clone() };
    run_scenario(&unbounded, "", &ModelBackend, &mut |_, answered| {
        if matches!(answered.outcome, Outcome::Faulted(_)) {
            needed = needed.with(Capability::Faults);
        }
    });
    needed
}
