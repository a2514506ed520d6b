//! Strategies for [`Intent`]s and for [`Call`]s.
//!
//! An intent is drawn by the very code that the command uses, from a stream of words. Here
//! the stream's seed comes from proptest, and what proptest shrinks are the words: a smaller
//! word never decides for anything larger, and zero decides for the first, the smallest and
//! the "no" (see [`Draw`]). So both faces make the same intents, and no simpler value has to
//! be described twice.
//!
//! Deliberately not here: sequences; a `Vec` of intents is one already, and
//! [`crate::Reference`] draws them for a state machine.

use std::sync::Arc;

use hostmem::intent::Intent;
use hostmem::intent::kinds::KINDS;
use hostmem::random::Draw;
use hostmem::swarm::Swarm;
use hostmem::workload::random::{HOSTILE, Random, WIDE};
use hostmem_interface::Call;
use proptest::prelude::Rng;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::Reference;

/// Draws intents; made by [`intents`], [`hostile_intents`] and [`intents_of`].
#[derive(Clone, Debug)]
pub struct Intents {
    random: Arc<Random>,
}

/// Every kind of operation at its usual weight; one in twenty has a malformed argument.
///
/// ```
/// use hostmem_proptest::{Reference, intents};
/// use proptest::prelude::*;
///
/// proptest!(|(intents in prop::collection::vec(intents(), 1..20))| {
///     // An intent means something in every state, so any list of them is a case.
///     let mut reference = Reference::default();
///     for intent in &intents {
///         reference.carry_out(intent);
///     }
///     prop_assert!(reference.state().space.committed() <= 1 << 30);
/// });
/// ```
#[must_use]
pub fn intents() -> Intents {
    let mut usual = Swarm::usual(WIDE);
    usual.pin("mistakes=50").expect("every such profile draws mistakes");
    Intents::from(Random::new(&usual))
}

/// What no runtime passes: at least one in four has a malformed argument, or several.
#[must_use]
pub fn hostile_intents() -> Intents {
    Intents::from(Random::new(&Swarm::usual(HOSTILE)))
}

/// The kinds and weights of a text such as `commit=4,release=1,mistakes=20`: the kinds of
/// `hostmem::intent::kinds`, and how many of a thousand intents are spoiled. What is not
/// named is left out.
///
/// # Errors
/// What is wrong with the text.
///
/// ```
/// let few = hostmem_proptest::intents_of("reserve=2,commit=5,release=1").unwrap();
/// assert!(hostmem_proptest::intents_of("comit=5").unwrap_err().contains("commit"));
/// # drop(few);
/// ```
pub fn intents_of(weights: &str) -> Result<Intents, String> {
    let mut swarm = Swarm::usual(WIDE);
    for kind in KINDS {
        swarm.pin(&format!("{}=0", kind.name))?;
    }
    swarm.pin(weights)?;
    Ok(Intents::from(Random::new(&swarm)))
}

impl From<Random> for Intents {
    fn from(random: Random) -> Self {
        Self { random: Arc::new(random) }
    }
}

impl Intents {
    /// The intent that a stream of words decides for.
    pub fn draw(&self, draw: &mut Draw) -> Intent {
        self.random.intent(draw)
    }
}

impl Strategy for Intents {
    type Tree = IntentTree;
    type Value = Intent;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut seed = [0; 32];
        runner.rng().fill_bytes(&mut seed);
        let mut draw = Draw::recording(seed);
        let intent = self.draw(&mut draw);
        Ok(IntentTree {
            random: Arc::clone(&self.random),
            words: Words::new(draw.into_words()),
            intent,
        })
    }
}

/// An intent that can be made simpler.
#[derive(Clone, Debug)]
pub struct IntentTree {
    random: Arc<Random>,
    words: Words,
    intent: Intent,
}

impl IntentTree {
    fn redraw(&mut self) {
        self.intent = self.random.intent(&mut Draw::from_words(self.words.words.clone()));
    }
}

impl ValueTree for IntentTree {
    type Value = Intent;

    fn current(&self) -> Intent {
        self.intent.clone()
    }

    fn simplify(&mut self) -> bool {
        let before = self.intent.clone();
        // Most words of a stream change nothing once the first ones have; they are passed over.
        while self.words.simplify() {
            self.redraw();
            if self.intent != before {
                return true;
            }
        }
        false
    }

    fn complicate(&mut self) -> bool {
        let undone = self.words.complicate();
        self.redraw();
        undone
    }
}

/// Words on their way to zero: each first at once, then by halves.
#[derive(Clone, Debug)]
struct Words {
    words: Vec<u64>,
    /// The word that is being made smaller.
    at: usize,
    /// It is at least this much, if it is still to be wrong: 0 was tried where this is set.
    least: Option<u64>,
    /// What it was before the last step.
    before: Option<u64>,
}

/// Below this, two words of 2^64 decide alike in nearly every draw.
const FINEST: u64 = 1 << 48;

impl Words {
    const fn new(words: Vec<u64>) -> Self {
        Self { words, at: 0, least: None, before: None }
    }

    fn simplify(&mut self) -> bool {
        while let Some(word) = self.words.get(self.at).copied() {
            let smaller = match self.least {
                None => 0,
                Some(least) => least + (word - least) / 2,
            };
            if word - smaller >= FINEST || (self.least.is_none() && word > 0) {
                self.before = Some(word);
                self.words[self.at] = smaller;
                self.least.get_or_insert(0);
                return true;
            }
            self.at += 1;
            self.least = None;
        }
        self.before = None;
        false
    }

    fn complicate(&mut self) -> bool {
        let Some(before) = self.before.take() else { return false };
        self.least = Some(self.words[self.at]);
        self.words[self.at] = before;
        true
    }
}

/// Calls with arguments, for a manager in the state of a reference.
#[derive(Clone, Debug)]
pub struct Calls {
    intents: Intents,
    reference: Reference,
}

/// Calls that mean something in the state of `reference`: an intent's first call, with real
/// addresses.
///
/// ```
/// use hostmem_proptest::{Reference, calls, intents};
/// use proptest::prelude::*;
///
/// proptest!(|(call in calls(&Reference::default(), intents()))| {
///     // Whatever a caller passes, the law has an answer.
///     let state = Reference::default().state().clone();
///     prop_assert!(hostmem_model::rules::decide(&state, &call).readings().count() > 0);
/// });
/// ```
#[must_use]
pub fn calls(reference: &Reference, intents: Intents) -> Calls {
    Calls { intents, reference: reference.clone() }
}

impl Strategy for Calls {
    type Tree = CallTree;
    type Value = Call;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let intent = self.intents.new_tree(runner)?;
        Ok(CallTree { intent, reference: self.reference.clone() })
    }
}

/// A call that can be made simpler.
#[derive(Clone, Debug)]
pub struct CallTree {
    intent: IntentTree,
    reference: Reference,
}

impl ValueTree for CallTree {
    type Value = Call;

    fn current(&self) -> Call {
        self.reference.first_call(&self.intent.current())
    }

    fn simplify(&mut self) -> bool {
        self.intent.simplify()
    }

    fn complicate(&mut self) -> bool {
        self.intent.complicate()
    }
}
