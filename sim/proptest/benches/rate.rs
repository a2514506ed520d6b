//! Calls per second of a random campaign on the model, with one job and with two, against
//! proptest-state-machine on the same operations: the same kinds of intent at the same weights,
//! judged by the same law. What is printed are medians of interleaved rounds, and ratios.
//!
//! What is counted are the calls that reach the manager, checkpoints included, for all alike.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hostmem::campaign::plan::RandomPlan;
use hostmem::engine::{Engine as _, Settings};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem::swarm::Swarm;
use hostmem::workload::random::WIDE;
use hostmem_interface::{Backend, Call, Description, Machine, OpenError, Reply, Subject};
use hostmem_model::ModelBackend;
use hostmem_proptest::{Conforms, Tested, prop_state_machine};
use proptest::test_runner::Config;

/// How often each is run.
const ROUNDS: usize = 5;
/// How many operations a case has.
const OPS: usize = 300;
/// How many cases a campaign has; proptest gets through fewer in the same time.
const CASES: u64 = 64;
/// How many cases proptest draws.
const DRAWN: u32 = 8;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// The model, with its calls counted.
struct Counted;

struct Counting(Box<dyn Subject>);

impl Backend for Counted {
    fn name(&self) -> &str {
        "model"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Ok(Box::new(Counting(ModelBackend.open(machine)?)))
    }
}

impl Subject for Counting {
    fn description(&self) -> &Description {
        self.0.description()
    }

    fn call(&self, call: &Call) -> Reply {
        CALLS.fetch_add(1, Ordering::Relaxed);
        self.0.call(call)
    }
}

impl Tested for Counted {
    fn backend() -> Box<dyn Backend> {
        Box::new(Self)
    }
}

prop_state_machine! {
    #![proptest_config(Config {
        cases: DRAWN,
        failure_persistence: None,
        ..Config::default()
    })]

    fn state_machine(sequential 300 => Conforms<Counted>);
}

/// A campaign of the same operations, on so many threads.
fn campaign(jobs: u64) {
    // Every draw pinned to what the strategy draws from.
    let usual = Swarm::parse(WIDE, "mistakes=50").expect("every such profile draws mistakes");
    let plan = RandomPlan {
        swarm: usual.to_string(),
        ..RandomPlan::new(Seed::DEFAULT, Some(CASES), OPS, &["wide"])
    };
    thread::scope(|scope| {
        for job in 0..jobs {
            let plan = &plan;
            scope.spawn(move || {
                for index in (job..CASES).step_by(usize::try_from(jobs).expect("a few")) {
                    let ran = Runner.random(&plan.case(index), &Counted, Settings::default());
                    ran.expect("a known profile");
                }
            });
        }
    });
}

/// Calls per second.
fn rate(work: impl FnOnce()) -> f64 {
    CALLS.store(0, Ordering::Relaxed);
    let start = Instant::now();
    work();
    let time: Duration = start.elapsed();
    CALLS.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}

fn main() {
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        rates[0].push(rate(state_machine));
        rates[1].push(rate(|| campaign(1)));
        rates[2].push(rate(|| campaign(2)));
    }
    let [theirs, one, two] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("calls per second on the model, median of {ROUNDS} interleaved rounds\n");
    for (name, rate) in [
        ("proptest-state-machine", theirs),
        ("campaign, one job", one),
        ("campaign, two jobs", two),
    ] {
        println!("  {name:<24} {rate:>12.0} {:>8.1} times", rate / theirs);
    }
}
