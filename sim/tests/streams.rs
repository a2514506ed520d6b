//! What goes where: a reader who goes away, a full disk, pipes, files and colours.

mod command;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use command::{GOOD, command, hostmem, hostmem_in};
use tempfile::TempDir;

fn folder_with_scenario() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("a.json"), GOOD).expect("room for a small file");
    folder
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    for arguments in [["list", "rules"].as_slice(), &["schema"]] {
        let mut child = command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        assert_eq!((complaint.as_str(), child.wait().unwrap().code()), ("", Some(0)));
    }
}

#[test]
fn the_verdict_survives_a_reader_who_goes_away() {
    let folder = folder_with_scenario();
    let mut child = command()
        .current_dir(folder.path())
        .args(["replay", "a.json", "-b", "model", "--only", "a.json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_is_told() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = command().arg("schema").stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.starts_with("hostmem: standard output cannot be written: "), "{said}");
}

#[test]
fn a_pipe_gets_no_colour_and_no_progress() {
    let folder = folder_with_scenario();
    let ended = hostmem_in(folder.path(), &["replay", "a.json", "-b", "model"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(!ended.stdout.contains('\x1b'), "{}", ended.stdout);
}

#[test]
fn a_report_goes_into_a_file_and_people_still_get_theirs() {
    let folder = folder_with_scenario();
    let arguments = ["replay", "a.json", "-b", "model", "--format", "json", "-o", "report.json"];
    let ended = hostmem_in(folder.path(), &arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("nothing diverges"), "{}", ended.stdout);
    let text = fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["summary"]["agrees"], 1);
    assert_eq!(report["results"][0]["scenario"], "a.json");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_run() {
    let folder = folder_with_scenario();
    let arguments = ["replay", "a.json", "-b", "model", "-o", "no/such/folder/report"];
    let ended = hostmem_in(folder.path(), &arguments);
    ended.is_mistake();
    assert!(ended.stderr.contains("cannot be written"), "{}", ended.stderr);
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [["--help"].as_slice(), &["--version"], &["check", "--help"], &["help", "fmt"]]
    {
        let ended = hostmem(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.stdout.contains("hostmem"), "{}", ended.stdout);
    }
}

#[test]
fn fmt_writes_the_canonical_form_and_check_only_tells() {
    let folder = folder_with_scenario();
    let ended = hostmem_in(folder.path(), &["fmt", "--check", "."]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "./a.json\n"));
    assert_eq!(fs::read_to_string(folder.path().join("a.json")).unwrap(), GOOD);
    let ended = hostmem_in(folder.path(), &["fmt", "."]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "./a.json\n"));
    let ended = hostmem_in(folder.path(), &["fmt", "--check", "."]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
}

#[test]
fn a_packed_scenario_is_read_and_brought_into_form() {
    let folder = TempDir::new().unwrap();
    let packed = zstd::encode_all(GOOD.as_bytes(), 1).unwrap();
    fs::write(folder.path().join("a.json.zst"), packed).unwrap();
    assert_eq!(hostmem_in(folder.path(), &["replay", ".", "-b", "model"]).code, Some(0));
    assert_eq!(hostmem_in(folder.path(), &["fmt", "."]).stdout, "./a.json.zst\n");
    assert_eq!(hostmem_in(folder.path(), &["fmt", "."]).stdout, "");
    assert_eq!(hostmem_in(folder.path(), &["replay", ".", "-b", "model"]).code, Some(0));
}

#[test]
fn a_trace_names_rule_call_and_answer() {
    let folder = folder_with_scenario();
    let ended = hostmem_in(folder.path(), &["replay", "a.json", "-b", "model", "--trace"]);
    let line = "p = VirtualAlloc(null, 0x10000, MEM_RESERVE, PAGE_NOACCESS) ->";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
}
