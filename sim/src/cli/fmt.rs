//! `hostmem fmt`: the one canonical text of a scenario.
//!
//! Deliberately not here: what is canonical (`hostmem-interface`).

use std::io::Write as _;
use std::path::Path;

use clap::Args;
use hostmem_interface::scenario;

use super::{Context, Error};
use crate::files::load::{self, FileError, shown};
use crate::files::write;
use crate::report::ExitStatus;

/// Bring scenario files into their canonical form
///
/// Prints the names of the files that were not.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Change nothing; exit with 1 if a file is not canonical
    #[arg(long)]
    check: bool,
    /// Scenario files (.json, .json.zst) or folders
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<String>,
}

impl Fmt {
    /// Runs the command.
    ///
    /// # Errors
    /// Input that cannot be read, or a file that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let mut status = ExitStatus::Success;
        for path in &self.paths {
            for file in load::find(path)? {
                if self.file(&file)? {
                    writeln!(context.out, "{}", shown(&file))?;
                    if self.check {
                        status = ExitStatus::Usage;
                    }
                }
            }
        }
        Ok(status)
    }

    /// Whether the file was not canonical.
    fn file(&self, path: &Path) -> Result<bool, Error> {
        let text = load::read_text(path)?;
        let scenario = scenario::read(&text)
            .map_err(|error| FileError::Scenario { path: shown(path), error })?;
        if scenario::write(&scenario).as_bytes() == text {
            return Ok(false);
        }
        if !self.check {
            write::scenario(path, &scenario)?;
        }
        Ok(true)
    }
}
