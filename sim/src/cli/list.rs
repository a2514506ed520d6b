//! `hostmem list`: what there is to name elsewhere on the command line.
//!
//! Deliberately not here: details of a rule ([`super::explain`]).

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use hostmem_interface::{Backend as _, Capability, Machine};

use super::{Context, Error};
use crate::backend::{self, Kind};
use crate::files::builtin;
use crate::law;
use crate::output::Output;
use crate::parts::Parts;
use crate::report::ExitStatus;
use crate::report::human::printable;

/// List what there is: backends, profiles, rules or scenarios
#[derive(Debug, Args)]
pub struct List {
    /// What to list
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// What can be checked, and what each can do here
    Backends,
    /// The workloads of random cases
    Profiles,
    /// The law: id, level, sentence
    Rules,
    /// The built-in scenarios
    Scenarios,
}

impl List {
    /// Runs the command.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let Context { parts, out, .. } = context;
        match self.what {
            What::Backends => backends(parts, out)?,
            What::Profiles => profiles(parts, out)?,
            What::Rules => rules(out)?,
            What::Scenarios => scenarios(out)?,
        }
        Ok(ExitStatus::Success)
    }
}

fn backends(parts: &Parts<'_>, out: &mut Output<'_>) -> io::Result<()> {
    for kind in parts.backends {
        let default = if kind.name == backend::native() { " (default)" } else { "" };
        writeln!(out, "{}{default}: {}", kind.usage(), kind.about)?;
        if kind.stands_alone() {
            abilities(kind, parts.backends, out)?;
        }
    }
    Ok(())
}

/// What a backend can do on this machine, which only a subject knows.
fn abilities(kind: &Kind, kinds: &[Kind], out: &mut Output<'_>) -> io::Result<()> {
    let opened = backend::parse(kind.name, kinds)
        .map_err(|error| error.to_string())
        .and_then(|backend| backend.open(&Machine::default()).map_err(|error| error.to_string()));
    let subject = match opened {
        Ok(subject) => subject,
        Err(why) => return writeln!(out, "  not here: {}", printable(&why)),
    };
    let description = subject.description();
    writeln!(out, "  errors  {}", description.grain.name())?;
    let can: Vec<&str> = description.capabilities.iter().map(Capability::name).collect();
    writeln!(out, "  can     {}", can.join(", "))?;
    for (_, capability) in Capability::ALL {
        if !description.capabilities.has(capability) {
            let why = description.absent.iter().find(|(absent, _)| *absent == capability);
            let why = why.map_or(String::new(), |(_, why)| format!(": {}", printable(why)));
            writeln!(out, "  cannot  {capability}{why}")?;
        }
    }
    Ok(())
}

fn profiles(parts: &Parts<'_>, out: &mut Output<'_>) -> io::Result<()> {
    let width = parts.profiles.iter().map(|profile| profile.name.len()).max().unwrap_or(0);
    for profile in parts.profiles {
        writeln!(out, "{:<width$}  {}", profile.name, profile.about)?;
    }
    Ok(())
}

fn rules(out: &mut Output<'_>) -> io::Result<()> {
    for rule in law::RULES {
        let scope = if matches!(rule.proof, law::Proof::Out(_)) { "(out of scope) " } else { "" };
        writeln!(out, "{:<7} {:<6} {scope}{}", rule.id, rule.level.name(), rule.sentence)?;
    }
    Ok(())
}

fn scenarios(out: &mut Output<'_>) -> Result<(), Error> {
    for scenario in builtin::all() {
        let named = scenario.read()?;
        writeln!(out, "{}  {}", named.name, printable(&named.scenario.about))?;
    }
    Ok(())
}
