//! The seam between the command and the runner: an [`Engine`] carries out one case and says
//! what came of it.
//!
//! The command plans cases, hands them out to threads, collects and tells; whatever can be
//! right or wrong about a case happens behind this trait. Tests of the command put an engine
//! of their own here.
//!
//! Deliberately not here: files and reports, which an engine never touches.

use hostmem_interface::Backend;
use hostmem_interface::scenario::Scenario;

use crate::files::NamedScenario;
use crate::report::CaseResult;
use crate::run::Coverage;
use crate::runner::trace::TraceLine;
use crate::seed::CaseSeed;

/// What an engine is asked to do beyond the case itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Tell every step.
    pub trace: bool,
    /// Count which rule decided.
    pub coverage: bool,
}

/// A case that a generator makes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomCase {
    /// Which one of the run, counted from 0.
    pub index: u64,
    /// All its chance comes from this.
    pub seed: CaseSeed,
    /// How many operations.
    pub ops: usize,
    /// The workload profile, by name.
    pub profile: String,
    /// How many threads its steps are spread over; with more than one, two runs may differ.
    pub threads: u32,
    /// What is pinned of what it draws, as `name=number,…`.
    pub swarm: String,
}

impl RandomCase {
    /// Its name in reports and for `--only`.
    #[must_use]
    pub fn name(&self) -> String {
        Self::name_of(&self.profile, self.index)
    }

    /// The name of a case of that profile and index.
    #[must_use]
    pub fn name_of(profile: &str, index: u64) -> String {
        format!("random/{profile}/{index}")
    }
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The result. Its `suite`, `backend`, `replay` and `file` are the command's to fill in.
    pub result: CaseResult,
    /// Of a random case that failed: the smallest scenario that fails by the same rule.
    pub failing: Option<Scenario>,
    /// Which rules decided; empty unless asked for.
    pub coverage: Coverage,
    /// A line for each step; empty unless asked for.
    pub trace: Vec<TraceLine>,
}

impl From<CaseResult> for Ran {
    fn from(result: CaseResult) -> Self {
        Self { result, failing: None, coverage: Coverage::default(), trace: Vec::new() }
    }
}

/// A case that asks for what no backend may do: unreadable input, like a syntax error, but
/// only found on the way. The text names the place in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Something that carries out cases, from several threads at once.
pub trait Engine: Sync {
    /// Replays a scenario on a fresh subject of `backend`.
    ///
    /// # Errors
    /// If the scenario asks for what no backend may do.
    fn replay(
        &self,
        case: &NamedScenario,
        backend: &dyn Backend,
        settings: Settings,
    ) -> Result<Ran, Unreadable>;

    /// Replays a scenario again and again, with each of its calls that may fail made to fail.
    ///
    /// # Errors
    /// As [`replay`](Self::replay).
    fn fail_each(&self, case: &NamedScenario, backend: &dyn Backend) -> Result<Ran, Unreadable>;

    /// Makes up and runs a case on a fresh subject of `backend`, and shrinks it if it fails.
    ///
    /// # Errors
    /// As [`replay`](Self::replay), which a generator should rule out.
    fn random(
        &self,
        case: &RandomCase,
        backend: &dyn Backend,
        settings: Settings,
    ) -> Result<Ran, Unreadable>;
}
