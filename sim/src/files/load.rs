//! Reads scenario files: `.json`, `.json.zst`, and folders of them, recursively and in order
//! of their paths, so that a run is the same on every machine.
//!
//! A file may come from a stranger: nothing is read beyond the limits of the format, and a
//! small compressed file that unpacks to more than that is refused before it fills the memory.
//!
//! Deliberately not here: the format's own errors, which come with line and column.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hostmem_interface::scenario::{self, MAX_JSON, ReadError, Scenario};

use super::{NamedScenario, builtin};
use crate::report::Suite;

/// Why a scenario could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file, folder or built-in scenario.
    #[error("{0}: no such file or folder, and no built-in scenario of that name")]
    Missing(String),
    /// The system refused.
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// What was read.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The compressed data is damaged.
    #[error("{path}: not zstd data, or damaged: {source}; expected a scenario packed with zstd")]
    Packed {
        /// What was read.
        path: String,
        /// What the decompressor said.
        source: io::Error,
    },
    /// There is more text than a scenario may have.
    #[error("{0}: more than 256 MiB of text{1}; expected a scenario, which has at most that much")]
    TooLong(String, &'static str),
    /// The text is no scenario.
    #[error("{path}:{line}:{column}: {message}", line = error.position.line,
            column = error.position.column, message = error.message)]
    Scenario {
        /// What was read.
        path: String,
        /// Where and why.
        error: ReadError,
    },
    /// A folder without scenarios.
    #[error("{0}: no scenario in this folder; expected files that end in .json or .json.zst")]
    NoScenarios(String),
}

/// Reads everything that `path` names: a file, a folder, or a built-in scenario or folder of
/// them where there is no such file.
///
/// # Errors
/// The first thing that cannot be read.
pub fn load(path: &str) -> Result<Vec<NamedScenario>, FileError> {
    let named = |path: &Path| {
        let scenario = read_file(path)?;
        Ok(NamedScenario { name: shown(path), suite: Suite::Files, scenario })
    };
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => find(path)?.iter().map(|path| named(path)).collect(),
        Ok(_) => Ok(vec![named(Path::new(path))?]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let found = builtin::below(path)?;
            if found.is_empty() { Err(FileError::Missing(path.to_owned())) } else { Ok(found) }
        }
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// The paths of the scenario files that `path` names; of built-in ones none.
///
/// # Errors
/// If there are none.
pub fn find(path: &str) -> Result<Vec<PathBuf>, FileError> {
    let missing = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FileError::Missing(path.to_owned()),
        _ => FileError::Read { path: path.to_owned(), source },
    };
    if !fs::metadata(path).map_err(missing)?.is_dir() {
        return Ok(vec![PathBuf::from(path)]);
    }
    let mut found = Vec::new();
    walk(Path::new(path), &mut found)?;
    if found.is_empty() {
        return Err(FileError::NoScenarios(path.to_owned()));
    }
    found.sort();
    Ok(found)
}

/// Collects scenario files. Links to folders are not followed: they may form circles.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let wrong = |source| FileError::Read { path: shown(folder), source };
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(wrong)?.is_dir() {
            walk(&path, found)?;
        } else if name.ends_with(".json") || name.ends_with(".json.zst") {
            found.push(path);
        }
    }
    Ok(())
}

/// A path as reports show it: with the same separator everywhere.
#[must_use]
pub fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if cfg!(windows) { text.replace('\\', "/") } else { text }
}

/// Reads one scenario file.
///
/// # Errors
/// Why it is none.
pub fn read_file(path: &Path) -> Result<Scenario, FileError> {
    let text = read_text(path)?;
    scenario::read(&text).map_err(|error| FileError::Scenario { path: shown(path), error })
}

/// Reads the text of a scenario file, unpacked.
///
/// # Errors
/// Why there is none.
pub fn read_text(path: &Path) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|source| FileError::Read { path: shown(path), source })?;
    read_limited(file, &shown(path))
}

/// Reads the text of a scenario that is called `name`, unpacked if the name says so.
///
/// # Errors
/// Why there is none.
pub(super) fn read_limited(from: impl Read, name: &str) -> Result<Vec<u8>, FileError> {
    if !is_packed(name) {
        let wrong = |source| FileError::Read { path: name.to_owned(), source };
        return up_to_limit(from).map_err(wrong)?.ok_or(FileError::TooLong(name.to_owned(), ""));
    }
    let wrong = |source| FileError::Packed { path: name.to_owned(), source };
    let unpacked = zstd::Decoder::new(from).map_err(wrong)?;
    let text = up_to_limit(unpacked).map_err(wrong)?;
    text.ok_or(FileError::TooLong(name.to_owned(), " when unpacked"))
}

/// Whether a file of that name is packed with zstd.
#[must_use]
pub fn is_packed(name: &str) -> bool {
    name.ends_with(".zst")
}

fn up_to_limit(from: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    // One byte more than the limit tells "too long" from "just fits".
    from.take(MAX_JSON + 1).read_to_end(&mut text)?;
    Ok((text.len() as u64 <= MAX_JSON).then_some(text))
}
