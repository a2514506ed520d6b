//! Which rules a case has reached, and a push toward those that it has not.
//!
//! Deliberately not here: anything about other cases. What steers a case must come from the
//! case alone, or its seed would not be enough to run it again.

use hostmem_model::{RULES, RuleId};

/// A set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    has: Vec<bool>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self { has: vec![false; RULES.len()] }
    }
}

impl RuleSet {
    /// Adds a rule; says whether it is new.
    pub fn add(&mut self, rule: RuleId) -> bool {
        !std::mem::replace(&mut self.has[rule.index()], true)
    }

    /// Whether it is in the set.
    #[must_use]
    pub fn has(&self, rule: RuleId) -> bool {
        self.has[rule.index()]
    }

    /// Adds all of another set.
    pub fn add_all(&mut self, other: &Self) {
        for (have, more) in self.has.iter_mut().zip(&other.has) {
            *have |= more;
        }
    }

    /// The rules in it, in the order of the law.
    pub fn iter(&self) -> impl Iterator<Item = RuleId> {
        RuleId::all().filter(|rule| self.has(*rule))
    }
}
