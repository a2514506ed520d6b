//! The options that several commands share.
//!
//! Deliberately not here: what they do.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use clap::Args;

use super::Error;
use super::known::KnownOptions;
use crate::campaign::plan::Shard;
use crate::files::Selection;
use crate::limits::Limits;
use crate::report::Format;

const WHAT: &str = "What to run";
const HOW: &str = "How to run";
const TELL: &str = "What to tell";

/// Options of a command that runs cases.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// The backend to check; may be given several times [default: this machine's own system].
    /// NAME=BACKEND gives it another name in reports
    #[arg(short, long = "backend", value_name = "BACKEND", help_heading = WHAT)]
    pub backends: Vec<String>,
    /// What backends in processes of their own may take.
    #[command(flatten)]
    pub limits: Limits,
    /// Only cases that prove this rule, or whose path fits this glob; may be given several times
    #[arg(long, value_name = "RULE|GLOB", help_heading = WHAT)]
    pub only: Vec<String>,
    /// Not the cases that prove this rule, or whose path fits this glob
    #[arg(long, value_name = "RULE|GLOB", help_heading = WHAT)]
    pub skip: Vec<String>,
    /// Also make each call of a scenario that may fail for want of memory do so: once, and
    /// everything from it on, at each critical level; nothing may be lost by it
    #[arg(long, help_heading = WHAT)]
    pub fail_each: bool,
    /// Only the k-th of n equal parts of the cases
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE, help_heading = WHAT)]
    pub shard: Shard,
    /// How many cases run at a time; the results are the same for any number
    /// [default: the number of processors, at most 8]
    #[arg(short, long, value_name = "N", help_heading = HOW)]
    pub jobs: Option<NonZeroUsize>,
    /// Stop at the first case that fails the run
    #[arg(long, help_heading = HOW)]
    pub fail_fast: bool,
    /// Let any divergence fail the run, not only from a must rule
    #[arg(long, help_heading = HOW)]
    pub strict: bool,
    /// Fail the run if a case is skipped for lack of this capability or backend
    #[arg(long, value_name = "NAME", help_heading = HOW)]
    pub require: Vec<String>,
    /// Keep each result in this new file as soon as it is there, one JSON line a case, so that
    /// a run that is killed can be resumed and parts of one can be merged
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = HOW)]
    pub results: Option<PathBuf>,
    /// Go on with the results in this file, or begin it if there is none; all other options
    /// must be those that it was begun with
    #[arg(long, value_name = "FILE", help_heading = HOW)]
    pub resume: Option<PathBuf>,
    /// Which known differences hold.
    #[command(flatten)]
    pub known: KnownOptions,
    /// The format of the report
    #[arg(long, value_enum, default_value_t, help_heading = TELL)]
    pub format: Format,
    /// Write the report to this file; people still get theirs on standard output
    #[arg(short, long, value_name = "FILE", help_heading = TELL)]
    pub output: Option<PathBuf>,
    /// Tell of cases that agree too
    #[arg(short, long, help_heading = TELL)]
    pub verbose: bool,
    /// Tell which rules decided, and how often
    #[arg(long, help_heading = TELL)]
    pub coverage: bool,
    /// Tell every step: its rule, its call and what came (on standard output, for people)
    #[arg(long, help_heading = TELL)]
    pub trace: bool,
}

impl RunOptions {
    /// What is selected.
    ///
    /// # Errors
    /// A pattern that means nothing.
    pub fn selection(&self) -> Result<Selection, Error> {
        Ok(Selection::new(&self.only, &self.skip)?)
    }

    /// How many threads.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(processors).get()
    }
}

/// The number of processors, at most 8: more at a time gain little and cost memory, because a
/// large case may hold 100 MiB.
pub(super) fn processors() -> NonZeroUsize {
    const MOST: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
    thread::available_parallelism().map_or(NonZeroUsize::MIN, |it| it.min(MOST))
}
