//! `hostmem agent`: both ends of the agent protocol.
//!
//! Deliberately not here: the protocol (`hostmem-backends`).

use std::io;

use clap::Args;

use super::{Context, Error};
use crate::backend;
use crate::report::ExitStatus;

/// Serve a backend over the agent protocol, so that others can test their harness against ours
///
/// Reads requests from standard input and answers on standard output, one JSON document a line.
#[derive(Debug, Args)]
pub struct Agent {
    /// The backend to serve
    #[arg(short, long, value_name = "BACKEND")]
    backend: String,
}

impl Agent {
    /// Runs the command.
    ///
    /// # Errors
    /// A backend that cannot be had, or a stream that breaks.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let backend = backend::parse(&self.backend, context.parts.backends)?;
        let mut input = io::stdin().lock();
        hostmem_backends::agent::serve(&backend, &mut input, &mut context.out)?;
        Ok(ExitStatus::Success)
    }
}
