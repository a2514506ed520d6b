//! A manager under test, judged intent by intent: [`Judged`], and [`Conforms`], which makes a
//! `StateMachineTest` of any [`Tested`] manager.
//!
//! ```
//! use hostmem_interface::Backend;
//! use hostmem_proptest::{Conforms, Tested, prop_state_machine};
//!
//! struct Simulator;
//!
//! impl Tested for Simulator {
//!     fn backend() -> Box<dyn Backend> {
//!         Box::new(hostmem_model::ModelBackend)
//!     }
//! }
//!
//! prop_state_machine! {
//!     # /*
//!     #[test]
//!     # */
//!     fn conforms(sequential 1..50 => Conforms<Simulator>);
//! }
//! # conforms();
//! ```
//!
//! The macro [`crate::conformance!`] does this too, and shrinks further than proptest can.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hostmem::intent::Intent;
use hostmem::run::{Ending, Generated, Growing, run_scenario};
use hostmem::runner::shrink::{Failure as Kind, shrink};
use hostmem_interface::scenario::Level;
use hostmem_interface::{Backend, Machine};
use proptest_state_machine::StateMachineTest;

use crate::failure::{FOLDER, Failure, fatal};
use crate::reference::Reference;

/// What a case of intents is called before its failure has a better name.
const ABOUT: &str = "intents drawn by proptest";

/// A manager with the judge that follows it.
#[derive(Debug)]
pub struct Judged {
    growing: Growing<'static>,
}

impl Judged {
    /// A fresh manager of `backend`.
    ///
    /// # Errors
    /// What came of it if there is none.
    pub fn open(backend: &dyn Backend) -> Result<Self, Box<Generated>> {
        let growing = Growing::open(ABOUT, &Machine::WINDOWS_X64, backend)?;
        Ok(Self { growing })
    }

    /// Carries out an intent and judges every answer.
    ///
    /// # Errors
    /// How the case ended, if it did: not always by a fault of the manager's.
    pub fn carry_out(&mut self, intent: &Intent) -> ControlFlow<Ending> {
        let script = intent.realise(&self.growing.view());
        self.growing.carry_out(script)
    }

    /// Looks at all that the case owns, which otherwise happens after 64 steps, after twice as
    /// many again, and at the end.
    ///
    /// # Errors
    /// How the case ended, if it did.
    pub fn look(&mut self) -> ControlFlow<Ending> {
        self.growing.look()
    }

    /// The end: a last look at all that the case owns.
    #[must_use]
    pub fn end(self, flow: ControlFlow<Ending>) -> Generated {
        self.growing.end(flow)
    }
}

/// Carries out intents on a fresh manager up to the end of the case.
pub(crate) fn run(backend: &dyn Backend, intents: &[Intent], seen: &dyn Fn()) -> Generated {
    let mut judged = match Judged::open(backend) {
        Ok(judged) => judged,
        Err(generated) => return *generated,
    };
    let flow = intents.iter().try_for_each(|intent| {
        seen();
        judged.carry_out(intent)
    });
    judged.end(flow)
}

/// A manager for which there is a state-machine test.
pub trait Tested: 'static {
    /// Opens the managers, one for each case.
    fn backend() -> Box<dyn Backend>;

    /// Where a failing case is written: below the package's folder by default.
    #[must_use]
    fn folder() -> PathBuf {
        PathBuf::from(FOLDER)
    }
}

/// The test that a [`Tested`] manager does what the law says.
#[derive(Debug)]
pub struct Conforms<T>(PhantomData<T>);

/// A case that is still going on, or how it ended.
#[derive(Debug)]
pub struct Running {
    judged: Judged,
    flow: ControlFlow<Ending>,
}

impl<T: Tested> StateMachineTest for Conforms<T> {
    type SystemUnderTest = Option<Running>;
    type Reference = Reference;

    /// # Panics
    /// If the manager breaks while it is made.
    fn init_test(_: &Reference) -> Option<Running> {
        match Judged::open(&*T::backend()) {
            Ok(judged) => Some(Running { judged, flow: ControlFlow::Continue(()) }),
            Err(generated) => {
                settle::<T>(*generated);
                None
            }
        }
    }

    /// # Panics
    /// At the first answer that the law does not permit. The case is made as small as can be
    /// and written first.
    fn apply(running: Option<Running>, _: &Reference, intent: Intent) -> Option<Running> {
        let mut running = running?;
        if running.flow.is_continue() {
            running.flow = running.judged.carry_out(&intent);
        }
        match &running.flow {
            ControlFlow::Break(Ending::Diverges(_) | Ending::Broken(_)) => {
                settle::<T>(running.judged.end(running.flow));
                None
            }
            _ => Some(running),
        }
    }

    fn teardown(running: Option<Running>, _: Reference) {
        if let Some(Running { judged, flow }) = running {
            settle::<T>(judged.end(flow));
        }
    }
}

/// What was told of each failure so far, by tested type and kind.
static TOLD: Mutex<BTreeMap<(&str, String), String>> = Mutex::new(BTreeMap::new());

/// Panics if a case failed. The first time it is made as small as can be and written; while
/// proptest shrinks, and so fails again and again, the same is told.
fn settle<T: Tested>(generated: Generated) {
    let Some(kind) = Kind::of(&generated.outcome) else { return };
    if !fatal(&generated.outcome.ending, Level::Should) {
        return;
    }
    let name = std::any::type_name::<T>();
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let text = told
        .entry((name, format!("{kind:?}")))
        .or_insert_with(|| smallest(generated, kind, &*T::backend(), name, &T::folder()))
        .clone();
    drop(told);
    panic!("{text}");
}

/// The smallest case that fails in that way, written and told.
fn smallest(
    generated: Generated,
    kind: Kind,
    backend: &dyn Backend,
    name: &str,
    folder: &Path,
) -> String {
    let small = reduced(generated, kind, backend);
    Failure::of(name, &small, &folder.join(file_name(name))).to_string()
}

/// The smallest case that fails in the same way, and what comes of it.
pub(crate) fn reduced(generated: Generated, kind: Kind, backend: &dyn Backend) -> Generated {
    let Generated { outcome, scenario } = generated;
    let before = scenario.steps.len();
    let mut scenario = shrink(scenario, outcome.steps, kind, backend, &mut |_| {}).reduced.scenario;
    scenario.about = format!("{ABOUT}, {before} steps, shrunk to {}", scenario.steps.len());
    let outcome = run_scenario(&scenario, "", backend, &mut |_, _| {});
    Generated { outcome, scenario }
}

/// One file for each tested type.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("state-machine.{}.json", name.chars().map(plain).collect::<String>())
}
