//! `hostmem conform`: the law as a matrix, rules by implementations.
//!
//! Deliberately not here: cells and formats ([`crate::conform`]).

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use hostmem_interface::{Backend as _, Machine};
use rayon::prelude::*;

use super::judge::check_requirements;
use super::options::processors;
use super::{Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::Recipe;
use crate::conform::hangs::{Hangs, waves};
use crate::conform::matrix::{Column, column};
use crate::conform::trial::Trial;
use crate::conform::{Matrix, report, smallest, trial, views};
use crate::engine::Unreadable;
use crate::files::{self, Atomic, NamedScenario, Selection, builtin};
use crate::known::update::{self, New};
use crate::known::{Known, KnownList, file};
use crate::limits::Limits;
use crate::output::remark;
use crate::progress::Progress;
use crate::report::summary::unmet_by;
use crate::report::{CaseResult, ExitStatus, Suite};

/// Hold implementations against the law, rule by rule
///
/// Runs the built-in scenarios on each, and shows what came of each rule: agrees (with the
/// reading taken, where several are permitted), diverges, tolerated, skipped, broken. For what
/// differs there is the smallest scenario that shows it.
#[derive(Debug, Args)]
pub struct Conform {
    /// An implementation; may be given several times [default: this machine's own system].
    /// NAME=BACKEND gives it another name in reports
    #[arg(short, long = "backend", value_name = "BACKEND")]
    backends: Vec<String>,
    /// What backends in processes of their own may take.
    #[command(flatten)]
    limits: Limits,
    /// Only scenarios that prove this rule, or whose path fits this glob
    #[arg(long, value_name = "RULE|GLOB")]
    only: Vec<String>,
    /// Not the scenarios that prove this rule, or whose path fits this glob
    #[arg(long, value_name = "RULE|GLOB")]
    skip: Vec<String>,
    /// How many scenarios run at a time; the result is the same for any number
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Let any divergence fail the run, not only from a must rule
    #[arg(long)]
    strict: bool,
    /// Fail the run if a scenario is skipped for lack of this capability or backend
    #[arg(long, value_name = "NAME")]
    require: Vec<String>,
    /// A folder with a list of known differences for each implementation, NAME.json; there is
    /// none where nothing is known
    #[arg(long, value_name = "DIR")]
    known: Option<PathBuf>,
    /// Write those lists anew: what differs now, each with its smallest scenario, and with the
    /// reasons that are there
    #[arg(long, requires = "known")]
    update_known: bool,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write the report to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A table, and a paragraph for each difference
    #[default]
    Human,
    /// One JSON document, for `hostmem diff` too
    Json,
    /// JUnit XML, for CI
    Junit,
    /// A Markdown page
    Markdown,
    /// A page, and with -o a folder beside it with a page for each cell, which shows the
    /// scenario behind it step by step
    Html,
}

impl Conform {
    /// Runs the command.
    ///
    /// # Errors
    /// A mistake in the options, a list of known differences that cannot be used, or a report
    /// that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let selection = Selection::new(&self.only, &self.skip)?;
        let scenarios = selected(&selection)?;
        let backends = backend::parse_all(&self.backends, self.limits, context.parts.backends)?;
        check_requirements(&self.require, &backends, context.parts)?;
        let lists: Vec<KnownList> =
            backends.iter().map(|it| self.list(it)).collect::<Result<_, _>>()?;
        self.warn_of_unused_lists(&backends);
        let file = self.output.as_deref().map(Atomic::new).transpose()?;
        let recipe = Recipe { program: context.program.clone(), ..Recipe::default() };
        let mut columns = in_parallel(self.jobs, || columns(&scenarios, &backends, &recipe))?;
        self.hold_against_known(&mut columns, &scenarios, &backends, lists)?;
        let mut matrix = Matrix::of(&scenarios, columns);
        in_parallel(self.jobs, || smallest::smallest(&mut matrix, &scenarios, &backends));
        // A page that cannot be written is told when the report is safe.
        let pages = self.views().map_or(Ok(()), |folder| {
            in_parallel(self.jobs, || views::write_all(&mut matrix, &scenarios, &backends, &folder))
        });
        let mut text = Vec::new();
        self.write(&matrix, &mut text)?;
        match file {
            Some(mut file) => {
                file.write_all(&text).map_err(|source| file.wrong(source))?;
                file.finish()?;
                report::summary(&matrix).iter().for_each(|line| remark(line));
            }
            None => context.out.write_all(&text)?,
        }
        pages.map_err(Error::Usage)?;
        Ok(self.met(&matrix).worse(matrix.status(self.strict)))
    }

    /// Tells what was required and is missing.
    fn met(&self, matrix: &Matrix) -> ExitStatus {
        let results = matrix.implementations.iter().flat_map(|it| &it.results);
        let unmet = unmet_by(&self.require, results);
        unmet.iter().for_each(|name| remark(&format!("required, but missing: {name}")));
        if unmet.is_empty() { ExitStatus::Success } else { ExitStatus::Contradiction }
    }

    /// The folder of the pages that the cells link to: beside a page that is a file.
    fn views(&self) -> Option<PathBuf> {
        let report = self.output.as_ref().filter(|_| matches!(self.format, Format::Html))?;
        let file = report.metadata().map_or(true, |it| it.is_file());
        file.then(|| views::folder(report))
    }

    /// The list of an implementation, empty where there is none.
    fn list(&self, backend: &Named) -> Result<KnownList, Error> {
        let Some(folder) = &self.known else { return Ok(KnownList::default()) };
        let path = file::path(folder, &backend.name);
        if path.exists() {
            return Ok(file::load(&path)?);
        }
        let path = files::load::shown(&path);
        Ok(KnownList { path, subject: about(backend), ..KnownList::default() })
    }

    /// A folder that has no list is no mistake: there may be nothing to list. But it may be a
    /// slip of the pen.
    fn warn_of_unused_lists(&self, backends: &[Named]) {
        let Some(folder) = self.known.as_ref().filter(|_| !self.update_known) else { return };
        let shown = files::load::shown(folder);
        let own: Vec<PathBuf> = backends.iter().map(|it| file::path(folder, &it.name)).collect();
        if !folder.is_dir() {
            remark(&format!("--known {shown}: there is no such folder, so nothing is known"));
        } else if !own.iter().any(|path| path.exists()) {
            let own: Vec<String> = own.iter().map(|path| files::load::shown(path)).collect();
            remark(&format!("--known {shown}: there is no {}", own.join(" and no ")));
        }
    }

    /// Marks what is known, after the lists were written anew if that was asked for.
    fn hold_against_known(
        &self,
        columns: &mut [Column],
        scenarios: &[NamedScenario],
        backends: &[Named],
        lists: Vec<KnownList>,
    ) -> Result<(), Error> {
        // The lists that ship are by what a subject says of itself; `check` sees to it that they
        // do not rot.
        let shipped = Known::builtin()?;
        for (((implementation, _), backend), mut list) in
            columns.iter_mut().zip(backends).zip(lists)
        {
            let results = &mut implementation.results;
            results.iter_mut().for_each(|result| shipped.excuse(result));
            let mut entries = entries(&list, backend)?;
            if let (Some(folder), true) = (&self.known, self.update_known) {
                list = update::updated(&list, &entries, &new(scenarios, results), backend);
                let path = file::path(folder, &backend.name);
                let before = path.exists();
                file::store(&path, &list)?;
                tell_of_list(&files::load::shown(&path), before, list.differences.len());
                entries.clear();
            }
            results.iter_mut().for_each(|result| list.excuse(result));
            results.extend(entries.into_iter().filter(|entry| entry.stale));
        }
        Ok(())
    }

    fn write(&self, matrix: &Matrix, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.format {
            Format::Human => report::human(matrix, out),
            Format::Json => report::json(matrix, out),
            Format::Junit => report::junit(matrix, self.strict, out),
            Format::Markdown => report::markdown(matrix, out),
            Format::Html => report::html(matrix, out),
        }
        .map_err(Error::from)
    }
}

