//! The search that merges nothing: every sequence of calls, shorter ones first.
//!
//! For subjects with a state that the law does not know. With c calls there are c^n sequences
//! of n calls, so their number is told before the search begins. Each runs on a fresh subject
//! of its own, and is looked at behind its last call.

use rayon::prelude::*;

use super::report::{End, Failure, Level, Report};
use super::{ExhaustError, Manner, Progress, Search};

/// How many sequences run between two looks at the clock and the stop sign.
const BLOCK: u64 = 4096;

/// How many sequences of 1 to `depth` calls there are, of `calls` calls; `None` for 2^64 and
/// more.
#[must_use]
pub fn count(calls: u64, depth: u32) -> Option<u64> {
    (1..=depth).try_fold(0u64, |all, length| all.checked_add(calls.checked_pow(length)?))
}

impl Search<'_> {
    /// How many sequences [`Search::sequences`] runs; `None` for 2^64 and more.
    #[must_use]
    pub fn sequence_count(&self) -> Option<u64> {
        count(self.calls.len() as u64, self.scope.depth)
    }

    /// Runs every sequence of at most `depth` calls.
    ///
    /// # Errors
    /// If there are no threads to be had.
    pub fn sequences(&self, manner: &mut Manner<'_>) -> Result<Report, ExhaustError> {
        let pool = super::threads(manner.jobs)?;
        let calls = self.calls.len() as u64;
        let mut levels = Vec::new();
        for length in 1..=self.scope.depth {
            let total = calls.saturating_pow(length);
            levels.push(Level::default());
            let mut start = 0;
            while start < total {
                (manner.progress)(&Progress { depth: length, done: start, total });
                if (manner.stop)() {
                    return Ok(self.report(levels, End::Stopped));
                }
                let block = start..total.min(start.saturating_add(BLOCK));
                let first_failure =
                    |at: u64| self.run_sequence(at, length).map(|failure| (at, failure));
                let found =
                    pool.install(|| block.clone().into_par_iter().find_map_first(first_failure));
                let behind = found.as_ref().map_or(block.end, |(at, _)| at + 1);
                let sequences = behind - start;
                let level = levels.last_mut().expect("just pushed");
                level.states += sequences;
                level.calls += sequences * u64::from(length);
                if let Some((_, failure)) = found {
                    return Ok(self.report(levels, End::Failed(Box::new(failure))));
                }
                start = block.end;
            }
        }
        Ok(self.report(levels, End::Complete))
    }

    /// The sequence with that number, the first call being its highest digit.
    fn sequence(&self, mut number: u64, length: u32) -> Vec<u16> {
        let calls = self.calls.len() as u64;
        let mut sequence = Vec::new();
        for _ in 0..length {
            let digit = u16::try_from(number % calls).expect("calls are numbered in 16 bits");
            sequence.push(digit);
            number /= calls;
        }
        sequence.reverse();
        sequence
    }

    fn run_sequence(&self, number: u64, length: u32) -> Option<Failure> {
        let sequence = self.sequence(number, length);
        let seen = self.failure_of(&sequence)?;
        let scenario = self.scenario(&sequence, seen.shown_by.as_ref());
        let ending = self.settled(&scenario, seen.ending);
        Some(Failure { scenario, calls: sequence.len(), ending })
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_count_is_the_sum_of_powers() {
        assert_eq!(count(7, 1), Some(7));
        assert_eq!(count(7, 3), Some(7 + 49 + 343));
        assert_eq!(count(0, 5), Some(0));
        assert_eq!(count(1 << 16, 4), None);
    }
}
