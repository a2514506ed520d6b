//! VALIDATE.md says what is so: every command of it is run, every line of its conversation is
//! said, its programs work, and its tables are those of the code.
//!
//! Without python3 or g++ the test that needs it says so and passes.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so, and why")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hostmem_backends::agent::methods::METHODS;
use hostmem_interface::Capability;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the root")
}

fn page() -> String {
    std::fs::read_to_string(root().join("VALIDATE.md")).expect("the page")
}

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let page = page();
    let fence = format!("```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Runs a shell command in a folder where `hostmem` is this build's.
fn sh(command: &str, folder: &Path) -> String {
    let hostmem = PathBuf::from(env!("CARGO_BIN_EXE_hostmem"));
    let bin = hostmem.parent().expect("a folder").display().to_string();
    let script = format!("PATH={bin}:$PATH; {command}");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output();
    let output = output.expect("a shell");
    let code = output.status.code().unwrap_or(-1);
    let errors = String::from_utf8_lossy(&output.stderr);
    // 2: it diverges; that is what the page is about.
    assert!([0, 2].contains(&code), "`{command}` exits with {code}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} cannot be started");
    }
    found
}

#[test]
fn every_command_does_what_the_page_says() {
    if !has("python3") || !has("g++") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [tiny] = &blocks("python")[..] else { panic!("one program in Python") };
    std::fs::write(folder.path().join("tiny.py"), tiny).expect("a file");
    std::os::unix::fs::symlink(root().join("backends"), folder.path().join("backends"))
        .expect("a link");
    let mut commands = 0;
    for block in blocks("console") {
        for part in block.split("$ ").skip(1) {
            let (command, expected) = part.split_once('\n').expect("a line");
            let came = sh(command, folder.path());
            if !expected.trim().is_empty() {
                assert_eq!(came.trim(), expected.trim(), "`{command}`");
            }
            commands += 1;
        }
    }
    assert!(commands >= 8, "{commands} commands");
    let known = folder.path().join("known/mine.json");
    assert!(std::fs::read_to_string(known).expect("written").contains("VA-20"));
}

#[test]
fn the_recipe_for_ci_is_short_and_its_command_exists() {
    let [recipe] = &blocks("yaml")[..] else { panic!("one recipe") };
    assert!(recipe.lines().count() <= 10);
    let command = recipe.lines().find_map(|line| line.split_once("run: hostmem "));
    let (_, command) = command.expect("it runs hostmem");
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).expect("a folder");
    if has("python3") {
        std::fs::write(mine.join("adapter.py"), &blocks("python")[0]).expect("a file");
        sh(&format!("hostmem {command}"), folder.path());
        let report = std::fs::read_to_string(folder.path().join("report.xml")).expect("a report");
        assert!(report.contains("<testsuite name=\"mine\""));
    }
}

#[test]
fn the_conversation_is_held() {
    let [conversation] = &blocks("text")[..] else { panic!("one conversation") };
    let mut child = Command::new(env!("CARGO_BIN_EXE_hostmem"))
        .args(["agent", "--backend", "model"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("hostmem starts");
    let said = |mark: &str| -> Vec<&str> {
        conversation.lines().filter_map(|line| line.strip_prefix(mark)).collect()
    };
    let requests = said("> ").join("\n") + "\n";
    child.stdin.take().expect("piped").write_all(requests.as_bytes()).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let came = String::from_utf8(output.stdout).expect("UTF-8");
    let expected = said("< ");
    assert_eq!(came.lines().count(), expected.len());
    for (came, expected) in came.lines().zip(expected) {
        assert!(expected.contains('…') || came == expected, "{came}\nis not\n{expected}");
    }
}

#[test]
fn the_tables_are_those_of_the_code() {
    let page = page();
    let cell = |text: &str| if text.is_empty() { " ".to_owned() } else { format!(" {text} ") };
    for method in METHODS {
        let needs = method.needs.map_or(String::new(), |it| format!("`{}`", it.name()));
        let row = format!(
            "| {} | `{}` |{}|{}|{}|",
            method.number,
            method.name,
            cell(method.arguments),
            cell(method.outputs),
            cell(&needs)
        );
        assert!(page.contains(&row), "the page lacks {row}");
    }
    for (name, _) in Capability::ALL {
        assert!(page.contains(&format!("| `{name}` | ")), "the page lacks {name}");
    }
    let rust = blocks("rust");
    let example = root().join("tests/example-manager/tests/conformance.rs");
    let example = std::fs::read_to_string(example).expect("the example");
    assert!(rust.iter().all(|block| example.contains(block.trim())), "{rust:?}");
}
