//! A random campaign's rate against proptest-state-machine's, on the same operations and the
//! same subject, the model: steps per second, and the ratio.
//!
//! Both draw the kinds of `wide` at their usual weights, both judge every answer, both run
//! cases of the same length on a fresh model.

use std::thread;

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

use crate::Effort;
use crate::measure::{median, time, wall_time};
use crate::table::{Cell, Table};

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
    let steps = std::cell::Cell::new(0);
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
fn twice(run: Run, round: u64, cases: u64) -> usize {
    thread::scope(|scope| {
        let workers = [1000, 2000].map(|more| scope.spawn(move || run(round + more, cases / 2)));
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
    })
}

/// Steps per second of processor time on this thread, or on the wall.
fn rate(run: impl FnOnce() -> usize, wall: bool) -> f64 {
    let mut steps = 0;
    let work = || steps = run();
    let time = if wall { wall_time(work) } else { time(work) };
    steps as f64 / time * 1e9
}

/// Carries out the cases of a round; how many steps.
type Run = fn(u64, u64) -> usize;

const CONTESTANTS: [(&str, Run); 4] = [
    ("proptest-state-machine", state_machine),
    ("… its invariants after every step", with_invariants),
    ("campaign `wide`", campaign),
    ("the same intents as the state machine's", generated),
];

/// The table.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let (rounds, cases) = if effort == Effort::Full { (9, 200) } else { (3, 20) };
    let mut table = Table::new(
        "A campaign on the model",
        "Steps per second of cases of 200 operations: with one job, by its processor time; with \
         two at once, on the wall. Then one job by the rate of proptest-state-machine: without \
         its invariants, and as its tests are written, with the invariants looked at after every \
         transition.",
        &["one job", "two jobs", "by the state machine", "by it with invariants"],
    );
    let mut rates = [const { [Vec::new(), Vec::new()] }; CONTESTANTS.len()];
    for round in 0..rounds {
        for ((_, run), rates) in CONTESTANTS.iter().zip(&mut rates) {
            rates[0].push(rate(|| run(round, cases), false));
            rates[1].push(rate(|| twice(*run, round, cases), true));
        }
    }
    let medians = rates.map(|rates| rates.map(|rates| median(&rates)));
    for ((name, _), [one, two]) in CONTESTANTS.iter().zip(medians) {
        let ratio = |base: usize| Cell::Ratio(one / medians[base][0]);
        table.row(name, vec![Cell::Number(one), Cell::Number(two), ratio(0), ratio(1)]);
    }
    table
}
