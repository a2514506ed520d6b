//! Every scenario of the repository on the model: each step lawful and as expected, and each
//! rule that a file names reached.
//!
//! Deliberately not here: packed files (`.json.zst`), which `hostmem check` replays.

use std::collections::BTreeSet;
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

/// The model does what every scenario expects, and each rule that decides anything decides a
/// step of some file that names it.
#[test]
fn the_model_agrees_with_every_scenario() {
    let mut wrong = Vec::new();
    let mut proven: BTreeSet<RuleId> = BTreeSet::new();
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    for path in paths {
        let name = path.strip_prefix(folder()).expect("a file of the folder").display().to_string();
        let text = fs::read(&path).expect("a readable file");
        let scenario = read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let named = |id: &String| RuleId::named(id).unwrap_or_else(|| panic!("{name} names {id}"));
        let named: BTreeSet<RuleId> = scenario.rules.iter().map(named).collect();
        match replay(&scenario) {
            Ok(reached) => proven.extend(named.intersection(&reached)),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    let decides = |rule: &RuleId| rule.rule().proof == Proof::Decided;
    let unproven = RuleId::all().filter(|rule| decides(rule) && !proven.contains(rule));
    wrong.extend(unproven.map(|rule| format!("{rule} decides no step of a file that names it")));
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
