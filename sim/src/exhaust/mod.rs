//! Small scopes, searched to the end: every call of a [`Scope`] from every state that fewer
//! than `depth` calls reach, on a backend, against the law.
//!
//! The law's states are searched in breadth, so each state is reached by one shortest
//! sequence of calls. That sequence is replayed on a fresh subject; then every call is tried,
//! on a fresh subject again after each that changed the state. So the first divergence is
//! also a shortest one, and it is a [`Scenario`] like any other: replayed, shrunk and told of
//! in the ordinary way. On the model this checks nothing but itself; on the slow twin it
//! checks the model against a second reading of the same law.
//!
//! States are merged by what the *law* knows of them. A subject that remembers more could
//! hide behind that: for such there are sequences without merging ([`Search::sequences`]).
//!
//! Map, in reading order:
//!
//! * [`scope`]: how much is searched, and where its pages lie;
//! * [`alphabet`]: the calls;
//! * [`canonical`]: when two states are the same;
//! * [`probe`]: one fresh subject, asked and looked at;
//! * [`states`], [`sequences`]: the two searches;
//! * [`pin`]: what exactly failed, as a scenario;
//! * [`report`]: what came of it.
//!
//! Deliberately not here: chance, threads of a case, heaps and notices.

pub mod alphabet;
pub mod canonical;
pub mod pin;
pub mod probe;
pub mod report;
pub mod scope;
pub mod sequences;
pub mod states;

use hostmem_interface::scenario::{Action, Scenario, Step, SymbolicCall};
use hostmem_interface::{Backend, Capability, Description, Machine, OpenError};

pub use report::{End, Failure, Level, Report};
pub use scope::{Layout, Scope, ScopeError};

use crate::run::needs::call_needs;

/// How a search is run, which changes nothing about its result.
pub struct Manner<'a> {
    /// How many threads.
    pub jobs: usize,
    /// Asked every now and then: whether to stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told every now and then how far it has come.
    pub progress: &'a mut dyn FnMut(&Progress),
}

impl std::fmt::Debug for Manner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manner").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many calls lead to what is worked on now.
    pub depth: u32,
    /// How many states, or sequences, of that depth are done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// Why there is no search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExhaustError {
    /// The scope.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The subject.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The threads.
    #[error("threads cannot be had: {0}")]
    Threads(String),
}

/// A search that can begin: everything about it is known but its result.
pub struct Search<'a> {
    scope: Scope,
    backend: &'a dyn Backend,
    layout: Layout,
    calls: Vec<SymbolicCall>,
    left_out: Vec<Capability>,
}

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl<'a> Search<'a> {
    /// A search of `scope` on `backend`: on the tight machine if its subjects can show that,
    /// or else on 64-bit Windows.
    ///
    /// # Errors
    /// If the scope means nothing, or the backend opens no subject.
    pub fn new(scope: &Scope, backend: &'a dyn Backend) -> Result<Self, ExhaustError> {
        scope.check()?;
        let (machine, subject) = machine_for(scope, backend)?;
        let layout = Layout::new(scope, machine);
        let (calls, left_out) = alphabet::alphabet(scope, &layout, subject.capabilities);
        if u16::try_from(calls.len()).is_err() {
            return Err(ScopeError::Calls(calls.len()).into());
        }
        Ok(Self { scope: scope.clone(), backend, layout, calls, left_out })
    }

    /// What is searched.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Where its pages lie.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every call that is tried.
    #[must_use]
    pub fn calls(&self) -> &[SymbolicCall] {
        &self.calls
    }

    /// What the subject cannot do, so that calls were left out.
    #[must_use]
    pub fn left_out(&self) -> &[Capability] {
        &self.left_out
    }

    /// A sequence of calls of the scope, and what a look asked at its end, as a scenario.
    #[must_use]
    pub fn scenario(&self, sequence: &[u16], shown_by: Option<&SymbolicCall>) -> Scenario {
        let hole = Action::Hole { size: self.layout.size };
        let mut steps = vec![Step { bind: Some(alphabet::HOLE), ..Step::new(hole) }];
        let calls = sequence.iter().map(|number| &self.calls[usize::from(*number)]);
        for call in calls.chain(shown_by) {
            steps.push(Step::new(Action::Call(call.clone())));
        }
        let needs = steps.iter().filter_map(|step| match &step.action {
            Action::Call(call) => Some(call_needs(call)),
            _ => None,
        });
        let needs = needs.flat_map(|needs| needs.iter().collect::<Vec<_>>()).collect();
        Scenario {
            about: format!("a shortest sequence of an exhaustive search: {}", self.scope),
            needs,
            machine: self.layout.request(),
            names: vec!["hole".into()],
            steps,
            ..Scenario::default()
        }
    }

    fn call(&self, number: u16) -> &SymbolicCall {
        &self.calls[usize::from(number)]
    }

    /// Every call by its number.
    fn numbers(&self) -> std::ops::Range<u16> {
        0..u16::try_from(self.calls.len()).expect("checked when the search was made")
    }

    fn report(&self, levels: Vec<Level>, end: End) -> Report {
        Report {
            backend: self.backend.name().to_owned(),
            scope: self.scope.clone(),
            layout: self.layout.clone(),
            alphabet: self.calls.len(),
            left_out: self.left_out.clone(),
            levels,
            end,
        }
    }
}

/// The machine that the backend's subjects show, and what they say of themselves.
fn machine_for(scope: &Scope, backend: &dyn Backend) -> Result<(Machine, Description), OpenError> {
    let shows = |asked: Machine| -> Result<(Machine, Description), OpenError> {
        let subject = backend.open(&asked)?.description().clone();
        let Machine { page, granularity, highest, .. } = subject.machine;
        if (page, granularity, highest) == (asked.page, asked.granularity, asked.highest) {
            return Ok((asked, subject));
        }
        let why = format!("asked for {asked:?}, it shows {:?}", subject.machine);
        Err(OpenError::Machine(why))
    };
    match shows(scope.tight_machine()) {
        Err(OpenError::Machine(_)) => shows(Machine::WINDOWS_X64),
        other => other,
    }
}

/// Threads for a search.
fn threads(jobs: usize) -> Result<rayon::ThreadPool, ExhaustError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).build();
    pool.map_err(|error| ExhaustError::Threads(error.to_string()))
}
