//! Runs many cases on many threads, and tells of them in one order.
//!
//! Map, in reading order:
//!
//! * [`plan`]: which cases there are, one after the other;
//! * [`stop`]: what ends a run early;
//! * [`failure`]: what is kept of a failure: a file, and the command that does it again;
//! * [`shape`]: what makes two failures one;
//! * [`run`]: hands cases to threads and puts the results back in order.
//!
//! The results are a function of the plan: the number of threads changes nothing but the
//! time. Only `--time` looks at a clock.
//!
//! Deliberately not here: what a case does ([`crate::engine`]), and reports.

pub mod failure;
pub mod plan;
pub mod shape;
pub mod stop;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use hostmem_interface::Backend as _;

use crate::backend::Named;
use crate::engine::{Engine, Ran, Settings, Unreadable};
use crate::known::Known;
use crate::panics;
use crate::report::{CaseResult, End, Suite, VerdictWord};
use crate::results::Entry;
use crate::run::Coverage;
use crate::runner::trace::TraceLine;
use failure::Recipe;
use plan::{Case, Cursor, Place, Plan, Turn};
use stop::Stop;

/// How a plan is run.
#[derive(Debug)]
pub struct Manner<'a> {
    /// How many threads.
    pub jobs: usize,
    /// Whether the first failure ends it.
    pub fail_fast: bool,
    /// Whether any divergence is a failure.
    pub strict: bool,
    /// What else may end it.
    pub stop: &'a Stop,
    /// What the engine is asked for.
    pub settings: Settings,
    /// The differences that are tolerated.
    pub known: &'a Known,
    /// How a failure is done again.
    pub recipe: Recipe,
    /// What an earlier run of the same campaign left: these cases are not run again.
    pub earlier: BTreeMap<Place, Entry>,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The results, in case order.
    pub results: Vec<CaseResult>,
    /// Cases that turned out to be unreadable, in case order.
    pub unreadable: Vec<String>,
    /// Which rules decided.
    pub coverage: Coverage,
    /// How it ended.
    pub end: End,
}

impl Outcome {
    /// What came of one more case.
    pub fn add(&mut self, entry: Entry) {
        entry.count(&mut self.coverage);
        self.results.extend(entry.result.map(|result| *result));
        self.unreadable.extend(entry.unreadable);
    }
}

/// One case that is done.
#[derive(Debug)]
pub struct Done {
    /// What came of it.
    pub entry: Entry,
    /// A line for each step, if that was asked for.
    pub trace: Vec<TraceLine>,
    /// Whether an earlier run did it.
    pub earlier: bool,
}

/// Somebody who wants to know of each case, in case order, while the run goes on.
pub type Observer<'a> = &'a mut dyn FnMut(&Done);

/// What a thread has to tell of one case.
enum Told {
    Done(Box<Done>),
    Panicked(String),
}

impl Told {
    /// Whether the run ends with this case.
    fn ends(&self, manner: &Manner<'_>) -> bool {
        match self {
            Self::Done(done) => manner.fail_fast && done.entry.fails(manner.strict),
            Self::Panicked(_) => true,
        }
    }
}

/// Runs every case of the plan on every backend.
pub fn run(
    plan: &Plan,
    backends: &[Named],
    engine: &dyn Engine,
    manner: &Manner<'_>,
    observer: Observer<'_>,
) -> Outcome {
    let cursor = Mutex::new(Cursor::new(plan, backends.len()));
    // A short queue: threads wait for the teller rather than fill the memory.
    let (sender, receiver) = sync_channel(64);
    let mut outcome = thread::scope(|scope| {
        for _ in 0..manner.jobs.max(1) {
            let (sender, cursor) = (sender.clone(), &cursor);
            scope.spawn(move || work(cursor, backends, engine, manner, &sender));
        }
        drop(sender);
        collect(&receiver, manner, observer)
    });
    if outcome.end == End::Complete {
        outcome.end = manner.stop.end();
    }
    outcome
}

