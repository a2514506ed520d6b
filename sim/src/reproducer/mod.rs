//! What a failure leaves behind beside its scenario: a Rust test, and stand-alone C programs,
//! so that it can be shown to people who do not have hostmem.
//!
//! Map, in reading order:
//!
//! * [`rehearsal`]: the scenario carried out by the model, with what the law permits at each
//!   step;
//! * [`sections`]: the parts of the C runtime that a program needs;
//! * [`c`]: what both C programs have in common: addresses, and what is permitted;
//! * [`win32`]: a C program for Windows: the calls themselves, with faults caught;
//! * [`posix`]: a C program for Linux and its like: what a manager over `mmap` does for the
//!   same calls;
//! * [`rust_test`]: a Rust test, which replays the scenario through this library ([`check`]).
//!
//! A program says nothing that hostmem does not: what it permits comes from the same rules.
//!
//! Deliberately not here: writing files.

pub mod c;
pub mod posix;
pub mod rehearsal;
pub mod rust_test;
pub mod sections;
pub mod win32;

use hostmem_interface::Backend;
use hostmem_interface::scenario::{self, Scenario};

use crate::backend::parse;
use crate::law;
use crate::parts::BACKENDS;
use crate::report::CaseResult;
use crate::run::{Ending, run_scenario};
use rehearsal::Rehearsal;

/// The endings that the files beside a scenario may have.
pub const ENDINGS: [&str; 3] = ["rs", "win32.c", "posix.c"];

/// What is told of a failure in the heading of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The name of the failure: of its files, but for their endings.
    pub name: String,
    /// The backend that failed, as a user asks for it.
    pub backend: String,
    /// The rule that it broke, if it is that.
    pub rule: Option<String>,
    /// What was permitted.
    pub expected: Option<String>,
    /// What came.
    pub observed: Option<String>,
}

impl Story {
    /// The story of a result.
    #[must_use]
    pub fn of(result: &CaseResult, name: &str, spec: &str) -> Self {
        Self {
            name: name.to_owned(),
            backend: spec.to_owned(),
            rule: result.rule.clone(),
            expected: result.expected.clone(),
            observed: result.observed.clone().or_else(|| result.reason.clone()),
        }
    }

    /// The heading, line by line, each short enough for a comment.
    #[must_use]
    pub fn lines(&self, scenario: &Scenario) -> Vec<String> {
        let mut lines = vec![scenario.about.clone()];
        if let Some(rule) = &self.rule {
            let sentence = law::sentence(rule).unwrap_or_default();
            lines.push(format!("{rule}: {sentence}"));
        }
        if let (Some(expected), Some(observed)) = (&self.expected, &self.observed) {
            lines.push(format!("permitted: {expected}"));
            lines.push(format!("{} gave: {observed}", self.backend));
        } else if let Some(observed) = &self.observed {
            lines.push(format!("{} {observed}", self.backend));
        }
        lines.iter().flat_map(|line| wrapped(line)).collect()
    }
}

/// A text in lines of at most 90 characters, with nothing that ends a comment.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let text = text.replace("*/", "* /").replace(|c: char| c.is_control() || c == '\\', " ");
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.last_mut().expect("never empty");
        if !last.is_empty() && last.chars().count() + word.chars().count() >= 90 {
            lines.push(word.to_owned());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines
}

/// The files beside the scenario: the ending of each, and its text.
#[must_use]
pub fn files(scenario: &Scenario, story: &Story) -> Vec<(&'static str, String)> {
    let mut files = vec![("rs", rust_test::write(scenario, story))];
    let Some(rehearsal) = Rehearsal::of(scenario) else { return files };
    files.extend(win32::write(scenario, &rehearsal, story).map(|text| ("win32.c", text)));
    files.extend(posix::write(scenario, &rehearsal, story).map(|text| ("posix.c", text)));
    files
}

/// Replays a scenario on a backend, named as on the command line: what the Rust test of a
/// failure does.
///
/// # Errors
/// What diverges, or that the scenario cannot be read or the backend cannot be had.
pub fn check(backend: &str, scenario: &str) -> Result<(), String> {
    let named = parse(backend, BACKENDS).map_err(|error| error.to_string())?;
    check_on(&named, scenario)
}

/// Replays a scenario on a backend of the caller's own.
///
/// # Errors
/// What diverges, or that the scenario cannot be read.
pub fn check_on(backend: &dyn Backend, scenario: &str) -> Result<(), String> {
    let scenario = scenario::read(scenario.as_bytes()).map_err(|error| {
        format!("{}:{}: {}", error.position.line, error.position.column, error.message)
    })?;
    // Steps that overlap meet or do not: whether they do is the scheduler's choice.
    let overlaps = scenario.steps.iter().any(|step| step.with.is_some());
    for _ in 0..if overlaps { 24 } else { 1 } {
        let outcome = run_scenario(&scenario, "", backend, &mut |_, _| {});
        match outcome.ending {
            Ending::Agrees | Ending::Skipped(_) | Ending::Taken(_) => {}
            Ending::Diverges(finding) => {
                let rule = finding.rule.rule();
                return Err(format!(
                    "step {} diverges from {} ({})\nexpected {}\nobserved {}",
                    outcome.steps, rule.id, rule.sentence, finding.expected, finding.observed
                ));
            }
            Ending::Broken(how) => return Err(format!("step {}: it {how}", outcome.steps)),
            Ending::Unreadable(why) => return Err(why),
        }
    }
    Ok(())
}
