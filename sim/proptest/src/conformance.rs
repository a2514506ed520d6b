//! The tests of a manager, each of them a method: scenarios, recordings, kept failures,
//! random campaigns, and a state machine of intents.
//!
//! The macro [`crate::conformance!`] makes a `#[test]` of each.
//!
//! Deliberately not here: how a case is run and judged (`hostmem`).

use std::cell::{Cell, RefCell};
use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use hostmem::engine::{Engine as _, RandomCase, Settings};
use hostmem::files::{NamedScenario, builtin};
use hostmem::intent::Intent;
use hostmem::report::{CaseResult, Suite, VerdictWord};
use hostmem::run::Generated;
use hostmem::runner::shrink::Failure as Kind;
use hostmem::runner::{self, Runner};
use hostmem::seed::Seed;
use hostmem_interface::Backend;
use hostmem_interface::scenario::{Level, Scenario};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine as _;

use crate::failure::{FOLDER, Failed, Failure, Tally, fatal, kept};
use crate::machine;
use crate::reference::Reference;

/// How many random cases a profile gets.
const CASES: u64 = 48;
/// How many steps each has, about.
const OPS: usize = 300;
/// The most intents of a case of the state machine.
const INTENTS: usize = 240;

/// Where a test stands, so that a failure can be done again.
#[derive(Clone, Debug)]
pub struct Site {
    /// `CARGO_PKG_NAME` of the package whose test it is; empty where there is no such command.
    pub package: &'static str,
    /// `CARGO_MANIFEST_DIR` of that package: failures are kept below it.
    pub folder: PathBuf,
    /// `module_path!()` of the tests.
    pub module: &'static str,
}

/// The tests of one manager.
pub struct Conformance {
    backend: Box<dyn Backend>,
    site: Site,
    settings: Result<Wanted, String>,
}

/// How much random work there is, and from which seed.
#[derive(Clone, Debug)]
struct Wanted {
    seed: Seed,
    cases: u64,
    ops: usize,
    /// The weakest level that fails a test.
    from: Level,
}

