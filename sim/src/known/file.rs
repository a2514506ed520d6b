//! The file of a list: JSON that people read and explain by hand.
//!
//! ```json
//! { "format": "hostmem-differences/1", "subject": "win32 Wine 8.0", "differences": [
//!   { "rule": "VA-44", "level": "should", "expected": "…", "observed": "…", "why": "…",
//!     "scenario": { "format": "hostmem/1", … } } ] }
//! ```
//!
//! Deliberately not here: any other format of scenarios than the usual one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hostmem_interface::scenario::{self, Level};
use serde::Deserialize;

use super::{Difference, KnownList};
use crate::files;
use crate::law;

/// The one version of the format.
pub const FORMAT: &str = "hostmem-differences/1";

/// Why a file is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct KnownError {
    path: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    subject: String,
    differences: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    level: String,
    expected: String,
    observed: String,
    why: String,
    scenario: serde_json::Value,
}

/// Reads a list from the bytes of a file.
///
/// # Errors
/// The first thing in it that is not as it should be.
pub fn read(path: &str, bytes: &[u8]) -> Result<KnownList, KnownError> {
    let wrong = |message: String| KnownError { path: path.to_owned(), message };
    let file: File = serde_json::from_slice(bytes).map_err(|error| KnownError {
        path: format!("{path}:{}:{}", error.line(), error.column()),
        message: error.to_string(),
    })?;
    if file.format != FORMAT {
        return Err(wrong(format!("found format \"{}\"; expected \"{FORMAT}\"", file.format)));
    }
    let mut differences = Vec::new();
    for (at, entry) in file.differences.into_iter().enumerate() {
        let known = difference(entry);
        differences.push(known.map_err(|why| wrong(format!("difference {}: {why}", at + 1)))?);
    }
    Ok(KnownList { path: path.to_owned(), subject: file.subject, differences })
}

fn difference(entry: Entry) -> Result<Difference, String> {
    let Entry { rule, level, expected, observed, why, scenario } = entry;
    if law::named(&rule).is_none() {
        return Err(format!("there is no rule `{rule}`"));
    }
    let levels = [Level::Must, Level::Should, Level::May];
    let level = levels.into_iter().find(|known| known.name() == level);
    let level = level.ok_or("expected the level must, should or may")?;
    let text = scenario.to_string();
    let scenario = scenario::read(text.as_bytes())
        .map_err(|error| format!("its scenario: {}", error.message))?;
    Ok(Difference { rule, level, expected, observed, why, scenario })
}

/// Reads a list from disk.
///
/// # Errors
/// If there is none, or it is damaged.
pub fn load(path: &Path) -> Result<KnownList, KnownError> {
    let shown = files::load::shown(path);
    let bytes = fs::read(path).map_err(|error| unusable(path, &error))?;
    read(&shown, &bytes)
}

/// The file of an implementation in a folder of lists.
#[must_use]
pub fn path(folder: &Path, implementation: &str) -> PathBuf {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = implementation.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    folder.join(format!("{name}.json"))
}

/// Writes a list to disk, and the folders above it; an empty one removes its file.
///
/// # Errors
/// If that cannot be done; then the file is as it was.
pub fn store(path: &Path, list: &KnownList) -> Result<(), KnownError> {
    if list.differences.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(path, &error)),
            _ => Ok(()),
        };
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
    }
    files::write::bytes(path, write(list).as_bytes()).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn std::error::Error) -> KnownError {
    KnownError { path: files::load::shown(path), message: why.to_string() }
}

/// The text of a list.
#[must_use]
pub fn write(list: &KnownList) -> String {
    let entries: Vec<String> = list.differences.iter().map(entry).collect();
    format!(
        "{{\n  \"format\": {},\n  \"subject\": {},\n  \"differences\": [{}{}]\n}}\n",
        quote(FORMAT),
        quote(&list.subject),
        entries.join(","),
        if entries.is_empty() { "" } else { "\n  " },
    )
}

fn entry(known: &Difference) -> String {
    let members = [
        ("rule", &*known.rule),
        ("level", known.level.name()),
        ("expected", &known.expected),
        ("observed", &known.observed),
        ("why", &known.why),
    ];
    let mut text = "\n    {\n".to_owned();
    for (name, value) in members {
        text.push_str(&format!("      \"{name}\": {},\n", quote(value)));
    }
    let scenario = scenario::write(&known.scenario);
    let scenario = scenario.trim_end().replace('\n', "\n      ");
    text.push_str(&format!("      \"scenario\": {scenario}\n    }}"));
    text
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let text = br#"{ "format": "hostmem/1", "about": "a", "steps": [
            { "call": "VirtualAlloc", "address": null, "size": 1, "type": "MEM_RESERVE",
              "protect": "PAGE_NOACCESS", "bind": "p" }] }"#;
        let known = Difference {
            rule: "VA-01".to_owned(),
            level: Level::May,
            expected: "refused: \"87\"".to_owned(),
            observed: "ok".to_owned(),
            why: String::new(),
            scenario: scenario::read(text).unwrap(),
        };
        for differences in [vec![], vec![known.clone()], vec![known.clone(), known]] {
            let list = KnownList { path: "l.json".into(), subject: "toy 1".into(), differences };
            let text = write(&list);
            let back = read("l.json", text.as_bytes()).unwrap();
            assert_eq!(write(&back), text);
            assert_eq!(back.differences.len(), list.differences.len());
        }
    }

    #[test]
    fn what_is_no_list_is_told_with_its_place() {
        let error = |text: &str| read("l.json", text.as_bytes()).unwrap_err().to_string();
        assert!(error("").starts_with("l.json:1:0: "));
        assert!(error(r#"{"format":"x","subject":"s","differences":[]}"#).contains("expected"));
        let entry = r#"{"format":"hostmem-differences/1","subject":"s","differences":[
            {"rule":"ZZ-99","level":"must","expected":"","observed":"","why":"","scenario":{}}]}"#;
        assert!(error(entry).contains("difference 1: there is no rule `ZZ-99`"));
    }
}
