//! `hostmem view`: a case as a page that shows the address space step by step.
//!
//! Deliberately not here: the page itself ([`crate::viewer`]).

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::Recipe;
use crate::files::{self, Atomic, NamedScenario};
use crate::known::Known;
use crate::report::human::{self, printable};
use crate::report::ExitStatus;
use crate::viewer;

/// Show a case as a page: the address space, step by step
///
/// The page is one file that works from disk, without a network. It shows what the law has in
/// each step, on a backend also what its memory looked like, and explains the first difference.
/// Without a backend the case is run on the model alone.
#[derive(Debug, Args)]
pub struct View {
    /// A scenario file (.json, .json.zst), the name of a built-in scenario, or a report or
    /// results file (.json, .jsonl), of which the first failure is shown
    #[arg(value_name = "SCENARIO|RESULT")]
    file: String,
    /// The backend to run it on [default: the model alone; of a result, the one that failed]
    #[arg(short, long, value_name = "BACKEND")]
    backend: Option<String>,
    /// Of a result: the case to show, instead of the first failure
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// The page to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl View {
    /// Runs the command.
    ///
    /// # Errors
    /// A file that cannot be read or is no case, a backend that cannot be had, or a page that
    /// cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let case = self.case()?;
        let named: Option<Named> = match &self.backend {
            Some(spec) => Some(backend::parse(spec, context.parts.backends)?),
            None => None,
        };
        // Before the run: a page that cannot be written is not found out about after it.
        let mut file = Atomic::new(&self.output)?;
        let recipe = Recipe { program: context.program.clone(), ..Recipe::default() };
        let replay = match &named {
            Some(named) => recipe.replay(&case.name, named),
            None => String::new(),
        };
        let viewed = viewer::view(&case, named.as_ref(), &Known::builtin()?, &replay)
            .map_err(|error| Error::Usage(error.to_string()))?;
        file.write_all(viewed.html.as_bytes()).map_err(|source| file.wrong(source))?;
        file.finish()?;
        human::write_result(&viewed.result, &mut context.out)?;
        let path = files::load::shown(&self.output);
        writeln!(context.out, "  page       {}", printable(&path))?;
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
