//! Which rule decided how often, refusals and successes apart.

use hostmem_interface::Outcome;
use hostmem_model::{RULES, RuleId};

/// Counts for one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Outcomes that were a success.
    pub accepted: u64,
    /// Outcomes that were a refusal or a fault.
    pub refused: u64,
}

/// Counts for every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    counts: Vec<Count>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self { counts: vec![Count::default(); RULES.len()] }
    }
}

impl Coverage {
    /// One more decision.
    pub fn add(&mut self, rule: RuleId, outcome: &Outcome) {
        let count = &mut self.counts[rule.index()];
        if outcome.is_done() {
            count.accepted += 1;
        } else {
            count.refused += 1;
        }
    }

    /// So many more decisions.
    pub fn add_counts(&mut self, rule: RuleId, accepted: u64, refused: u64) {
        let count = &mut self.counts[rule.index()];
        count.accepted += accepted;
        count.refused += refused;
    }

    /// The decisions of another run too.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            count.accepted += more.accepted;
            count.refused += more.refused;
        }
    }

    /// The count of a rule.
    #[must_use]
    pub fn of(&self, rule: RuleId) -> Count {
        self.counts[rule.index()]
    }

    /// Whether a rule decided at all.
    #[must_use]
    pub fn reached(&self, rule: RuleId) -> bool {
        self.of(rule) != Count::default()
    }
}
