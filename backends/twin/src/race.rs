//! Managers that are right while one thread calls at a time: they look, let go of the lock,
//! and act on what they saw. A yield between the two opens the gap; a group of steps that
//! overlap (`with`) falls into it.
//!
//! Deliberately not here: a sleep or a clock. How long the gap stays open is a number of
//! yields, cut short as soon as a second thread stands in it.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use hostmem_interface::{Call, Outcome, Reply, Value};
use hostmem_model::actor::Actor;
use hostmem_model::effect::Effect;
use hostmem_model::rule::{AF_03, VA_15, VA_16, VA_27, VF_05, VF_06, VQ_01, VQ_03, VQ_05, VQ_06};
use hostmem_model::rules::decide;

use crate::Canary;
use crate::bent::Lie;

/// How often a thread lets others go first while it stands in the gap.
const YIELDS: u32 = 256;

pub(crate) const CANARIES: &[Canary] = &[
    Canary {
        name: "race-reserve",
        rule: VA_15,
        seen_as: &[VA_16],
        sentence: "Two threads that reserve the same explicit range at once both get it.",
        lie: Lie::Race(Race::Reserve),
    },
    Canary {
        name: "race-commit-limit",
        rule: VA_27,
        seen_as: &[VQ_01, VQ_03, VQ_05, AF_03],
        sentence: "Two threads that commit at once are each checked against the commit limit \
                   without the other.",
        lie: Lie::Race(Race::CommitLimit),
    },
    Canary {
        name: "race-release",
        rule: VF_06,
        seen_as: &[VF_05, VQ_06],
        sentence: "Two threads that release the same allocation at once both succeed.",
        lie: Lie::Race(Race::Release),
    },
];

/// What a manager forgets to keep the lock for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Race {
    /// An explicit reservation.
    Reserve,
    /// The charge of a commit.
    CommitLimit,
    /// A release.
    Release,
}

/// The threads between check and act.
#[derive(Debug, Default)]
pub(crate) struct Gap(AtomicU32);

impl Gap {
    /// Stands in the gap until another thread does too, or long enough.
    fn stand(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        for _ in 0..YIELDS {
            if self.0.load(Ordering::SeqCst) > 1 {
                break;
            }
            thread::yield_now();
        }
    }

    fn leave(&self) {
        // Whoever came second may not have looked yet: give it the chance to see both.
        thread::yield_now();
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Race {
    /// Carries out a call, with the gap open where this race has one.
    pub(crate) fn call<'a>(
        self,
        call: &Call,
        gap: &Gap,
        lock: impl Fn() -> MutexGuard<'a, Actor>,
    ) -> Reply {
        let verdict = decide(&lock().state, call);
        if !self.concerns(&verdict.first.effect) {
            return lock().act(call);
        }
        gap.stand();
        let reply = self.act_late(&verdict.first.effect, call, &mut lock());
        gap.leave();
        reply
    }

    /// Whether a lawful effect is one that this race does too late.
    const fn concerns(self, effect: &Effect) -> bool {
        match self {
            Self::Reserve => matches!(effect, Effect::Reserve { base: Some(_), .. }),
            Self::CommitLimit => matches!(effect, Effect::Commit(..)),
            Self::Release => matches!(effect, Effect::Release(_)),
        }
    }

    /// Acts on what was lawful before the gap. Where another thread was faster, this one
    /// tells its caller what it meant to do all the same.
    fn act_late(self, meant: &Effect, call: &Call, actor: &mut Actor) -> Reply {
        let now = decide(&actor.state, call);
        if now.first.effect == *meant {
            return actor.act(call);
        }
        match (self, meant) {
            (Self::Reserve, Effect::Reserve { base: Some(base), .. }) => {
                Outcome::done(Value::Address(*base)).into()
            }
            (Self::CommitLimit, Effect::Commit(pages, _)) if now.first.rule == VA_27 => {
                let found = actor.state.space.find(pages.base);
                let Some(same) = found.filter(|found| found.base() == pages.base) else {
                    return actor.act(call);
                };
                let first = same.address_of(pages.range.start);
                actor.state.apply(meant);
                Outcome::done(Value::Address(first)).into()
            }
            (Self::Release, Effect::Release(_)) => Outcome::ok().into(),
            _ => actor.act(call),
        }
    }
}
