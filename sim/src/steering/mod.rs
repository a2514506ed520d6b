//! Which rules a case has reached, and a push toward those that it has not.
//!
//! Map: [`RuleSet`] is what was reached; [`makers`] says how each rule can be; [`Steering`]
//! puts such intents between those of a workload.
//!
//! Deliberately not here: anything about other cases. What steers a case must come from the
//! case alone, or its seed would not be enough to run it again.

pub mod makers;

use std::collections::VecDeque;

use hostmem_interface::scenario::Step;
use hostmem_model::{RULES, RuleId};

use crate::intent::Intent;
use crate::random::Draw;
use crate::view::View;
use makers::MAKERS;

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

/// Puts intents that reach new rules between those of a workload, one in so many.
#[derive(Clone, Debug)]
pub struct Steering {
    one_in: u64,
    pending: VecDeque<Intent>,
}

impl Steering {
    /// A push in one of `one_in` intents.
    #[must_use]
    pub const fn new(one_in: u64) -> Self {
        Self { one_in, pending: VecDeque::new() }
    }

    /// Steps toward a rule that the case has not reached, if it is their turn.
    pub fn next(
        &mut self,
        reached: &dyn Fn(RuleId) -> bool,
        draw: &mut Draw,
        view: &View<'_>,
    ) -> Option<Vec<Step>> {
        if self.pending.is_empty() && draw.chance(1, self.one_in) {
            let limited = view.state.machine().commit_limit.is_some();
            let open: Vec<_> = MAKERS
                .iter()
                .filter(|maker| !reached(maker.rule) && (limited || !maker.limited))
                .collect();
            if !open.is_empty() {
                self.pending.extend((draw.pick(&open).make)(draw));
            }
        }
        self.pending.pop_front().map(|intent| intent.realise(view))
    }
}
