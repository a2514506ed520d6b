//! `hostmem schema`: the scenario format, for editors and other programs.
//!
//! Deliberately not here: the format (`hostmem-interface`).

use std::io::Write as _;

use clap::Args;
use hostmem_interface::scenario;

use super::{Context, Error};
use crate::report::ExitStatus;

/// Print the JSON Schema of scenario files
#[derive(Debug, Args)]
pub struct Schema {
    /// That of the lines of the agent protocol instead
    #[cfg(any(target_os = "linux", windows))]
    #[arg(long)]
    agent: bool,
}

impl Schema {
    /// Runs the command.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        #[cfg(any(target_os = "linux", windows))]
        if self.agent {
            writeln!(context.out, "{:#}", hostmem_backends::agent::schema())?;
            return Ok(ExitStatus::Success);
        }
        writeln!(context.out, "{:#}", scenario::schema())?;
        Ok(ExitStatus::Success)
    }
}
