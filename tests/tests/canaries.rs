//! Managers that are broken on purpose are caught, and named by the rule that they break.
//!
//! Each canary has a witness under `tests/canaries/`: the shortest scenario that we know to
//! catch it. What a witness proves of the judge, the shipped scenarios prove of themselves:
//! a canary that survives them all is a law that nothing checks.
//!
//! Deliberately not here: random campaigns, and how many calls they need.

use std::fs;

use hostmem::run::{Ending, Finding, run_scenario};
use hostmem_interface::Backend;
use hostmem_interface::scenario::{Scenario, read, write};
use hostmem_model::RuleId;
use hostmem_model::rule::Proof;
use hostmem_tests::{files, relative, root, scenarios};
use hostmem_twin::{CANARIES, Canary, NONE, canary};

/// The most steps of a witness.
const STEPS: usize = 6;
/// How often at most a scenario whose steps overlap is run: whether they meet is the
/// scheduler's choice.
const ROUNDS: usize = 400;

fn witness_text(canary: &Canary) -> (String, String) {
    let name = format!("tests/canaries/{}.json", canary.name);
    let text = fs::read_to_string(root().join(&name));
    (text.unwrap_or_else(|error| panic!("{name}: {error}")), name)
}

fn witness(canary: &Canary) -> Scenario {
    let (text, name) = witness_text(canary);
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn broken(canary: &Canary) -> impl Backend + use<> {
    hostmem_twin::canary(canary.name).expect("a canary of the table")
}

fn overlaps(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| step.with.is_some())
}

/// How a scenario ends on a backend; the first divergence of several runs if its steps
/// overlap and the canary needs that.
fn ending(scenario: &Scenario, name: &str, backend: &dyn Backend, rounds: usize) -> Ending {
    let mut last = Ending::Agrees;
    for _ in 0..rounds {
        last = run_scenario(scenario, name, backend, &mut |_, _| {}).ending;
        if last != Ending::Agrees {
            break;
        }
    }
    last
}

/// What a scenario finds of a canary, if anything.
fn found(canary: &Canary, scenario: &Scenario, name: &str) -> Option<Finding> {
    let rounds = match (canary.needs_threads(), overlaps(scenario)) {
        (true, false) => return None,
        (true, true) => ROUNDS,
        (false, _) => 1,
    };
    match ending(scenario, name, &broken(canary), rounds) {
        Ending::Diverges(finding) => Some(finding),
        Ending::Broken(how) => panic!("{} broke itself in {name}: {how}", canary.name),
        _ => None,
    }
}

