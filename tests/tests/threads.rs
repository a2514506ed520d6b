//! Random cases on several threads: lawful managers come clean, and those that are only right
//! while one thread calls at a time are caught; and the threads of a scenario are there before
//! its first step.

use std::sync::{Arc, Mutex};

use hostmem::campaign::plan::RandomPlan;
use hostmem::engine::{Engine as _, Settings};
use hostmem::report::{CaseResult, VerdictWord};
use hostmem::run::{Ending, run_scenario};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem_interface::scenario::read;
use hostmem_interface::{Backend, Call, Description, Machine, OpenError, Reply, Subject};
use hostmem_model::ModelBackend;
use hostmem_slow_twin::SlowTwinBackend;

fn run(backend: &dyn Backend, profile: &str, threads: u32, index: u64) -> CaseResult {
    let plan = RandomPlan::new(Seed::Number(4), None, 200, &[profile]);
    let plan = RandomPlan { threads, ..plan };
    Runner.random(&plan.case(index), backend, Settings::default()).expect("a known profile").result
}

#[test]
fn lawful_managers_come_clean() {
    let mut backends: Vec<Box<dyn Backend>> = Vec::new();
    backends.push(Box::new(ModelBackend));
    backends.push(Box::new(SlowTwinBackend));
    #[cfg(target_os = "linux")]
    backends.push(Box::new(hostmem_backends::linux::LinuxBackend::default()));
    for backend in &backends {
        for (index, profile) in (0..24).zip(["clr", "wide", "hostile"].into_iter().cycle()) {
            let threads = [2, 4, 6][usize::try_from(index % 8 % 3).expect("small")];
            let result = run(&**backend, profile, threads, index);
            let told = matches!(result.word, VerdictWord::Agrees | VerdictWord::Skipped);
            assert!(told, "{profile} {index} on {threads} threads: {result:?}");
        }
    }
}

/// How many cases there are to catch a race in.
const CASES: u64 = 5000;

#[test]
fn races_are_caught_on_threads_and_only_there() {
    for name in ["race-reserve", "race-commit-limit", "race-release"] {
        let canary = hostmem_twin::canary(name).expect("a canary of that name");
        for index in 0..8 {
            let alone = run(&canary, "wide", 1, index);
            assert_ne!(alone.word, VerdictWord::Diverges, "{name}: {alone:?}");
        }
        let caught =
            (0..CASES).find(|index| run(&canary, "wide", 4, *index).word == VerdictWord::Diverges);
        let case = caught.unwrap_or_else(|| panic!("{name} survived {CASES} cases"));
        println!("{name}: caught in case {case}");
    }
}

/// The model, which tells what it hears of threads and calls.
struct Told {
    model: Box<dyn Subject>,
    heard: Arc<Mutex<Vec<&'static str>>>,
}

impl Told {
    fn hear(&self, what: &'static str) {
        self.heard.lock().expect("nobody panics").push(what);
    }
}

impl Subject for Told {
    fn description(&self) -> &Description {
        self.model.description()
    }

    fn call(&self, call: &Call) -> Reply {
        self.hear(call.name());
        self.model.call(call)
    }

    fn begin_thread(&self) {
        self.hear("a thread");
    }
}

struct TellingBackend(Arc<Mutex<Vec<&'static str>>>);

impl Backend for TellingBackend {
    fn name(&self) -> &'static str {
        "telling"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let (model, heard) = (ModelBackend.open(machine)?, Arc::clone(&self.0));
        Ok(Box::new(Told { model, heard }))
    }
}

/// What a subject's process needs for a thread would else lie where a hole was seen.
#[test]
fn threads_begin_before_the_first_step() {
    let steps =
        [1, 2, 1].map(|thread| format!(r#"{{"call": "GetMemoryLoad", "thread": {thread}}}"#));
    let text = format!(
        r#"{{"format": "hostmem/1", "about": "threads", "rules": [], "steps": [
        {{"call": "Hole", "size": 65536, "bind": "h"}}, {}]}}"#,
        steps.join(", ")
    );
    let scenario = read(text.as_bytes()).expect("a scenario");
    let backend = TellingBackend(Arc::default());
    let outcome = run_scenario(&scenario, "", &backend, &mut |_, _| {});
    assert!(matches!(outcome.ending, Ending::Agrees), "{:?}", outcome.ending);
    let heard = backend.0.lock().expect("nobody panics");
    assert_eq!(heard[..4], ["a thread", "a thread", "VirtualAlloc", "VirtualFree"]);
    assert_eq!(heard.iter().filter(|it| **it == "a thread").count(), 2);
}
