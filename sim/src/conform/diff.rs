//! What changed between two JSON reports of `conform`.
//!
//! Deliberately not here: why.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::report::FORMAT;

/// As much of a report as a comparison needs.
#[derive(Debug, Deserialize)]
pub struct Summary {
    format: String,
    rules: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    rule: String,
    cells: BTreeMap<String, Verdict>,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    verdict: String,
}

/// One cell that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The rule.
    pub rule: String,
    /// The implementation.
    pub implementation: String,
    /// Its word before; `None` if there was no such cell.
    pub before: Option<String>,
    /// Its word now.
    pub after: Option<String>,
}

impl Change {
    /// Whether something that was fine is not any more.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let bad = |word: &Option<String>| {
            word.as_deref().is_some_and(|it| matches!(it, "diverges" | "broken"))
        };
        bad(&self.after) && !bad(&self.before)
    }
}

/// Reads a report.
///
/// # Errors
/// What is wrong with it: line, column, and what was expected.
pub fn read(text: &[u8]) -> Result<Summary, String> {
    let summary: Summary = serde_json::from_slice(text)
        .map_err(|error| format!("{}:{}: {error}", error.line(), error.column()))?;
    match summary.format == FORMAT {
        true => Ok(summary),
        false => Err(format!("1:1: its format is `{}`; expected `{FORMAT}`", summary.format)),
    }
}

/// What changed from `before` to `after`, in the order of the rules of `after`, then `before`.
#[must_use]
pub fn changes(before: &Summary, after: &Summary) -> Vec<Change> {
    let word = |report: &Summary, rule: &str, name: &str| {
        let line = report.rules.iter().find(|line| line.rule == rule)?;
        line.cells.get(name).map(|cell| cell.verdict.clone())
    };
    let mut places: Vec<(&str, &str)> = Vec::new();
    for report in [after, before] {
        for line in &report.rules {
            for name in line.cells.keys() {
                if !places.contains(&(&*line.rule, &**name)) {
                    places.push((&line.rule, name));
                }
            }
        }
    }
    let change = |(rule, name): (&str, &str)| Change {
        rule: rule.to_owned(),
        implementation: name.to_owned(),
        before: word(before, rule, name),
        after: word(after, rule, name),
    };
    places.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cells: &str) -> Summary {
        let rules = format!(r#"[{{ "rule": "VA-03", "cells": {{ {cells} }} }}]"#);
        read(format!(r#"{{ "format": "{FORMAT}", "rules": {rules} }}"#).as_bytes()).unwrap()
    }

    #[test]
    fn cells_that_changed_appeared_or_went_are_told() {
        let before = report(r#""a": {"verdict": "agrees"}, "b": {"verdict": "diverges"}"#);
        let after = report(r#""a": {"verdict": "diverges"}, "c": {"verdict": "agrees"}"#);
        let told: Vec<_> = changes(&before, &after)
            .iter()
            .map(|it| (it.implementation.clone(), it.is_worse(), it.after.is_some()))
            .collect();
        let expected = [("a", true, true), ("c", false, true), ("b", false, false)];
        assert_eq!(told, expected.map(|(name, worse, now)| (name.to_owned(), worse, now)));
        assert!(changes(&after, &after).is_empty());
    }

    #[test]
    fn what_is_no_report_is_refused_with_its_place() {
        assert!(read(b"{\n]").unwrap_err().starts_with("2:1:"));
        assert!(read(br#"{"format": "x", "rules": []}"#).unwrap_err().contains("expected"));
    }
}
