//! Counts per verdict word, and the exit code that follows from a run.
//!
//! The codes are a contract with scripts: see [`ExitStatus`]. Of several that apply, the
//! first of 70, 4, 3, 2 is taken, so that the worst about hostmem itself comes before what it
//! found. An interrupted run that had found something already says so: 2 beats 130.
//!
//! Deliberately not here: how the counts are shown.

use std::collections::{BTreeMap, BTreeSet};

use hostmem_interface::Planted;
use hostmem_interface::scenario::Level;

use crate::fail_each::plan::Sweep;

use super::{CaseResult, End, Report, Suite, VerdictWord};

/// How the process ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitStatus {
    /// Nothing worse than *tolerated*, *skipped* or a divergence of a should or may.
    #[default]
    Success = 0,
    /// A mistake in the command line, or input that cannot be read.
    Usage = 1,
    /// A subject diverges where it must not.
    Diverges = 2,
    /// A subject broke, or a step ran out of time.
    Broken = 3,
    /// hostmem contradicts itself, or something required is missing.
    Contradiction = 4,
    /// A mistake in hostmem.
    Internal = 70,
    /// Interrupted from outside.
    Interrupted = 130,
}

impl ExitStatus {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Usage => 1,
            Self::Diverges => 2,
            Self::Broken => 3,
            Self::Contradiction => 4,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// Of two that apply, the one to report.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        // Most urgent first; 1 stands for input that only showed its fault on the way.
        const ORDER: [ExitStatus; 7] = [
            ExitStatus::Internal,
            ExitStatus::Contradiction,
            ExitStatus::Broken,
            ExitStatus::Diverges,
            ExitStatus::Interrupted,
            ExitStatus::Usage,
            ExitStatus::Success,
        ];
        ORDER.into_iter().find(|&one| one == self || one == other).unwrap_or(self)
    }
}

/// How many cases ended in each word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; 5]);

impl Counts {
    /// Those of one word.
    #[must_use]
    pub const fn of(&self, word: VerdictWord) -> u64 {
        self.0[word as usize]
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, word: VerdictWord) {
        self.0[word as usize] += 1;
    }
}

/// The counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Of everything.
    pub all: Counts,
    /// By backend, in order of first appearance, and by suite.
    pub rows: Vec<(String, Suite, Counts)>,
    /// Divergences by level: must, should, may.
    pub diverges: [u64; 3],
    /// Steps carried out.
    pub steps: u64,
    /// What the sweeps of refusals came to, if there were any.
    pub sweep: Option<Sweep>,
}

impl Summary {
    /// Counts results.
    #[must_use]
    pub fn of(results: &[CaseResult]) -> Self {
        let mut summary = Self::default();
        let mut backends: Vec<&str> = Vec::new();
        let mut cells: BTreeMap<(usize, Suite), Counts> = BTreeMap::new();
        for result in results {
            let backend = backends.iter().position(|&known| known == result.backend);
            let backend = backend.unwrap_or_else(|| {
                backends.push(&result.backend);
                backends.len() - 1
            });
            cells.entry((backend, result.suite)).or_default().add(result.word);
            summary.all.add(result.word);
            summary.steps += result.steps as u64;
            if let Some(sweep) = result.sweep {
                summary.sweep.get_or_insert_default().add(sweep);
            }
            if result.word == VerdictWord::Diverges {
                summary.diverges[level_index(result.level)] += 1;
            }
        }
        let row = |((backend, suite), counts): ((usize, Suite), Counts)| {
            (backends[backend].to_owned(), suite, counts)
        };
        summary.rows = cells.into_iter().map(row).collect();
        summary
    }

    /// Divergences of a level.
    #[must_use]
    pub const fn diverges(&self, level: Level) -> u64 {
        self.diverges[level_index(level)]
    }
}

const fn level_index(level: Level) -> usize {
    match level {
        Level::Must => 0,
        Level::Should => 1,
        Level::May => 2,
    }
}

/// The requirements that a run did not meet.
#[must_use]
pub fn unmet(report: &Report) -> Vec<&str> {
    unmet_by(&report.require, &report.results)
}

/// Those of the names for lack of which a case was skipped.
pub(crate) fn unmet_by<'a>(
    names: &'a [String],
    results: impl IntoIterator<Item = &'a CaseResult>,
) -> Vec<&'a str> {
    let skipped = results.into_iter().filter(|it| it.word == VerdictWord::Skipped);
    let missing: BTreeSet<&str> = skipped.filter_map(|it| it.missing.as_deref()).collect();
    names.iter().map(String::as_str).filter(|name| missing.contains(name)).collect()
}

/// The backends that are wrong on purpose and of which a finished campaign found nothing, each
/// in a sentence.
#[must_use]
pub fn survivors(report: &Report) -> Vec<String> {
    if !matches!(report.end, End::Complete | End::Time) {
        return Vec::new();
    }
    let caught = |backend: &str, planted: &Planted| {
        report.results.iter().any(|result| {
            let rule = result.rule.as_deref().unwrap_or_default();
            let named = planted.rules.contains(&rule);
            result.word == VerdictWord::Diverges && result.backend == backend && named
        })
    };
    let survivors = report.planted.iter().filter(|(backend, planted)| !caught(backend, planted));
    let sentence = |(backend, planted): &(String, Planted)| {
        let rules = planted.rules.join(" or ");
        format!(
            "{backend} survived: it is wrong on purpose ({}), and nothing diverges by {rules}",
            planted.sentence.trim_end_matches('.')
        )
    };
    survivors.map(sentence).collect()
}

/// The exit status of a run.
pub(super) fn status(report: &Report) -> ExitStatus {
    let mut status = match report.end {
        End::Complete | End::Time | End::FailFast => ExitStatus::Success,
        End::Interrupted => ExitStatus::Interrupted,
        End::Internal(_) => ExitStatus::Internal,
        End::Unkept(_) | End::Partial(_) => ExitStatus::Usage,
    };
    if !report.unreadable.is_empty() {
        status = status.worse(ExitStatus::Usage);
    }
    if !unmet(report).is_empty() || !survivors(report).is_empty() {
        status = status.worse(ExitStatus::Contradiction);
    }
    for result in &report.results {
        status = status.worse(of_result(result, report.strict));
    }
    status
}

pub(crate) fn of_result(result: &CaseResult, strict: bool) -> ExitStatus {
    if result.is_contradiction() {
        ExitStatus::Contradiction
    } else if result.word == VerdictWord::Broken {
        ExitStatus::Broken
    } else if result.is_fatal_divergence(strict) {
        ExitStatus::Diverges
    } else {
        ExitStatus::Success
    }
}
