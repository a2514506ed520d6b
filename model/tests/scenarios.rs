//! Every scenario of the repository on the model: each step lawful and as expected, and each
//! rule that a file names reached.
//!
//! Deliberately not here: packed files (`.json.zst`), which `hostmem check` replays.

use std::fs;
use std::path::{Path, PathBuf};

use hostmem_interface::scenario::read;
use hostmem_model::rule::Proof;
use hostmem_model::{RULES, RuleId};

use crate::driver::replay;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// Every file with the ending, in order of its path.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|it| it == "json") {
            into.push(path);
        }
    }
}

/// Rules of which the judge or a notification tells, and never a reading of `decide`.
fn judged_elsewhere(id: &str) -> bool {
    id.starts_with("HR-") || matches!(id, "RS-01" | "NT-02")
}

/// The model does what every scenario expects, and the rules that a file names decide in it.
#[test]
fn the_model_agrees_with_every_scenario() {
    let mut wrong = Vec::new();
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    for path in paths {
        let name = path.strip_prefix(folder()).expect("a file of the folder").display().to_string();
        let text = fs::read(&path).expect("a readable file");
        let scenario = read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let reached = match replay(&scenario) {
            Ok(reached) => reached,
            Err(why) => {
                wrong.push(format!("{name}: {why}"));
                continue;
            }
        };
        for id in &scenario.rules {
            let rule = RuleId::named(id).unwrap_or_else(|| panic!("{name} names {id}"));
            let decides = rule.rule().proof == Proof::Decided && !judged_elsewhere(id);
            if decides && !reached.contains(&rule) {
                wrong.push(format!("{name}: {id} decided nothing"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table finds each rule under its own id, in its own place.
#[test]
fn rules_are_found_by_their_id() {
    for (at, (rule, row)) in RuleId::all().zip(RULES).enumerate() {
        assert_eq!((rule.index(), rule.rule().id), (at, row.id));
        assert_eq!(RuleId::named(row.id), Some(rule));
        assert_eq!(
            (format!("{rule}"), format!("{rule:?}")),
            (row.id.to_owned(), row.id.to_owned())
        );
    }
    assert_eq!(RuleId::all().count(), RULES.len());
    assert_eq!(RuleId::named("VA-99"), None);
}
