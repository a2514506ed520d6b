//! Rules, scenarios and verdicts hold together: every rule in scope is proven by a scenario
//! that was decided, or observed, by that very rule.

use std::collections::BTreeMap;

use hostmem::known::Known;
use hostmem::run::needs::scenario_needs;
use hostmem::run::{Coverage, Ending, run_scenario};
use hostmem_interface::Call;
use hostmem_interface::scenario::{Action, Scenario};
use hostmem_model::rule::Proof;
use hostmem_model::{ModelBackend, RULES, RuleId};
use hostmem_tests::scenarios;

/// Runs a scenario on the model, which must agree.
fn coverage(name: &str, scenario: &Scenario) -> Coverage {
    let outcome = run_scenario(scenario, name, &ModelBackend, &mut |_, _| {});
    assert_eq!(outcome.ending, Ending::Agrees, "{name}, step {}", outcome.steps);
    outcome.coverage
}

/// Whether a scenario looks at state and says what it must see.
fn observes(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| {
        step.expect.is_some()
            && matches!(
                &step.action,
                Action::Call(
                    Call::VirtualQuery { .. }
                        | Call::Read { .. }
                        | Call::GetWriteWatch { .. }
                        | Call::VirtualProtect { .. }
                )
            )
    })
}

#[test]
fn every_rule_in_scope_is_proven_and_every_rule_named_exists() {
    let mut decided: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut observed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, scenario) in scenarios() {
        let coverage = coverage(&name, &scenario);
        for id in &scenario.rules {
            let rule = RuleId::named(id).unwrap_or_else(|| panic!("{name} names unknown {id}"));
            let id = rule.rule().id;
            if coverage.reached(rule) {
                decided.entry(id).or_default().push(name.clone());
            }
            if observes(&scenario) {
                observed.entry(id).or_default().push(name.clone());
            }
        }
    }
    let mut unproven = Vec::new();
    for rule in RULES {
        let proven = match rule.proof {
            Proof::Decided => decided.contains_key(rule.id),
            Proof::Observed => observed.contains_key(rule.id),
            Proof::Judged | Proof::Out(_) => true,
        };
        if !proven {
            unproven.push(rule.id);
        }
    }
    assert!(unproven.is_empty(), "no scenario names and reaches {unproven:?}");
}

/// A scenario that names a rule as proven is decided by it, if the rule decides anything.
#[test]
fn a_named_rule_is_not_idle() {
    let mut idle = Vec::new();
    for (name, scenario) in scenarios() {
        let coverage = coverage(&name, &scenario);
        for id in &scenario.rules {
            let Some(rule) = RuleId::named(id) else { continue };
            if rule.rule().proof == Proof::Decided && !coverage.reached(rule) {
                idle.push(format!("{name}: {id}"));
            }
        }
    }
    assert!(idle.is_empty(), "named but not what decided:\n{}", idle.join("\n"));
}

/// A scenario that left one out would stop in its middle on a subject without it, where it ought
/// to be skipped.
#[test]
fn scenarios_say_what_their_steps_need() {
    let known = Known::builtin().expect("lists that can be read");
    let known = known.lists().iter().flat_map(|list| list.cases());
    let known = known.map(|case| (case.name, case.scenario));
    let left_out = scenarios().into_iter().chain(known).filter_map(|(name, scenario)| {
        let missing = scenario_needs(&scenario).missing_from(scenario.needs)?;
        Some(format!("{name}: {missing}"))
    });
    let left_out: Vec<String> = left_out.collect();
    assert!(left_out.is_empty(), "not in `needs`:\n{}", left_out.join("\n"));
}
