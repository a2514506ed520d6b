//! A random campaign's rate against proptest-state-machine's, on the same operations and the
//! same subject, the model: steps per second, and the ratio.
//!
//! Both draw the kinds of `wide` at their usual weights, both judge every answer, both run
//! cases of the same length on a fresh model. They take turns, so that a drift of the machine
//! falls on both alike; what is printed are medians.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use std::cell::Cell;
use std::thread;
use std::time::Instant;

use hostmem::engine::{Engine as _, RandomCase, Settings};
use hostmem::random::Draw;
use hostmem::run::case::Answered;
use hostmem::run::generated::Length;
use hostmem::run::{Coverage, Ending, run_generated};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem::swarm::Swarm;
use hostmem::view::View;
use hostmem::workload::random::{Random, WIDE};
use hostmem_interface::Machine;
use hostmem_interface::scenario::Step;
use hostmem_model::ModelBackend;
use hostmem_proptest::{Judged, Reference};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::ReferenceStateMachine as _;

/// How often each is run.
const ROUNDS: u64 = 9;
/// How many cases a round has.
const CASES: u64 = 200;
/// How many operations a case has.
const OPS: usize = 200;

/// Cases of the profile `wide`, as the command runs them: steered, digested, counted.
fn campaign(round: u64, cases: u64) -> usize {
    let seed = Seed::Number(round);
    let case = |index| RandomCase {
        index,
        seed: seed.case(index),
        ops: OPS,
        profile: "wide".into(),
        threads: 1,
        swarm: String::new(),
    };
    let run = |index| {
        let ran = Runner.random(&case(index), &ModelBackend, Settings::default());
        ran.expect("a known profile").result.steps
    };
    (0..cases).map(run).sum()
}

/// The same intents as the state machine's, without what the profile adds.
fn generated(round: u64, cases: u64) -> usize {
    let mut usual = Swarm::usual(WIDE);
    usual.pin("mistakes=50").expect("a knob");
    let random = Random::new(&usual);
    let length = Length { steps: OPS, threads: 1 };
    let machine = Machine::WINDOWS_X64;
    let run = |index| {
        let mut draw = Draw::from_seed(Seed::Number(round).case(index).0);
        let mut next = |view: &View<'_>, _: &Coverage| random.intent(&mut draw).realise(view);
        let mut quiet = |_: &Step, _: &Answered| ();
        let ran = run_generated("a case", &machine, &ModelBackend, length, &mut next, &mut quiet);
        ran.outcome.steps
    };
    (0..cases).map(run).sum()
}

/// The state machine, judged as a campaign is: every answer, everything now and then.
fn state_machine(round: u64, cases: u64) -> usize {
    by_proptest(round, cases, false)
}

/// The state machine as its tests are written: the invariants hold after every transition.
fn with_invariants(round: u64, cases: u64) -> usize {
    // A look after every step takes long: a few cases tell the rate.
    by_proptest(round, cases.div_ceil(10), true)
}

fn by_proptest(round: u64, cases: u64, invariants: bool) -> usize {
    let config = Config {
        cases: u32::try_from(cases).expect("few cases"),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(round),
        ..Config::default()
    };
    let steps = Cell::new(0);
    let strategy = Reference::sequential_strategy(OPS);
    let tested = TestRunner::new(config).run(&strategy, |(mut reference, intents, _)| {
        let mut judged = Judged::open(&ModelBackend).expect("the model opens");
        let mut flow = std::ops::ControlFlow::Continue(());
        for intent in &intents {
            reference = Reference::apply(reference, intent);
            flow = judged.carry_out(intent);
            if invariants && flow.is_continue() {
                flow = judged.look();
            }
            if flow.is_break() {
                break;
            }
        }
        let outcome = judged.end(flow).outcome;
        let wrong = matches!(outcome.ending, Ending::Diverges(_) | Ending::Broken(_));
        assert!(!wrong, "a benchmark of what diverges is void: {:?}", outcome.ending);
        steps.set(steps.get() + outcome.steps);
        Ok(())
    });
    tested.expect("the model agrees with itself");
    steps.get()
}

/// The same on two threads at once.
fn twice(run: fn(u64, u64) -> usize, round: u64) -> usize {
    thread::scope(|scope| {
        let workers = [1000, 2000].map(|more| scope.spawn(move || run(round + more, CASES / 2)));
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
    })
}

/// Steps per second.
fn rate(run: impl Fn() -> usize) -> f64 {
    let start = Instant::now();
    let steps = run();
    steps as f64 / start.elapsed().as_secs_f64()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    type Contestant = (&'static str, fn(u64) -> usize);
    let contestants: [Contestant; 8] = [
        ("state machine, one job", |round| state_machine(round, CASES)),
        ("state machine, two jobs", |round| twice(state_machine, round)),
        ("… and its invariants, one job", |round| with_invariants(round, CASES)),
        ("… and its invariants, two jobs", |round| twice(with_invariants, round)),
        ("campaign `wide`, one job", |round| campaign(round, CASES)),
        ("campaign `wide`, two jobs", |round| twice(campaign, round)),
        ("the same intents, one job", |round| generated(round, CASES)),
        ("the same intents, two jobs", |round| twice(generated, round)),
    ];
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); contestants.len()];
    for round in 0..ROUNDS {
        for (at, (_, run)) in contestants.iter().enumerate() {
            rates[at].push(rate(|| run(round)));
        }
    }
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    println!("median of {ROUNDS} interleaved rounds of {CASES} cases with {OPS} operations each");
    println!("the last columns: by the state machine's rate, and by its rate with invariants");
    println!("{:<32} {:>10} {:>8} {:>8}", "", "steps/s", "ratio", "ratio");
    for (at, (name, _)) in contestants.iter().enumerate() {
        let ratio = |base: usize| medians[at] / medians[base + at % 2];
        println!("{name:<32} {:>10.0} {:>8.2} {:>8.2}", medians[at], ratio(0), ratio(2));
    }
}