#[test]
fn every_canary_is_caught_by_its_witness_and_named_by_its_rule() {
    let mut wrong = Vec::new();
    for canary in CANARIES {
        match found(canary, &witness(canary), canary.name) {
            Some(finding) if canary.is_named_by(finding.rule) => {
                println!("{:32} {:7} seen as {}", canary.name, canary.rule, finding.rule);
            }
            other => wrong.push(format!("{}: {other:#?}", canary.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// It is the canary's fault that a witness diverges, not the witness's.
#[test]
fn every_witness_agrees_on_the_unbroken_manager() {
    let sound = canary(NONE).expect("the unbroken one");
    for canary in CANARIES {
        let ending = ending(&witness(canary), canary.name, &sound, 1);
        assert_eq!(ending, Ending::Agrees, "{}", canary.name);
    }
}

#[test]
fn witnesses_are_short_canonical_and_each_of_one_canary() {
    for canary in CANARIES {
        let (text, name) = witness_text(canary);
        let witness = witness(canary);
        assert!(witness.steps.len() <= STEPS, "{name} has {} steps", witness.steps.len());
        assert_eq!(write(&witness), text, "{name} is not in canonical form");
        assert_eq!(overlaps(&witness), canary.needs_threads(), "{name}");
        let rules: Vec<&str> = witness.rules.iter().map(|rule| &**rule).collect();
        assert_eq!(rules, [canary.rule.rule().id], "{name} proves another rule");
    }
    let known = |name: &str| CANARIES.iter().any(|canary| canary.name == name);
    for path in files("tests/canaries", ".json") {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        assert!(known(&stem.unwrap_or_default()), "{} is of no canary", relative(&path));
    }
}

#[test]
fn the_unbroken_manager_agrees_with_every_scenario() {
    let sound = canary(NONE).expect("the unbroken one");
    let mut wrong = Vec::new();
    for (name, scenario) in scenarios() {
        match ending(&scenario, &name, &sound, 1) {
            Ending::Agrees => {}
            ending => wrong.push(format!("{name}: {ending:#?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The shipped scenarios, the short ones first: most canaries die early.
fn suite() -> Vec<(String, Scenario)> {
    let mut suite = scenarios();
    suite.sort_by_key(|(_, scenario)| scenario.steps.len());
    suite
}

#[test]
fn every_canary_is_caught_by_the_shipped_scenarios() {
    let suite = suite();
    let mut survivors = Vec::new();
    for canary in CANARIES {
        let mut others = Vec::new();
        let caught = suite.iter().find(|(name, scenario)| {
            let Some(finding) = found(canary, scenario, name) else { return false };
            let named = canary.is_named_by(finding.rule);
            if !named {
                others.push(format!("{name} by {}", finding.rule));
            }
            named
        });
        match caught {
            Some((name, _)) => println!("{:32} {:7} {name}", canary.name, canary.rule),
            None => survivors.push(format!("{} ({}): {others:?}", canary.name, canary.rule)),
        }
    }
    let (count, of) = (survivors.len(), CANARIES.len());
    assert!(survivors.is_empty(), "{count} of {of} survive:\n{}", survivors.join("\n"));
}

/// Naming a rule about state is no proof. A scenario that observes one catches a manager that
/// breaks it; where no canary breaks exactly that rule, any canary at all.
/// A manager whose free memory shows other fields than ours is told so where a step asks for
/// them; what the harness sees of it beside does not end every case with a refusal.
#[test]
fn the_fields_of_free_memory_do_not_end_a_case_that_does_not_ask() {
    let odd = canary("query-free-protect-zero").expect("a canary of the table");
    let asks = |scenario: &Scenario| write(scenario).contains("VirtualQuery");
    let all = scenarios();
    let quiet = all.iter().filter(|(_, scenario)| !asks(scenario) && !overlaps(scenario));
    let mut agreeing = 0;
    for (name, scenario) in quiet {
        let found = ending(scenario, name, &odd, 1);
        assert_eq!(found, Ending::Agrees, "{name}");
        agreeing += 1;
    }
    assert!(agreeing > 50, "only {agreeing} scenarios ask for no region");
    let asking = all.iter().find(|(name, _)| name.contains("free-memory-shows-no-access"));
    let (name, scenario) = asking.expect("the scenario of VQ-06b");
    let Ending::Diverges(finding) = ending(scenario, name, &odd, 1) else {
        panic!("{name} does not see it")
    };
    assert_eq!(finding.rule.rule().id, "VQ-06b");
}

#[test]
fn an_observed_rule_is_seen_by_a_scenario_that_names_it() {
    let suite = suite();
    let mut blind = Vec::new();
    for rule in RuleId::all().filter(|rule| rule.rule().proof == Proof::Observed) {
        let naming = |it: &&(String, Scenario)| it.1.rules.iter().any(|id| **id == *rule.rule().id);
        let of_rule: Vec<_> = CANARIES.iter().filter(|canary| canary.rule == rule).collect();
        let canaries = if of_rule.is_empty() { CANARIES.iter().collect() } else { of_rule };
        let seen = suite.iter().filter(naming).find_map(|(name, scenario)| {
            let caught = canaries.iter().find(|it| found(it, scenario, name).is_some())?;
            Some((name, caught.name))
        });
        match seen {
            Some((name, canary)) => println!("{:7} {name} catches {canary}", rule.rule().id),
            None => blind.push(rule.rule().id),
        }
    }
    assert!(blind.is_empty(), "no scenario that names them sees anything wrong: {blind:?}");
}
