//! One scenario on one implementation, and which readings it took where the law permits
//! several.
//!
//! Deliberately not here: the matrix.

use std::collections::BTreeMap;

use hostmem_interface::{Backend, Outcome};
use hostmem_model::RuleId;

use crate::engine::Unreadable;
use crate::files::NamedScenario;
use crate::report::CaseResult;
use crate::run::run_scenario;
use crate::runner;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The result.
    pub result: CaseResult,
    /// By rule: how the implementation answered where others would have been lawful too.
    pub readings: BTreeMap<RuleId, String>,
}

impl Trial {
    /// Of a scenario that is not run.
    #[must_use]
    pub fn passed_over(case: &NamedScenario, why: String) -> Self {
        let result = CaseResult::skipped(&case.name, "", why);
        Self { result: CaseResult { suite: case.suite, ..result }, readings: BTreeMap::new() }
    }
}

/// Runs a scenario on a fresh subject of `backend`.
///
/// # Errors
/// If the scenario asks for what no backend may do.
pub fn run(case: &NamedScenario, backend: &dyn Backend) -> Result<Trial, Unreadable> {
    let mut last: BTreeMap<RuleId, String> = BTreeMap::new();
    let outcome = run_scenario(&case.scenario, "", backend, &mut |_, answered| {
        if let Some(rule) = answered.rule {
            last.insert(rule, reading(&answered.outcome));
        }
    });
    let readings =
        outcome.readings.iter().filter_map(|rule| Some((*rule, last.get(rule)?.clone())));
    let readings = readings.collect();
    let mut result = runner::result(&case.name, &case.scenario, backend, &outcome)?;
    result.suite = case.suite;
    Ok(Trial { result, readings })
}

/// An answer as a reading of a rule: what kind it is, without any value.
fn reading(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { .. } => "succeeds".to_owned(),
        Outcome::Refused(refusal) => match refusal.win32 {
            Some(error) => format!("refuses with {error}"),
            None => format!("refuses with {}", refusal.hresult),
        },
        Outcome::Faulted(fault) => format!("faults with {}", fault.status),
    }
}
