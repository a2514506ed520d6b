//! What came of one case, in one of five words.
//!
//! Deliberately not here: how a result is found (`crate::runner`), and how it is told (the
//! formats beside this file).

use std::fmt;
use std::path::PathBuf;

use hostmem_interface::Grain;
use hostmem_interface::scenario::Level;
use serde::{Deserialize, Serialize};

use crate::results::words;

use crate::fail_each::plan::Sweep;

/// The five words in which a line of a report may end: there is no sixth anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// Every step is what the law permits and the scenario expects.
    Agrees,
    /// A step is not.
    Diverges,
    /// A step is not, and a list of known differences says so.
    Tolerated,
    /// It could not be judged.
    Skipped,
    /// The subject, or the way to it, broke.
    Broken,
}

impl VerdictWord {
    /// Every word, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Agrees, Self::Diverges, Self::Tolerated, Self::Skipped, Self::Broken];

    /// The word itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Diverges => "diverges",
            Self::Tolerated => "tolerated",
            Self::Skipped => "skipped",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for VerdictWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a case comes from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// A listed, known difference of the backend's.
    Known,
    /// A shrunk failure of the past that ships with hostmem.
    Regressions,
    /// A scenario that ships with hostmem.
    Scenarios,
    /// A recording of a real CLR that ships with hostmem.
    Recordings,
    /// A file that the user named.
    #[default]
    Files,
    /// A scenario whose calls are made to fail.
    FailEach,
    /// The seeded generator.
    Random,
}

impl Suite {
    /// Every suite, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Known,
        Self::Regressions,
        Self::Scenarios,
        Self::Recordings,
        Self::Files,
        Self::FailEach,
        Self::Random,
    ];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Regressions => "regressions",
            Self::Scenarios => "scenarios",
            Self::Recordings => "recordings",
            Self::Files => "files",
            Self::FailEach => "fail-each",
            Self::Random => "random",
        }
    }

    /// Whether its cases ship with hostmem, which then vouches for what they expect.
    #[must_use]
    pub const fn ships(self) -> bool {
        matches!(self, Self::Regressions | Self::Scenarios | Self::Recordings)
    }
}

/// How far a failing case was shrunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrunk {
    /// How many steps it had.
    pub from: usize,
    /// How many are left.
    pub to: usize,
    /// How long its text is: between two of as many steps, the shorter is the plainer.
    pub length: usize,
    /// What kind of failure it is: the rule, or how the subject broke, and the shape of the
    /// case. On one backend, two of a kind are taken for one.
    pub kind: String,
}

/// What came of one case on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The path of the scenario, or the name of the random case.
    pub scenario: String,
    /// Where the case comes from.
    pub suite: Suite,
    /// The backend's name.
    pub backend: String,
    /// Name and version, as the subject told them; empty if none was opened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The verdict.
    pub word: VerdictWord,
    /// How strong the evidence is: the weaker of the scenario's and the rule's.
    #[serde(with = "words::level")]
    pub level: Level,
    /// The grain at which errors were compared.
    #[serde(with = "words::grain")]
    pub grain: Grain,
    /// How many steps were carried out.
    pub steps: usize,
    /// The step that decided the verdict, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The rule that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The call of that step, as a person reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What was permitted and expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What the subject did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// Why it was skipped, tolerated or broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The capability or backend whose absence is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Rules of which the subject took one of several permitted readings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<String>,
    /// Of a random case: what it drew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<String>,
    /// Of a failure that was shrunk: from what to what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shrunk: Option<Shrunk>,
    /// The command that does it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The scenario file that was written for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The page that shows it step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<PathBuf>,
    /// The case's own expectation is not what the law permits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_check: bool,
    /// A known difference is listed that no longer differs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// Heap blocks that the case left behind, as the backend tells, with file and line.
    pub leaks: Vec<String>,
    /// How much a sweep of refusals came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What the digest takes in of the case: its seed, and per step verdict, rule and
    /// normalised outcome, hashed.
    #[serde(with = "words::record")]
    pub record: [u8; 32],
}

impl CaseResult {
    /// A result of that word with nothing further known.
    #[must_use]
    pub fn new(scenario: &str, backend: &str, word: VerdictWord) -> Self {
        Self {
            scenario: scenario.to_owned(),
            suite: Suite::default(),
            backend: backend.to_owned(),
            subject: String::new(),
            word,
            level: Level::Must,
            grain: Grain::Win32,
            steps: 0,
            step: None,
            rule: None,
            call: None,
            expected: None,
            observed: None,
            reason: None,
            missing: None,
            readings: Vec::new(),
            drawn: None,
            shrunk: None,
            replay: None,
            file: None,
            view: None,
            self_check: false,
            stale: false,
            leaks: Vec::new(),
            sweep: None,
            record: [0; 32],
        }
    }

    /// A case that could not be judged.
    #[must_use]
    pub fn skipped(scenario: &str, backend: &str, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::new(scenario, backend, VerdictWord::Skipped) }
    }

    /// The step that decided, with its call where that is known.
    #[must_use]
    pub fn step_and_call(&self) -> Option<String> {
        let step = self.step?;
        Some(match &self.call {
            Some(call) => format!("{step} {call}"),
            None => step.to_string(),
        })
    }

    /// Whether hostmem contradicts itself here.
    #[must_use]
    pub const fn is_contradiction(&self) -> bool {
        self.stale || (self.self_check && self.suite.ships())
    }

    /// Whether a report has to tell of it.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        self.word != VerdictWord::Agrees || self.stale
    }

    /// Whether it is a divergence that fails the run.
    #[must_use]
    pub fn is_fatal_divergence(&self, strict: bool) -> bool {
        self.word == VerdictWord::Diverges && (strict || self.level == Level::Must)
    }

    /// Whether the run fails because of it (a missing requirement apart).
    #[must_use]
    pub fn fails(&self, strict: bool) -> bool {
        self.is_contradiction()
            || self.word == VerdictWord::Broken
            || self.is_fatal_divergence(strict)
    }
}
