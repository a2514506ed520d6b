//! What the command leaves of a failure, and `hostmem shrink`.

mod command;

use std::fs;
use std::path::Path;

use command::{GOOD, hostmem_in};
use tempfile::TempDir;

/// Bytes that outlive a decommit, among steps that have nothing to do with it.
const LONG: &str = r#"{
  "format": "hostmem/1",
  "about": "a page is used again",
  "needs": ["contents", "malloc"],
  "steps": [
    { "call": "VirtualAlloc", "address": null, "size": "0x20000", "type": "MEM_RESERVE", "protect": "PAGE_NOACCESS", "bind": "other", "expect": "ok" },
    { "call": "CreateMalloc", "kind": "MALLOC_THREADSAFE", "bind": "heap", "expect": "ok" },
    { "call": "Alloc", "malloc": "heap", "size": 100, "bind": "block" },
    { "call": "VirtualAlloc", "address": null, "size": "0x40000", "type": "MEM_RESERVE", "protect": "PAGE_READONLY", "bind": "p", "expect": "ok" },
    { "call": "VirtualAlloc", "address": "p+0x13000", "size": "0x5001", "type": "MEM_COMMIT", "protect": "PAGE_EXECUTE_READWRITE", "critical": "eProcessCritical" },
    { "call": "Write", "address": "p+0x14010", "bytes": "0102030405060708", "thread": 1, "with": 7 },
    { "call": "VirtualFree", "address": "other", "size": 0, "type": "MEM_RELEASE", "with": 7 },
    { "call": "VirtualFree", "address": "p+0x14000", "size": "0x1000", "type": "MEM_DECOMMIT" },
    { "call": "VirtualAlloc", "address": "p+0x14000", "size": "0x1000", "type": "MEM_COMMIT", "protect": "PAGE_READWRITE" },
    { "call": "Free", "malloc": "heap", "address": "block" },
    { "call": "Read", "address": "p+0x14010", "size": 8, "note": "here" }
  ]
}
"#;

const STALE: [&str; 2] = ["--backend", "canary:decommit-keeps-bytes"];

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map(|it| it.filter_map(Result::ok).collect::<Vec<_>>());
    let names = entries.unwrap_or_default().into_iter();
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_long_failure_is_shrunk_and_leaves_everything() {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("long.json"), LONG).expect("a file");
    let ended = hostmem_in(folder.path(), &["shrink", "long.json", STALE[0], STALE[1]]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("from 11 to "), "{ended:?}");
    assert!(ended.stdout.contains("ZF-01"), "{ended:?}");
    let names = names(&folder.path().join("hostmem-results"));
    assert_eq!(names.len(), 5, "{names:?}");
    for (name, ending) in names.iter().zip([".html", ".json", ".posix.c", ".rs", ".win32.c"]) {
        let fits = name.starts_with("ZF-01.") && name.ends_with(ending);
        assert!(fits && name.contains(".canary-decommit-keeps-bytes."), "{names:?}");
    }
    let small = format!("hostmem-results/{}", names[1]);
    let text = fs::read_to_string(folder.path().join(&small)).expect("a file");
    assert!(text.matches("\"call\"").count() <= 5, "{text}");
    assert!(!text.contains("with") && !text.contains("heap"), "{text}");
    assert!(!text.contains("0x14000"), "offsets go toward the beginning: {text}");
    let again = hostmem_in(folder.path(), &["replay", &small, STALE[0], STALE[1]]);
    assert_eq!(again.code, Some(2), "{again:?}");
    // It is as small as it gets.
    let again = hostmem_in(folder.path(), &["shrink", &small, STALE[0], STALE[1], "-o", "b.json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let smaller = fs::read_to_string(folder.path().join("b.json")).expect("a file");
    assert_eq!(smaller.matches("\"call\"").count(), text.matches("\"call\"").count());
}

#[test]
fn with_an_output_nothing_else_is_written() {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("long.json"), LONG).expect("a file");
    let ended =
        hostmem_in(folder.path(), &["shrink", "long.json", STALE[0], STALE[1], "-o", "s.json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(names(folder.path()), ["long.json", "s.json"]);
    assert!(ended.stdout.contains("replay s.json --backend canary:decommit-keeps-bytes"));
}

#[test]
fn what_does_not_fail_cannot_be_shrunk() {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("good.json"), GOOD).expect("a file");
    let ended = hostmem_in(folder.path(), &["shrink", "good.json", "--backend", "model"]);
    ended.is_mistake();
    let said = "good.json does not fail on model: it agrees in all 1 steps; nothing to shrink";
    assert!(ended.stderr.contains(said), "{ended:?}");
    let ended = hostmem_in(folder.path(), &["shrink", "scenarios/free", "--backend", "model"]);
    ended.is_mistake();
    assert!(ended.stderr.contains("expected one scenario file"), "{ended:?}");
    assert_eq!(names(folder.path()), ["good.json"]);
}

#[test]
fn a_campaign_whose_canary_survives_is_void() {
    let folder = TempDir::new().expect("a temporary folder");
    let check = |more: &[&str]| {
        let mut words = vec!["check", STALE[0], STALE[1], "--only", "random/**"];
        words.extend(more);
        hostmem_in(folder.path(), &words)
    };
    let ended = check(&["--cases", "1", "--ops", "2", "--profile", "wide"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("void: canary:decommit-keeps-bytes survived"), "{ended:?}");
    assert!(names(folder.path()).is_empty());
    let sound = ["check", "--backend", "canary:none", "--only", "random/**", "--cases", "1"];
    assert_eq!(hostmem_in(folder.path(), &sound).code, Some(0));
}

/// The same failures are one failure, the same for any number of threads.
#[test]
fn failures_of_one_kind_are_folded_alike_on_one_thread_and_on_four() {
    let run = |jobs: &str| {
        let folder = TempDir::new().expect("a temporary folder");
        let ended = hostmem_in(
            folder.path(),
            &[
                "check",
                "--backend",
                "canary:release-interior",
                "--only",
                "random/**",
                "--profile",
                "wide",
                "--cases",
                "40",
                "--ops",
                "300",
                "--jobs",
                jobs,
            ],
        );
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let results = folder.path().join("hostmem-results");
        let files: Vec<(String, Vec<u8>)> = names(&results)
            .into_iter()
            .map(|name| (name.clone(), fs::read(results.join(name)).expect("a file")))
            .collect();
        (ended.stdout, files)
    };
    let (said, files) = run("1");
    assert!(said.contains(" times; this is the smallest case"), "{said}");
    assert!(said.contains("shrunk     from "), "{said}");
    assert!(!files.is_empty());
    assert_eq!((said, files), run("4"));
}

#[test]
fn a_user_s_own_regressions_come_first() {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("mine")).expect("a folder");
    fs::write(folder.path().join("mine/long.json"), LONG).expect("a file");
    let words = ["check", "--regressions", "mine", "--only", "mine/**", "--cases", "1"];
    let ended = hostmem_in(folder.path(), &[&words[..], &["--backend", "model"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = hostmem_in(folder.path(), &[&words[..], &STALE].concat());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stdout.contains("replay mine/long.json"), "{ended:?}");
    let missing = hostmem_in(folder.path(), &["check", "--regressions", "no-such"]);
    missing.is_mistake();
}
