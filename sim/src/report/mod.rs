//! What came of a run, and how it is told: one [`Report`], six formats.
//!
//! Map, in reading order:
//!
//! * [`result`]: one case's result, in one of five words;
//! * [`summary`]: counts per word, and the exit code that follows from them;
//! * [`fold`]: failures that are one failure;
//! * [`digest`]: the fingerprint of a run;
//! * [`human`], [`json`] (with JSON lines), [`junit`], [`markdown`], [`html`]: the formats.
//!
//! A format is a pure function of the report: same report, same bytes. It may style its text;
//! [`crate::output`] takes the styles away where nobody can see them.
//!
//! Deliberately not here: a clock (no report says how long something took), and any output.

pub mod digest;
pub mod fold;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod result;
pub mod summary;

use std::io;

pub use result::{CaseResult, Shrunk, Suite, VerdictWord};
pub use summary::{ExitStatus, Summary};

use hostmem_interface::Planted;

use crate::run::Coverage;

/// What a run was asked to do: printed before anything else, so that a run that dies can be
/// repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The version of hostmem.
    pub version: String,
    /// The commit it was built from, if that is known.
    pub commit: Option<String>,
    /// The seed, of a run that has random work.
    pub seed: Option<String>,
    /// The backends, as a user asks for them: their specifications may have blanks in them.
    pub backends: Vec<String>,
    /// Every other option with the value that it came to, in a fixed order.
    pub options: Vec<(String, String)>,
}

/// How a run came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Every case was run.
    #[default]
    Complete,
    /// `--time` was over.
    Time,
    /// `--fail-fast` met a failure.
    FailFast,
    /// Someone interrupted it.
    Interrupted,
    /// hostmem itself failed: in which case, and how.
    Internal(String),
    /// The results could not be kept, so it made no sense to go on: why.
    Unkept(String),
    /// Results are missing of what was put together: which.
    Partial(String),
}

impl End {
    /// The name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Time => "time",
            Self::FailFast => "fail-fast",
            Self::Interrupted => "interrupted",
            Self::Internal(_) => "internal-error",
            Self::Unkept(_) => "results-not-kept",
            Self::Partial(_) => "partial",
        }
    }
}

/// A run and everything that came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub header: Header,
    /// What came of each case, in case order.
    pub results: Vec<CaseResult>,
    /// How it ended.
    pub end: End,
    /// Which rules decided, if that was asked for.
    pub coverage: Option<Coverage>,
    /// Whether any divergence fails the run, not only of a *must*.
    pub strict: bool,
    /// Capabilities and backends whose absence fails the run.
    pub require: Vec<String>,
    /// Cases that turned out to be unreadable only when they ran.
    pub unreadable: Vec<String>,
    /// Whether the cases had threads of their own.
    pub threaded: bool,
    /// The backends of a campaign that are wrong on purpose, and how: it is void if it does not
    /// find that.
    pub planted: Vec<(String, Planted)>,
}

impl Report {
    /// The counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.results)
    }

    /// The digest. Only a run whose length its options fix has one: not one that a clock or
    /// a person ended; and none whose cases had threads, because two such runs may differ.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        let fixed = matches!(self.end, End::Complete | End::FailFast);
        (fixed && !self.threaded).then(|| digest::of(&self.results))
    }

    /// The exit status.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        summary::status(self)
    }
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table and a paragraph for each finding.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON document a line: header, results, summary.
    Jsonl,
    /// JUnit XML, for CI.
    Junit,
    /// Markdown, for a comment or a summary page.
    Markdown,
    /// One self-contained page.
    Html,
}

impl Format {
    /// Writes the whole report.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Self::Human => human::write(report, human::Detail::Findings, out),
            Self::Json => json::write(report, out),
            Self::Jsonl => json::write_lines(report, out),
            Self::Junit => junit::write(report, out),
            Self::Markdown => markdown::write(report, out),
            Self::Html => html::write(report, out),
        }
    }
}
