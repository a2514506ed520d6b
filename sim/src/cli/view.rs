//! `hostmem view`: a case as a page that shows the address space step by step.
//!
//! Deliberately not here: the page itself ([`crate::viewer`]), and what is in a result
//! ([`super::failed`]).

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::failed::{self, Failed};
use super::{Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::Recipe;
use crate::files::{self, Atomic, NamedScenario};
use crate::known::Known;
use crate::report::ExitStatus;
use crate::report::human::{self, printable};
use crate::viewer::{self, How};

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
        let failed = failed::read(&self.file, self.case.as_deref())?;
        let spec = self.backend.clone().or(failed.as_ref().map(|it| it.backend.clone()));
        let case = self.scenario(failed.as_ref())?;
        let named = spec.map(|spec| backend::parse(&spec, context.parts.backends)).transpose()?;
        // Before the run: a page that cannot be written is not found out about after it.
        let mut file = Atomic::new(&self.output)?;
        let replay = replay(&case, named.as_ref(), context);
        let how = How { backend: named.as_ref(), replay: &replay, found: None };
        let viewed = viewer::view(&case, &how, &Known::builtin()?)
            .map_err(|error| Error::Usage(error.to_string()))?;
        file.write_all(viewed.html.as_bytes()).map_err(|source| file.wrong(source))?;
        file.finish()?;
        let page = viewed.result;
        human::write_result(&page, &mut context.out)?;
        let path = files::load::shown(&self.output);
        writeln!(context.out, "  {:<10} {}", "page", printable(&path))?;
        Ok(ExitStatus::Success)
    }

    fn scenario(&self, failed: Option<&Failed>) -> Result<NamedScenario, Error> {
        let name = failed.map_or(&self.file, |it| &it.scenario);
        if failed.is_none() && self.case.is_some() {
            let why = format!("{name}: --case names a case of a result; this is a scenario");
            return Err(Error::Usage(why));
        }
        let mut found = files::load(name)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            many => Err(Error::Usage(format!(
                "{name}: there are {many} scenarios here; expected one scenario file"
            ))),
        }
    }
}

fn replay(case: &NamedScenario, backend: Option<&Named>, context: &Context<'_>) -> String {
    let recipe = Recipe { program: context.program.clone(), ..Recipe::default() };
    backend.map(|backend| recipe.replay(&case.name, backend)).unwrap_or_default()
}
