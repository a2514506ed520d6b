//! Single intents without a plan: the kinds of operation at the weights drawn for the case,
//! and mistakes in so many of a thousand.

use hostmem_interface::scenario::Step;

use super::Workload;
use crate::intent::Intent;
use crate::intent::kinds::KINDS;
use crate::intent::spoil::spoil;
use crate::random::Draw;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// How many of a thousand intents are spoiled.
const MISTAKES: &str = "mistakes";

const COUNT: usize = KINDS.len() + 1;

/// One knob for each kind, and one for mistakes.
const fn knobs(mistakes: Knob) -> [Knob; COUNT] {
    let mut knobs = [mistakes; COUNT];
    let mut at = 0;
    while at < KINDS.len() {
        knobs[at] = Knob::weight(KINDS[at].name, KINDS[at].usual);
        at += 1;
    }
    knobs
}

/// What `wide` draws.
pub const WIDE: &[Knob] = &knobs(Knob::quantity(MISTAKES, 1, 60));
/// What `hostile` draws.
pub const HOSTILE: &[Knob] = &knobs(Knob::quantity(MISTAKES, 250, 900));

/// Draws intents by weight.
#[derive(Clone, Debug)]
pub struct Random {
    weights: Vec<u32>,
    mistakes: u64,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Random::new(swarm))
}

impl Random {
    /// What a swarm of [`WIDE`] or of [`HOSTILE`] asks for.
    #[must_use]
    pub fn new(swarm: &Swarm) -> Self {
        let weights = KINDS.iter().map(|kind| swarm.get(kind.name)).collect();
        Self { weights, mistakes: u64::from(swarm.get(MISTAKES)) }
    }

    /// The next intent.
    pub fn intent(&self, draw: &mut Draw) -> Intent {
        let intent = (KINDS[draw.weighted(&self.weights)].draw)(draw);
        if draw.chance(self.mistakes, 1000) { spoil(intent, draw) } else { intent }
    }
}

impl Workload for Random {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        self.intent(draw).realise(view)
    }
}
