//! What is told and kept of a failure: the rule with its sentence, what was expected and what
//! came, the shrunk steps, and a scenario file that does it again.
//!
//! Deliberately not here: shrinking.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;
use hostmem::files::{load, write};
use hostmem::report::{CaseResult, VerdictWord, human};
use hostmem::run::{Ending, Generated};
use hostmem::runner;
use hostmem_interface::scenario::{Level, Scenario, show_step};
use hostmem_interface::{Backend, Machine, OpenError, Subject};

/// The folder for failures, below the package's own.
pub const FOLDER: &str = "hostmem-regressions";

/// More steps than this are only in the file.
const MOST_SHOWN: usize = 24;

/// A case in which the manager did not do what the law says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What came of it.
    pub result: Box<CaseResult>,
    /// The case, as small as it was found.
    pub scenario: Scenario,
    /// Where it was found, and how it was made smaller.
    pub origin: String,
    /// Why there is no file, if it could not be written.
    pub unwritten: Option<String>,
}

impl Failure {
    /// The failure of a case, kept in the file `path`.
    ///
    /// # Panics
    /// If the case asked for what no backend may do, which no generated one does.
    #[must_use]
    pub fn of(name: &str, generated: &Generated, path: &Path) -> Self {
        let Generated { outcome, scenario } = generated;
        let result = runner::result(name, scenario, &NameOnly(name), outcome);
        let result = result.unwrap_or_else(|what| panic!("{what}"));
        let origin = scenario.about.clone();
        Self::new(result, scenario.clone(), origin).kept_in(path)
    }

    /// A failure that is kept nowhere.
    #[must_use]
    pub fn new(result: CaseResult, scenario: Scenario, origin: String) -> Self {
        Self { result: Box::new(result), scenario, origin, unwritten: None }
    }

    /// Writes the scenario.
    #[must_use]
    pub fn kept_in(mut self, path: &Path) -> Self {
        match keep(&self.scenario, path) {
            Ok(()) => self.result.file = Some(path.to_owned()),
            Err(why) => self.unwritten = Some(why),
        }
        self
    }

    /// The id of the rule that is broken; `None` if the manager itself broke.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.result.rule.as_deref()
    }

    /// The scenario file.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.result.file.as_deref()
    }
}

fn keep(scenario: &Scenario, path: &Path) -> Result<(), String> {
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    write::scenario(path, scenario).map_err(|why| why.to_string())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = Vec::new();
        human::write_result(&self.result, &mut told).map_err(|_| fmt::Error)?;
        write!(f, "{}", strip_str(&String::from_utf8_lossy(&told)))?;
        writeln!(f, "  found in   {}", self.origin)?;
        if let Some(why) = &self.unwritten {
            writeln!(f, "  not kept   {why}")?;
        }
        let steps = &self.scenario.steps;
        if steps.len() <= MOST_SHOWN {
            for (at, step) in steps.iter().enumerate() {
                let label = if at == 0 { "steps" } else { "" };
                writeln!(f, "  {label:<10} {}  {}", at + 1, show_step(&self.scenario, step))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Whether a case fails a test: the manager broke, or an answer breaks a rule of that level
/// or a stronger one.
#[must_use]
pub fn fatal(ending: &Ending, from: Level) -> bool {
    match ending {
        Ending::Diverges(finding) => finding.level >= from,
        Ending::Broken(_) | Ending::Unreadable(_) => true,
        Ending::Agrees | Ending::Skipped(_) | Ending::Taken(_) => false,
    }
}

/// What came of the cases of one test.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many were as the law says.
    pub agreed: usize,
    /// How many steps were judged in all.
    pub steps: usize,
    /// What could not be judged, and why.
    pub skipped: Vec<(String, String)>,
    /// Divergences from rules of a weaker level than fails: told.
    pub noted: Vec<CaseResult>,
}

impl Tally {
    /// Takes in a result that fails nothing.
    pub(crate) fn add(&mut self, result: CaseResult) {
        self.steps += result.steps;
        match result.word {
            VerdictWord::Agrees | VerdictWord::Tolerated => self.agreed += 1,
            VerdictWord::Skipped => {
                self.skipped.push((result.scenario, result.reason.unwrap_or_default()));
            }
            VerdictWord::Diverges | VerdictWord::Broken => self.noted.push(result),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} agree ({} steps), {} skipped", self.agreed, self.steps, self.skipped.len())?;
        for (name, why) in &self.skipped {
            write!(f, "\n  skipped {name}: {why}")?;
        }
        for result in &self.noted {
            let (rule, level) = (result.rule.as_deref().unwrap_or("-"), result.level.name());
            write!(f, "\n  {} diverges ({level}, {rule}); not failed", result.scenario)?;
        }
        Ok(())
    }
}

/// Why a test fails.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Cases in which the manager did not do what the law says.
    #[error("{} of {cases} cases fail\n\n{}", failures.len(), joined(failures))]
    Cases {
        /// How many were run.
        cases: usize,
        /// Those that fail.
        failures: Vec<Failure>,
    },
    /// Nothing was judged: a test that passed so would say nothing.
    #[error("nothing was judged: the manager's description leaves nothing of this to do ({0})")]
    Void(String),
    /// A scenario file of the user's, or an environment variable.
    #[error("{0}")]
    Input(String),
}

/// The most failures that are told in full.
const MOST_TOLD: usize = 8;

fn joined(failures: &[Failure]) -> String {
    let told: Vec<String> = failures.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    let rest = failures.len().saturating_sub(MOST_TOLD);
    let more = if rest > 0 { format!("\nand {rest} more") } else { String::new() };
    told.join("\n") + &more
}

/// Every scenario below a folder; none if there is no such folder.
pub(crate) fn kept(folder: &Path) -> Result<Vec<(PathBuf, Scenario)>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let named = load(&folder.display().to_string()).map_err(|error| error.to_string())?;
    Ok(named.into_iter().map(|it| (PathBuf::from(it.name), it.scenario)).collect())
}

/// A backend's name where nothing else of it is needed.
struct NameOnly<'a>(&'a str);

impl Backend for NameOnly<'_> {
    fn name(&self) -> &str {
        self.0
    }

    fn open(&self, _: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Err(OpenError::Unavailable("a name opens nothing".to_owned()))
    }
}
