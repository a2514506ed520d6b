//! What came of an exhaustive search, in numbers and in words.
//!
//! Deliberately not here: times, which are no part of a result.

use std::fmt;

use hostmem_interface::Capability;
use hostmem_interface::scenario::Scenario;

use super::scope::{Layout, Scope};
use crate::run::Ending;

/// What was done at one depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// States that no fewer calls reach; or sequences of that length.
    pub states: u64,
    /// Calls that were tried from them, and judged.
    pub calls: u64,
    /// How many of these changed the state.
    pub changes: u64,
    /// Accesses that would fault on a subject that cannot report faults, and were not made.
    pub beyond: u64,
}

impl Level {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            states: self.states + other.states,
            calls: self.calls + other.calls,
            changes: self.changes + other.changes,
            beyond: self.beyond + other.beyond,
        }
    }
}

/// The first thing that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A sequence that shows it.
    pub scenario: Scenario,
    /// How many of its steps are calls of the scope; the rest is the hole, and what the
    /// harness asked to see it.
    pub calls: usize,
    /// What it is.
    pub ending: Ending,
}

/// How a search ended.
#[derive(Clone, Debug)]
pub enum End {
    /// Everything in the scope agrees.
    Complete,
    /// It was stopped.
    Stopped,
    /// Something went wrong.
    Failed(Box<Failure>),
}

/// What came of a search.
#[derive(Clone, Debug)]
pub struct Report {
    /// The backend.
    pub backend: String,
    /// The scope.
    pub scope: Scope,
    /// Where its pages lay.
    pub layout: Layout,
    /// How many calls were tried in each state.
    pub alphabet: usize,
    /// What the subject cannot do, so that calls were left out.
    pub left_out: Vec<Capability>,
    /// What was done, by how many calls had been made before.
    pub levels: Vec<Level>,
    /// How it ended.
    pub end: End,
}

impl Report {
    /// All depths together.
    #[must_use]
    pub fn total(&self) -> Level {
        self.levels.iter().fold(Level::default(), |all, level| all.and(*level))
    }

    /// The failure, if there was one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.end {
            End::Failed(failure) => Some(failure),
            End::Complete | End::Stopped => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>6}  {:>12}  {:>14}  {:>14}", "after", "states", "calls", "changes")?;
        let total = ("all".to_owned(), self.total());
        let levels = (0..).zip(&self.levels).map(|(depth, level)| (format!("{depth}"), *level));
        for (name, level) in levels.chain([total]) {
            let Level { states, calls, changes, .. } = level;
            writeln!(f, "{name:>6}  {states:>12}  {calls:>14}  {changes:>14}")?;
        }
        match self.total().beyond {
            0 => Ok(()),
            beyond => writeln!(f, "not made: {beyond} accesses whose faults are not reported"),
        }
    }
}
