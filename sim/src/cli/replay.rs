//! `hostmem replay`: scenario files, and folders of them.
//!
//! Deliberately not here: running and telling ([`super::judge`]).

use clap::Args;

use super::judge::judge;
use super::known::Use;
use super::options::RunOptions;
use super::{Context, Error};
use crate::campaign::plan::Plan;
use crate::files::{self, NamedScenario};
use crate::report::ExitStatus;

/// Replay scenario files on a backend
///
/// A folder is read recursively. A name of `hostmem list scenarios` is the built-in scenario
/// where there is no such file.
#[derive(Debug, Args)]
pub struct Replay {
    /// Scenario files (.json, .json.zst) or folders
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<String>,
    #[command(flatten)]
    run: RunOptions,
}

impl Replay {
    /// Runs the command.
    ///
    /// # Errors
    /// Input that cannot be read, a mistake in the options, or a report that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let selection = self.run.selection()?;
        let mut scenarios: Vec<NamedScenario> = Vec::new();
        for path in &self.paths {
            scenarios.extend(files::load(path)?);
        }
        scenarios.retain(|one| selection.selects(&one.name, &one.scenario.rules));
        let (fail_each, shard) = (self.run.fail_each, self.run.shard);
        let plan = Plan { scenarios, fail_each, random: None, selection, shard };
        judge(&plan, &self.run, None, Use::Tolerate, context)
    }
}