/// One thread: takes the next case until there is none.
fn work(
    cursor: &Mutex<Cursor<'_>>,
    backends: &[Named],
    engine: &dyn Engine,
    manner: &Manner<'_>,
    sender: &SyncSender<(u64, Told)>,
) {
    loop {
        let next = {
            let mut cursor = cursor.lock().expect("no thread panics while it holds the lock");
            // Asked under the lock: a case that is handed out is told of, so there are no gaps.
            if manner.stop.now() { None } else { cursor.next() }
        };
        let Some(Turn { order, place, case }) = next else { return };
        let told = match manner.earlier.get(&place) {
            Some(entry) => {
                let (entry, trace) = (entry.clone(), Vec::new());
                Told::Done(Box::new(Done { entry, trace, earlier: true }))
            }
            None => run_case(place, &case, &backends[place.on], engine, manner),
        };
        // At once, not when the result's turn comes: all cases before it have begun already.
        if told.ends(manner) {
            manner.stop.stop();
        }
        if sender.send((order, told)).is_err() {
            return;
        }
    }
}

fn run_case(
    place: Place,
    case: &Case<'_>,
    backend: &Named,
    engine: &dyn Engine,
    manner: &Manner<'_>,
) -> Told {
    let work = || match case {
        Case::Scenario(scenario) => engine.replay(scenario, backend, manner.settings),
        Case::FailEach(scenario) => engine.fail_each(scenario, backend),
        Case::Random(random) => engine.random(random, backend, manner.settings),
    };
    // The engine keeps nothing between cases that a panic could leave half done.
    match panics::catch(AssertUnwindSafe(work)) {
        Ok(Ok(mut ran)) => {
            backend.name().clone_into(&mut ran.result.backend);
            ran.result.suite = match case {
                Case::Scenario(scenario) => scenario.suite,
                Case::FailEach(_) => Suite::FailEach,
                Case::Random(_) => Suite::Random,
            };
            manner.known.excuse(&mut ran.result);
            // Also of what does not fail the run: a finding without a way back is worth little.
            let unlawful = matches!(ran.result.word, VerdictWord::Diverges | VerdictWord::Broken);
            if unlawful || ran.result.is_contradiction() {
                failure::keep(&mut ran, case, backend, &manner.recipe);
            }
            let Ran { result, coverage, trace, .. } = ran;
            let entry = Entry::ran(place, result, &coverage);
            Told::Done(Box::new(Done { entry, trace, earlier: false }))
        }
        Ok(Err(Unreadable(what))) => {
            let entry = Entry::unreadable(place, what);
            Told::Done(Box::new(Done { entry, trace: Vec::new(), earlier: false }))
        }
        Err(what) => {
            let replay = manner.recipe.command(case, backend);
            Told::Panicked(format!(
                "{what}, in {} on {}; again: {replay}",
                case.name(),
                backend.name
            ))
        }
    }
}

/// Puts the results in order and tells of each as soon as all before it are there.
fn collect(
    receiver: &Receiver<(u64, Told)>,
    manner: &Manner<'_>,
    observer: Observer<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (order, told) in receiver {
        early.insert(order, told);
        while let Some(told) = early.remove(&next) {
            next += 1;
            // After the last case the rest is dropped, so that the results do not depend on
            // how far other threads had come.
            if outcome.end == End::Complete {
                outcome.end = take(told, manner, &mut outcome, observer);
            }
        }
    }
    outcome
}

fn take(told: Told, manner: &Manner<'_>, outcome: &mut Outcome, observer: Observer<'_>) -> End {
    let ends = told.ends(manner);
    match told {
        Told::Done(done) => {
            observer(&done);
            outcome.add(done.entry);
        }
        Told::Panicked(what) => return End::Internal(what),
    }
    if ends { End::FailFast } else { End::Complete }
}
