//! The exit code of a run, as a table: it is a contract with scripts.

use hostmem::report::{CaseResult, End, ExitStatus, Report, Suite, VerdictWord};
use hostmem_interface::scenario::Level;

fn result(word: VerdictWord) -> CaseResult {
    CaseResult::new("a.json", "model", word)
}

fn diverges(level: Level) -> CaseResult {
    CaseResult { level, ..result(VerdictWord::Diverges) }
}

fn contradiction(suite: Suite) -> CaseResult {
    CaseResult { self_check: true, suite, ..result(VerdictWord::Diverges) }
}

fn stale() -> CaseResult {
    CaseResult { stale: true, ..result(VerdictWord::Agrees) }
}

fn lacking(name: &str) -> CaseResult {
    CaseResult { missing: Some(name.to_owned()), ..result(VerdictWord::Skipped) }
}

#[track_caller]
fn check(results: Vec<CaseResult>, expected: u8) {
    check_report(Report { results, ..Report::default() }, expected);
}

#[track_caller]
fn check_report(report: Report, expected: u8) {
    assert_eq!(report.status().code(), expected, "{report:?}");
}

#[test]
fn nothing_that_fails_a_run() {
    check(vec![], 0);
    let words = [VerdictWord::Agrees, VerdictWord::Tolerated, VerdictWord::Skipped];
    check(words.map(result).to_vec(), 0);
    check(vec![diverges(Level::Should), diverges(Level::May)], 0);
}

#[test]
fn a_must_divergence_is_2() {
    check(vec![diverges(Level::Must)], 2);
}

#[test]
fn strict_makes_any_divergence_2() {
    for level in [Level::Should, Level::May] {
        let results = vec![diverges(level)];
        check_report(Report { results, strict: true, ..Report::default() }, 2);
    }
}

#[test]
fn a_broken_subject_is_3() {
    check(vec![result(VerdictWord::Broken)], 3);
}

#[test]
fn a_contradiction_of_our_own_is_4() {
    for suite in [Suite::Regressions, Suite::Scenarios, Suite::Recordings] {
        check(vec![contradiction(suite)], 4);
    }
    check(vec![contradiction(Suite::Files)], 2);
    check(vec![stale()], 4);
}

#[test]
fn a_missing_requirement_is_4() {
    let results = vec![lacking("write-watch")];
    check(results.clone(), 0);
    let require = vec!["write-watch".to_owned()];
    check_report(Report { results: results.clone(), require, ..Report::default() }, 4);
    let require = vec!["faults".to_owned()];
    check_report(Report { results, require, ..Report::default() }, 0);
}

#[test]
fn ends() {
    for (end, expected) in [
        (End::Complete, 0),
        (End::Time, 0),
        (End::FailFast, 0),
        (End::Interrupted, 130),
        (End::Internal("oh".to_owned()), 70),
    ] {
        check_report(Report { end, ..Report::default() }, expected);
    }
}

#[test]
fn input_that_shows_its_fault_on_the_way_is_1() {
    let unreadable = vec!["a.json:1:1: no".to_owned()];
    check_report(Report { unreadable: unreadable.clone(), ..Report::default() }, 1);
    let results = vec![diverges(Level::Must)];
    check_report(Report { unreadable, results, ..Report::default() }, 2);
}

#[test]
fn of_several_the_first_of_70_4_3_2() {
    let all = [diverges(Level::Must), result(VerdictWord::Broken), contradiction(Suite::Scenarios)];
    for (count, expected) in [(1, 2), (2, 3), (3, 4)] {
        check(all[..count].to_vec(), expected);
        let mut turned = all[..count].to_vec();
        turned.reverse();
        check(turned, expected);
    }
    let end = End::Internal("oh".to_owned());
    check_report(Report { results: all.to_vec(), end, ..Report::default() }, 70);
    // An interrupted run that had found something says what it found.
    let results = vec![diverges(Level::Must)];
    check_report(Report { results, end: End::Interrupted, ..Report::default() }, 2);
}

#[test]
fn the_codes_are_the_documented_ones() {
    let codes = [
        (ExitStatus::Success, 0),
        (ExitStatus::Usage, 1),
        (ExitStatus::Diverges, 2),
        (ExitStatus::Broken, 3),
        (ExitStatus::Contradiction, 4),
        (ExitStatus::Internal, 70),
        (ExitStatus::Interrupted, 130),
    ];
    for (status, code) in codes {
        assert_eq!(status.code(), code);
        assert_eq!(status.worse(ExitStatus::Success), status);
        assert_eq!(ExitStatus::Success.worse(status), status);
    }
}

#[test]
fn only_a_run_of_fixed_length_has_a_digest() {
    for (end, has) in [
        (End::Complete, true),
        (End::FailFast, true),
        (End::Time, false),
        (End::Interrupted, false),
        (End::Internal(String::new()), false),
    ] {
        assert_eq!(Report { end, ..Report::default() }.digest().is_some(), has);
    }
}
