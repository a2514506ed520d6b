//! The scenarios that are part of the binary, so that `hostmem check` needs nothing beside it.
//!
//! Their names are their paths in the repository: where that is checked out, the same name
//! finds the file on disk.
//!
//! Deliberately not here: what the folders mean (`scenarios/README.md`).

use include_dir::{Dir, include_dir};

use hostmem_interface::scenario;

use super::NamedScenario;
use super::load::{FileError, read_limited};
use crate::report::Suite;

static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios");

/// One embedded file.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Its path in the repository.
    pub name: String,
    /// Where it belongs.
    pub suite: Suite,
    bytes: &'static [u8],
}

impl Builtin {
    /// Reads it.
    ///
    /// # Errors
    /// If it is no scenario, which a test rules out.
    pub fn read(&self) -> Result<NamedScenario, FileError> {
        let text = read_limited(self.bytes, &self.name)?;
        let scenario = scenario::read(&text)
            .map_err(|error| FileError::Scenario { path: self.name.clone(), error })?;
        Ok(NamedScenario { name: self.name.clone(), suite: self.suite, scenario })
    }
}

/// Every built-in scenario: regressions, scenarios, recordings, and by path within each.
#[must_use]
pub fn all() -> Vec<Builtin> {
    let mut found = Vec::new();
    collect(&FOLDER, &mut found);
    found.sort_by(|a, b| (a.suite, &a.name).cmp(&(b.suite, &b.name)));
    found
}

fn collect(folder: &'static Dir<'static>, found: &mut Vec<Builtin>) {
    for file in folder.files() {
        let path = file.path().to_string_lossy().replace('\\', "/");
        if path.ends_with(".json") || path.ends_with(".json.zst") {
            let suite = suite(&path);
            found.push(Builtin {
                name: format!("scenarios/{path}"),
                suite,
                bytes: file.contents(),
            });
        }
    }
    for inner in folder.dirs() {
        collect(inner, found);
    }
}

fn suite(path: &str) -> Suite {
    match path.split('/').next() {
        Some("regressions") => Suite::Regressions,
        Some("clr") => Suite::Recordings,
        _ => Suite::Scenarios,
    }
}

/// The built-in scenario of that name, or all in the folder of that name.
///
/// # Errors
/// If one is no scenario.
pub fn below(name: &str) -> Result<Vec<NamedScenario>, FileError> {
    let folder = format!("{}/", name.trim_end_matches('/'));
    let wanted = |it: &Builtin| it.name == name || it.name.starts_with(&folder);
    all().iter().filter(|it| wanted(it)).map(Builtin::read).collect()
}
