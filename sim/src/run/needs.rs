//! Which capabilities a step needs beyond the core.
//!
//! Deliberately not here: what a call needs (`hostmem-interface`).

use hostmem_interface::scenario::{Action, Step};
use hostmem_interface::{Capabilities, Capability};

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
