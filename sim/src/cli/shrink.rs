//! `hostmem shrink`: the smallest scenario that fails as a given one does.
//!
//! Deliberately not here: which smaller scenarios there are ([`crate::reduce`]), and what is
//! left of a failure ([`crate::campaign::failure`]).

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use hostmem_interface::Backend as _;
use hostmem_interface::scenario::{self, Scenario};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::{self, Recipe};
use crate::files::{self, NamedScenario};
use crate::limits::Limits;
use crate::report::human::{self, printable};
use crate::report::{ExitStatus, Shrunk};
use crate::run::{Ending, Outcome, run_scenario};
use crate::runner;
use crate::runner::shrink::{Failure, first_failure, shrink};

/// Shrink a failing scenario: the same failure, by the same rule, in fewer and plainer steps
///
/// Without -o, what is left goes under ./hostmem-results/ as any failure of `check` does: the
/// scenario, a Rust test, and C programs where the calls have an equivalent.
#[derive(Debug, Args)]
pub struct Shrink {
    /// A scenario file (.json, .json.zst), or the name of a built-in scenario
    file: String,
    /// The backend on which it fails [default: this machine's own system]
    #[arg(short, long, value_name = "BACKEND")]
    backend: Option<String>,
    /// What a backend in a process of its own may take.
    #[command(flatten)]
    limits: Limits,
    /// Write the shrunk scenario to this file, and nothing else
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Shrink {
    /// Runs the command.
    ///
    /// # Errors
    /// A file that cannot be read or does not fail, a backend that cannot be had, or a file
    /// that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let case = self.case()?;
        let specs: Vec<String> = self.backend.iter().cloned().collect();
        let mut backends = backend::parse_all(&specs, self.limits, context.parts.backends)?;
        let backend = backends.remove(0);
        let (outcome, failure) = fails(&case, &backend)?;
        let bar = bar();
        let shrunk = shrink(case.scenario.clone(), outcome.steps, failure, &backend, &mut |now| {
            bar.set_message(format!("{} steps after {} runs", now.steps, now.trials));
            bar.tick();
        });
        bar.finish_and_clear();
        let (reduced, outcome) = (shrunk.reduced, shrunk.outcome.unwrap_or(outcome));
        let small = headed(&case, &reduced.scenario, failure);
        let mut result = runner::result(&case.name, &small, &backend, &outcome)
            .map_err(|error| Error::Usage(error.to_string()))?;
        backend.name().clone_into(&mut result.backend);
        result.shrunk = Some(Shrunk {
            from: reduced.steps_before,
            to: small.steps.len(),
            length: scenario::write(&small).len(),
            kind: failure::kind(failure.name(), &small),
        });
        let recipe = Recipe {
            program: context.program.clone(),
            folder: failure::folder(),
            ..Recipe::default()
        };
        let path = match self.output {
            Some(path) => {
                files::write::scenario(&path, &small)?;
                path
            }
            None => failure::leave(&small, failure.name(), &result, &backend, &recipe)
                .map_err(Error::Usage)?,
        };
        result.replay = Some(recipe.replay(&files::load::shown(&path), &backend));
        result.view = failure::view_of(&path);
        result.file = Some(path);
        human::write_result(&result, &mut context.out)?;
        writeln!(context.out, "\n{}", printable(&scenario::write(&small)).trim_end())?;
        Ok(ExitStatus::Success)
    }

    fn case(&self) -> Result<NamedScenario, Error> {
        let mut found = files::load(&self.file)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            many => Err(Error::Usage(format!(
                "{}: there are {many} scenarios here; expected one scenario file",
                self.file
            ))),
        }
    }
}

/// How the case fails; an error if it does not.
fn fails(case: &NamedScenario, backend: &Named) -> Result<(Outcome, Failure), Error> {
    if let Some(found) = first_failure(&case.scenario, backend) {
        return Ok(found);
    }
    let outcome = run_scenario(&case.scenario, "", backend, &mut |_, _| {});
    let steps = case.scenario.steps.len();
    let why = match outcome.ending {
        Ending::Skipped(why) | Ending::Taken(why) => format!("is skipped on it ({why})"),
        Ending::Unreadable(why) => why,
        _ => format!("agrees in all {steps} steps"),
    };
    let (name, backend) = (&case.name, &backend.name);
    Err(Error::Usage(format!("{name} does not fail on {backend}: it {why}; nothing to shrink")))
}

/// The shrunk scenario under the heading of the one that it comes from.
fn headed(case: &NamedScenario, small: &Scenario, failure: Failure) -> Scenario {
    let about = match failure.rule() {
        Some(_) => format!("Shrunk from {}: {}", case.name, case.scenario.about),
        None => format!("Shrunk from {}, where the subject {}", case.name, failure.name()),
    };
    let rules = failure.rule().map(|rule| rule.rule().id.to_owned()).into_iter().collect();
    Scenario { about, rules, ..small.clone() }
}

/// How far it has come, on standard error if that is a terminal.
fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
}
