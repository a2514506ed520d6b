//! What a failure leaves: the texts as they are, and that compilers take them, that the
//! programs run, and that they fail where they must.
//!
//! A compiler that a machine lacks is skipped, and said so; `.ci/run` installs it, and takes a
//! skip for a failure.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so, and why")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hostmem::files::builtin;
use hostmem::reproducer::{Story, check, files};
use hostmem_interface::scenario::{Scenario, read};
use tempfile::TempDir;

const FLAGS: [&str; 5] = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"];
const NATIVE: &str = "gcc";
const WINDOWS: &str = "x86_64-w64-mingw32-gcc";
/// One in so many shipped scenarios is compiled: each takes a compiler a good while.
const ONE_IN: usize = 24;

const STALE: &str = r#"{
  "format": "hostmem/1",
  "about": "random/wide/13 of 448 steps, shrunk to 4",
  "rules": ["ZF-01"],
  "needs": ["contents"],
  "steps": [
    { "call": "VirtualAlloc", "address": null, "size": "0x1000", "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_READWRITE", "bind": "p" },
    { "call": "Write", "address": "p", "bytes": "ff" },
    { "call": "VirtualFree", "address": "p", "size": 0, "type": "MEM_DECOMMIT" },
    { "call": "VirtualAlloc", "address": "p", "size": "0x1000", "type": "MEM_COMMIT", "protect": "PAGE_READWRITE" }
  ]
}
"#;

const GUARDED: &str = r#"{
  "format": "hostmem/1",
  "about": "a guard fires once, in the middle of a write; code runs where it may",
  "needs": ["contents", "faults", "guard-pages", "execute", "query"],
  "steps": [
    { "call": "Hole", "size": "0x20000", "bind": "h" },
    { "call": "VirtualAlloc", "address": "h+0x10", "size": "0x2000", "type": "MEM_RESERVE", "protect": "PAGE_NOACCESS", "bind": "p" },
    { "call": "VirtualAlloc", "address": "p", "size": "0x1000", "type": "MEM_COMMIT", "protect": "PAGE_EXECUTE_READWRITE" },
    { "call": "VirtualAlloc", "address": "p+0x1000", "size": "0x1000", "type": "MEM_COMMIT", "protect": "PAGE_READWRITE|PAGE_GUARD" },
    { "call": "Write", "address": "p+0xffc", "bytes": "1122334455667788" },
    { "call": "Write", "address": "p+0xffc", "bytes": "1122334455667788" },
    { "call": "Read", "address": "p+0xff8", "size": 16 },
    { "call": "Write", "address": "p", "bytes": "c3" },
    { "call": "Execute", "address": "p" },
    { "call": "Execute", "address": "p+0x1000" },
    { "call": "VirtualProtect", "address": "p", "size": 1, "protect": "PAGE_READONLY" },
    { "call": "Write", "address": "p", "size": "0x1001", "fill": 90 },
    { "call": "VirtualFree", "address": "p", "size": 1, "type": "MEM_RELEASE" },
    { "call": "VirtualQuery", "address": "p+0x1000" }
  ]
}
"#;

const WATCHED: &str = r#"{
  "format": "hostmem/1",
  "about": "written pages are told, and the law of the arguments stands before it",
  "needs": ["contents", "write-watch", "query", "buffers"],
  "steps": [
    { "call": "VirtualAlloc", "address": null, "size": "0x4000", "type": "MEM_RESERVE|MEM_COMMIT|MEM_WRITE_WATCH", "protect": "PAGE_READWRITE", "bind": "p" },
    { "call": "Write", "address": "p+0x1000", "bytes": "01" },
    { "call": "GetWriteWatch", "address": "p", "size": "0x4000", "flags": "WRITE_WATCH_FLAG_RESET", "capacity": 10 },
    { "call": "ResetWriteWatch", "address": "p", "size": "0x4000" },
    { "call": "GetWriteWatch", "address": "p", "size": "0x4000", "capacity": 10 },
    { "call": "VirtualProtect", "address": "p", "size": "0x1000", "protect": "PAGE_READONLY", "old": "null" },
    { "call": "VirtualAlloc", "address": "p", "size": "0x1000", "type": "MEM_RESET", "protect": "PAGE_READWRITE" },
    { "call": "Walk", "from": "p", "to": "p+0x4000" }
  ]
}
"#;

const CASES: [(&str, &str); 3] = [("stale", STALE), ("guarded", GUARDED), ("watched", WATCHED)];

fn scenario(text: &str) -> Scenario {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn story(name: &str) -> Story {
    Story {
        name: name.to_owned(),
        backend: "canary:decommit-keeps-bytes".to_owned(),
        rule: Some("ZF-01".to_owned()),
        expected: Some("the 4096 bytes written at 0x10000 before".to_owned()),
        observed: Some("ff000000 */ …".to_owned()),
    }
}

fn text(name: &str, source: &str, ending: &str) -> Option<String> {
    let all = files(&scenario(source), &story(name));
    all.into_iter().find(|(known, _)| *known == ending).map(|(_, text)| text)
}

/// The compiler, if there is one.
fn compiler(name: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok();
    if !there {
        println!("skipped: {name} cannot be started");
    }
    there
}

fn compile(compiler: &str, folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, made) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).expect("a file");
    let arguments = [file.as_os_str(), "-o".as_ref(), made.as_os_str()];
    let done = Command::new(compiler).args(FLAGS).args(arguments).output().expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{name}: {said}\n{source}");
    made
}

