//! Scenario files: found, read within limits, selected and written whole or not at all.
//!
//! Map, in reading order:
//!
//! * [`load`](mod@load): files and folders that a user names, and what is wrong with them;
//! * [`builtin`]: the scenarios that are part of the binary;
//! * [`select`]: `--only` and `--skip`;
//! * [`write`](mod@write): atomic writing.
//!
//! Deliberately not here: the format itself (`hostmem-interface`).

pub mod builtin;
pub mod load;
pub mod select;
pub mod write;

use hostmem_interface::scenario::Scenario;

pub use load::{FileError, load};
pub use select::Selection;
pub use write::{Atomic, WriteError};

use crate::report::Suite;

/// A scenario with the name under which reports speak of it.
#[derive(Clone, Debug)]
pub struct NamedScenario {
    /// Its path, as the user would name it again.
    pub name: String,
    /// Where it comes from.
    pub suite: Suite,
    /// The scenario.
    pub scenario: Scenario,
}
