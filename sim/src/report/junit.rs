//! The report as JUnit XML, which every CI system shows.
//!
//! A backend's suite is a `testsuite`, a case a `testcase`. What fails the run is a *failure*
//! (a divergence) or an *error* (a breakage, a contradiction of hostmem's own); a divergence
//! that does not fail it is *skipped* with its level, because a CI system has no third colour.
//!
//! Deliberately not here: times.

use std::io;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::human::{self, printable};
use super::{CaseResult, Report, VerdictWord};

/// Writes the document.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut document = quick_junit::Report::new("hostmem");
    let summary = report.summary();
    for (backend, suite, _) in &summary.rows {
        let mut tests = TestSuite::new(format!("{}.{}", printable(backend), suite.name()));
        let own = |result: &&CaseResult| result.backend == *backend && result.suite == *suite;
        for result in report.results.iter().filter(own) {
            tests.add_test_case(test_case(result, report.strict));
        }
        document.add_test_suite(tests);
    }
    document.serialize(&mut *out).map_err(|error| {
        // quick-junit wraps the error of the writer; a closed pipe must stay one.
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return io::Error::new(io.kind(), io.to_string());
            }
            source = cause.source();
        }
        io::Error::other(error)
    })
}

fn test_case(result: &CaseResult, strict: bool) -> TestCase {
    let status = match result.word {
        VerdictWord::Agrees if !result.stale => TestCaseStatus::success(),
        _ => not_success(result, strict),
    };
    let mut case = TestCase::new(printable(&result.scenario), status);
    case.set_classname(format!("{}.{}", printable(&result.backend), result.suite.name()));
    case.set_assertions(result.steps);
    case
}

fn not_success(result: &CaseResult, strict: bool) -> TestCaseStatus {
    let mut status = if result.word == VerdictWord::Broken || result.is_contradiction() {
        TestCaseStatus::non_success(NonSuccessKind::Error)
    } else if result.is_fatal_divergence(strict) {
        TestCaseStatus::non_success(NonSuccessKind::Failure)
    } else {
        TestCaseStatus::skipped()
    };
    let reason = result.reason.as_deref().or(result.observed.as_deref()).unwrap_or_default();
    status.set_type(result.word.name());
    status.set_message(match (result.word, &result.rule) {
        (VerdictWord::Diverges, Some(rule)) => {
            format!("{} ({}) by {rule}", result.word, result.level.name())
        }
        _ => format!("{}: {}", result.word, printable(reason)),
    });
    let mut text = Vec::new();
    human::write_result(result, &mut text).expect("memory takes everything");
    status
        .set_description(anstream::adapter::strip_str(&String::from_utf8_lossy(&text)).to_string());
    status
}
