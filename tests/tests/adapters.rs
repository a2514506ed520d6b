//! The adapters of the repository, each with its manager: right by the smoke test, and by the
//! law wherever they say that they can do it; and the skeletons, which are right around nothing.
//!
//! Where a language is not installed the test says so and passes.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so, and why")]

use std::path::{Path, PathBuf};
use std::process::Command;

use hostmem::run::{Ending, run_scenario};
use hostmem_backends::agent::{AgentBackend, Limits, Whose, smoke};
use hostmem_interface::Capabilities;
use hostmem_interface::scenario::{Level, Scenario};
use hostmem_tests::{root, scenarios};

fn built() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("adapters");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    folder
}

/// Whether a program is there; says so if not.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} cannot be started");
    }
    found
}

fn adapters() -> PathBuf {
    root().join("backends/adapters")
}

/// Compiles C or Rust; `None`, and says so, without a compiler.
fn compiled(compiler: &str, sources: &[&str], name: &str) -> Option<String> {
    if !has(compiler) {
        return None;
    }
    let output = built().join(name);
    let flags: &[&str] = match compiler {
        "cc" => &["-O2", "-Wall", "-Wextra", "-Werror"],
        _ => &["-O", "-D", "warnings"],
    };
    let sources = sources.iter().map(|source| adapters().join(source));
    let result = Command::new(compiler).args(flags).args(sources).arg("-o").arg(&output).output();
    let result = result.expect("a compiler");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    Some(output.display().to_string())
}

fn agent(command: &str) -> AgentBackend {
    AgentBackend::new(command, Limits::USUAL).unwrap_or_else(|why| panic!("{command}: {why}"))
}

/// An adapter passes the smoke test, and its manager the law where it claims anything.
fn passes(command: &str, at_least: usize) {
    let backend = agent(command);
    let wrong: Vec<_> = smoke(&backend).into_iter().filter(|it| it.wrong.is_some()).collect();
    assert!(wrong.is_empty(), "{command}: {wrong:?}");
    let mut agreed = 0;
    for (name, scenario) in scenarios() {
        match run_scenario(&scenario, "", &backend, &mut |_, _| {}).ending {
            Ending::Agrees => agreed += 1,
            Ending::Skipped(_) | Ending::Taken(_) => {}
            Ending::Diverges(finding) if finding.level != Level::Must => {}
            ending => panic!("{command}: {name}: {ending:?}"),
        }
    }
    println!("{command}: {agreed} agree");
    assert!(agreed >= at_least, "{command}: only {agreed} agree");
}

#[test]
fn the_adapter_in_python_passes() {
    if has("python3") {
        passes(&format!("python3 {}", adapters().join("adapter.py").display()), 140);
    }
}

#[test]
fn the_adapter_in_c_passes() {
    if let Some(program) = compiled("cc", &["adapter.c", "toy.c"], "toy") {
        passes(&program, 140);
    }
}

#[test]
fn the_adapter_in_node_passes() {
    if has("node") {
        passes(&format!("node {}", adapters().join("adapter.mjs").display()), 90);
    }
}

#[test]
fn an_adapter_has_at_most_60_lines() {
    for name in ["adapter.py", "adapter.c", "adapter.mjs"] {
        let text = std::fs::read_to_string(adapters().join(name)).expect("an adapter");
        assert!(text.lines().count() <= 60, "{name}");
    }
}

#[test]
fn a_skeleton_is_right_around_a_manager_that_refuses() {
    let interpreted = |program: &str, file: &str| {
        let file = adapters().join("skeletons").join(file);
        has(program).then(|| format!("{program} {}", file.display()))
    };
    let commands = [
        interpreted("python3", "skeleton.py"),
        interpreted("node", "skeleton.mjs"),
        compiled("cc", &["skeletons/skeleton.c"], "skeleton-c"),
        compiled("rustc", &["skeletons/skeleton.rs"], "skeleton-rs"),
    ];
    for command in commands.into_iter().flatten() {
        let checks = smoke(&agent(&command));
        let last = checks.last().expect("a check");
        assert_eq!(last.what, "an allocation succeeds", "{command}: {checks:?}");
        let whose = last.wrong.as_ref().map(|(whose, _)| *whose);
        assert_eq!(whose, Some(Whose::Implementation), "{command}");
    }
}

/// The adapter in Python with something else in the place of a part of it.
fn changed(name: &str, from: &str, to: &str) -> AgentBackend {
    let right = std::fs::read_to_string(adapters().join("adapter.py")).expect("an adapter");
    let wrong = right.replace(from, to);
    assert!(wrong != right, "{name}");
    let folder = built().join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("adapter.py"), wrong).expect("a file");
    std::fs::copy(adapters().join("toy.py"), folder.join("toy.py")).expect("a file");
    agent(&format!("python3 {}", folder.join("adapter.py").display()))
}

/// Where `adapter.py` opens an address space, and where it answers a line of calls.
const OPENS: &str = "manager, slots = module.Manager(), []";
const ANSWERS: &str = "call(manager, slots, numbers) for numbers in request[\"run\"]]";

/// The adapter with another answer to `open`.
fn opening(name: &str, reply: &str) -> AgentBackend {
    changed(name, OPENS, &format!("{OPENS}; reply = {{\"id\": request[\"id\"], {reply}}}"))
}

/// The adapter that does something to its reply to whatever asks the manager.
fn answering(name: &str, does: &str) -> AgentBackend {
    let asks = "any(int(call[0]) for call in request[\"run\"])";
    changed(name, ANSWERS, &format!("{ANSWERS}; {asks} and {does}"))
}

