//! The search that merges states: breadth first, a level at a time.
//!
//! A level is worked off in blocks. The states of a block are expanded side by side, and what
//! they found is put together in their order: the result is the same for any number of
//! threads. Only the successors that no earlier state had are kept, as a parent and a call.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::canonical::Key;
use super::probe::{Done, Trouble};
use super::report::{End, Failure, Level, Report};
use super::{ExhaustError, Manner, Progress, Search};

/// How many states are expanded between two looks at the clock and the stop sign.
const BLOCK: usize = 256;

/// A state that was reached: by `call` from `parent`.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    call: u16,
}

/// Every state that was reached, in order; the first one is the empty space.
struct Reached {
    nodes: Vec<Node>,
    keys: BTreeSet<Key>,
}

impl Reached {
    /// The calls that lead to a state.
    fn path(&self, state: usize) -> Vec<u16> {
        let mut path = Vec::new();
        let mut at = state;
        while at != 0 {
            let node = self.nodes[at];
            path.push(node.call);
            at = node.parent as usize;
        }
        path.reverse();
        path
    }

    fn add(&mut self, parent: usize, call: u16, key: Key) {
        if self.keys.insert(key) {
            let parent = u32::try_from(parent).expect("fewer than 2^32 states fit memory");
            self.nodes.push(Node { parent, call });
        }
    }
}

/// What came of trying every call in one state.
#[derive(Default)]
struct Expansion {
    level: Level,
    successors: Vec<(u16, Key)>,
    failure: Option<Failure>,
}

impl Search<'_> {
    /// Tries every call from every state that fewer than `depth` calls reach.
    ///
    /// # Errors
    /// If there are no threads to be had.
    pub fn states(&self, manner: &mut Manner<'_>) -> Result<Report, ExhaustError> {
        let pool = super::threads(manner.jobs)?;
        let mut levels = Vec::new();
        let mut reached = match self.reach(&[]) {
            Ok(probe) => Reached {
                nodes: vec![Node { parent: 0, call: 0 }],
                keys: BTreeSet::from([probe.key()]),
            },
            Err(trouble) => {
                let failure = self.pin_down(&[], &[], trouble);
                return Ok(self.report(levels, End::Failed(Box::new(failure))));
            }
        };
        let mut first = 0;
        for depth in 0..self.scope.depth {
            let behind = reached.nodes.len();
            let keep = depth + 1 < self.scope.depth;
            levels.push(Level::default());
            for start in (first..behind).step_by(BLOCK) {
                let (done, total) = ((start - first) as u64, (behind - first) as u64);
                (manner.progress)(&Progress { depth, done, total });
                if (manner.stop)() {
                    return Ok(self.report(levels, End::Stopped));
                }
                let block = start..behind.min(start + BLOCK);
                let expand = |state: usize| self.expand(&reached, state, keep);
                let expansions: Vec<Expansion> =
                    pool.install(|| block.clone().into_par_iter().map(expand).collect());
                for (state, expansion) in block.zip(expansions) {
                    levels[depth as usize] = levels[depth as usize].and(expansion.level);
                    if let Some(failure) = expansion.failure {
                        return Ok(self.report(levels, End::Failed(Box::new(failure))));
                    }
                    for (call, key) in expansion.successors {
                        reached.add(state, call, key);
                    }
                }
            }
            first = behind;
        }
        Ok(self.report(levels, End::Complete))
    }

    /// Tries every call in one state; keeps the successors that are new if `keep` says so.
    fn expand(&self, reached: &Reached, state: usize, keep: bool) -> Expansion {
        let path = reached.path(state);
        let mut expansion = Expansion::default();
        expansion.level.states = 1;
        let mut tried = Vec::new();
        if let Err(trouble) = self.try_all(&path, reached, keep, &mut tried, &mut expansion) {
            expansion.failure = Some(self.pin_down(&path, &tried, trouble));
        }
        expansion
    }

    /// `tried` holds what was tried on the subject in use.
    fn try_all(
        &self,
        path: &[u16],
        reached: &Reached,
        keep: bool,
        tried: &mut Vec<u16>,
        expansion: &mut Expansion,
    ) -> Result<(), Trouble> {
        let mut probe = self.reach(path)?;
        let trail = probe.trail();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        probe.put_key(&mut here);
        for number in self.numbers() {
            tried.push(number);
            let done = probe.carry_out(self.call(number))?;
            match done {
                Done::Beyond => expansion.level.beyond += 1,
                Done::Something | Done::Nothing => expansion.level.calls += 1,
            }
            if done != Done::Something {
                continue;
            }
            probe.put_key(&mut there);
            if there == here {
                continue;
            }
            expansion.level.changes += 1;
            probe.look()?;
            if keep && !reached.keys.contains(&there[..]) {
                expansion.successors.push((number, Key::from(&there[..])));
            }
            tried.clear();
            probe = self.reach_again(path, &trail)?;
        }
        // Whatever was refused since the last look has left no trace either.
        probe.look()
    }
}
