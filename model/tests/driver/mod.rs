//! What the tests of the model share: a replay of scenarios on the model itself, and views of
//! a state that can be compared.
//!
//! Deliberately not here: subjects, threads and files, which `hostmem` has; a scenario's
//! steps are carried out one after the other.

pub(crate) mod dice;
pub(crate) mod dump;
mod replay;

pub(crate) use replay::replay;

use hostmem_interface::{Capabilities, Description, Grain, Machine};

/// A subject that can do everything and says no with Win32 errors.
pub(crate) fn description(machine: Machine) -> Description {
    Description {
        name: "test".to_owned(),
        version: String::new(),
        machine,
        capabilities: Capabilities::ALL,
        grain: Grain::Win32,
        absent: Vec::new(),
    }
}