/// It opens a machine that nobody asked for.
fn opens_another() -> AgentBackend {
    opening("open-other", "\"outcome\": [8192, 65536, 65536, 140737488289791, 0, 0]")
}

#[test]
fn what_an_adapter_says_that_broke_is_none_of_its_own_mistakes() {
    if !has("python3") {
        return;
    }
    let (ours, theirs) = (Whose::Adapter, Whose::Implementation);
    let broken = "(reply.pop(\"outcome\"), reply.update(broken=\"a lock\"))";
    for (backend, whose, tells) in [
        (opens_another(), ours, "its page is 0x2000, and 0x1000 was asked for"),
        (
            opening("open-broken", "\"broken\": \"no memory\""),
            theirs,
            "it reported that it broke: no memory, in open",
        ),
        (
            opening("open-unsupported", "\"unsupported\": \"not here\""),
            theirs,
            "it has no such thing: not here",
        ),
        (answering("run-broken", broken), theirs, "]]: it reported that it broke: a lock"),
        (
            answering("notified-odd", "reply.update(notified=[0])"),
            ours,
            "`notified`: it has 1 numbers, and lacks the next one",
        ),
        (
            answering("notified-beyond", "reply.update(notified=[1, 1])"),
            ours,
            "`notified`: a notification during call 1 of 1",
        ),
        (
            answering("notified-undeclared", "reply.update(notified=[0, 1])"),
            ours,
            "the capability `notifications` was not declared",
        ),
    ] {
        let checks = smoke(&backend);
        let (who, why) = checks.last().and_then(|it| it.wrong.as_ref()).expect("it is wrong");
        assert_eq!(*who, whose, "{why}");
        assert!(why.contains(tells), "{why}");
    }
}

#[test]
fn a_machine_that_was_not_asked_for_is_told_with_both_values() {
    if !has("python3") {
        return;
    }
    let (_, scenario) = scenarios().into_iter().next().expect("a scenario");
    let scenario = Scenario { needs: Capabilities::NONE, ..scenario };
    let ending = run_scenario(&scenario, "", &opens_another(), &mut |_, _| {}).ending;
    let why = "machine: its page is 0x2000, and 0x1000 was asked for";
    assert_eq!(ending, Ending::Skipped(why.to_owned()));
}

#[test]
fn a_wrong_adapter_is_told_from_a_wrong_implementation() {
    if !has("python3") {
        return;
    }
    let (ours, theirs) = (Whose::Adapter, Whose::Implementation);
    for (name, from, to, expected, whose) in [
        (
            "doubles",
            "map(int, numbers)",
            "(int(float(n)) for n in numbers)",
            "Echo gives every",
            ours,
        ),
        (
            "slots",
            "slots.append(answer[1] if answer[0] == 0 else 0)",
            "answer[0] or \
          slots.append(answer[1])",
            "a refused allocation takes a slot too",
            ours,
        ),
        (
            "counted",
            "return [n for",
            "return [len(data), *data] or [n for",
            "what is written",
            ours,
        ),
        ("shifted", "numbers[::2], numbers[1::2]", "numbers[1::2], numbers[2::2]", "what", theirs),
        (
            "exits",
            "if method != 0",
            "if method == 4: sys.exit(3)\n    if method != 0",
            "it answers",
            theirs,
        ),
        (
            "id",
            "\"id\": request[\"id\"], \"outcome\": []",
            "\"id\": 1, \"outcome\": []",
            "it opens",
            ours,
        ),
    ] {
        let checks = smoke(&changed(name, from, to));
        let last = checks.last().expect("a check");
        assert!(last.what.starts_with(expected), "{name}: {last:?}");
        let (who, why) = last.wrong.as_ref().expect("it is wrong");
        assert_eq!(*who, whose, "{name}: {last:?}");
        let tells = match name {
            "counted" => "(numbers are pairs: how many, which byte)",
            "shifted" => "[[15,0,256,8,7],[14,0,256,8]] came to ok",
            "exits" => "it died: exited with code 3 in VirtualProtect [[4,0,0,4096,2,1]]",
            _ => "",
        };
        assert!(why.contains(tells), "{name}: {why}");
    }
}

/// `backends/adapters/report --prepare` fetches it.
fn dumpulator() -> Option<PathBuf> {
    let folder = root().join("target/adapters/dumpulator");
    let found = folder.join("memory.py").is_file();
    if !found {
        println!("skipped: run backends/adapters/report --prepare to fetch dumpulator");
    }
    (found && has("python3")).then_some(folder)
}

fn dumpulator_command(memory: &Path) -> String {
    let adapter = adapters().join("adapter.py");
    format!("env PYTHONPATH={} python3 {} dumpulator_manager", memory.display(), adapter.display())
}

#[test]
fn somebody_elses_emulator_is_judged_rule_by_rule() {
    let Some(memory) = dumpulator() else { return };
    let backend = agent(&dumpulator_command(&memory));
    let mut rules = std::collections::BTreeSet::new();
    // It looks at every page of a reservation, which takes too long for the recordings.
    for (name, scenario) in scenarios().into_iter().filter(|(name, _)| !name.contains("/clr/")) {
        match run_scenario(&scenario, "", &backend, &mut |_, _| {}).ending {
            Ending::Diverges(finding) => drop(rules.insert(finding.rule.to_string())),
            Ending::Broken(how) => panic!("{name}: {how}"),
            _ => {}
        }
    }
    // It rounds 1 to 0x10000, and measures a reserved region from its beginning.
    assert!(rules.contains("VA-03") && rules.contains("VQ-02"), "{rules:?}");
}
