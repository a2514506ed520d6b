//! An adapter that dies, hangs, floods, lies or declines is a result with its step, and the
//! run goes on with a fresh one.
#![cfg(target_os = "linux")]

use std::time::Duration;

use hostmem::conform::minimal::minimal;
use hostmem::engine::{Engine as _, Ran, RandomCase, Settings};
use hostmem::report::VerdictWord;
use hostmem::run::{Ending, run_scenario};
use hostmem::runner::Runner;
use hostmem::seed::Seed;
use hostmem_backends::agent::{AgentBackend, Limits};
use hostmem_interface::Breakage;
use hostmem_interface::scenario::{Scenario, read::read};

fn evil(what: &str, limits: Limits) -> AgentBackend {
    let command = format!("{} {what}", env!("CARGO_BIN_EXE_evil_agent"));
    AgentBackend::new(&command, limits).expect("a command")
}

/// Random work on an adapter.
fn random(ops: usize, backend: &AgentBackend) -> Ran {
    let case = RandomCase {
        index: 1,
        seed: Seed::Number(7).case(1),
        ops,
        profile: "wide".to_owned(),
        swarm: String::new(),
        threads: 1,
    };
    Runner.random(&case, backend, Settings::default()).expect("a known profile")
}

fn scenario(third: &str) -> Scenario {
    let text = format!(
        r#"{{ "format": "hostmem/1", "about": "a page and its protection", "steps": [
        {{ "call": "VirtualAlloc", "address": null, "size": 8192,
          "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_READWRITE", "bind": "p" }},
        {{ "call": "VirtualQuery", "address": "p" }},
        {third},
        {{ "call": "VirtualFree", "address": "p", "size": 0, "type": "MEM_RELEASE" }} ] }}"#
    );
    read(text.as_bytes()).expect("a scenario")
}

/// How a case of four steps ended whose third is evil, and at which step.
fn met(what: &str, limits: Limits) -> (Ending, usize) {
    let backend = evil(what, limits);
    let protect =
        r#"{ "call": "VirtualProtect", "address": "p", "size": 4096, "protect": "PAGE_READONLY" }"#;
    let outcome = run_scenario(&scenario(protect), "", &backend, &mut |_, _| {});
    // The run goes on.
    let harmless = r#"{ "call": "Read", "address": "p", "size": 8192 }"#;
    let next = run_scenario(&scenario(harmless), "", &backend, &mut |_, _| {});
    assert_eq!(next.ending, Ending::Agrees, "{what}");
    (outcome.ending, outcome.steps)
}

#[test]
fn whatever_it_does_is_told_with_the_step() {
    let patient = Limits { time: Duration::from_secs(120), ..Limits::USUAL };
    let little = Limits { memory: 256 << 20, line: 1 << 20, ..patient };
    for (what, limits, tells) in [
        ("dies", patient, &["died", "SIGABRT", "VirtualProtect"][..]),
        ("exits", patient, &["died", "code 3", "I have had enough"]),
        ("eats", little, &["died", "SIGABRT"]),
        ("floods", little, &["gave no sensible answer", "longer than 1048576 bytes"]),
        ("half", patient, &["died", "its last line has no end: `{\"id\":`"]),
        ("garbage", patient, &["gave no sensible answer", "segmentation fault, sort of"]),
        ("order", patient, &["a reply to request 1, not to"]),
        ("short", patient, &["0 answers to one call"]),
        ("words", patient, &["\"zero\" is no number"]),
        ("both", patient, &["not exactly one of outcome, unsupported, broken"]),
        ("breaks", patient, &["reported that it broke: the page\\ntable is gone"]),
        ("list", patient, &["`[1,[[0]]]` is no reply: expected an object, not a list"]),
        ("empty", patient, &["an empty line is no reply"]),
    ] {
        let (ending, step) = met(what, limits);
        let Ending::Broken(how) = ending else { panic!("{what}: {ending:?}") };
        let how = how.to_string();
        assert_eq!(step, 3, "{what}: {how}");
        assert!(tells.iter().all(|it| how.contains(it)), "{what}: {how}");
    }
}