fn run(program: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = Command::new(program).output().expect("it starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned())
}

#[test]
fn the_texts_are_as_they_were() {
    for (name, source) in CASES {
        for ending in ["rs", "win32.c", "posix.c"] {
            let text = text(name, source, ending).unwrap_or("there is none\n".to_owned());
            insta::assert_snapshot!(format!("{name}_{}", ending.replace('.', "_")), text);
        }
    }
}

#[test]
fn the_posix_programs_find_linux_lawful_and_a_wrong_byte_unlawful() {
    if !cfg!(target_os = "linux") || !compiler(NATIVE) {
        return;
    }
    let folder = TempDir::new().expect("a temporary folder");
    for (name, source) in CASES {
        let Some(text) = text(name, source, "posix.c") else { continue };
        let (code, said) = run(&compile(NATIVE, folder.path(), name, &text));
        assert_eq!(code, Some(0), "{name}: {said}\n{text}");
        assert!(said.ends_with("every answer is permitted\n"), "{said}");
    }
    let text = text("stale", STALE, "posix.c").expect("a program");
    // The kernel takes the bytes away; a program that expects them must say so.
    let wrong = text.replace("{0x1000, 0x00}", "{0x1, 0xff}, {0xfff, 0x00}");
    assert_ne!(text, wrong);
    let (code, said) = run(&compile(NATIVE, folder.path(), "wrong", &wrong));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("DIVERGES from ZF-01"), "{said}");
    assert!(said.contains("0xff instead of") || said.contains("instead of 0xff"), "{said}");
}

#[test]
fn the_windows_programs_compile() {
    if !compiler(WINDOWS) {
        return;
    }
    let folder = TempDir::new().expect("a temporary folder");
    for (name, source) in CASES {
        let text = text(name, source, "win32.c").expect("a program for each of these");
        compile(WINDOWS, folder.path(), name, &text);
    }
}

#[test]
fn shipped_scenarios_become_programs_that_compile() {
    let (native, windows) = (compiler(NATIVE), compiler(WINDOWS));
    let folder = TempDir::new().expect("a temporary folder");
    let (mut win32, mut posix) = (0, 0);
    for (at, file) in builtin::all().into_iter().enumerate() {
        let named = file.read().expect("a scenario");
        if named.scenario.steps.len() > 200 {
            continue;
        }
        let mut all = files(&named.scenario, &story(&format!("case{at}"))).into_iter();
        assert_eq!(all.next().map(|(ending, _)| ending), Some("rs"));
        for (ending, text) in all {
            let chosen = at % ONE_IN == 0;
            let name = format!("case{at}");
            if ending == "win32.c" {
                win32 += 1;
                if windows && chosen {
                    compile(WINDOWS, folder.path(), &name, &text);
                }
            } else {
                posix += 1;
                if native && chosen && cfg!(target_os = "linux") {
                    let (code, said) = run(&compile(NATIVE, folder.path(), &name, &text));
                    assert_eq!(code, Some(0), "{}: {said}", named.name);
                }
            }
        }
    }
    println!("{win32} programs for Windows, {posix} for POSIX");
    assert!(win32 > 150 && posix > 50, "{win32} and {posix}");
}

#[test]
fn the_rust_test_does_what_it_says() {
    check("model", STALE).expect("the model is lawful");
    let why = check("canary:decommit-keeps-bytes", STALE).expect_err("the canary is not");
    assert!(why.contains("diverges from ZF-01"), "{why}");
    let why = check("canary:no-such", STALE).expect_err("there is none");
    assert!(why.contains("no canary is called"), "{why}");
    let why = check("model", "{").expect_err("no scenario");
    assert!(why.starts_with("1:"), "{why}");
}

/// A crate of its own, as a user has one: it must compile, pass on the model and fail on what
/// is wrong.
#[test]
fn the_rust_test_compiles_in_a_crate_of_its_own() {
    let sim = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = TempDir::new().expect("a temporary folder");
    let crate_root = folder.path();
    fs::create_dir_all(crate_root.join("tests")).expect("a folder");
    fs::create_dir_all(crate_root.join("src")).expect("a folder");
    fs::write(crate_root.join("src/lib.rs"), "").expect("a file");
    let manifest = format!(
        "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dev-dependencies]\nhostmem = {{ path = {:?} }}\n\n[workspace]\n",
        sim.display()
    );
    fs::write(crate_root.join("Cargo.toml"), manifest).expect("a file");
    // The versions that are there already: nothing is fetched.
    fs::copy(sim.join("../Cargo.lock"), crate_root.join("Cargo.lock")).expect("a file");
    let failing = text("stale", STALE, "rs").expect("a test");
    let passing = failing.replace("canary:decommit-keeps-bytes\";", "model\";");
    assert_ne!(failing, passing);
    fs::write(crate_root.join("tests/failing.rs"), failing).expect("a file");
    fs::write(crate_root.join("tests/passing.rs"), passing).expect("a file");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scratch");
    let cargo = |test: &str| {
        let done = Command::new(env!("CARGO"))
            .args(["test", "--offline", "--quiet", "--test", test])
            .current_dir(crate_root)
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTFLAGS", "-Dwarnings")
            .output()
            .expect("cargo starts");
        let said = String::from_utf8_lossy(&done.stdout).into_owned()
            + &String::from_utf8_lossy(&done.stderr);
        (done.status.success(), said)
    };
    let (passed, said) = cargo("passing");
    assert!(passed, "{said}");
    let (passed, said) = cargo("failing");
    assert!(!passed && said.contains("diverges from ZF-01"), "{said}");
}
