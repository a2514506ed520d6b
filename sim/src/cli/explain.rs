//! `hostmem explain`: one rule in full, for someone who doubts an answer.
//!
//! Deliberately not here: the decision itself (`hostmem-model`).

use std::io::{self, Write as _};

use clap::Args;
use hostmem_interface::scenario::{Level, Scenario, Step};
use hostmem_model::ModelBackend;

use super::{Context, Error};
use crate::files::{NamedScenario, builtin};
use crate::law::{self, Proof, Rule};
use crate::output::Output;
use crate::report::ExitStatus;
use crate::report::human::printable;
use crate::run::case::Answered;
use crate::run::run_scenario;
use crate::runner::trace;

/// Explain a rule: its sentence, how sure it is and why, and the scenarios that prove it
#[derive(Debug, Args)]
pub struct Explain {
    /// The rule's id, as reports name it
    #[arg(value_name = "RULE")]
    rule: String,
}

impl Explain {
    /// Runs the command.
    ///
    /// # Errors
    /// If there is no such rule, or standard output cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let Some(rule) = law::named(&self.rule) else {
            let hint = law::closest(&self.rule);
            let hint = hint.map_or(String::new(), |id| format!(" (did you mean {id}?)"));
            return Err(Error::Usage(format!(
                "there is no rule `{}`{hint}; `hostmem list rules` prints them all",
                printable(&self.rule)
            )));
        };
        write_rule(rule, &mut context.out)?;
        write_proofs(rule, &proofs(rule)?, &mut context.out)?;
        Ok(ExitStatus::Success)
    }
}

fn write_rule(rule: &Rule, out: &mut Output<'_>) -> io::Result<()> {
    let evidence = match rule.level {
        Level::Must => "a test that runs on Windows, or explicit documentation",
        Level::Should => "one sentence of documentation, or the implementation of a clone",
        Level::May => "knowledge and inference",
    };
    writeln!(out, "{}: {}\n", rule.id, rule.sentence)?;
    writeln!(out, "  level   {}: {evidence}", rule.level.name())?;
    writeln!(out, "  source  {}", rule.source)?;
    match rule.proof {
        Proof::Decided => writeln!(out, "  proof   a step of a scenario is decided by it"),
        Proof::Observed => {
            writeln!(out, "  proof   it is about state: a step of a scenario observes it")
        }
        Proof::Judged => {
            writeln!(out, "  proof   the judge's own tests: only a wrong subject meets it")
        }
        Proof::Out(why) => writeln!(out, "  proof   none, it is out of scope: {why}"),
    }
}

/// The built-in scenarios that prove a rule.
fn proofs(rule: &Rule) -> Result<Vec<NamedScenario>, Error> {
    let mut proofs = Vec::new();
    for scenario in builtin::all() {
        let named = scenario.read()?;
        if named.scenario.rules.iter().any(|id| id == rule.id) {
            proofs.push(named);
        }
    }
    Ok(proofs)
}

fn write_proofs(rule: &Rule, proofs: &[NamedScenario], out: &mut Output<'_>) -> io::Result<()> {
    // The shortest one shows best what a violation looks like.
    let Some(shortest) = proofs.iter().min_by_key(|named| named.scenario.steps.len()) else {
        return Ok(());
    };
    writeln!(out, "\nScenarios that prove it:")?;
    for named in proofs {
        writeln!(out, "  {}  {}", named.name, printable(&named.scenario.about))?;
    }
    writeln!(out, "\nA violation is another answer than these in {}:", shortest.name)?;
    write_answers(rule, &shortest.scenario, out)
}

/// The steps with the model's answers, those marked that the rule decides.
fn write_answers(rule: &Rule, scenario: &Scenario, out: &mut Output<'_>) -> io::Result<()> {
    const MOST: usize = 20;
    let mut lines = Vec::new();
    let mut answered = |step: &Step, answered: &Answered| {
        let decided = answered.rule.is_some_and(|it| it.rule().id == rule.id);
        let line = trace::line(scenario, lines.len() + 1, step, answered).to_string();
        lines.push(format!("{}{line}", if decided { '>' } else { ' ' }));
    };
    run_scenario(scenario, "", &ModelBackend, &mut answered);
    for line in lines.iter().take(MOST) {
        writeln!(out, "{}", printable(line))?;
    }
    match lines.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => writeln!(out, "        … and {more} more"),
    }
}