impl std::fmt::Debug for Conformance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conformance")
            .field("backend", &self.backend.name())
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl Conformance {
    /// The tests of the managers that `backend` opens. `HOSTMEM_SEED`, `HOSTMEM_CASES`,
    /// `HOSTMEM_OPS` and `HOSTMEM_LEVEL` in the environment change what is done.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "a test is given no arguments of its own")]
    pub fn new(backend: impl Backend + 'static, site: Site) -> Self {
        let settings = Wanted::from(&|name| env::var(name).ok());
        Self { backend: Box::new(backend), site, settings }
    }

    /// So many random cases a profile, of about so many steps, instead of 48 of 300.
    #[must_use]
    pub fn with_cases(mut self, cases: u64, ops: usize) -> Self {
        self.settings = self.settings.map(|wanted| Wanted { cases, ops, ..wanted });
        self
    }

    /// Only divergences from rules of that level or a stronger one fail, instead of
    /// [`Level::Should`]; the others are told.
    #[must_use]
    pub fn failing_from(mut self, from: Level) -> Self {
        self.settings = self.settings.map(|wanted| Wanted { from, ..wanted });
        self
    }

    /// Every built-in scenario below a folder of `scenarios/`, such as `free` or `clr`.
    ///
    /// # Errors
    /// The scenarios that the manager fails.
    pub fn scenarios(&self, folder: &str) -> Result<Tally, Failed> {
        let named = builtin::below(&format!("scenarios/{folder}"));
        let all = named.map_err(|error| Failed::Input(error.to_string()))?;
        self.replay(all)
    }

    /// Every failure of the past that is kept beside the package.
    ///
    /// # Errors
    /// Those that still fail, or a file that is no scenario.
    pub fn regressions(&self) -> Result<Tally, Failed> {
        let all = kept(&self.folder()).map_err(Failed::Input)?;
        let named = all.into_iter().map(|(path, scenario)| NamedScenario {
            name: path.display().to_string(),
            suite: Suite::Files,
            scenario,
        });
        self.replay(named.collect())
    }

    fn replay(&self, all: Vec<NamedScenario>) -> Result<Tally, Failed> {
        let wanted = self.wanted()?;
        let (mut tally, mut failures, cases) = (Tally::default(), Vec::new(), all.len());
        for case in all {
            let ran = Runner.replay(&case, &*self.backend, Settings::default());
            let ran = ran.map_err(|error| Failed::Input(error.to_string()))?;
            let result = CaseResult { suite: case.suite, ..ran.result };
            if wanted.fails(&result) {
                let origin = format!("{}: {}", case.name, case.scenario.about);
                failures.push(Failure::new(result, case.scenario, origin));
            } else {
                tally.add(result);
            }
        }
        if failures.is_empty() { Ok(tally) } else { Err(Failed::Cases { cases, failures }) }
    }

    /// Random cases of a workload profile (`hostmem list profiles`), up to the first that
    /// fails, which is shrunk and kept.
    ///
    /// # Errors
    /// The shrunk failure.
    pub fn random(&self, profile: &str) -> Result<Tally, Failed> {
        let wanted = self.wanted()?;
        let mut tally = Tally::default();
        for index in 0..wanted.cases {
            let case = RandomCase {
                index,
                seed: wanted.seed.case(index),
                ops: wanted.ops,
                profile: profile.to_owned(),
                threads: 1,
                swarm: String::new(),
            };
            let ran = Runner.random(&case, &*self.backend, Settings::default());
            let ran = ran.map_err(|error| Failed::Input(error.to_string()))?;
            if !wanted.fails(&ran.result) {
                tally.add(ran.result);
                continue;
            }
            let scenario = ran.failing.unwrap_or_default();
            let origin = format!("{} with seed {}", scenario.about, wanted.seed);
            let failure = self.keep(ran.result, scenario, &origin);
            let cases = usize::try_from(index + 1).unwrap_or(usize::MAX);
            return Err(Failed::Cases { cases, failures: vec![failure] });
        }
        judged(tally)
    }

    /// Lists of intents that proptest draws and shrinks, against the reference machine.
    /// `PROPTEST_CASES` and proptest's other variables have their usual meaning.
    ///
    /// # Errors
    /// The shrunk failure.
    pub fn state_machine(&self) -> Result<Tally, Failed> {
        let wanted = self.wanted()?;
        let mut config = Config { failure_persistence: None, ..Config::default() };
        if let (RngSeed::Random, Seed::Number(seed)) = (config.rng_seed, wanted.seed) {
            config.rng_seed = RngSeed::Fixed(seed);
        }
        let (tally, first) = (RefCell::new(Tally::default()), Cell::new(None));
        let strategy = Reference::sequential_strategy(1..INTENTS);
        let tested = TestRunner::new(config).run(&strategy, |(_, intents, seen)| {
            let saw = || {
                if let Some(seen) = &seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            };
            let generated = machine::run(&*self.backend, &intents, &saw);
            self.verdict(&generated, wanted, &first, &tally)
        });
        match tested {
            Ok(()) => judged(tally.into_inner()),
            Err(TestError::Abort(why)) => Err(Failed::Input(why.to_string())),
            Err(TestError::Fail(_, (_, intents, _))) => Err(self.shrunk(&intents)),
        }
    }

    /// Fails a case by the rule of the first failure only, so that shrinking keeps it.
    fn verdict(
        &self,
        generated: &Generated,
        wanted: &Wanted,
        first: &Cell<Option<Kind>>,
        tally: &RefCell<Tally>,
    ) -> Result<(), TestCaseError> {
        let outcome = &generated.outcome;
        let kind = Kind::of(outcome).filter(|_| fatal(&outcome.ending, wanted.from));
        match (kind, first.get()) {
            (Some(kind), Some(known)) if kind != known => Ok(()),
            (Some(kind), _) => {
                first.set(Some(kind));
                Err(TestCaseError::fail(format!("{:?}", outcome.ending)))
            }
            (None, _) => {
                tally.borrow_mut().add(self.told("state-machine", generated)?);
                Ok(())
            }
        }
    }

    fn told(&self, name: &str, generated: &Generated) -> Result<CaseResult, TestCaseError> {
        let Generated { outcome, scenario } = generated;
        runner::result(name, scenario, &*self.backend, outcome)
            .map_err(|what| TestCaseError::fail(what.to_string()))
    }

    /// What proptest made small, made smaller.
    fn shrunk(&self, intents: &[Intent]) -> Failed {
        let generated = machine::run(&*self.backend, intents, &|| ());
        let Some(kind) = Kind::of(&generated.outcome) else {
            let why = "a case of the state machine fails only now and then";
            return Failed::Input(why.to_owned());
        };
        let small = machine::reduced(generated, kind, &*self.backend);
        match self.told("state-machine", &small) {
            Ok(result) => {
                let origin = small.scenario.about.clone();
                let failure = self.keep(result, small.scenario, &origin);
                Failed::Cases { cases: 1, failures: vec![failure] }
            }
            Err(why) => Failed::Input(why.to_string()),
        }
    }

    /// Keeps a failure where [`Self::regressions`] finds it.
    fn keep(&self, mut result: CaseResult, scenario: Scenario, origin: &str) -> Failure {
        let rule = result.rule.as_deref().unwrap_or("broken");
        let name = result.scenario.strip_prefix("random/").unwrap_or(&result.scenario);
        let path = self.folder().join(format!("{rule}.{}.json", name.replace('/', "-")));
        result.replay = Some(self.again());
        Failure::new(result, scenario, origin.to_owned()).kept_in(&path)
    }

    /// The folder in which failures of this manager are kept.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.site.folder.join(FOLDER).join(self.backend.name())
    }

    /// The command that replays what is kept.
    fn again(&self) -> String {
        if self.site.package.is_empty() {
            return "the method `Conformance::regressions`".to_owned();
        }
        // The first part is the test binary's own name, which filters do not know.
        let module = self.site.module.split_once("::").map_or("", |(_, inner)| inner);
        let separator = if module.is_empty() { "" } else { "::" };
        format!("cargo test -p {} {module}{separator}regressions", self.site.package)
    }

    fn wanted(&self) -> Result<&Wanted, Failed> {
        self.settings.as_ref().map_err(|wrong| Failed::Input(wrong.clone()))
    }
}

