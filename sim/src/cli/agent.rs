//! `hostmem agent`: the agent protocol from its other side: our managers served to others,
//! skeletons of adapters, and a smoke test of one.
//!
//! Deliberately not here: the protocol (`hostmem-backends`).

use std::io::{self, Write as _};

use clap::{ArgGroup, Args, ValueEnum};
use hostmem_backends::agent::{self, AgentBackend, Check, Whose};

use super::{Context, Error};
use crate::backend;
use crate::limits::Limits;
use crate::output::Output;
use crate::parts::adapters;
use crate::report::ExitStatus;
use crate::report::human::printable;

/// Connect an implementation in any language: serve ours, begin yours, try yours
///
/// VALIDATE.md in the repository teaches the protocol.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true)))]
pub struct Agent {
    /// Serve this backend over the protocol, on standard input and output
    #[arg(short, long, value_name = "BACKEND", group = "what")]
    backend: Option<String>,
    /// Print an adapter that works, around a manager that refuses everything: fill that in
    #[arg(long, value_enum, value_name = "LANGUAGE", group = "what")]
    init: Option<Language>,
    /// Try an adapter: tells its own mistakes from those of what it adapts
    #[arg(long, value_name = "COMMAND", group = "what")]
    validate: Option<String>,
    /// What the adapter may take.
    #[command(flatten)]
    limits: Limits,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Python,
    C,
    Node,
    Rust,
}

impl Language {
    const fn skeleton(self) -> &'static str {
        match self {
            Self::Python => include_str!("../../../backends/adapters/skeletons/skeleton.py"),
            Self::C => include_str!("../../../backends/adapters/skeletons/skeleton.c"),
            Self::Node => include_str!("../../../backends/adapters/skeletons/skeleton.mjs"),
            Self::Rust => include_str!("../../../backends/adapters/skeletons/skeleton.rs"),
        }
    }
}

impl Agent {
    /// Runs the command.
    ///
    /// # Errors
    /// A backend that cannot be had, or a stream that breaks.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        if let Some(language) = self.init {
            context.out.write_all(language.skeleton().as_bytes())?;
        }
        if let Some(command) = &self.validate {
            return validate(command, self.limits, &mut context.out);
        }
        if let Some(spec) = &self.backend {
            let backend = backend::parse(spec, context.parts.backends)?;
            let mut input = io::stdin().lock();
            agent::serve(&backend, &mut input, &mut context.out)?;
        }
        Ok(ExitStatus::Success)
    }
}

fn validate(command: &str, limits: Limits, out: &mut Output<'_>) -> Result<ExitStatus, Error> {
    let limits = adapters(limits, agent::Limits::USUAL);
    let backend = AgentBackend::new(command, limits).map_err(Error::Usage)?;
    tell(&agent::smoke(&backend), out)
}

fn tell(checks: &[Check], out: &mut Output<'_>) -> Result<ExitStatus, Error> {
    for check in checks {
        let word = if check.wrong.is_some() { "no" } else { "ok" };
        writeln!(out, "{word}  {}", check.what)?;
    }
    let Some((whose, why)) = checks.iter().find_map(|check| check.wrong.as_ref()) else {
        writeln!(
            out,
            "\nYour adapter is right in all that was tried. Now: hostmem conform --backend \
             'agent:COMMAND'"
        )?;
        return Ok(ExitStatus::Success);
    };
    let (verdict, status) = match whose {
        Whose::Adapter => ("Your adapter is wrong", ExitStatus::Broken),
        Whose::Implementation => ("Your implementation is wrong", ExitStatus::Diverges),
    };
    writeln!(out, "\n{verdict}: {}", printable(why))?;
    Ok(status)
}