#[test]
fn a_hang_is_ended() {
    let limits = Limits { time: Duration::from_secs(3), ..Limits::USUAL };
    let (ending, step) = met("hangs", limits);
    let Ending::Broken(Breakage::Hung(how)) = ending else { panic!("{ending:?}") };
    assert!(step == 3 && how.contains("VirtualProtect"), "step {step}: {how}");
}

#[test]
fn a_line_that_has_no_end_is_no_silence() {
    let limits = Limits { time: Duration::from_secs(2), ..Limits::USUAL };
    let (ending, _) = met("endless", limits);
    let Ending::Broken(Breakage::Hung(how)) = ending else { panic!("{ending:?}") };
    assert!(how.ends_with("; 6 bytes came without a line end"), "{how}");
    let silent = AgentBackend::new("sleep 3600", limits).expect("a command");
    let harmless = r#"{ "call": "Read", "address": "p", "size": 8192 }"#;
    let outcome = run_scenario(&scenario(harmless), "", &silent, &mut |_, _| {});
    let Ending::Broken(Breakage::Hung(how)) = outcome.ending else { panic!("{outcome:?}") };
    assert!(how.contains("is its output flushed after each line?"), "{how}");
}

#[test]
fn whoever_breaks_when_a_case_is_closed_has_broken_it() {
    let quick = Limits { time: Duration::from_secs(2), ..Limits::USUAL };
    let protect =
        r#"{ "call": "VirtualProtect", "address": "p", "size": 4096, "protect": "PAGE_READONLY" }"#;
    for (what, limits, tells) in [
        ("close-hangs", quick, "hung: no answer to close within 2s"),
        ("close-dies", Limits::USUAL, "died: killed by signal 6 (SIGABRT) in close"),
        ("close-answers", Limits::USUAL, "its answer to close has 2 numbers, not none"),
        ("close-breaks", Limits::USUAL, "reported that it broke: a lock, in close"),
    ] {
        let outcome = run_scenario(&scenario(protect), "", &evil(what, limits), &mut |_, _| {});
        let Ending::Broken(how) = &outcome.ending else { panic!("{what}: {outcome:?}") };
        assert!(outcome.at_close && how.to_string().contains(tells), "{what}: {how}");
    }
    let smallest = minimal("a.json", &scenario(protect), &evil("close-dies", Limits::USUAL));
    let smallest = smallest.expect("it dies again");
    assert!(smallest.sentence.starts_with("when the case is closed: it died"), "{smallest:?}");
    let result = random(30, &evil("close-dies", Limits::USUAL)).result;
    assert_eq!((result.word, result.step), (VerdictWord::Broken, None), "{result:?}");
}

#[test]
fn what_it_cannot_do_is_skipped_with_its_reason() {
    let (ending, step) = met("declines", Limits::USUAL);
    let Ending::Skipped(why) = ending else { panic!("{ending:?}") };
    assert_eq!((&*why, step), ("step 3: no protection here (mailto:me)", 3));
}

#[test]
fn a_crash_in_random_work_is_shrunk() {
    let ran = random(300, &evil("dies", Limits::USUAL));
    assert_eq!(ran.result.word, VerdictWord::Broken, "{:?}", ran.result);
    let steps = ran.failing.expect("the smallest case").steps;
    let names: Vec<&str> = steps.iter().map(|step| step.action.name()).collect();
    assert_eq!(names, ["VirtualAlloc", "VirtualProtect"], "{steps:?}");
}

#[test]
fn a_hang_is_shrunk_for_the_report() {
    let limits = Limits { time: Duration::from_secs(2), ..Limits::USUAL };
    let protect =
        r#"{ "call": "VirtualProtect", "address": "p", "size": 4096, "protect": "PAGE_READONLY" }"#;
    let smallest = minimal("a.json", &scenario(protect), &evil("hangs", limits));
    let smallest = smallest.expect("it hangs again");
    assert!(smallest.steps.len() < 3, "the query is not needed: {smallest:?}");
    assert!(smallest.sentence.contains("hung: no answer to VirtualProtect"), "{smallest:?}");
}
