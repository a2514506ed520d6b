//! The generator, carried out on the model: it is deterministic, keeps its promises in every
//! state, and reaches the law.

mod driver;

use hostmem::random::Draw;
use hostmem::steering::{RuleSet, Steering};
use hostmem::swarm::Swarm;
use hostmem::workload::{PROFILES, profile};
use hostmem_interface::Machine;
use hostmem_interface::scenario::{Level, Step};
use hostmem_model::rule::{self, Proof};
use hostmem_model::{RULES, RuleId};

use driver::Case;

/// A machine on which commits can come to an end.
const LIMITED: Machine = Machine { commit_limit: Some(64 << 20), ..Machine::WINDOWS_X64 };

#[test]
fn every_profile_goes_on_for_ever_within_its_bounds() {
    for profile in PROFILES {
        for seed in 0..12 {
            let case = driver::run(profile, seed, Machine::WINDOWS_X64, 600);
            let committed = case.most_committed;
            assert!(committed <= 1 << 30, "{} {seed}: {committed:#x}", profile.name);
        }
    }
}

#[test]
fn a_refusal_changes_a_workload_s_course_and_breaks_nothing() {
    for profile in PROFILES {
        for seed in 0..6 {
            driver::run(profile, seed, LIMITED, 400);
        }
    }
}

#[test]
fn the_same_seed_writes_the_same_steps() {
    for profile in PROFILES {
        let log = |seed| driver::run(profile, seed, Machine::WINDOWS_X64, 300).log;
        assert_eq!(log(7), log(7), "{}", profile.name);
        assert_ne!(log(7), log(8), "{}", profile.name);
    }
}

#[test]
fn the_same_swarm_given_by_hand_writes_the_same_steps() {
    for profile in PROFILES {
        let mut draw = Draw::from_number(3);
        let swarm = profile.swarm(&mut draw);
        let again = profile.usual(&swarm.to_string()).expect("its own text");
        let run = |swarm: &Swarm, mut draw: Draw| {
            let mut workload = profile.start_with(swarm, &mut draw);
            let mut case = Case::new(Machine::WINDOWS_X64);
            case.run(&mut *workload, &mut draw, 100);
            case.log
        };
        assert_eq!(run(&swarm, draw.clone()), run(&again, draw), "{}", profile.name);
    }
}

#[test]
fn words_of_a_shrinker_are_a_case_too() {
    let wide = profile("wide").expect("a profile");
    for words in [vec![], vec![u64::MAX; 500], (0..700).map(|n: u64| n << 55).collect()] {
        let mut draw = Draw::from_words(words);
        let mut workload = wide.start(&mut draw);
        Case::new(Machine::WINDOWS_X64).run(&mut *workload, &mut draw, 200);
    }
}

/// Rules that say what a lawful subject never does.
const NEVER: [RuleId; 3] = [rule::HR_04, rule::HR_05, rule::RS_01];

fn insisted(rule: RuleId) -> bool {
    let row = rule.rule();
    row.proof == Proof::Decided && row.level >= Level::Should && !NEVER.contains(&rule)
}

/// One case, steered if its profile may be and that is asked for.
fn case_of(name: &str, seed: u64, machine: Machine, steps: usize, steer: bool) -> Case {
    let profile = profile(name).expect("a profile");
    let mut draw = Draw::from_number(seed);
    let mut workload = profile.start(&mut draw);
    let mut steering = Steering::new(16);
    let mut case = Case::new(machine);
    while case.carried_out < steps {
        let reached = case.reached.clone();
        let pushed = (steer && profile.steered)
            .then(|| steering.next(&|rule| reached.has(rule), &mut draw, &case.view()))
            .flatten();
        let script: Vec<Step> = match pushed {
            Some(script) => script,
            None => workload.next(&mut draw, &case.view()),
        };
        case.carry_out_all(script);
    }
    case
}

#[test]
fn steering_reaches_rules_that_chance_alone_does_not() {
    // Few and short cases: the same number of steps, with and without.
    let reached = |steer| {
        let mut all = RuleSet::default();
        for seed in 0..8 {
            all.add_all(&case_of("wide", seed, Machine::WINDOWS_X64, 100, steer).reached);
        }
        all.iter().filter(|rule| insisted(*rule)).count()
    };
    let (without, with) = (reached(false), reached(true));
    println!("{without} rules without steering, {with} with it");
    assert!(with > without + without / 10, "{without} without, {with} with");
}

#[test]
fn a_campaign_of_the_usual_length_reaches_every_rule() {
    let mut reached = RuleSet::default();
    for name in ["clr", "hostile", "wide"] {
        let mut of_profile = RuleSet::default();
        for seed in 0..32 {
            let machine = if seed % 8 == 7 { LIMITED } else { Machine::WINDOWS_X64 };
            of_profile.add_all(&case_of(name, seed, machine, 400, true).reached);
        }
        let count = of_profile.iter().filter(|rule| insisted(*rule)).count();
        let all = RuleId::all().filter(|rule| insisted(*rule)).count();
        println!("{name}: {count} of {all} rules");
        reached.add_all(&of_profile);
    }
    let missed: Vec<&str> = RuleId::all()
        .filter(|rule| insisted(*rule) && !reached.has(*rule))
        .map(|rule| RULES[rule.index()].id)
        .collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}
