//! The account of an import: every line and every call of the log is in it, kept or left out
//! with a reason.
//!
//! Deliberately not here: the decision what is kept (`wine`, `linux`).

use std::collections::BTreeMap;
use std::fmt;

/// Why a call is not in the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The scenario format has no such call: heaps, threads, files, views of sections.
    NoWord,
    /// It is about memory that the log never saw reserved: stacks, images, the system's heaps.
    NeverReserved,
    /// It is about memory that was released before, and not by name in what follows.
    Released,
    /// It had not returned when the log ended.
    NoReturn,
    /// It was issued by another call that is in the log: the same request a second time.
    Inside,
    /// It is about another process than the one that is imported.
    OtherProcess,
    /// It failed in the recording, where the law would grant it: granted in a replay, it would
    /// take away what later calls need.
    FailedTakingAway,
    /// It succeeded in the recording, where the law of Win32 would refuse it.
    AgainstTheLaw,
    /// It failed on Linux, which says nothing about Win32.
    FailedOnLinux,
    /// It took away a part of a reservation that was not committed, which Win32 cannot.
    PartlyUnmapped,
    /// It changes nothing that Win32 has.
    NoEffect,
    /// A script refused it in front of the manager.
    Injected,
}

impl Reason {
    const fn text(self) -> &'static str {
        match self {
            Self::NoWord => "that the format has no word for",
            Self::NeverReserved => "of memory that the log never saw reserved",
            Self::Released => "of memory that had been released",
            Self::NoReturn => "that did not return before the log ended",
            Self::Inside => "made by another logged call",
            Self::OtherProcess => "of another process",
            Self::FailedTakingAway => "that failed, but would now take memory away",
            Self::AgainstTheLaw => "that succeeded where Win32 would refuse",
            Self::FailedOnLinux => "that failed on Linux",
            Self::PartlyUnmapped => "that took away a part of a reservation",
            Self::NoEffect => "without an effect that Win32 has",
            Self::Injected => "that a script refused",
        }
    }
}

/// How often a function was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many calls the log has.
    pub seen: u64,
    /// How many of them are in the scenario.
    pub kept: u64,
}

/// What became of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines read.
    pub lines: u64,
    /// Lines that are neither a call nor a return: the program's own output, other channels.
    pub other_lines: u64,
    /// The last line, if it was cut off in the middle.
    pub cut_off: Option<u64>,
    /// Every function that the log has.
    pub functions: BTreeMap<String, Tally>,
    /// What was left out, by reason and function.
    pub left_out: BTreeMap<Reason, BTreeMap<String, u64>>,
    /// Calls kept that failed in the recording; nothing is expected of them.
    pub failed: u64,
    /// Reservations whose end the log does not show although others took their place later.
    pub lost: u64,
    /// Reservations in the scenario.
    pub reservations: u64,
    /// Holes in the scenario.
    pub holes: u64,
    /// Steps in the scenario.
    pub steps: u64,
    /// Threads in the scenario.
    pub threads: u64,
}

impl Summary {
    /// How many calls the log has.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.functions.values().map(|tally| tally.seen).sum()
    }

    /// How many calls of the log are in the scenario.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.functions.values().map(|tally| tally.kept).sum()
    }

    /// How many calls were left out for a reason.
    #[must_use]
    pub fn left_out(&self, reason: Reason) -> u64 {
        self.left_out.get(&reason).map_or(0, |functions| functions.values().sum())
    }

    pub(super) fn see(&mut self, function: &str) {
        match self.functions.get_mut(function) {
            Some(tally) => tally.seen += 1,
            None => {
                self.functions.insert(function.to_owned(), Tally { seen: 1, kept: 0 });
            }
        }
    }

    pub(super) fn keep(&mut self, function: &str) {
        self.functions.entry(function.to_owned()).or_default().kept += 1;
    }

    pub(super) fn leave_out(&mut self, reason: Reason, function: &str) {
        *self.left_out.entry(reason).or_default().entry(function.to_owned()).or_default() += 1;
    }
}

/// Tenths of a percent, rounded down: 48.0 must never be shown for less.
fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, seen) = (self.kept(), self.seen());
        write!(f, "kept {kept} of {seen} calls ({}) as {} steps", share(kept, seen), self.steps)?;
        write!(f, ", with {} reservations, {} holes", self.reservations, self.holes)?;
        write!(f, " and {} threads", self.threads)?;
        if self.failed > 0 {
            write!(f, "; {} of them failed when recorded, so nothing is expected", self.failed)?;
        }
        for (at, (reason, functions)) in self.left_out.iter().enumerate() {
            f.write_str(if at == 0 { "; left out: " } else { "; " })?;
            let mut by_count: Vec<_> = functions.iter().collect();
            by_count.sort_by_key(|&(name, count)| (std::cmp::Reverse(*count), name));
            for (at, (name, count)) in by_count.into_iter().enumerate() {
                write!(f, "{}{count} {name}", if at == 0 { "" } else { ", " })?;
            }
            write!(f, " {}", reason.text())?;
        }
        if self.lost > 0 {
            write!(f, "; {} reservations whose release is not in the log", self.lost)?;
        }
        if self.other_lines > 0 {
            write!(f, "; {} of {} lines are of another kind", self.other_lines, self.lines)?;
        }
        if let Some(line) = self.cut_off {
            write!(f, "; the log is cut off in the middle of line {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_the_share_and_every_reason() {
        let mut summary = Summary { lines: 9, other_lines: 2, steps: 3, ..Summary::default() };
        for _ in 0..3 {
            summary.see("VirtualQuery");
        }
        summary.keep("VirtualQuery");
        summary.leave_out(Reason::NeverReserved, "VirtualQuery");
        summary.leave_out(Reason::NeverReserved, "VirtualQuery");
        summary.cut_off = Some(9);
        assert_eq!(
            summary.to_string(),
            "kept 1 of 3 calls (33.3 %) as 3 steps, with 0 reservations, 0 holes and 0 threads; \
             left out: 2 VirtualQuery of memory that the log never saw reserved; 2 of 9 lines \
             are of another kind; the log is cut off in the middle of line 9"
        );
    }
}
