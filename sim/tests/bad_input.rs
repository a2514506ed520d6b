//! Every kind of bad input ends with exit code 1 and one line that says where, what is wrong
//! and what was expected.

mod command;

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use command::{Ended, GOOD, hostmem};
use tempfile::TempDir;

/// Replays a file of that name and content; the folder lives as long as the result.
fn replay(name: &str, content: &[u8]) -> (TempDir, PathBuf, Ended) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("room for a small file");
    let name = path.to_str().expect("a name in UTF-8");
    let ended = hostmem(&["replay", name, "--backend", "model"]);
    (folder, path, ended)
}

#[track_caller]
fn check(name: &str, content: &[u8], place: &str, words: &[&str]) {
    let (_folder, path, ended) = replay(name, content);
    ended.is_mistake();
    let start = format!("hostmem: {}{place}", path.display());
    assert!(ended.stderr.starts_with(&start), "expected {start:?}, got {:?}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "expected {word:?} in {:?}", ended.stderr);
    }
}

#[track_caller]
fn check_changed(from: &str, to: &str, place: &str, words: &[&str]) {
    assert!(GOOD.contains(from), "{from:?} is in the good file");
    check("changed.json", GOOD.replace(from, to).as_bytes(), place, words);
}

#[test]
fn the_good_file_is_good() {
    let (_folder, _, ended) = replay("good.json", GOOD.as_bytes());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn not_json() {
    check("a.json", b"steps: none\n", ":1:1: ", &["expected"]);
    check("a.json", &GOOD.as_bytes()[..60], ":3:", &["not valid JSON"]);
}

#[test]
fn an_empty_file() {
    check("a.json", b"", ":1:1: ", &["empty", "expected"]);
    check("a.json", b" \n\n", ":", &["empty", "expected"]);
}

#[test]
fn a_binary_file() {
    check("a.json", &[0, 159, 146, 150, 0, 1, 2], ":1:", &["expected"]);
    check("a.json", b"\x7fELF\x02\x01\x01\0\0\0", ":1:1: ", &["expected"]);
}

#[test]
fn the_wrong_version_of_the_format() {
    check_changed("hostmem/1", "hostmem/2", ":2:", &["hostmem/2", "hostmem/1"]);
}

#[test]
fn an_unknown_call() {
    check_changed("VirtualAlloc", "VirtualAllocate", ":5:", &["VirtualAllocate"]);
}

#[test]
fn an_unknown_member() {
    check_changed("\"about\"", "\"abuot\"", ":3:", &["abuot"]);
}

#[test]
fn an_unknown_flag() {
    check_changed("MEM_RESERVE", "MEM_RESERV", ":5:", &["MEM_RESERV"]);
}

#[test]
fn a_name_used_before_it_is_bound() {
    check_changed("null", "\"q+0x10\"", ":5:", &["q"]);
}

#[test]
fn a_number_beyond_64_bits() {
    check_changed("\"0x10000\"", "\"0x10000000000000000\"", ":5:", &["64 bits"]);
    check_changed("\"0x10000\"", "18446744073709551616", ":5:", &["64 bits"]);
}

#[test]
fn a_compression_bomb() {
    let bomb = zstd::encode_all(io::repeat(b' ').take(300 << 20), 1).unwrap();
    assert!(bomb.len() < 1 << 20, "a bomb is small");
    check("a.json.zst", &bomb, ": more than 256 MiB", &["unpacked", "expected"]);
}

#[test]
fn damaged_compressed_data() {
    check("a.json.zst", GOOD.as_bytes(), ": not zstd data", &["expected"]);
    let packed = zstd::encode_all(GOOD.as_bytes(), 1).unwrap();
    check("a.json.zst", &packed[..packed.len() - 9], ": not zstd data, or damaged", &["expected"]);
    // Packed, but not named so.
    check("a.json", &packed, ":1:1: ", &["zstd"]);
}

#[test]
fn a_folder_without_scenarios() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
    let ended = hostmem(&["replay", folder.path().to_str().unwrap()]);
    ended.is_mistake();
    assert!(ended.stderr.contains("no scenario in this folder; expected"), "{}", ended.stderr);
}

