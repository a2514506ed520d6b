//! The agent protocol from both ends: our own managers behind it come out as they do straight,
//! and an adapter that dies, hangs, floods or lies is a result with its step.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use hostmem::engine::{Engine as _, RandomCase, Settings};
use hostmem::files::builtin;
use hostmem::report::VerdictWord;
use hostmem::run::{Outcome, run_scenario};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem_backends::agent::{AgentBackend, Limits};
use hostmem_interface::Backend;
use hostmem_interface::scenario::Scenario;
use hostmem_model::ModelBackend;

fn served(backend: &str) -> AgentBackend {
    let command = format!("{} agent --backend {backend}", env!("CARGO_BIN_EXE_hostmem"));
    AgentBackend::started(&command, Limits::USUAL).unwrap_or_else(|why| panic!("{command}: {why}"))
}

/// The scenarios that ship with hostmem, without the recordings.
fn scenarios() -> Vec<(String, Scenario)> {
    let all = builtin::all().into_iter().map(|file| file.read().expect("a shipped scenario"));
    all.filter(|named| !named.name.contains("/clr/"))
        .map(|named| (named.name, named.scenario))
        .collect()
}

/// Whether its answers come out in any order.
fn overlaps(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|step| step.with.is_some())
}

fn run(scenario: &Scenario, backend: &dyn Backend) -> (Outcome, String) {
    let mut answers = String::new();
    let outcome = run_scenario(scenario, "", backend, &mut |_, answered| {
        answers.push_str(&format!("{answered:?}\n"));
    });
    (outcome, answers)
}

#[test]
fn the_model_is_the_same_behind_the_protocol() {
    let agent = served("model");
    let mut steps = 0;
    for (name, scenario) in scenarios() {
        let (straight, said) = run(&scenario, &ModelBackend);
        let (through, heard) = run(&scenario, &agent);
        if !overlaps(&scenario) {
            assert_eq!(straight.ending, through.ending, "{name}");
            assert_eq!((straight.steps, straight.grain), (through.steps, through.grain), "{name}");
            assert_eq!(straight.record, through.record, "{name}");
            assert!(heard.ends_with(&said), "{name}:\n{said}---\n{heard}");
        }
        steps += through.steps;
    }
    assert!(steps > 2500, "{steps} steps");
}

#[test]
fn random_work_is_the_same_behind_the_protocol() {
    let agent = served("model");
    // Hostile work has heaps refused, which have a number on the wire alone.
    for (index, profile) in (0..24).zip(["clr", "wide", "hostile"].into_iter().cycle()) {
        let case = RandomCase {
            index,
            seed: Seed::Number(11).case(index),
            ops: 300,
            profile: profile.to_owned(),
            swarm: String::new(),
            threads: 1,
        };
        let ran = |backend: &dyn Backend| {
            Runner.random(&case, backend, Settings::default()).expect("a known profile").result
        };
        let (straight, through) = (ran(&ModelBackend), ran(&agent));
        assert_eq!(straight.word, VerdictWord::Agrees, "{straight:?}");
        assert_eq!(straight.record, through.record, "{}: {through:?}", case.name());
    }
}

/// Whether a process is there and not only waits to be counted as dead.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

#[test]
fn an_adapter_that_hangs_does_not_outlive_hostmem() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pid");
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 3600", file.display());
    let mut hostmem = Command::new(env!("CARGO_BIN_EXE_hostmem"))
        .args(["conform", "--backend", &format!("agent:sh -c '{script}'")])
        .stderr(Stdio::null())
        .spawn()
        .expect("hostmem starts");
    while !file.exists() {
        assert_eq!(hostmem.try_wait().expect("it can be asked"), None, "it goes on");
        std::thread::yield_now();
    }
    // At once: nothing can be tidied up.
    hostmem.kill().and_then(|()| hostmem.wait()).expect("it can be killed");
    let pid = std::fs::read_to_string(&file).expect("written");
    while lives(pid.trim()) {
        std::thread::yield_now();
    }
}
