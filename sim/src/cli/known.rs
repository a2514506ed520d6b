//! Known differences on the command line: which lists hold, their entries replayed after
//! everything else, and `--update-known`.
//!
//! Deliberately not here: what a list excuses ([`crate::known`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use hostmem_interface::{Backend as _, Machine};
use sha2::{Digest as _, Sha256};

use super::{Context, Error};
use crate::backend::Named;
use crate::campaign::plan::Plan;
use crate::campaign::{self, Manner, Outcome, failure};
use crate::files::{self, write};
use crate::known::update::{self, New};
use crate::known::{FOLDER_NAME, Known, KnownList, file};
use crate::report::{CaseResult, End, Suite};
use crate::results::words::hex;

/// Which known differences hold, and whether they are checked.
#[derive(Clone, Debug, Default, Args)]
pub struct KnownOptions {
    /// Tolerate the differences that this list names, instead of the built-in list of that
    /// implementation; with --update-known, write it
    #[arg(long, value_name = "FILE", help_heading = "How to run")]
    pub known: Option<PathBuf>,
}

/// What a run does with known differences beyond tolerating them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nothing.
    Tolerate,
    /// It replays every entry: one that no longer differs fails the run.
    Verify,
    /// It also writes what it found into the list.
    Update,
}

impl KnownOptions {
    /// The lists that hold.
    ///
    /// # Errors
    /// A list that cannot be read. One that does not exist yet is none to update.
    pub fn lists(&self, will: Use) -> Result<Known, Error> {
        let known = Known::builtin()?;
        match &self.known {
            Some(path) if path.exists() || will != Use::Update => Ok(known.with(file::load(path)?)),
            _ => Ok(known),
        }
    }

    /// What tells one list from another; nothing where none was named.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let list = std::fs::read(self.known.as_ref()?).ok()?;
        Some(hex(&Sha256::digest(list)))
    }

    /// Where a list is to be written: found out before the run.
    ///
    /// # Errors
    /// If nobody says where.
    pub fn target(&self) -> Result<Target, Error> {
        match &self.known {
            Some(path) => Ok(Target::File(path.clone())),
            None if Path::new(FOLDER_NAME).is_dir() => Ok(Target::Folder(FOLDER_NAME.into())),
            None => Err(Error::Usage(format!(
                "--update-known: there is no folder {FOLDER_NAME} here; run it in the root of \
                 hostmem's repository, or name a file with --known FILE"
            ))),
        }
    }
}

/// Where lists are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one list, whatever its implementation.
    File(PathBuf),
    /// A file for each implementation.
    Folder(PathBuf),
}

impl Target {
    fn path(&self, subject: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder(folder) => file::path(folder, &subject.to_ascii_lowercase()),
        }
    }
}

/// A run whose known differences are dealt with.
pub struct Affair<'a> {
    /// The cases that were run.
    pub plan: &'a Plan,
    /// On which backends.
    pub backends: &'a [Named],
    /// The lists that hold.
    pub known: &'a Known,
    /// How the run was done.
    pub manner: &'a Manner<'a>,
}

impl std::fmt::Debug for Affair<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Affair").field("backends", &self.backends).finish_non_exhaustive()
    }
}

impl Affair<'_> {
    /// Replays the entries of every list that holds for a backend of the run.
    pub fn verify(&self, outcome: &mut Outcome, context: &Context<'_>) {
        for backend in self.backends {
            if outcome.end != End::Complete || self.known.lists().is_empty() {
                return;
            }
            let subject = subject(backend, &outcome.results);
            let Some(list) = self.known.of(&subject) else { continue };
            let Manner { jobs, fail_fast, strict, stop, settings, .. } = *self.manner;
            let (known, recipe) = (&Known::default(), self.manner.recipe.clone());
            let earlier = BTreeMap::new();
            let manner = Manner { jobs, fail_fast, strict, stop, settings, known, recipe, earlier };
            let plan = entries(list, self.plan);
            let backends = std::slice::from_ref(backend);
            let replayed =
                campaign::run(&plan, backends, context.parts.engine, &manner, &mut |_| {});
            outcome.results.extend(replayed.results.into_iter().map(|mut result| {
                list.judge(&mut result);
                result.replay =
                    result.fails(manner.strict).then(|| again(&result, backend, context));
                result
            }));
            outcome.unreadable.extend(replayed.unreadable);
            outcome.end = replayed.end;
        }
    }

    /// Writes the lists anew from what the run found, and lets them hold for it.
    ///
    /// # Errors
    /// If a list cannot be written.
    pub fn update(&self, outcome: &mut Outcome, target: &Target) -> Result<Vec<String>, Error> {
        let mut told = Vec::new();
        for backend in self.backends {
            let subject = subject(backend, &outcome.results);
            if subject.is_empty() {
                continue;
            }
            let path = target.path(&subject);
            let fresh = || KnownList {
                path: files::load::shown(&path),
                subject: subject.clone(),
                ..KnownList::default()
            };
            let old = self.known.of(&subject).cloned().unwrap_or_else(fresh);
            let new = self.new_differences(backend, &outcome.results);
            if old.differences.is_empty() && new.is_empty() {
                continue;
            }
            let list = update::updated(&old, &outcome.results, &new, backend);
            write::bytes(&path, file::write(&list).as_bytes())?;
            told.push(format!(
                "{}: {} known differences, {} before",
                files::load::shown(&path),
                list.differences.len(),
                old.differences.len()
            ));
            let known = Known::default().with(list);
            for result in outcome.results.iter_mut().filter(|it| it.backend == backend.name) {
                result.stale = false;
                known.excuse(result);
            }
        }
        Ok(told)
    }

    fn new_differences(&self, backend: &Named, results: &[CaseResult]) -> Vec<New> {
        let ours = results.iter().filter(|it| it.backend == backend.name && update::is_new(it));
        ours.filter_map(|result| {
            let planned = self.plan.scenarios.iter().find(|one| one.name == result.scenario);
            let scenario = match (planned, &result.file) {
                (Some(named), _) => named.scenario.clone(),
                (None, Some(path)) => files::load::read_file(path).ok()?,
                (None, None) => return None,
            };
            Some(New { result: result.clone(), scenario })
        })
        .collect()
    }
}

/// The entries of a list that a plan selects.
fn entries(list: &KnownList, plan: &Plan) -> Plan {
    let Plan { selection, shard, .. } = plan;
    let mut scenarios = list.cases();
    scenarios.retain(|one| selection.selects(&one.name, &one.scenario.rules));
    Plan { scenarios, fail_each: false, random: None, selection: selection.clone(), shard: *shard }
}

/// Whether a plan selects any entry of any list.
#[must_use]
pub fn selects_any(known: &Known, plan: &Plan) -> bool {
    known.lists().iter().any(|list| !entries(list, plan).scenarios.is_empty())
}

/// What a backend's subjects say that they are; empty if none can be opened.
fn subject(backend: &Named, results: &[CaseResult]) -> String {
    let told = results.iter().find(|it| it.backend == backend.name && !it.subject.is_empty());
    match told {
        Some(result) => result.subject.clone(),
        None => match backend.open(&Machine::default()) {
            Ok(subject) => subject.description().implementation(),
            Err(_) => String::new(),
        },
    }
}

/// The command that replays an entry.
fn again(result: &CaseResult, backend: &Named, context: &Context<'_>) -> String {
    debug_assert_eq!(result.suite, Suite::Known, "an entry of a list");
    failure::shell(&[
        &context.program,
        "check",
        "--backend",
        &backend.spec,
        "--cases",
        "0",
        "--only",
        &result.scenario,
    ])
}
