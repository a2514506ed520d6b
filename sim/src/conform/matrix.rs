//! From trials to cells: what a rule's scenarios came to on each implementation.
//!
//! A scenario stops at its first difference, which belongs to the rule that it breaks; the
//! other rules that the scenario would have shown were not looked at by it. So a cell is
//!
//! * *broken* if a scenario of the rule broke the implementation;
//! * *diverges* if some scenario, of whatever rule, was stopped by this one;
//! * *tolerated* if all of those are known;
//! * *agrees* if a scenario of the rule ran to its end;
//! * *skipped* else, with the reason of the first.
//!
//! Deliberately not here: running ([`super::trial`]), and words for people.

use std::collections::BTreeMap;

use hostmem_interface::scenario::Level;
use serde::Serialize;

use super::minimal::Minimal;
use super::trial::Trial;
use crate::files::NamedScenario;
use crate::law::{Proof, RULES, Rule};
use crate::report::{CaseResult, VerdictWord};

/// What an implementation does about a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The verdict.
    #[serde(serialize_with = "word")]
    pub verdict: VerdictWord,
    /// How strong the evidence against the implementation is, where it differs.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "level")]
    pub level: Option<Level>,
    /// How many scenarios of the rule ran to their end.
    pub agreeing: usize,
    /// How many scenarios the rule has.
    pub scenarios: usize,
    /// How it answers where the law permits several answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// Why it was skipped or tolerated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A scenario that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The command that runs it again, where the implementation differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The page that shows such a scenario, or else one of the rule's: its address, from where
    /// the report is.
    #[serde(skip)]
    pub view: Option<String>,
    /// The smallest such scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimal: Option<Minimal>,
}

fn word<S: serde::Serializer>(word: &VerdictWord, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(word.name())
}

#[expect(clippy::ref_option, reason = "serde hands the field on as it is")]
fn level<S: serde::Serializer>(level: &Option<Level>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(level.map_or("", Level::name))
}

/// An implementation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implementation {
    /// Its name in reports.
    pub name: String,
    /// What it says of itself: name and version.
    pub about: String,
    /// The results of its scenarios, in order.
    pub results: Vec<CaseResult>,
}

/// A rule with its cells.
#[derive(Clone, Debug)]
pub struct Row {
    /// The rule.
    pub rule: &'static Rule,
    /// A cell for each implementation, in their order.
    pub cells: Vec<Cell>,
}

/// The matrix.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The columns.
    pub implementations: Vec<Implementation>,
    /// The rows, in the order of the law.
    pub rows: Vec<Row>,
}

/// The trials of one implementation.
pub type Column = (Implementation, Vec<BTreeMap<hostmem_model::RuleId, String>>);

/// An implementation with its trials, in the order of the scenarios.
#[must_use]
pub fn column(name: String, about: String, trials: Vec<Trial>) -> Column {
    let (results, readings) =
        trials.into_iter().map(|trial| (trial.result, trial.readings)).unzip();
    (Implementation { name, about, results }, readings)
}

impl Matrix {
    /// The matrix of these trials: `columns` run `scenarios`, in this order.
    #[must_use]
    pub fn of(scenarios: &[NamedScenario], columns: Vec<Column>) -> Self {
        let judged = RULES.iter().filter(|rule| !matches!(rule.proof, Proof::Out(_)));
        let mut rows = Vec::new();
        for rule in judged {
            let cells: Vec<Cell> = columns
                .iter()
                .map(|(column, readings)| cell(rule, scenarios, &column.results, readings))
                .collect();
            // A selection may leave a rule without a scenario.
            if cells.iter().any(|cell| cell.scenarios > 0 || cell.scenario.is_some()) {
                rows.push(Row { rule, cells });
            }
        }
        let implementations = columns.into_iter().map(|(column, _)| column).collect();
        Self { implementations, rows }
    }
}

fn cell(
    rule: &Rule,
    scenarios: &[NamedScenario],
    results: &[CaseResult],
    readings: &[BTreeMap<hostmem_model::RuleId, String>],
) -> Cell {
    let own: Vec<usize> = (0..scenarios.len())
        .filter(|&at| scenarios[at].scenario.rules.iter().any(|id| id == rule.id))
        .collect();
    let stopped: Vec<&CaseResult> =
        results.iter().filter(|it| it.rule.as_deref() == Some(rule.id)).collect();
    let agreeing = own.iter().filter(|&&at| results[at].word == VerdictWord::Agrees).count();
    let reading = readings.iter().zip(results).find_map(|(all, _)| {
        all.iter().find(|(id, _)| id.rule().id == rule.id).map(|(_, reading)| reading.clone())
    });
    let empty = Cell {
        verdict: VerdictWord::Agrees,
        level: None,
        agreeing,
        scenarios: own.len(),
        reading,
        reason: None,
        scenario: None,
        replay: None,
        view: None,
        minimal: None,
    };
    let by = |verdict, result: &CaseResult| Cell {
        verdict,
        scenario: Some(result.scenario.clone()),
        replay: result.replay.clone(),
        reason: result.reason.clone(),
        ..empty.clone()
    };
    let broken = own.iter().map(|&at| &results[at]).find(|it| it.word == VerdictWord::Broken);
    if let Some(result) = broken {
        return by(VerdictWord::Broken, result);
    }
    // The strongest evidence first, and of that the shortest scenario.
    let worst = |word: VerdictWord| {
        let those = stopped.iter().filter(|it| it.word == word);
        those.max_by_key(|it| (it.level, std::cmp::Reverse((it.steps, &it.scenario))))
    };
    for word in [VerdictWord::Diverges, VerdictWord::Tolerated] {
        if let Some(result) = worst(word) {
            return Cell { level: Some(result.level), ..by(word, result) };
        }
    }
    if agreeing > 0 {
        return empty;
    }
    let first = own.iter().map(|&at| &results[at]).next();
    let Some(result) = first else { return empty };
    let reason = match (&result.rule, &result.reason) {
        (Some(other), _) => format!("its scenario was stopped by {other}"),
        (None, Some(why)) => why.clone(),
        (None, None) => "no reason".to_owned(),
    };
    Cell { reason: Some(reason), replay: None, ..by(VerdictWord::Skipped, result) }
}
