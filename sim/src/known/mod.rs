//! Known differences: where an implementation that hostmem knows differs from the law, each
//! with its rule, a minimal scenario, what was expected, what came, and why.
//!
//! A divergence that a list names is *tolerated* and fails nothing. A list is no licence:
//! `check` replays each entry's scenario too, and an entry that no longer differs fails the
//! run, as does any divergence that no entry names. A list belongs to one implementation in
//! one version, by what the subject says of itself; the comparison knows nothing of lists.
//!
//! Map: this file has the lists and what they excuse; [`mod@file`] reads and writes them,
//! [`update`] makes one from what a run found.
//!
//! Deliberately not here: patterns that excuse more than was seen. Two divergences are the
//! same if they break the same rule and what came is the same but for the numbers in it.

pub mod file;
pub mod update;

use hostmem_interface::scenario::{Level, Scenario};
use include_dir::{Dir, include_dir};

use crate::files::NamedScenario;
use crate::report::{CaseResult, Suite, VerdictWord};
use file::KnownError;

static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../backends/known");
/// Where the built-in lists stand in the repository.
pub const FOLDER_NAME: &str = "backends/known";

/// One known difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The id of the rule that is broken.
    pub rule: String,
    /// How strong the evidence for the rule is.
    pub level: Level,
    /// What the law permits.
    pub expected: String,
    /// What came.
    pub observed: String,
    /// Why, and what is known of it.
    pub why: String,
    /// The smallest case that shows it.
    pub scenario: Scenario,
}

/// The known differences of one implementation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownList {
    /// The file, as it is named to people.
    pub path: String,
    /// Name and version, as the subject tells them.
    pub subject: String,
    /// In the order of the law, by rule.
    pub differences: Vec<Difference>,
}

/// All lists of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(Vec<KnownList>);

impl Known {
    /// The lists that are part of the binary.
    ///
    /// # Errors
    /// If one is damaged, which a test rules out.
    pub fn builtin() -> Result<Self, KnownError> {
        let mut lists = Vec::new();
        for file in
            FOLDER.files().filter(|file| file.path().extension().is_some_and(|it| it == "json"))
        {
            let path = format!("{FOLDER_NAME}/{}", file.path().to_string_lossy());
            lists.push(file::read(&path, file.contents())?);
        }
        Ok(Self(lists))
    }

    /// The same, but for one implementation this list.
    #[must_use]
    pub fn with(mut self, list: KnownList) -> Self {
        self.0.retain(|known| known.subject != list.subject);
        self.0.push(list);
        self
    }

    /// The list of an implementation.
    #[must_use]
    pub fn of(&self, subject: &str) -> Option<&KnownList> {
        self.0.iter().find(|list| list.subject == subject)
    }

    /// Every list.
    #[must_use]
    pub fn lists(&self) -> &[KnownList] {
        &self.0
    }

    /// Makes a divergence that is known a tolerated one.
    pub fn excuse(&self, result: &mut CaseResult) {
        if let Some(list) = self.of(&result.subject) {
            list.excuse(result);
        }
    }
}

impl Difference {
    /// Whether a divergence is this one.
    #[must_use]
    pub fn is_shown_by(&self, result: &CaseResult) -> bool {
        result.rule.as_ref() == Some(&self.rule)
            && result.observed.as_deref().is_some_and(|seen| shape(seen) == shape(&self.observed))
    }

    fn reason(&self, subject: &str) -> String {
        format!("known of {subject}: {}", self.why)
    }

    /// Judges the entry by what came of its own scenario: tolerated if it still differs in the
    /// same way, stale if not.
    fn judge(&self, subject: &str, result: &mut CaseResult) {
        match result.word {
            VerdictWord::Diverges if self.is_shown_by(result) => {
                result.word = VerdictWord::Tolerated;
                result.reason = Some(self.reason(subject));
            }
            VerdictWord::Agrees | VerdictWord::Diverges => {
                result.stale = true;
                result.reason = Some(format!(
                    "the list of known differences says: {}, {}; without that it is out of date",
                    self.rule, self.observed
                ));
            }
            VerdictWord::Tolerated | VerdictWord::Skipped | VerdictWord::Broken => {}
        }
    }
}

impl KnownList {
    /// Makes a divergence that this list names a tolerated one.
    pub fn excuse(&self, result: &mut CaseResult) {
        if result.word != VerdictWord::Diverges || result.self_check {
            return;
        }
        if let Some(known) = self.differences.iter().find(|known| known.is_shown_by(result)) {
            result.word = VerdictWord::Tolerated;
            result.reason = Some(known.reason(&self.subject));
        }
    }

    /// The scenarios of the entries, as cases of a run.
    #[must_use]
    pub fn cases(&self) -> Vec<NamedScenario> {
        let case = |(at, known): (usize, &Difference)| NamedScenario {
            name: format!("{}#{}-{}", self.path, at + 1, known.rule),
            suite: Suite::Known,
            scenario: known.scenario.clone(),
        };
        self.differences.iter().enumerate().map(case).collect()
    }

