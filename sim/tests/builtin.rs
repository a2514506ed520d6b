//! The scenarios that are part of the binary.

use std::collections::BTreeSet;

use hostmem::files::builtin;
use hostmem::law;

#[test]
fn every_built_in_scenario_reads_and_names_rules_that_exist() {
    let mut names = BTreeSet::new();
    for scenario in builtin::all() {
        let named = scenario.read().unwrap_or_else(|error| panic!("{error}"));
        for rule in &named.scenario.rules {
            assert!(law::rule(rule).is_some(), "{} names the unknown rule {rule}", named.name);
        }
        assert!(names.insert(named.name.clone()), "{} is there twice", named.name);
    }
}

#[test]
fn built_in_scenarios_come_in_the_order_of_check() {
    let suites: Vec<_> = builtin::all().into_iter().map(|scenario| scenario.suite).collect();
    assert!(suites.is_sorted());
}