fn judged(tally: Tally) -> Result<Tally, Failed> {
    if tally.steps > 0 {
        return Ok(tally);
    }
    let why = tally.skipped.first().map_or("no step was within its capabilities", |(_, why)| why);
    Err(Failed::Void(why.to_owned()))
}

impl Wanted {
    fn fails(&self, result: &CaseResult) -> bool {
        let diverges = result.word == VerdictWord::Diverges && result.level >= self.from;
        diverges || result.word == VerdictWord::Broken || result.is_contradiction()
    }

    /// Reads variables of the environment.
    fn from(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        fn number<T: std::str::FromStr>(
            text: Option<String>,
            name: &str,
            usual: T,
        ) -> Result<T, String> {
            text.map_or(Ok(usual), |text| {
                text.parse().map_err(|_| format!("{name}: expected a number, found `{text}`"))
            })
        }
        let seed = match variable("HOSTMEM_SEED") {
            Some(text) => text.parse().map_err(|error| format!("HOSTMEM_SEED: {error}"))?,
            None => Seed::DEFAULT,
        };
        Ok(Self {
            seed,
            cases: number(variable("HOSTMEM_CASES"), "HOSTMEM_CASES", CASES)?,
            ops: number(variable("HOSTMEM_OPS"), "HOSTMEM_OPS", OPS)?,
            from: match variable("HOSTMEM_LEVEL").as_deref() {
                None | Some("should") => Level::Should,
                Some("must") => Level::Must,
                Some("may") => Level::May,
                Some(text) => {
                    return Err(format!(
                        "HOSTMEM_LEVEL: expected must, should or may, found `{text}`"
                    ));
                }
            },
        })
    }
}

/// Ends a test: tells what was skipped, or fails with everything there is to know.
///
/// # Panics
/// If there are failures.
pub fn settle(came: Result<Tally, Failed>) {
    match came {
        // Shown by `cargo test -- --nocapture`, and with any failure.
        Ok(tally) => eprintln!("{tally}"),
        Err(failed) => panic!("{failed}"),
    }
}

/// A site for tests that are written by hand: failures are kept below `folder`.
#[must_use]
pub fn site(folder: &Path) -> Site {
    Site { package: "", folder: folder.to_owned(), module: "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_and_mistakes_are_told() {
        let none = Wanted::from(&|_| None).expect("the usual");
        assert_eq!((none.cases, none.ops, none.from), (CASES, OPS, Level::Should));
        let wrong = |name: &'static str| {
            Wanted::from(&|asked| (asked == name).then(|| "many".to_owned())).unwrap_err()
        };
        assert_eq!(wrong("HOSTMEM_CASES"), "HOSTMEM_CASES: expected a number, found `many`");
        assert!(wrong("HOSTMEM_LEVEL").starts_with("HOSTMEM_LEVEL: expected must"));
        assert!(wrong("HOSTMEM_SEED").starts_with("HOSTMEM_SEED: `many` is no seed"));
    }
}
