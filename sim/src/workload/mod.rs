//! Workloads: endless sequences of steps with a purpose, drawn step by step from the state
//! of the case.
//!
//! Map: this file is the interface and the table of [`PROFILES`]; [`random`] draws single
//! intents, well formed or spoiled (`wide`, `hostile`); every other file is one part of the
//! CLR, named as its profile, with the figures of the runtime's sources; they share [`held`],
//! which finds what a workload made earlier, [`segment`] and [`window`].
//!
//! A workload knows what it asked for, not what it got: each step looks up what is really
//! there in the state of the law, so that a refusal changes its course and nothing breaks.
//!
//! Deliberately not here: who carries the steps out, and the simulated machine, which is the
//! runner's choice.

pub mod gc_loh;
pub mod gc_regions;
pub mod gc_seg;
pub mod gc_tables;
pub mod handles;
pub mod held;
pub mod images;
pub mod jit;
pub mod jit_arena;
pub mod loader;
pub mod malloc;
pub mod memload;
pub mod mixture;
pub mod oom;
pub mod random;
pub mod remoting;
pub mod segment;
pub mod startup;
pub mod threads;
pub mod window;

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
    /// The profiles that it is made of, which draw for themselves.
    pub parts: &'static [&'static str],
    /// Whether a case may be steered away from what a runtime would do, to reach rules.
    pub steered: bool,
    build: Build,
}

impl Profile {
    const fn made_of(self, parts: &'static [&'static str]) -> Self {
        Self { parts, ..self }
    }

    /// Draws what a case does.
    #[must_use]
    pub fn swarm(&self, draw: &mut Draw) -> Swarm {
        self.filled(Swarm::draw(self.knobs, draw), &mut |part| part.swarm(draw))
    }

    /// What a case does if nothing is drawn, but for the numbers that a text pins.
    ///
    /// # Errors
    /// What is wrong with the text, with what would have been right.
    pub fn usual(&self, pinned: &str) -> Result<Swarm, String> {
        let mut swarm = self.all_usual();
        swarm.pin(pinned)?;
        Ok(swarm)
    }

    fn all_usual(&self) -> Swarm {
        self.filled(Swarm::usual(self.knobs), &mut Self::all_usual)
    }

    fn filled(&self, own: Swarm, fill: &mut dyn FnMut(&Self) -> Swarm) -> Swarm {
        let parts = self.parts.iter().filter_map(|name| profile(name));
        parts.fold(own, |swarm, part| swarm.with_part(part.name, fill(part)))
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

/// Whose turn it is, case by case, in a run that names no profile: half of the work is the
/// CLR's, and the rest reaches the rules that no runtime puts to the test.
pub const TURNS: &[&str] = &["clr", "wide", "clr", "hostile"];

/// The profile of that name.
#[must_use]
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// Starts the part of a profile that is always there.
fn started(part: &str, swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
    let profile = profile(part).expect("a profile names its parts");
    match swarm.part(part) {
        Some(part) => profile.start_with(part, draw),
        None => profile.start(draw),
    }
}

type Build = fn(&Swarm, &mut Draw) -> Box<dyn Workload>;

/// A part of the CLR: never steered.
const fn part(
    name: &'static str,
    about: &'static str,
    knobs: &'static [Knob],
    build: Build,
) -> Profile {
    Profile { name, about, knobs, parts: &[], steered: false, build }
}

/// Every profile, the widest of the CLR first, its parts, and those that are no CLR at all.
pub const PROFILES: &[Profile] = &[
    part(
        "clr",
        "A process of the CLR: start-up, then collector, loader, code and heaps side by side.",
        mixture::KNOBS,
        mixture::build,
    )
    .made_of(mixture::PARTS),
    part(
        "startup",
        "The start of a process in order, all at level 2; then an application that loads.",
        startup::KNOBS,
        startup::build,
    )
    .made_of(startup::PARTS),
    part(
        "gc-seg-wks",
        "Workstation collector: 384 MiB at first, growth by 64 KiB, one decommit a collection.",
        gc_seg::WORKSTATION,
        gc_seg::build,
    ),
    part(
        "gc-seg-svr",
        "Server collector: several heaps in one reservation, 1 to 4 GiB each.",
        gc_seg::SERVER,
        gc_seg::build,
    ),
    part(
        "gc-loh",
        "Large objects: segments of 128 MiB and more, one commit an object, resets of gaps.",
        gc_loh::KNOBS,
        gc_loh::build,
    ),
    part(
        "gc-regions",
        "Regions of the newer collector: one reservation of up to 256 GiB, 4 and 32 MiB in it.",
        gc_regions::KNOBS,
        gc_regions::build,
    ),
    part(
        "gc-tables",
        "Cards, bricks and mark array: odd sizes, overlapping commits, written pages, regrowth.",
        gc_tables::KNOBS,
        gc_tables::build,
    ),
    part(
        "handles",
        "Handle tables: 64 KiB each, page by page, decommitted with a hysteresis.",
        handles::KNOBS,
        handles::build,
    ),
    part(
        "loader",
        "Loader heaps: 64 KiB islands found by queries, committed by 4 KiB, data and stubs.",
        loader::LOADER,
        loader::build,
    ),
    part(
        "jit",
        "Code heaps, dynamic methods, stub dispatch: commits from the top, patches, execution.",
        jit::KNOBS,
        jit::build,
    ),
    part(
        "jit-arena",
        "The compiler's arenas: commits of 64 KiB at a null address, released soon after.",
        jit_arena::KNOBS,
        jit_arena::build,
    ),
    part(
        "remoting",
        "Proxy tables: from the top of memory, odd sizes, commits that overlap and grow.",
        remoting::KNOBS,
        remoting::build,
    ),
    part(
        "images",
        "Mapped images: the three address-space notices, and sections patched while loading.",
        images::KNOBS,
        images::build,
    ),
    part(
        "threads",
        "Stacks: bounds asked for at each start, guard pages hit and armed again.",
        threads::KNOBS,
        threads::build,
    ),
    part(
        "unload",
        "Domains that come and go: bursts of releases, and the same holes reserved again.",
        loader::UNLOAD,
        loader::build,
    ),
    part(
        "memload",
        "Memory load: asked for in every collection, swept over the thresholds, told in bursts.",
        memload::KNOBS,
        memload::build,
    ),
    part(
        "oom",
        "Scripted pressure: a ladder of refusals by critical level, and the memory load with it.",
        oom::KNOBS,
        oom::build,
    )
    .made_of(oom::PARTS),
    part(
        "malloc",
        "Small allocations of the runtime through IHostMalloc, and Free of a null pointer.",
        malloc::KNOBS,
        malloc::build,
    ),
    Profile {
        name: "wide",
        about: "Every call there is, well formed for the most part, rare ones as likely as others.",
        knobs: random::WIDE,
        parts: &[],
        steered: true,
        build: random::build,
    },
    Profile {
        name: "hostile",
        about: "What no runtime passes: boundaries, overflow, malformed flags, several at once.",
        knobs: random::HOSTILE,
        parts: &[],
        steered: true,
        build: random::build,
    },
];
