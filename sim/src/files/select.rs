//! `--only` and `--skip`: a rule id selects the scenarios that prove it, anything else is a
//! glob over the names of cases, or the folder that they are in.
//!
//! Random cases have names too (`random/PROFILE/INDEX`), so `--only random` and
//! `--skip 'random/**'` mean what they say.
//!
//! Deliberately not here: the cases themselves.

use globset::{Glob, GlobMatcher};

use crate::law;

/// What a user selects.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    only: Vec<Pattern>,
    skip: Vec<Pattern>,
}

#[derive(Clone, Debug)]
enum Pattern {
    Rule(String),
    Path { itself: GlobMatcher, below: GlobMatcher },
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// It looks like a rule, but there is none.
    #[error("there is no rule {0}{hint}; `hostmem list rules` prints them all", hint =
            .1.map(|rule| format!(" (did you mean {rule}?)")).unwrap_or_default())]
    NoRule(String, Option<&'static str>),
    /// It is no glob.
    #[error("`{0}` is neither a rule nor a path pattern: {1}")]
    NoGlob(String, String),
}

impl Selection {
    /// The selection of those options.
    ///
    /// # Errors
    /// The first pattern that cannot be one.
    pub fn new(only: &[String], skip: &[String]) -> Result<Self, SelectError> {
        let patterns = |texts: &[String]| -> Result<Vec<Pattern>, SelectError> {
            texts.iter().map(|text| Pattern::new(text)).collect()
        };
        Ok(Self { only: patterns(only)?, skip: patterns(skip)? })
    }

    /// Whether a case of that name, which proves those rules, is selected.
    #[must_use]
    pub fn selects(&self, name: &str, rules: &[String]) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|one| one.matches(name, rules));
        (self.only.is_empty() || any(&self.only)) && !any(&self.skip)
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, SelectError> {
        if let Some(rule) = law::named(text) {
            return Ok(Self::Rule(rule.id.to_owned()));
        }
        if looks_like_rule(text) {
            return Err(SelectError::NoRule(text.to_owned(), law::closest(text)));
        }
        let glob = |text: &str| {
            let glob = Glob::new(text).map_err(|error| error.kind().to_string());
            glob.map_err(|why| SelectError::NoGlob(text.to_owned(), why))
        };
        let folder = format!("{}/**", text.trim_end_matches('/'));
        Ok(Self::Path {
            itself: glob(text)?.compile_matcher(),
            below: glob(&folder)?.compile_matcher(),
        })
    }

    fn matches(&self, name: &str, rules: &[String]) -> bool {
        match self {
            Self::Rule(rule) => rules.contains(rule),
            Self::Path { itself, below } => {
                let short = name.strip_prefix("scenarios/").unwrap_or(name);
                [name, short].iter().any(|name| itself.is_match(name) || below.is_match(name))
            }
        }
    }
}

/// Two or more capitals, a dash, a digit: no file is called that.
fn looks_like_rule(text: &str) -> bool {
    let Some((letters, digits)) = text.split_once('-') else { return false };
    letters.len() >= 2
        && letters.bytes().all(|byte| byte.is_ascii_uppercase())
        && digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(only: &[&str], skip: &[&str], name: &str, rules: &[&str]) -> bool {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let selection = Selection::new(&owned(only), &owned(skip)).unwrap();
        selection.selects(name, &owned(rules))
    }

    #[test]
    fn nothing_said_selects_everything() {
        assert!(selects(&[], &[], "scenarios/free/a.json", &[]));
    }

    #[test]
    fn a_rule_selects_what_proves_it() {
        assert!(selects(&["VF-01"], &[], "scenarios/free/a.json", &["VF-01", "VF-02"]));
        assert!(!selects(&["VF-01"], &[], "scenarios/free/a.json", &["VF-02"]));
        assert!(!selects(&[], &["vf-01"], "scenarios/free/a.json", &["VF-01"]));
    }

    #[test]
    fn a_path_selects_a_file_a_folder_or_a_glob() {
        for only in ["scenarios/free/a.json", "scenarios/free", "free/", "free/*", "**/a.json"] {
            assert!(selects(&[only], &[], "scenarios/free/a.json", &[]), "{only}");
        }
        assert!(!selects(&["fre"], &[], "scenarios/free/a.json", &[]));
        assert!(selects(&["random"], &[], "random/clr/17", &[]));
    }

    #[test]
    fn skip_beats_only() {
        assert!(!selects(&["free"], &["**/a.json"], "scenarios/free/a.json", &[]));
    }

    #[test]
    fn a_wrong_rule_or_glob_is_named() {
        let error = Selection::new(&["VF-9999".to_owned()], &[]).unwrap_err();
        assert!(error.to_string().starts_with("there is no rule VF-9999"), "{error}");
        let error = Selection::new(&[], &["a[".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`a[`"), "{error}");
    }
}
