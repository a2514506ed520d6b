//! Differences that are known: a file for each implementation, each difference by rule and
//! scenario, with a reason.
//!
//! The list cannot rot: a difference that is listed and no longer differs fails the run, and
//! `--update-known` writes the file anew, keeping the reasons of what still differs.
//!
//! Deliberately not here: when a difference is one ([`crate::run`]).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::{self, WriteError};
use crate::report::{CaseResult, VerdictWord};

/// The version of the files.
const FORMAT: &str = "hostmem-known/1";
/// The reason of a difference that nobody has looked into.
const UNEXPLAINED: &str = "not yet explained";

/// The file of one implementation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    format: String,
    /// Its name in reports.
    implementation: String,
    differences: Vec<Difference>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The rule that is broken.
    pub rule: String,
    /// The scenario that shows it.
    pub scenario: String,
    /// Why it is so.
    pub reason: String,
}

/// Why a file of known differences is no use.
#[derive(Debug, thiserror::Error)]
pub enum KnownError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    Read(String, io::Error),
    /// It is not of this form.
    #[error("{path}:{}:{}: {error}", .error.line(), .error.column())]
    Form {
        /// The file.
        path: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// It is for something else.
    #[error("{path}: it is `{found}`; expected `{expected}`")]
    Other {
        /// The file.
        path: String,
        /// What it says.
        found: String,
        /// What it must say.
        expected: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The file of an implementation in a folder.
#[must_use]
pub fn path(folder: &Path, implementation: &str) -> PathBuf {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = implementation.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    folder.join(format!("{name}.json"))
}

impl Known {
    /// The known differences of an implementation; none if there is no file.
    ///
    /// # Errors
    /// If there is one that cannot be used.
    pub fn read(folder: &Path, implementation: &str) -> Result<Self, KnownError> {
        let path = path(folder, implementation);
        let shown = path.display().to_string();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(KnownError::Read(shown, error)),
        };
        let known: Self = serde_json::from_slice(&text)
            .map_err(|error| KnownError::Form { path: shown.clone(), error })?;
        for (found, expected) in [(&known.format, FORMAT), (&known.implementation, implementation)]
        {
            if found != expected {
                let (found, expected) = (found.clone(), expected.to_owned());
                return Err(KnownError::Other { path: shown, found, expected });
            }
        }
        Ok(known)
    }

    /// Marks results that are known as *tolerated*, and those that no longer differ as stale.
    pub fn apply(&self, results: &mut [CaseResult]) {
        let mut known: BTreeMap<&str, &Difference> = BTreeMap::new();
        for difference in &self.differences {
            known.insert(&difference.scenario, difference);
        }
        for result in results {
            let Some(difference) = known.get(&*result.scenario) else { continue };
            let same = result.rule.as_deref() == Some(&*difference.rule);
            match result.word {
                VerdictWord::Diverges if same => {
                    result.word = VerdictWord::Tolerated;
                    result.reason = Some(difference.reason.clone());
                }
                // What a list that ships excuses, and what could not be looked at, may differ.
                VerdictWord::Tolerated | VerdictWord::Skipped => {}
                _ => result.stale = true,
            }
        }
    }

    /// The list as it must be for these results.
    #[must_use]
    pub fn updated(&self, implementation: &str, results: &[CaseResult]) -> Self {
        let reason = |rule: &str, scenario: &str| {
            let same = |it: &&Difference| it.rule == rule && it.scenario == scenario;
            let known = self.differences.iter().find(same);
            known.map_or(UNEXPLAINED, |it| &it.reason).to_owned()
        };
        let differs = |result: &&CaseResult| {
            matches!(result.word, VerdictWord::Diverges | VerdictWord::Tolerated)
        };
        let mut differences: Vec<Difference> = results
            .iter()
            .filter(differs)
            .filter_map(|result| {
                let (rule, scenario) = (result.rule.clone()?, result.scenario.clone());
                Some(Difference { reason: reason(&rule, &scenario), rule, scenario })
            })
            .collect();
        // What could not be looked at this time stays.
        let unseen = |known: &&Difference| {
            let skipped = |it: &CaseResult| it.word == VerdictWord::Skipped;
            let result = results.iter().find(|it| it.scenario == known.scenario);
            result.is_none_or(skipped)
        };
        differences.extend(self.differences.iter().filter(unseen).cloned());
        differences.sort();
        let (format, implementation) = (FORMAT.to_owned(), implementation.to_owned());
        Self { format, implementation, differences }
    }

    /// Writes the file; an empty list removes it.
    ///
    /// # Errors
    /// If that cannot be done; then nothing was changed.
    pub fn write(&self, folder: &Path) -> Result<(), KnownError> {
        let path = path(folder, &self.implementation);
        if self.differences.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(KnownError::Read(path.display().to_string(), error))
                }
                _ => Ok(()),
            };
        }
        fs::create_dir_all(folder)
            .map_err(|error| KnownError::Read(folder.display().to_string(), error))?;
        let mut text = serde_json::to_vec_pretty(self).expect("plain data");
        text.push(b'\n');
        Ok(files::write::bytes(&path, &text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(word: VerdictWord, rule: Option<&str>) -> CaseResult {
        let rule = rule.map(str::to_owned);
        CaseResult { rule, ..CaseResult::new("scenarios/a.json", "toy", word) }
    }

    #[test]
    fn a_known_difference_is_tolerated_and_its_reason_survives_an_update() {
        let first = Known::default();
        let mut results = [result(VerdictWord::Diverges, Some("VA-03"))];
        let mut known = first.updated("toy", &results);
        assert_eq!(known.differences[0].reason, UNEXPLAINED);
        known.differences[0].reason = "its authors chose so".to_owned();
        known.apply(&mut results);
        assert_eq!(results[0].word, VerdictWord::Tolerated);
        assert_eq!(results[0].reason.as_deref(), Some("its authors chose so"));
        assert_eq!(known.updated("toy", &results), known);
    }

    #[test]
    fn one_that_no_longer_differs_or_differs_by_another_rule_is_stale_and_goes() {
        let known =
            Known::default().updated("toy", &[result(VerdictWord::Diverges, Some("VA-03"))]);
        for (word, rule) in [(VerdictWord::Agrees, None), (VerdictWord::Diverges, Some("VA-04"))] {
            let mut results = [result(word, rule)];
            known.apply(&mut results);
            assert!(results[0].stale && results[0].word == word);
        }
        let agrees = [result(VerdictWord::Agrees, None)];
        assert!(known.updated("toy", &agrees).differences.is_empty());
    }

    #[test]
    fn what_was_skipped_is_neither_stale_nor_forgotten() {
        let known =
            Known::default().updated("toy", &[result(VerdictWord::Diverges, Some("VA-03"))]);
        let mut results = [result(VerdictWord::Skipped, None)];
        known.apply(&mut results);
        assert!(!results[0].stale);
        assert_eq!(known.updated("toy", &results), known);
    }

    #[test]
    fn a_file_for_another_implementation_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let known =
            Known::default().updated("toy", &[result(VerdictWord::Diverges, Some("VA-03"))]);
        known.write(folder.path()).unwrap();
        assert_eq!(Known::read(folder.path(), "toy").unwrap(), known);
        fs::copy(path(folder.path(), "toy"), path(folder.path(), "other")).unwrap();
        let error = Known::read(folder.path(), "other").unwrap_err().to_string();
        assert!(error.contains("it is `toy`; expected `other`"), "{error}");
        fs::write(path(folder.path(), "bad"), "{\n  \"format\": 1 }").unwrap();
        let error = Known::read(folder.path(), "bad").unwrap_err().to_string();
        assert!(error.contains("bad.json:2:"), "{error}");
        known.updated("toy", &[result(VerdictWord::Agrees, None)]).write(folder.path()).unwrap();
        assert_eq!(Known::read(folder.path(), "toy").unwrap(), Known::default());
    }
}