    /// Judges what came of the case of that name ([`cases`](Self::cases)).
    pub fn judge(&self, result: &mut CaseResult) {
        let names = self.cases();
        let at = names.iter().position(|case| case.name == result.scenario);
        if let Some(known) = at.and_then(|at| self.differences.get(at)) {
            known.judge(&self.subject, result);
        }
    }
}

/// A text without its numbers and protections: addresses, sizes, bytes and how many there are
/// differ from run to run and from case to case.
#[must_use]
pub fn shape(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut shape = String::new();
    for piece in text.split_inclusive(|c: char| !part(c)) {
        let word = piece.trim_end_matches(|c: char| !part(c));
        let hex = word.strip_prefix("0x").unwrap_or(word);
        let number = hex.bytes().any(|byte| byte.is_ascii_digit())
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        shape.push_str(if number || word.starts_with("PAGE_") { "#" } else { word });
        shape.push_str(&piece[word.len()..]);
        // A list is as good as its first element.
        for list in ["# #", "#|#"] {
            if shape.contains(list) {
                shape = shape.replace(list, "#");
            }
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_words_but_no_numbers() {
        let seen = "BaseAddress 0x7f12, State MEM_COMMIT, Protect PAGE_READWRITE|0x200";
        assert_eq!(shape(seen), "BaseAddress #, State MEM_COMMIT, Protect #");
        assert_eq!(shape("refused: ERROR_NOACCESS (0x800703e6)"), "refused: ERROR_NOACCESS (#)");
        assert_eq!(shape("2 written pages 0x10000 0x11000"), "# written pages #");
        assert_eq!(shape("4096 bytes of 00"), "# bytes of #");
    }

    #[test]
    fn every_built_in_difference_is_explained_and_shows_nothing_of_the_model() {
        let known = Known::builtin().unwrap();
        assert!(!known.lists().is_empty());
        for list in known.lists() {
            for known in &list.differences {
                let name = format!("{}: {}", list.path, known.rule);
                assert!(known.why.len() > 20, "{name} is not explained");
                let outcome = crate::run::run_scenario(
                    &known.scenario,
                    "",
                    &hostmem_model::ModelBackend,
                    &mut |_, _| {},
                );
                assert!(!outcome.self_check, "{name} contradicts the law");
                let word = crate::run::scenario::word(&outcome.ending);
                assert_ne!(word, "diverges", "{name}");
            }
        }
    }

    fn list() -> KnownList {
        let known = Difference {
            rule: "VA-44".to_owned(),
            level: Level::Should,
            expected: "refused".to_owned(),
            observed: "0x10000".to_owned(),
            why: "it reserves".to_owned(),
            scenario: Scenario::default(),
        };
        KnownList { path: "k.json".into(), subject: "toy 1".into(), differences: vec![known] }
    }

    fn diverges(subject: &str, rule: &str, observed: &str) -> CaseResult {
        CaseResult {
            subject: subject.to_owned(),
            rule: Some(rule.to_owned()),
            observed: Some(observed.to_owned()),
            ..CaseResult::new("a", "toy", VerdictWord::Diverges)
        }
    }

    #[test]
    fn only_the_same_difference_of_the_same_subject_is_excused() {
        let known = Known::default().with(list());
        for (subject, rule, observed, word) in [
            ("toy 1", "VA-44", "0x20000", VerdictWord::Tolerated),
            ("toy 2", "VA-44", "0x20000", VerdictWord::Diverges),
            ("toy 1", "VA-45", "0x20000", VerdictWord::Diverges),
            ("toy 1", "VA-44", "refused: ERROR_NOACCESS", VerdictWord::Diverges),
        ] {
            let mut result = diverges(subject, rule, observed);
            known.excuse(&mut result);
            assert_eq!(result.word, word, "{subject} {rule} {observed}");
        }
    }

    #[test]
    fn an_entry_that_no_longer_differs_is_stale() {
        let list = list();
        let name = list.cases()[0].name.clone();
        let judged = |result: CaseResult| {
            let mut result = CaseResult { scenario: name.clone(), ..result };
            list.judge(&mut result);
            (result.word, result.stale)
        };
        let same = judged(diverges("toy 1", "VA-44", "0x30000"));
        assert_eq!(same, (VerdictWord::Tolerated, false));
        let other = judged(diverges("toy 1", "VA-01", "0x30000"));
        assert_eq!(other, (VerdictWord::Diverges, true));
        let agrees = CaseResult::new("a", "toy", VerdictWord::Agrees);
        assert_eq!(judged(agrees), (VerdictWord::Agrees, true));
        let skipped = CaseResult::skipped("a", "toy", "no such machine");
        assert_eq!(judged(skipped), (VerdictWord::Skipped, false));
    }
}