#[test]
fn a_bad_file_in_a_folder_is_named() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("a.json"), GOOD).unwrap();
    fs::write(folder.path().join("inner/b.json"), "{").unwrap();
    let ended = hostmem(&["replay", folder.path().to_str().unwrap()]);
    ended.is_mistake();
    assert!(ended.stderr.contains("inner/b.json:1:2: "), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_not_there() {
    let ended = hostmem(&["replay", "no/such/file.json"]);
    ended.is_mistake();
    assert!(ended.stderr.contains("no/such/file.json: no such file"), "{}", ended.stderr);
}

#[test]
fn a_library_that_is_none() {
    let ended = hostmem(&["check", "--backend", "com:Cargo.toml"]);
    ended.is_mistake();
    assert!(ended.stderr.contains("Cargo.toml is no shared library"), "{}", ended.stderr);
}

#[test]
fn an_unreadable_file() {
    // A folder's own name with a file's ending: no permission bits needed, root reads anything.
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.json");
    fs::write(&path, GOOD).unwrap();
    let inside = path.join("b.json");
    let ended = hostmem(&["replay", inside.to_str().unwrap()]);
    ended.is_mistake();
    assert!(ended.stderr.contains("b.json: "), "{}", ended.stderr);
}

#[test]
fn a_byte_that_may_not_be_run_is_unreadable_input() {
    let steps = r#""bind": "p", "expect": "ok" },
      { "call": "VirtualAlloc", "address": "p", "size": 4096, "type": "MEM_COMMIT",
        "protect": "PAGE_EXECUTE_READWRITE" },
      { "call": "Execute", "address": "p" }"#;
    let text = GOOD.replace("\"bind\": \"p\", \"expect\": \"ok\" }", steps);
    let (_folder, path, ended) = replay("a.json", text.as_bytes());
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let place = format!("{}:9:", path.display());
    assert!(ended.stderr.contains(&place), "{}", ended.stderr);
}

#[test]
fn mistakes_in_the_command_line() {
    let cases: [(&[&str], &str); 12] = [
        (&[], "Usage"),
        (&["chekc"], "chekc"),
        (&["check", "--sede", "1"], "--sede"),
        (&["check", "--seed", "one"], "40-digit commit id"),
        (&["check", "--time", "soon"], "such as 30s"),
        (&["check", "--shard", "3/2"], "k/n"),
        (&["check", "--jobs", "0"], "'0'"),
        (&["check", "--backend", "modle"], "expected one of: model"),
        (&["check", "--profile", "nothing-like-it"], "nothing-like-it"),
        (&["check", "--only", "VA-9999"], "there is no rule VA-9999"),
        (&["check", "--only", "no/such/path"], "no case is selected"),
        (&["explain", "VF-1"], "did you mean VF-01?"),
    ];
    for (arguments, words) in cases {
        let ended = hostmem(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_requirement_that_nothing_can_miss() {
    let (folder, path, _) = replay("a.json", GOOD.as_bytes());
    let path = path.to_str().unwrap();
    let ended = hostmem(&["replay", path, "-b", "model", "--require", "write-wotch"]);
    ended.is_mistake();
    assert!(ended.stderr.contains("write-watch"), "{}", ended.stderr);
    drop(folder);
}

/// It would be given to Wine again and again, in a prefix beside it.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_no_program_of_windows() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("hostmem.exe");
    fs::write(&path, "#!/bin/sh\n").expect("room for a small file");
    let backend = format!("wine:{}", path.display());
    let ended = hostmem(&["check", "--backend", &backend, "--only", "VA-01"]);
    ended.is_mistake();
    assert!(ended.stderr.contains("not a Windows program"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing beside it");
}