/// Tells what became of a list: there is no file of an empty one.
fn tell_of_list(path: &str, was_there: bool, differences: usize) {
    match (was_there, differences) {
        (true, 0) => remark(&format!("{path}: nothing is left to list; removed")),
        (false, 0) => {}
        (_, count) => remark(&format!("{path}: known differences: {count}")),
    }
}

/// What comes of the entries of a list, each judged by whether it still differs.
fn entries(list: &KnownList, backend: &Named) -> Result<Vec<CaseResult>, Error> {
    let judged = |case: &NamedScenario| {
        let mut result = trial::run(case, backend)?.result;
        list.judge(&mut result);
        Ok::<_, Unreadable>(result)
    };
    let judged: Result<_, _> = list.cases().iter().map(judged).collect();
    judged.map_err(|error| Error::Usage(error.to_string()))
}

/// What no list that ships excuses.
fn new(scenarios: &[NamedScenario], results: &[CaseResult]) -> Vec<New> {
    let found = scenarios.iter().zip(results).filter(|(_, result)| update::is_new(result));
    found
        .map(|(named, result)| New { result: result.clone(), scenario: named.scenario.clone() })
        .collect()
}

/// The built-in scenarios but the recordings, which prove no rule by themselves.
fn selected(selection: &Selection) -> Result<Vec<NamedScenario>, Error> {
    let mut scenarios = Vec::new();
    for builtin in builtin::all().iter().filter(|it| it.suite != Suite::Recordings) {
        let named = builtin.read()?;
        if selection.selects(&named.name, &named.scenario.rules) {
            scenarios.push(named);
        }
    }
    if scenarios.is_empty() {
        let why = "no scenario is selected; `hostmem list scenarios` prints them";
        return Err(Error::Usage(why.to_owned()));
    }
    Ok(scenarios)
}

