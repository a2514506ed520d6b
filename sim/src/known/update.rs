//! Makes a list of known differences out of what a run found: entries that still differ stay
//! as they are, stale ones go, and each new difference comes in with the smallest scenario
//! that shows it. Why it differs is for a person to write.
//!
//! Deliberately not here: writing the file.

use hostmem_interface::Backend;
use hostmem_interface::scenario::Scenario;

use super::{Difference, KnownList, shape};
use crate::law::{self, RULES};
use crate::reduce::{MOST_TRIALS, reduce};
use crate::report::{CaseResult, VerdictWord};
use crate::run::needs::scenario_needs;
use crate::run::{Ending, Finding, Outcome, run_scenario};

/// Why a difference is there that nobody has looked into.
const UNEXPLAINED: &str = "not yet explained";

/// A divergence that no list names, with the case that shows it.
#[derive(Clone, Debug)]
pub struct New {
    /// What came of the case.
    pub result: CaseResult,
    /// The case.
    pub scenario: Scenario,
}

/// The list after a run: `old` without what `results`, of the entries' own cases
/// ([`KnownList::cases`]), show to be stale, and with `new`.
#[must_use]
pub fn updated(
    old: &KnownList,
    results: &[CaseResult],
    new: &[New],
    backend: &dyn Backend,
) -> KnownList {
    let stale = |name: &str| results.iter().any(|result| result.stale && result.scenario == name);
    let cases = old.cases();
    let kept = old.differences.iter().zip(cases).filter(|(_, case)| !stale(&case.name));
    let mut differences: Vec<Difference> = kept.map(|(known, _)| known.clone()).collect();
    for found in new {
        if !differences.iter().any(|known| known.is_shown_by(&found.result)) {
            differences.extend(minimal(found, backend));
        }
    }
    let place = |id: &str| RULES.iter().position(|rule| rule.id == id);
    differences.sort_by_key(|known| place(&known.rule));
    KnownList { differences, ..old.clone() }
}

/// The smallest case that shows a difference, and what comes of it; `None` if it does not
/// show again.
fn minimal(found: &New, backend: &dyn Backend) -> Option<Difference> {
    let rule = found.result.rule.clone()?;
    let wanted = shape(found.result.observed.as_deref()?);
    let failed = found.result.step.unwrap_or(found.scenario.steps.len());
    let reduced = reduce(found.scenario.clone(), failed, MOST_TRIALS, &mut |candidate| {
        let outcome = run_scenario(candidate, "", backend, &mut |_, _| {});
        difference(&outcome, &rule).is_some_and(|finding| shape(&finding.observed) == wanted)
    });
    let scenario = Scenario {
        about: law::sentence(&rule).unwrap_or_default().to_owned(),
        rules: vec![rule.clone()],
        needs: scenario_needs(&reduced.scenario),
        source: None,
        ..reduced.scenario
    };
    let outcome = run_scenario(&scenario, "", backend, &mut |_, _| {});
    let finding = difference(&outcome, &rule)?;
    Some(Difference {
        rule,
        level: finding.level,
        expected: finding.expected.clone(),
        observed: finding.observed.clone(),
        why: UNEXPLAINED.to_owned(),
        scenario,
    })
}

fn difference<'a>(outcome: &'a Outcome, rule: &str) -> Option<&'a Finding> {
    match &outcome.ending {
        Ending::Diverges(finding) if finding.rule.rule().id == rule && !outcome.self_check => {
            Some(finding)
        }
        _ => None,
    }
}

/// Whether a result is a difference that a list could take in.
#[must_use]
pub fn is_new(result: &CaseResult) -> bool {
    result.word == VerdictWord::Diverges && !result.self_check
}
