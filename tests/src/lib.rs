//! What the tests of this crate share: the repository's files and its scenarios.
//!
//! Deliberately not here: anything that a test is about.

pub mod shape;

use std::fs;
use std::path::{Path, PathBuf};

use hostmem_interface::scenario::Scenario;
use hostmem_interface::scenario::read::read;

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the root").to_owned()
}

/// Every file below a folder of the repository whose name ends so, sorted; build products
/// and git's own files apart.
#[must_use]
pub fn files(below: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(below), ending, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with(".git") && !name.starts_with("mutants.out") {
                collect(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// A path as it is written from the root.
#[must_use]
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

/// Every scenario that ships, by its path; recordings too.
///
/// # Panics
/// If one cannot be read: that is what the tests are for.
#[must_use]
pub fn scenarios() -> Vec<(String, Scenario)> {
    let plain = files("scenarios", ".json").into_iter().map(|path| {
        let text = fs::read(&path).expect("a readable file");
        (path, text)
    });
    let packed = files("scenarios", ".json.zst").into_iter().map(|path| {
        let file = fs::File::open(&path).expect("a readable file");
        let text = zstd::decode_all(file).expect("a compressed file");
        (path, text)
    });
    plain
        .chain(packed)
        .map(|(path, text)| {
            let name = relative(&path);
            let scenario = read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, scenario)
        })
        .collect()
}