/// Runs `work` on that many threads, or as many as there are processors.
fn in_parallel<T: Send>(jobs: Option<NonZeroUsize>, work: impl FnOnce() -> T + Send) -> T {
    let threads = jobs.unwrap_or_else(processors).get();
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(work),
        // No threads to be had: then on this one.
        Err(_) => work(),
    }
}

fn columns(
    scenarios: &[NamedScenario],
    backends: &[Named],
    recipe: &Recipe,
) -> Result<Vec<Column>, Error> {
    let progress = Mutex::new(Progress::new(Some((scenarios.len() * backends.len()) as u64)));
    let one = |backend: &Named| {
        let trials = trials(scenarios, backend, recipe, &progress);
        let trials = trials.map_err(|error| Error::Usage(error.to_string()))?;
        Ok(column(backend.name.clone(), about(backend), trials))
    };
    let columns = backends.iter().map(one).collect();
    progress.lock().expect("nobody panics here").finish();
    columns
}

/// What comes of the scenarios, in waves: what hung in one is not run in the next.
fn trials(
    scenarios: &[NamedScenario],
    backend: &Named,
    recipe: &Recipe,
    progress: &Mutex<Progress>,
) -> Result<Vec<Trial>, Unreadable> {
    let mut hangs = Hangs::default();
    let mut trials = Vec::new();
    for wave in waves(scenarios) {
        let one = |named: &NamedScenario| {
            let mut trial = match hangs.passed_over(&named.scenario) {
                Some(why) => Trial::passed_over(named, why),
                None => trial::run(named, backend)?,
            };
            trial.result.backend.clone_from(&backend.name);
            trial.result.replay = Some(recipe.replay(&named.name, backend));
            progress.lock().expect("nobody panics here").case(&trial.result);
            Ok(trial)
        };
        let done: Result<Vec<_>, Unreadable> = wave.par_iter().map(one).collect();
        let done = done?;
        for (named, trial) in wave.iter().zip(&done) {
            hangs.note(&named.scenario, &trial.result);
        }
        trials.extend(done);
    }
    Ok(trials)
}

/// What an implementation says of itself.
fn about(backend: &Named) -> String {
    match backend.open(&Machine::default()) {
        Ok(subject) => {
            let description = subject.description();
            format!("{} {}", description.name, description.version).trim_end().to_owned()
        }
        Err(error) => error.to_string(),
    }
}
