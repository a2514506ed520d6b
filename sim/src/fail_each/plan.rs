//! Which shortages a scenario is put through: all of them, or an even sample where the
//! scenario is so long that all would take too long.
//!
//! Deliberately not here: chance, and clocks. The choice is a function of the scenario.

use std::fmt;

use hostmem_interface::CriticalLevel;
use hostmem_interface::scenario::MachineRequest;

/// About how many steps all runs of a scenario may have together.
const STEPS: usize = 400_000;
/// But so many of its calls are made to fail, however long it is.
const FEWEST: usize = 2;
/// The levels, in the order in which refusals climb them.
const LEVELS: [CriticalLevel; 3] =
    [CriticalLevel::TASK, CriticalLevel::APP_DOMAIN, CriticalLevel::PROCESS];

/// A call of a scenario that may fail: its step, counted from 0.
pub type CallAt = usize;

/// What a run lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Nothing.
    None,
    /// Calls are refused in front of the subject.
    Refused {
        /// The first of them.
        from: CallAt,
        /// Whether those behind it are refused too.
        onwards: bool,
        /// The level at which every call is made, and up to which they are refused.
        level: CriticalLevel,
    },
    /// The subject's machine commits no more than this many bytes.
    Limit(u64),
}

impl Shortage {
    /// The shortage in words.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        (*self != Self::None).then(|| self.to_string())
    }

    /// Whether a call is refused in front of the subject.
    #[must_use]
    pub const fn refuses(&self, at: CallAt) -> Option<CriticalLevel> {
        match *self {
            Self::Refused { from, onwards, level } if at == from || (onwards && at > from) => {
                Some(level)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no shortage"),
            Self::Refused { from, onwards: false, level } => {
                write!(f, "with the call of step {} refused once, all at {level}", from + 1)
            }
            Self::Refused { from, onwards: true, level } => {
                write!(f, "with everything refused from step {} on, all at {level}", from + 1)
            }
            Self::Limit(bytes) => write!(f, "with a commit limit of {bytes:#x} bytes"),
        }
    }
}

/// How much a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sweep {
    /// How many calls may fail.
    pub calls: u64,
    /// How many of them were made to fail.
    pub failed: u64,
    /// How many runs had a shortage.
    pub runs: u64,
    /// How many of them ended early, because the subject ran out of memory by itself.
    pub cut: u64,
}

impl Sweep {
    /// Takes another one in.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.runs += other.runs;
        self.cut += other.cut;
    }
}

/// The runs of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Shortages {
    /// In the order in which they are run.
    pub shortages: Vec<Shortage>,
    /// What they come to.
    pub sweep: Sweep,
}

/// The shortages for a scenario whose `calls` may fail, whose commit charge reached these
/// `heights` one after the other, and which is as much work as `length` steps.
#[must_use]
pub fn shortages(calls: &[CallAt], heights: &[u64], length: usize) -> Shortages {
    // Twice at each level, and each run is the scenario twice.
    let each = (4 * LEVELS.len() * length).max(1);
    let chosen = sample(calls, (STEPS / each).max(FEWEST));
    let refused = chosen.iter().flat_map(|&from| {
        LEVELS.into_iter().flat_map(move |level| {
            [false, true].map(|onwards| Shortage::Refused { from, onwards, level })
        })
    });
    let most = (STEPS / (2 * length).max(1)).max(FEWEST);
    let limits = sample(heights, most).into_iter().map(|height| Shortage::Limit(height - 1));
    let sweep =
        Sweep { calls: calls.len() as u64, failed: chosen.len() as u64, ..Sweep::default() };
    Shortages { shortages: refused.chain(limits).collect(), sweep }
}

/// At most `most` of `all`, evenly spread, the first and the last among them.
fn sample<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most || most < 2 {
        return all[..all.len().min(most)].to_vec();
    }
    (0..most).map(|at| all[at * (all.len() - 1) / (most - 1)]).collect()
}

/// A machine that commits at most so many bytes.
#[must_use]
pub const fn limited(machine: &MachineRequest, bytes: u64) -> MachineRequest {
    MachineRequest { commit_limit: Some(bytes), ..*machine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_calls_have_2n_runs_at_each_level_and_each_height_one() {
        let plan = shortages(&[1, 4], &[0x1000, 0x3000], 10);
        assert_eq!(plan.shortages.len(), 2 * 2 * 3 + 2);
        assert_eq!(plan.sweep, Sweep { calls: 2, failed: 2, runs: 0, cut: 0 });
        assert_eq!(plan.shortages.last(), Some(&Shortage::Limit(0x2FFF)));
        assert!(shortages(&[], &[], 0).shortages.is_empty());
    }

    #[test]
    fn a_long_scenario_is_sampled_from_its_first_call_to_its_last() {
        let calls: Vec<usize> = (0..100_000).collect();
        let plan = shortages(&calls, &[], 1_000_000);
        assert_eq!(plan.sweep, Sweep { calls: 100_000, failed: 2, runs: 0, cut: 0 });
        assert_eq!(sample(&calls, 3), [0, 49_999, 99_999]);
        assert_eq!(sample(&calls, 100_000), calls);
    }

    #[test]
    fn once_is_one_call_and_onwards_all_behind_it() {
        let level = CriticalLevel::TASK;
        let refused = |onwards, at| Shortage::Refused { from: 3, onwards, level }.refuses(at);
        assert_eq!([2, 3, 4].map(|at| refused(false, at)), [None, Some(level), None]);
        assert_eq!([2, 3, 4].map(|at| refused(true, at)), [None, Some(level), Some(level)]);
        assert_eq!(Shortage::Limit(1).refuses(3), None);
    }
}
