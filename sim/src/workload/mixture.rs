//! A process of the CLR: its start, and then its parts side by side, each for a while.
//!
//! Parts take turns in runs, as threads do: in recordings of a real runtime consecutive calls
//! mostly come from the same thread and belong to the same heap.

use hostmem_interface::scenario::Step;

use super::{Workload, profile};
use crate::random::Draw;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws: the weight of each part, and how long a part goes on.
pub const KNOBS: &[Knob] = &[
    Knob::weight("gc-seg-wks", 24),
    Knob::weight("gc-seg-svr", 4),
    Knob::weight("gc-loh", 6),
    Knob::weight("gc-regions", 1),
    Knob::weight("gc-tables", 4),
    Knob::weight("handles", 3),
    Knob::weight("loader", 10),
    Knob::weight("jit", 6),
    Knob::weight("jit-arena", 4),
    Knob::weight("remoting", 1),
    Knob::weight("images", 2),
    Knob::weight("threads", 4),
    Knob::weight("unload", 2),
    Knob::weight("memload", 2),
    Knob::weight("malloc", 6),
    Knob::quantity("start", 0, 24),
    Knob::quantity("run", 1, 32),
];

/// The profiles that it is made of.
pub const PARTS: &[&str] = &[
    "startup",
    "gc-seg-wks",
    "gc-seg-svr",
    "gc-loh",
    "gc-regions",
    "gc-tables",
    "handles",
    "loader",
    "jit",
    "jit-arena",
    "remoting",
    "images",
    "threads",
    "unload",
    "memload",
    "malloc",
];

/// Parts and whose turn it is.
struct Mixture {
    start: Box<dyn Workload>,
    /// How many intents of the start are left.
    starting: u64,
    parts: Vec<(u32, Box<dyn Workload>)>,
    run: u64,
    turn: usize,
    left: u64,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Mixture {
        start: super::started("startup", swarm, draw),
        starting: u64::from(swarm.get("start")),
        parts: parts(swarm, draw),
        run: u64::from(swarm.get("run")),
        turn: 0,
        left: 0,
    })
}

/// The parts of a swarm that have a weight, with their weights; all alike if it is 0 for all.
pub(super) fn parts(swarm: &Swarm, draw: &mut Draw) -> Vec<(u32, Box<dyn Workload>)> {
    let weighed = || swarm.parts().map(|(name, part)| (swarm.get(name), name, part));
    let none = weighed().all(|(weight, ..)| weight == 0);
    let alive = weighed().filter(|(weight, ..)| none || *weight > 0);
    let start = |(weight, name, part)| Some((weight, profile(name)?.start_with(part, draw)));
    alive.filter_map(start).collect()
}

/// One of them, by weight.
pub(super) fn choose(parts: &[(u32, Box<dyn Workload>)], draw: &mut Draw) -> usize {
    let weights: Vec<u32> = parts.iter().map(|(weight, _)| *weight).collect();
    draw.weighted(&weights)
}

impl Workload for Mixture {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        if let Some(left) = self.starting.checked_sub(1) {
            self.starting = left;
            return self.start.next(draw, view);
        }
        if self.left == 0 {
            self.turn = choose(&self.parts, draw);
            self.left = draw.between(1, self.run);
        }
        self.left -= 1;
        self.parts[self.turn].1.next(draw, view)
    }
}
