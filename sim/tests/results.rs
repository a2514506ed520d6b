//! Results files: a campaign that is killed at any moment goes on to the same digest, the same
//! report and the same bytes, and its parts become one again.

mod command;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use command::{Ended, command, hostmem_in};

/// A small campaign on the model: random cases, some steered, and their coverage.
const CAMPAIGN: [&str; 10] = [
    "check",
    "--backend=model",
    "--only=random",
    "--profile=wide",
    "--seed=7",
    "--ops=30",
    "--cases=24",
    "--coverage",
    "--verbose",
    "--jobs=2",
];
const CASES: usize = 24;

fn run(folder: &Path, more: &[&str]) -> Ended {
    hostmem_in(folder, &[&CAMPAIGN[..], more].concat())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("the file is there")
}

/// A campaign that nothing interrupted: its report and its file.
fn whole(folder: &Path) -> (String, Vec<u8>) {
    let ended = run(folder, &["--results=whole.jsonl"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("digest "));
    (ended.stdout, read(&folder.join("whole.jsonl")))
}

/// Resumes a file, which then is that of an uninterrupted run, and so is the report.
#[track_caller]
fn resumed_is_whole(folder: &Path, file: &str, whole: &(String, Vec<u8>)) {
    let ended = run(folder, &[&format!("--resume={file}")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, whole.0, "another report");
    assert_eq!(read(&folder.join(file)), whole.1, "other bytes");
}

fn start(folder: &Path, file: &str) -> Child {
    let results = format!("--results={file}");
    command()
        .current_dir(folder)
        .args(CAMPAIGN)
        .args([&results, "--format=jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

#[test]
fn a_campaign_that_is_killed_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    // Killed once so many lines were told of: the head of the report, and then the results.
    for lines in [0, 1, 2, 3, 5, 9, 17, CASES, CASES + 1] {
        let file = format!("killed-{lines}.jsonl");
        let mut child = start(folder.path(), &file);
        let told = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let seen = told.take(lines).filter(Result::is_ok).count();
        assert_eq!(seen, lines);
        child.kill().expect("it can be killed");
        child.wait().expect("it is dead");
        if lines > 1 {
            let kept = read(&folder.path().join(&file));
            let kept = kept.iter().filter(|byte| **byte == b'\n').count();
            assert!(kept >= lines, "what was told of is kept: {kept} of {lines}");
        }
        resumed_is_whole(folder.path(), &file, &whole);
    }
}

#[test]
fn a_file_that_was_torn_anywhere_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let length = whole.1.len();
    let ends: Vec<usize> = (0..length).filter(|at| whole.1[*at] == b'\n').collect();
    // Within the head, around ends of lines, and in the middle of some.
    let around = [ends[0], ends[1], ends[2], ends[CASES]].map(|end| [end - 1, end, end + 1]);
    let places = [0, 1, ends[0] / 2, length / 2, length / 3, length - 9];
    for at in places.into_iter().chain(around.into_iter().flatten()).filter(|at| *at < length) {
        let file = format!("torn-{at}.jsonl");
        fs::write(folder.path().join(&file), &whole.1[..at]).unwrap();
        resumed_is_whole(folder.path(), &file, &whole);
    }
}

/// The command under a shell's limit of so many blocks of 512 bytes a file.
#[cfg(unix)]
fn limited(folder: &Path, file: &str, blocks: usize, at_the_limit: &str) -> Ended {
    let words = [&CAMPAIGN[..], &[&format!("--results={file}")]].concat().join(" ");
    let script = format!(
        "trap {at_the_limit} XFSZ; ulimit -f {blocks}; exec {} {words}",
        env!("CARGO_BIN_EXE_hostmem")
    );
    let mut shell = std::process::Command::new("sh");
    let shell = shell.current_dir(folder).args(["-c", &script]).stdin(Stdio::null());
    shell.output().expect("a shell").into()
}

#[cfg(unix)]
#[test]
fn a_kernel_that_kills_in_the_middle_of_a_line_loses_that_line_alone() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let mut torn = 0;
    for blocks in [1, 2, 5, 11, 23] {
        let file = format!("limit-{blocks}.jsonl");
        // SIGXFSZ as it is: death, after as much of the line as fits.
        let ended = limited(folder.path(), &file, blocks, "-");
        assert_eq!(ended.code, None, "{blocks} blocks: {ended:?}");
        let kept = read(&folder.path().join(&file));
        assert!(whole.1.starts_with(&kept));
        torn += usize::from(kept.last() != Some(&b'\n'));
        resumed_is_whole(folder.path(), &file, &whole);
    }
    assert!(torn > 0, "no line was torn: the test tests nothing");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_what_was_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    // SIGXFSZ ignored: the write fails, as it does where a disk is full.
    let ended = limited(folder.path(), "full.jsonl", 20, "''");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("full.jsonl: cannot be written"), "{ended:?}");
    assert!(ended.stdout.contains("stopped: "), "the report of what was done: {ended:?}");
    assert!(!ended.stdout.contains("digest "), "{ended:?}");
    let kept = read(&folder.path().join("full.jsonl"));
    assert!(kept.last() == Some(&b'\n') && kept.len() > 512, "whole lines are kept");
    resumed_is_whole(folder.path(), "full.jsonl", &whole);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_is_full_is_found_out_about_before_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(folder.path(), &["--results=/dev/full"]);
    ended.is_mistake();
    assert!(ended.stderr.contains("/dev/full: cannot be written"), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_campaign_reports_what_it_did_and_goes_on_later() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let mut child = start(folder.path(), "interrupted.jsonl");
    let mut told = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    for _ in 0..3 {
        told.read_line(&mut line).expect("it tells of its cases");
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("it ends in good order");
    let code = child.wait().expect("it ends").code();
    // It may have been done by the time that the signal came.
    let summary = rest.lines().last().expect("a summary");
    match code {
        Some(130) => assert!(summary.contains(r#""end":"interrupted""#), "{summary}"),
        other => assert_eq!((other, summary.contains(r#""end":"complete""#)), (Some(0), true)),
    }
    resumed_is_whole(folder.path(), "interrupted.jsonl", &whole);
}

#[cfg(unix)]
#[test]
fn two_processes_do_not_write_to_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let endless = ["check", "--backend=model", "--only=random", "--time=1h", "--format=jsonl"];
    let mut child = command()
        .current_dir(folder.path())
        .args(endless)
        .arg("--results=shared.jsonl")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut told = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    told.read_line(&mut line).expect("it has begun");
    let other = hostmem_in(folder.path(), &[&endless[..], &["--resume=shared.jsonl"]].concat());
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    other.is_mistake();
    assert!(other.stderr.contains("another process writes to it"), "{other:?}");
}

#[test]
fn one_and_many_jobs_leave_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    for jobs in [1, 7] {
        let file = format!("with-{jobs}.jsonl");
        let options = [format!("--jobs={jobs}"), format!("--results={file}")];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let words = [&CAMPAIGN[..CAMPAIGN.len() - 1], &options].concat();
        let ended = hostmem_in(folder.path(), &words);
        assert_eq!((&ended.stdout, ended.code), (&whole.0, Some(0)));
        assert_eq!(read(&folder.path().join(&file)), whole.1);
    }
}

#[test]
fn results_of_another_campaign_are_refused_and_the_difference_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    for (options, words) in [
        ("--seed=8", r#"seed is "7" there and "8" here"#),
        ("--ops=31", "ops is 30 there and 31 here"),
        ("--swarm=commit=9", r#"swarm is "" there and "commit=9" here"#),
        ("--strict", "strict is false there and true here"),
        ("--shard=1/2", r#"shards is ["1/1"] there and ["1/2"] here"#),
    ] {
        let name = options.split('=').next().expect("a name");
        let kept: Vec<&str> = CAMPAIGN.iter().copied().filter(|it| !it.starts_with(name)).collect();
        let ended =
            hostmem_in(folder.path(), &[&kept[..], &[options, "--resume=whole.jsonl"]].concat());
        ended.is_mistake();
        assert!(ended.stderr.contains("whole.jsonl:1: "), "{ended:?}");
        assert!(ended.stderr.contains(words), "expected {words}: {ended:?}");
        let asked = "--backend model --seed 7 --profile wide --ops 30 --cases 24 --only random";
        assert!(ended.stderr.contains(asked), "{ended:?}");
    }
    let again = run(folder.path(), &["--results=whole.jsonl"]);
    again.is_mistake();
    assert!(again.stderr.contains("--resume goes on with them"), "{again:?}");
    assert_eq!(read(&folder.path().join("whole.jsonl")), whole.1, "nothing was changed");
}

#[test]
fn what_is_no_results_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let text = String::from_utf8(whole.1).unwrap();
    let damaged = text.replacen(r#""case":2,"#, r#""case":"two","#, 1);
    let twice = format!("{text}{}\n", text.lines().nth(3).unwrap());
    for (content, words) in [
        ("my notes, without an end of line", "notes.jsonl:1: this is none"),
        ("my notes\n", "notes.jsonl:1: this is none"),
        (&damaged, "notes.jsonl:4: this is no line of results"),
        (&twice, "notes.jsonl:26: case 2 on backend 0 twice"),
    ] {
        let path = folder.path().join("notes.jsonl");
        fs::write(&path, content).unwrap();
        let ended = run(folder.path(), &["--resume=notes.jsonl"]);
        ended.is_mistake();
        assert!(ended.stderr.contains(words), "expected {words}: {ended:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content, "nothing was changed");
    }
}

/// Runs the campaign in three parts.
fn parts(folder: &Path) -> [PathBuf; 3] {
    [1, 2, 3].map(|part| {
        let file = format!("part-{part}.jsonl");
        let shard = format!("--shard={part}/3");
        let ended = run(folder, &[&shard, &format!("--results={file}")]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        PathBuf::from(file)
    })
}

fn merge(folder: &Path, files: &[&Path], more: &[&str]) -> Ended {
    let files = files.iter().map(|file| file.to_str().expect("names of this test"));
    let words: Vec<&str> = ["merge"].into_iter().chain(files).chain(more.iter().copied()).collect();
    hostmem_in(folder, &words)
}

#[test]
fn parts_become_the_whole_in_any_order_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(folder.path());
    let [one, two, three] = parts(folder.path());
    let (merged, part) = (Path::new("merged.jsonl"), Path::new("two-of-three.jsonl"));
    let all = ["--output=merged.jsonl", "--coverage", "--verbose"];
    for files in [[&*three, &one, &two], [&two, &two, &one].map(|it| &**it)] {
        let complete = files.contains(&&*three);
        let ended = merge(folder.path(), &files, &all);
        assert_eq!(ended.code, Some(i32::from(!complete)), "{ended:?}");
        if complete {
            assert_eq!(ended.stdout, whole.0, "another report");
            assert_eq!(read(&folder.path().join(merged)), whole.1, "other bytes");
        } else {
            assert!(ended.stdout.contains("partial: shard 3/3 is missing"), "{ended:?}");
            assert!(ended.stderr.contains("part-2.jsonl:2: the same as"), "{ended:?}");
            fs::rename(folder.path().join(merged), folder.path().join(part)).unwrap();
        }
    }
    // Merges, merged: with themselves, with a part that is in them, with what was missing.
    for files in [[part, part, part], [part, &one, &two]] {
        let _ = merge(folder.path(), &files, &all);
        assert_eq!(read(&folder.path().join(merged)), read(&folder.path().join(part)));
    }
    let ended = merge(folder.path(), &[part, &three], &all);
    assert_eq!((ended.code, ended.stdout), (Some(0), whole.0));
    assert_eq!(read(&folder.path().join(merged)), whole.1);
}

#[test]
fn a_merge_tells_what_is_missing_and_what_contradicts() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, three] = parts(folder.path());
    let text = fs::read_to_string(folder.path().join(&two)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("short.pressurel", format!("{}\n{}\n{}", lines[0], lines[1], &lines[2][..40]));
    write("wrong.jsonl", text.replacen(r#""word":"agrees""#, r#""word":"broken""#, 1));
    write("other.jsonl", text.replacen(r#""seed":"7""#, r#""seed":"9""#, 1));
    write("stray.jsonl", text.replacen(r#""case":1,"#, r#""case":3,"#, 1));
    let with = |file: &str| merge(folder.path(), &[&one, &two, &three, Path::new(file)], &[]);
    let ended = merge(folder.path(), &[&one, Path::new("short.pressurel"), &three], &[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("short.pressurel: shard 2/3 has 1 of 8 results"), "{ended:?}");
    assert!(ended.stderr.contains("short.pressurel: a torn last line"), "{ended:?}");
    for (file, words) in [
        ("wrong.jsonl", "wrong.jsonl:2: case 1 on backend 0 contradicts part-2.jsonl:2"),
        ("other.jsonl", r#"other.jsonl:1: not of the campaign of part-1.jsonl: seed is "9""#),
        ("stray.jsonl", "stray.jsonl:2: case 3 is not of the part"),
        ("absent.jsonl", "absent.jsonl: cannot be read"),
    ] {
        let ended = with(file);
        ended.is_mistake();
        assert!(ended.stderr.contains(words), "expected {words}: {ended:?}");
    }
}

#[test]
fn a_campaign_that_ends_with_its_first_failure_is_merged_as_one_run_of_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    // Caught in a case of the first half; the second half goes on for longer.
    let backend = "--backend=canary:reserve-returns-page";
    let others = CAMPAIGN.iter().copied().filter(|it| !it.starts_with("--backend"));
    let words: Vec<&str> = others.chain([backend, "--fail-fast"]).collect();
    let whole = hostmem_in(folder.path(), &[&words[..], &["--results=whole.jsonl"]].concat());
    assert_eq!(whole.code, Some(2), "{whole:?}");
    let files = ["1/2", "2/2"].map(|shard| {
        let file = format!("{}.jsonl", &shard[..1]);
        let options = [format!("--shard={shard}"), format!("--results={file}")];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let _ = hostmem_in(folder.path(), &[&words[..], &options].concat());
        PathBuf::from(file)
    });
    let ended = merge(folder.path(), &[&files[1], &files[0]], &["--output=merged.jsonl"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(read(&folder.path().join("merged.jsonl")), read(&folder.path().join("whole.jsonl")));
}
