//! Subjects made from the model: the model itself behind a backend's door, and managers that
//! are broken on purpose, each in one known way.
//!
//! A harness that finds nothing proves nothing until it has been seen to find something. A
//! *canary* is a manager that obeys every rule but one; a suite or a campaign in which one
//! survives is void. Each is a *bent law*: the same state, the same pure decision, and for
//! the calls that its fault concerns another verdict in place of the lawful one.
//!
//! Map, in reading order:
//!
//! * [`Canary`] and the table [`CANARIES`], here;
//! * [`bent`]: a verdict that is not the law's, and how it is carried out;
//! * [`backend`]: a canary as a backend, `canary:NAME`; `canary:none` is unbroken;
//! * one file for each kind of call, with the canaries that break it: `alloc`, `reset`,
//!   `free`, `protect`, `query`, `access`, `watch`, `heap`, `pressure`; `race` has those that
//!   are right as long as one thread calls at a time.
//!
//! Deliberately not here: any lawful decision (`hostmem-model` makes them all), and how a
//! canary is caught (`tests/`).

mod access;
mod alloc;
pub mod backend;
mod bent;
mod free;
mod heap;
mod pressure;
mod protect;
mod query;
mod race;
mod reset;
mod watch;

use std::fmt;

use hostmem_model::RuleId;

pub use backend::{CanaryBackend, NONE, canary};

/// A manager that is broken in one known way.
#[derive(Clone, Copy)]
pub struct Canary {
    /// Its name behind `canary:`.
    pub name: &'static str,
    /// The rule that it breaks.
    pub rule: RuleId,
    /// Rules by which it may be found out instead: a rule about state is only ever observed
    /// in the answer to some later call, which another rule decides.
    pub seen_as: &'static [RuleId],
    /// What it does wrong, in one sentence.
    pub sentence: &'static str,
    lie: bent::Lie,
}

impl Canary {
    /// Whether a divergence by `rule` names this canary's fault.
    #[must_use]
    pub fn is_named_by(&self, rule: RuleId) -> bool {
        rule == self.rule || self.seen_as.contains(&rule)
    }

    /// Whether it only fails when calls of two threads overlap: a sequential case cannot
    /// catch it.
    #[must_use]
    pub const fn needs_threads(&self) -> bool {
        matches!(self.lie, bent::Lie::Race(_))
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary")
            .field("name", &self.name)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

const GROUPS: [&[Canary]; 10] = [
    alloc::CANARIES,
    reset::CANARIES,
    free::CANARIES,
    protect::CANARIES,
    query::CANARIES,
    access::CANARIES,
    watch::CANARIES,
    heap::CANARIES,
    pressure::CANARIES,
    race::CANARIES,
];

const COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

static ALL: [Canary; COUNT] = {
    let mut all = [GROUPS[0][0]; COUNT];
    let (mut group, mut at, mut to) = (0, 0, 0);
    while group < GROUPS.len() {
        while at < GROUPS[group].len() {
            all[to] = GROUPS[group][at];
            at += 1;
            to += 1;
        }
        at = 0;
        group += 1;
    }
    all
};

/// Every canary, grouped by the kind of call that it breaks.
pub static CANARIES: &[Canary] = &ALL;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_sentences_are_sentences() {
        let mut names = BTreeSet::new();
        for canary in CANARIES {
            assert!(names.insert(canary.name), "{} twice", canary.name);
            assert_ne!(canary.name, NONE);
            assert!(canary.sentence.ends_with('.'), "{}: {}", canary.name, canary.sentence);
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(canary.name.bytes().all(plain), "{}", canary.name);
            assert!(!canary.seen_as.contains(&canary.rule), "{} lists its rule twice", canary.name);
        }
        assert!(CANARIES.len() >= 28);
    }
}
