//! `hostmem conform` and `hostmem diff`: cells, formats, known differences that cannot rot.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CANARY: &str = "it=canary:commit-beyond-end";

/// What `hostmem` prints, and its exit status.
fn hostmem(arguments: &[&str]) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_hostmem")).args(arguments).output();
    let output = output.expect("hostmem starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (text + &errors, output.status.code().unwrap_or(-1))
}

fn conform(backend: &str, more: &[&str]) -> (String, i32) {
    let arguments = ["conform", "--backend", backend, "--only", "VA-21"];
    hostmem(&[&arguments[..], more].concat())
}

fn report(backend: &str) -> (Value, i32) {
    let (text, code) = conform(backend, &["--backend", "model", "--format", "json"]);
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), code)
}

fn cell<'a>(report: &'a Value, rule: &str, name: &str) -> &'a Value {
    let rules = report["rules"].as_array().expect("rules");
    let row = rules.iter().find(|row| row["rule"] == rule).expect("the rule");
    &row["cells"][name]
}

#[test]
fn a_cell_that_differs_has_its_smallest_scenario_and_one_sentence() {
    let (report, code) = report(CANARY);
    assert_eq!(code, 2);
    assert_eq!(cell(&report, "VA-21", "model")["verdict"], "agrees");
    let cell = cell(&report, "VA-21", "it");
    assert_eq!((&cell["verdict"], &cell["level"]), (&"diverges".into(), &"must".into()));
    let minimal = &cell["minimal"];
    let steps = minimal["steps"].as_array().expect("steps");
    assert_eq!((steps.len(), &minimal["step"]), (2, &Value::from(2)), "{minimal}");
    let sentence = minimal["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("expected refused: ERROR_INVALID_ADDRESS"), "{sentence}");
    assert_eq!(report, self::report(CANARY).0, "two runs give the same report");
}

#[test]
fn every_format_tells_of_it() {
    for (format, tells) in [
        ("human", "VA-21 on it: diverges (must)"),
        ("json", "\"verdict\": \"diverges\""),
        ("junit", "<failure message=\"diverges (must)\""),
        ("markdown", "| **diverges** (must) |"),
        ("html", "<td class=\"diverges\""),
    ] {
        let (text, code) = conform(CANARY, &["--format", format]);
        assert_eq!(code, 2, "{format}");
        assert!(text.contains(tells), "{format}: {text}");
    }
}

#[test]
fn a_difference_comes_with_the_command_that_shows_it_again() {
    let (text, _) = conform(CANARY, &[]);
    let replay = text.lines().find_map(|line| line.trim_start().strip_prefix("replay   "));
    let words: Vec<&str> = replay.expect("a command").split_whitespace().collect();
    assert_eq!(words[0], env!("CARGO_BIN_EXE_hostmem"));
    // What fails leaves its files where it is run.
    let folder = tempfile::tempdir().expect("a folder");
    let again = Command::new(words[0]).args(&words[1..]).current_dir(&folder).output();
    let again = again.expect("hostmem starts");
    let text = String::from_utf8_lossy(&again.stdout);
    assert_eq!((again.status.code(), text.contains("VA-21")), (Some(2), true), "{text}");
    let (report, _) = report(CANARY);
    assert_eq!(cell(&report, "VA-21", "it")["replay"], replay.expect("a command"));
    assert_eq!(cell(&report, "VA-21", "model").get("replay"), None);
}

#[test]
fn what_is_required_and_missing_fails_the_run() {
    let asked = |rule, require| {
        hostmem(&["conform", "--backend", "linux", "--only", rule, "--require", require])
    };
    let (text, code) = asked("ML-02", "memory-load-control");
    let told = "required, but missing: memory-load-control";
    assert_eq!((code, text.contains(told)), (4, true), "{text}");
    let (text, code) = asked("VA-21", "memory-load-control");
    assert_eq!((code, text.contains("missing")), (0, false), "{text}");
    let (text, code) = asked("VA-21", "tea");
    assert_eq!(code, 1);
    assert!(text.contains("--require tea: there is no such backend or capability"), "{text}");
}

#[test]
fn a_known_difference_is_tolerated_until_it_no_longer_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = folder.path().join("known").display().to_string();
    let (text, code) = conform(CANARY, &["--known", &known, "--update-known"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("VA-21 on it: tolerated"), "{text}");
    let file = Path::new(&known).join("it.json");
    assert!(std::fs::read_to_string(&file).expect("written").contains("not yet explained"));
    assert!(text.contains("it.json: known differences: 1"), "{text}");
    let (text, code) = conform("it=model", &["--known", &known]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("differs no more"), "{text}");
    for (format, tells) in [
        ("junit", "<failure message=\"listed as a known difference, and differs no more\""),
        ("markdown", "differs no more"),
        ("html", "differs no more"),
    ] {
        let (text, code) = conform("it=model", &["--known", &known, "--format", format]);
        assert!(code == 4 && text.contains(tells), "{format}: {text}");
    }
    let (text, code) = conform("it=model", &["--known", &known, "--update-known"]);
    assert!(code == 0 && !file.exists(), "{text}");
    assert!(text.contains("it.json: nothing is left to list; removed"), "{text}");
    std::fs::write(&file, "{").expect("a file");
    let (text, code) = conform(CANARY, &["--known", &known]);
    assert!(code == 1 && text.contains("it.json:1:1"), "{text}");
}

#[test]
fn a_difference_between_two_reports_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (good, bad) = (path("good.json"), path("bad.json"));
    assert_eq!(conform("it=model", &["--format", "json", "--output", &good]).1, 0);
    assert_eq!(conform(CANARY, &["--format", "json", "--output", &bad]).1, 2);
    let (text, code) = hostmem(&["diff", &good, &bad]);
    assert!(text.contains("VA-21   it: agrees -> diverges") && code == 2, "{text}");
    let (text, code) = hostmem(&["diff", &bad, &good]);
    assert!(text.contains("it: diverges -> agrees") && code == 0, "{text}");
    std::fs::write(&bad, "[]").expect("a file");
    let (text, code) = hostmem(&["diff", &good, &bad]);
    assert!(code == 1 && text.contains("bad.json:1:"), "{text}");
}

#[test]
fn a_report_in_a_file_leaves_a_line_on_standard_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.xml").display().to_string();
    let (text, code) = conform(CANARY, &["--format", "junit", "--output", &report]);
    let line = "it: 0 agrees, 1 diverges, 0 tolerated, 2 skipped, 0 broken\n";
    assert_eq!((text.as_str(), code), (line, 2));
}

#[test]
fn a_folder_without_a_list_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (text, code) = conform("it=model", &["--known", &path("knwon")]);
    assert!(text.contains("knwon: there is no such folder, so nothing is known"), "{text}");
    assert_eq!(code, 0);
    std::fs::create_dir(path("known")).expect("a folder");
    let (text, _) = conform("it=model", &["--known", &path("known")]);
    assert!(text.contains("known: there is no ") && text.contains("it.json"), "{text}");
}

#[test]
fn what_is_skipped_says_why() {
    let arguments = ["conform", "--backend", "linux", "--only", "ML-02"];
    let (text, _) = hostmem(&arguments);
    assert!(text.contains("skipped on linux: it has no memory-load-control"), "{text}");
}
