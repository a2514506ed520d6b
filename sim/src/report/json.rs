//! The report as one JSON document, and as JSON lines.
//!
//! The members `summary`, `digest` and `results`, and in a result `scenario`, `backend`,
//! `verdict`, `grain` and (for anything but *agrees*) `step`, `rule`, `expected`, `observed`,
//! `reason`, are a contract: present, with `null` for what is unknown. Other members are only
//! there when they say something.
//!
//! Deliberately not here: a clock, so that two equal runs have equal documents.

use std::collections::BTreeMap;
use std::io;

use hostmem_model::RuleId;
use serde::Serialize;

use super::{CaseResult, Header, Report, Summary, VerdictWord, fold, summary};
use crate::fail_each::plan::Sweep;
use crate::files::load::shown;
use crate::run::Coverage;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    tail: Tail<'a>,
    results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Head<'a> {
    hostmem: &'a str,
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    backends: &'a [String],
    options: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Tail<'a> {
    end: &'static str,
    exit: u8,
    summary: BTreeMap<&'static str, u64>,
    diverges: BTreeMap<&'static str, u64>,
    suites: Vec<SuiteRow<'a>>,
    steps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_each: Option<Sweep>,
    digest: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    void: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unreadable: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<BTreeMap<&'static str, CoverageRow>>,
}

#[derive(Serialize)]
struct SuiteRow<'a> {
    backend: &'a str,
    suite: &'static str,
    #[serde(flatten)]
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct CoverageRow {
    accepted: u64,
    refused: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    scenario: &'a str,
    suite: &'static str,
    backend: &'a str,
    verdict: &'static str,
    grain: &'static str,
    steps: usize,
    #[serde(flatten)]
    finding: Option<Finding<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    readings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    leaks: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_each: Option<Sweep>,
}

#[derive(Serialize)]
struct Finding<'a> {
    level: &'static str,
    step: Option<usize>,
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'a str>,
    expected: Option<&'a str>,
    observed: Option<&'a str>,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    self_check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shrunk: Option<ShrunkRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<&'a str>,
}

#[derive(Serialize)]
struct ShrunkRow<'a> {
    from: usize,
    to: usize,
    kind: &'a str,
}

/// Failures that are one.
#[derive(Serialize)]
struct FailureRow<'a> {
    kind: &'a str,
    backend: &'a str,
    seen: u64,
    scenario: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

fn head(header: &Header) -> Head<'_> {
    Head {
        hostmem: &header.version,
        commit: header.commit.as_deref(),
        seed: header.seed.as_deref(),
        backends: &header.backends,
        options: header.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
    }
}

fn counts(counts: &summary::Counts) -> BTreeMap<&'static str, u64> {
    VerdictWord::ALL.into_iter().map(|word| (word.name(), counts.of(word))).collect()
}

fn tail<'a>(report: &'a Report, summary: &'a Summary) -> Tail<'a> {
    Tail {
        end: report.end.name(),
        exit: report.status().code(),
        summary: counts(&summary.all),
        diverges: ["must", "should", "may"].into_iter().zip(summary.diverges).collect(),
        suites: summary
            .rows
            .iter()
            .map(|(backend, suite, row)| SuiteRow {
                backend,
                suite: suite.name(),
                counts: counts(row),
            })
            .collect(),
        steps: summary.steps,
        fail_each: summary.sweep,
        digest: report.digest(),
        failures: failures(&report.results),
        void: summary::survivors(report),
        missing: summary::unmet(report),
        unreadable: &report.unreadable,
        coverage: report.coverage.as_ref().map(coverage),
    }
}

fn failures(results: &[CaseResult]) -> Vec<FailureRow<'_>> {
    let row = |failure: fold::Failure| {
        let result = &results[failure.at];
        FailureRow {
            kind: result.shrunk.as_ref().map_or("", |shrunk| &shrunk.kind),
            backend: &result.backend,
            seen: failure.seen,
            scenario: &result.scenario,
            file: result.file.as_ref().map(|file| file.display().to_string()),
        }
    };
    fold::failures(results).into_iter().map(row).collect()
}

fn coverage(coverage: &Coverage) -> BTreeMap<&'static str, CoverageRow> {
    let reached = RuleId::all().filter(|&id| coverage.reached(id));
    let row = |id: RuleId| {
        let count = coverage.of(id);
        (id.rule().id, CoverageRow { accepted: count.accepted, refused: count.refused })
    };
    reached.map(row).collect()
}

fn row(result: &CaseResult) -> Row<'_> {
    Row {
        scenario: &result.scenario,
        suite: result.suite.name(),
        backend: &result.backend,
        verdict: result.word.name(),
        grain: result.grain.name(),
        steps: result.steps,
        finding: (result.word != VerdictWord::Agrees).then(|| finding(result)),
        readings: &result.readings,
        drawn: result.drawn.as_deref(),
        stale: result.stale,
        leaks: &result.leaks,
        fail_each: result.sweep,
    }
}

fn finding(result: &CaseResult) -> Finding<'_> {
    Finding {
        level: result.level.name(),
        step: result.step,
        rule: result.rule.as_deref(),
        call: result.call.as_deref(),
        expected: result.expected.as_deref(),
        observed: result.observed.as_deref(),
        reason: result.reason.as_deref(),
        missing: result.missing.as_deref(),
        self_check: result.self_check,
        shrunk: result.shrunk.as_ref().map(|it| ShrunkRow {
            from: it.from,
            to: it.to,
            kind: &it.kind,
        }),
        file: result.file.as_ref().map(|file| file.display().to_string()),
        view: result.view.as_deref().map(shown),
        replay: result.replay.as_deref(),
    }
}

/// Writes one document.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let summary = report.summary();
    let document = Document {
        head: head(&report.header),
        tail: tail(report, &summary),
        results: report.results.iter().map(row).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes the header, each result and the summary, one a line.
///
/// # Errors
/// Those of `out`.
pub fn write_lines(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    write_header_line(&report.header, out)?;
    for result in &report.results {
        write_result_line(result, out)?;
    }
    write_summary_line(report, out)
}

/// The first of the lines.
///
/// # Errors
/// Those of `out`.
pub fn write_header_line(header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
    line(&head(header), out)
}

/// The line of one result.
///
/// # Errors
/// Those of `out`.
pub fn write_result_line(result: &CaseResult, out: &mut dyn io::Write) -> io::Result<()> {
    line(&row(result), out)
}

/// The last of the lines.
///
/// # Errors
/// Those of `out`.
pub fn write_summary_line(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    line(&tail(report, &report.summary()), out)
}

fn line(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
