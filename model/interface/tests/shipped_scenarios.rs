//! The scenarios that ship with hostmem are readable, canonical, and as the schema says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hostmem_interface::scenario::{self, Action};
use hostmem_interface::{AllocationType, Call};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is part of the repository") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            into.push(path);
        }
    }
}

#[test]
fn each_one_is_readable_canonical_and_satisfies_the_schema() {
    let schema = jsonschema::validator_for(&scenario::schema()).unwrap();
    let mut list = Vec::new();
    files(&folder(), &mut list);
    assert!(list.len() > 200, "only {} scenarios", list.len());
    for path in list {
        let text = fs::read_to_string(&path).unwrap();
        let scenario = match scenario::read(text.as_bytes()) {
            Ok(scenario) => scenario,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        assert!(scenario::write(&scenario) == text, "{}: not canonical", path.display());
        let json = serde_json::from_str(&text).unwrap();
        assert!(schema.is_valid(&json), "{}: not as the schema says", path.display());
    }
}

#[test]
fn each_law_is_stated_once_in_its_folder_and_with_its_source() {
    let mut list = Vec::new();
    files(&folder(), &mut list);
    let mut stated = BTreeSet::new();
    for path in list {
        let scenario = scenario::read(&fs::read(&path).unwrap()).unwrap();
        let name = path.display();
        assert!(scenario.source.is_some(), "{name}: no source");
        assert!(!scenario.about.ends_with('.'), "{name}: a sentence without its full stop");
        assert!(
            stated.insert((path.parent().map(Path::to_owned), scenario.about)),
            "{name}: again"
        );
    }
}

#[test]
fn each_one_takes_a_hole_and_not_a_guess() {
    let mut list = Vec::new();
    files(&folder(), &mut list);
    for path in list {
        let scenario = scenario::read(&fs::read(&path).unwrap()).unwrap();
        let guesses = scenario.steps.iter().filter(|step| {
            let Action::Call(Call::VirtualAlloc { address, kind, .. }) = &step.action else {
                return false;
            };
            let succeeds = step
                .expect
                .as_ref()
                .is_some_and(|expect| matches!(expect.outcome, scenario::Expected::Done(_)));
            let absolute = matches!(address, scenario::Place::Absolute(at) if !at.is_null());
            absolute && succeeds && kind.contains(AllocationType::RESERVE)
        });
        assert_eq!(guesses.count(), 0, "{}: an absolute address is reserved", path.display());
    }
}
