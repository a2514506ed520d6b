//! Workloads: endless sequences of steps with a purpose, drawn step by step from the state
//! of the case.
//!
//! Map: this file is the interface and the table of [`PROFILES`]; [`random`] draws single
//! intents, well formed or spoiled (`wide`, `hostile`); every other file is one part of the
//! CLR, named as its profile, with the figures of the runtime's sources; [`held`] finds what
//! a workload made earlier.
//!
//! A workload knows what it asked for, not what it got: each step looks up what is really
//! there in the state of the law, so that a refusal changes its course and nothing breaks.
//!
//! Deliberately not here: who carries the steps out, and the simulated machine, which is the
//! runner's choice.

pub mod gc_seg;
pub mod held;
pub mod malloc;
pub mod mixture;
pub mod random;
pub mod segment;

use hostmem_interface::scenario::Step;

use crate::random::Draw;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// An endless sequence of steps.
pub trait Workload {
    /// The steps of the next intent, for a case in this state. Names that they bind are
    /// numbered on from those that are bound; where one is refused, the rest is dropped.
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step>;
}

/// A kind of workload.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// What each case draws.
    pub knobs: &'static [Knob],
    /// Whether a case may be steered away from what a runtime would do, to reach rules.
    pub steered: bool,
    build: fn(&Swarm, &mut Draw) -> Box<dyn Workload>,
}

impl Profile {
    /// Draws what a case does.
    #[must_use]
    pub fn swarm(&self, draw: &mut Draw) -> Swarm {
        Swarm::draw(self.knobs, draw)
    }

    /// Starts a case that does what was drawn.
    #[must_use]
    pub fn start_with(&self, swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
        (self.build)(swarm, draw)
    }

    /// Starts a case.
    #[must_use]
    pub fn start(&self, draw: &mut Draw) -> Box<dyn Workload> {
        let swarm = self.swarm(draw);
        self.start_with(&swarm, draw)
    }
}

/// The profile of that name.
#[must_use]
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// Every profile.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "clr",
        about: "A process of the CLR: start-up, then garbage collection, loading, code and heaps side by side.",
        knobs: mixture::KNOBS,
        steered: false,
        build: mixture::build,
    },
    Profile {
        name: "gc-seg-wks",
        about: "Segments of the workstation collector: 384 MiB at first, growth by 64 KiB, one decommit a collection.",
        knobs: gc_seg::WORKSTATION,
        steered: false,
        build: gc_seg::build,
    },
    Profile {
        name: "gc-seg-svr",
        about: "Segments of the server collector: several heaps in one reservation, 1 to 4 GiB each.",
        knobs: gc_seg::SERVER,
        steered: false,
        build: gc_seg::build,
    },
    Profile {
        name: "malloc",
        about: "Small allocations of the runtime through IHostMalloc, and Free of a null pointer.",
        knobs: malloc::KNOBS,
        steered: false,
        build: malloc::build,
    },
    Profile {
        name: "wide",
        about: "Every call there is, well formed for the most part, rare ones as likely as common ones.",
        knobs: random::WIDE,
        steered: true,
        build: random::build,
    },
    Profile {
        name: "hostile",
        about: "Arguments that no runtime passes: boundaries, overflow, malformed flags, wrong addresses, several at once.",
        knobs: random::HOSTILE,
        steered: true,
        build: random::build,
    },
];
