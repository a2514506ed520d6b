//! The recordings that ship with hostmem: they are read, and their names and ranges hold.

use std::fs;
use std::path::Path;

use hostmem_interface::scenario::{Action, read, write};
use hostmem_model::ModelBackend;

use super::replay;
use crate::run::{Ending, run_scenario};

#[test]
fn every_recording_is_canonical_and_agrees_with_the_law() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/clr");
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "zst") {
            continue;
        }
        found += 1;
        let text = zstd::decode_all(&fs::read(&path).unwrap()[..]).unwrap();
        let scenario = read(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(write(&scenario).as_bytes() == text, "{path:?} is not canonical");
        replay::replay(&scenario);
        let outcome = run_scenario(&scenario, "recording", &ModelBackend, &mut |_, _| {});
        assert!(matches!(outcome.ending, Ending::Agrees), "{path:?}: {:?}", outcome.ending);
        let name = path.file_name().unwrap().to_string_lossy();
        let holes = scenario.steps.iter().any(|step| matches!(step.action, Action::Hole { .. }));
        assert_eq!(holes, !name.starts_with("strace-"), "{path:?}");
    }
    assert_eq!(found, 13);
}
