//! `hostmem diff`: what changed between two reports of `conform`.
//!
//! Deliberately not here: running anything.

use std::io::Write as _;

use clap::Args;

use super::{Context, Error};
use crate::conform::diff::{self, Summary};
use crate::report::ExitStatus;
use crate::report::human::printable;

/// Compare two JSON reports of `conform`
///
/// Tells of each cell that changed. Exits with 2 if one that did not diverge does now.
#[derive(Debug, Args)]
pub struct Diff {
    /// The report from before
    before: String,
    /// The report of now
    after: String,
}

impl Diff {
    /// Runs the command.
    ///
    /// # Errors
    /// A file that is no such report, or standard output that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let (before, after) = (read(&self.before)?, read(&self.after)?);
        let changes = diff::changes(&before, &after);
        for change in &changes {
            let word = |word: &Option<String>| word.as_deref().unwrap_or("-").to_owned();
            writeln!(
                context.out,
                "{:<7} {}: {} -> {}",
                printable(&change.rule),
                printable(&change.implementation),
                printable(&word(&change.before)),
                printable(&word(&change.after))
            )?;
        }
        let worse = changes.iter().filter(|change| change.is_worse()).count();
        writeln!(context.out, "{} cells changed, {worse} for the worse", changes.len())?;
        Ok(if worse > 0 { ExitStatus::Diverges } else { ExitStatus::Success })
    }
}

fn read(path: &str) -> Result<Summary, Error> {
    let text = std::fs::read(path).map_err(|error| Error::Usage(format!("{path}: {error}")))?;
    diff::read(&text).map_err(|why| Error::Usage(format!("{path}:{why}")))
}
