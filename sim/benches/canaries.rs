//! How many calls a random campaign needs to catch each canary, and how short the failure is
//! when it is shrunk: medians over several seeds.
//!
//! A canary that survives makes every campaign of this length void: the exit code is 4 then.
//!
//! Deliberately not here: time. What is counted is calls, which are the same on every machine.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use std::process::ExitCode;

use hostmem::runner::hunt::{Catch, Hunt};
use hostmem::seed::Seed;
use hostmem_twin::{CANARIES, Canary};

/// How many seeds each canary is hunted with.
const SEEDS: u64 = 5;
/// How many operations a case has.
const OPS: usize = 500;
/// How many calls a canary may survive.
const MOST_CALLS: usize = 200_000;

fn main() -> ExitCode {
    // `cargo test --benches` only asks whether it can be run.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    println!("calls to catch, of {SEEDS} seeds, in cases of {OPS} operations; steps when shrunk\n");
    println!(
        "{:<32} {:<7} {:<7} {:>6} {:>9} {:>9} {:>6}",
        "canary", "rule", "seen as", "caught", "median", "most", "steps"
    );
    let (mut all_calls, mut all_steps, mut survivors) = (Vec::new(), Vec::new(), Vec::new());
    for canary in CANARIES {
        let catches: Vec<Catch> = (0..SEEDS).filter_map(|seed| hunt(canary, seed)).collect();
        let mut calls: Vec<usize> = catches.iter().map(|catch| catch.calls).collect();
        let mut steps: Vec<usize> = catches.iter().map(|catch| catch.failing.steps.len()).collect();
        // One that was not caught took longer than all that were.
        calls.resize(usize::try_from(SEEDS).expect("a few seeds"), MOST_CALLS);
        let seen = catches.first().and_then(|catch| catch.result.rule.clone());
        println!(
            "{:<32} {:<7} {:<7} {:>6} {:>9} {:>9} {:>6}",
            canary.name,
            canary.rule.rule().id,
            seen.as_deref().unwrap_or("-"),
            format!("{}/{SEEDS}", catches.len()),
            median(&mut calls),
            calls.last().copied().unwrap_or(0),
            if steps.is_empty() { "-".to_owned() } else { median(&mut steps).to_string() },
        );
        if catches.is_empty() {
            survivors.push(canary.name);
        }
        all_calls.push(median(&mut calls));
        all_steps.append(&mut steps);
    }
    let caught = CANARIES.len() - survivors.len();
    println!("\n{caught} of {} canaries caught", CANARIES.len());
    println!("median calls to catch: {}", median(&mut all_calls));
    let longest = all_steps.iter().max().copied().unwrap_or(0);
    println!("median shrunk length: {} steps; longest: {longest}", median(&mut all_steps));
    if survivors.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("void, because these survived: {}", survivors.join(", "));
    ExitCode::from(4)
}

fn hunt(canary: &Canary, seed: u64) -> Option<Catch> {
    let backend = hostmem_twin::canary(canary.name).expect("a canary of the table");
    let seed = Seed::Number(1000 + seed);
    // A race is only lost where calls overlap.
    let threads = if canary.needs_threads() { 3 } else { 1 };
    let hunt = Hunt { seed, profile: "wide", ops: OPS, threads, most_calls: MOST_CALLS };
    let named =
        |id: &str| hostmem_model::RuleId::named(id).is_some_and(|rule| canary.is_named_by(rule));
    hunt.run(&backend, named, |result| {
        let rule = result.rule.as_deref().or(result.reason.as_deref()).unwrap_or("-");
        let name = canary.name;
        println!("  ({name} also seen as {rule}: {} on {})", result.scenario, result.backend);
    })
}

fn median(numbers: &mut [usize]) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}
