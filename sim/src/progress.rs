//! How far a run has come, for a person who watches: a bar on standard error, and only if
//! that is a terminal. In a pipe or a log it is silent.
//!
//! Deliberately not here: results ([`crate::report`]).

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{CaseResult, VerdictWord};

/// A bar.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    counts: [u64; 5],
}

impl Progress {
    /// A bar for that many cases, or for as many as there is time for.
    #[must_use]
    pub fn new(cases: Option<u64>) -> Self {
        let template = match cases {
            Some(_) => "{wide_bar:.cyan/dim} {pos}/{len} cases in {elapsed}, {eta} left{msg}",
            None => "{spinner} {pos} cases in {elapsed}{msg}",
        };
        Self { bar: bar(cases, template), counts: [0; 5] }
    }

    /// A bar for that many differences, of each of which the smallest case is looked for.
    #[must_use]
    pub fn shrinking(differences: u64) -> Self {
        let template = "{wide_bar:.cyan/dim} {pos}/{len} differences made small in {elapsed}";
        Self { bar: bar(Some(differences), template), counts: [0; 5] }
    }

    /// One more is done that has no result.
    pub fn one_more(&self) {
        self.bar.inc(1);
    }

    /// One more case is done.
    pub fn case(&mut self, result: &CaseResult) {
        self.counts[result.word as usize] += 1;
        if result.word != VerdictWord::Agrees {
            self.bar.set_message(self.message());
        }
        self.bar.inc(1);
    }

    fn message(&self) -> String {
        let words = VerdictWord::ALL.into_iter().filter(|&word| word != VerdictWord::Agrees);
        let told = words.filter(|&word| self.counts[word as usize] > 0);
        told.map(|word| format!(", {} {word}", self.counts[word as usize])).collect()
    }

    /// Runs `print` while the bar is out of the way.
    pub fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    // indicatif shows nothing where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).expect("a template that is tested"));
    // One case may take minutes: it is seen to go on.
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_has_a_valid_template() {
        for cases in [Some(3), None] {
            let mut progress = Progress::new(cases);
            progress.case(&CaseResult::new("a", "model", VerdictWord::Broken));
            assert_eq!(progress.message(), ", 1 broken");
            progress.finish();
        }
        Progress::shrinking(2).one_more();
    }
}
