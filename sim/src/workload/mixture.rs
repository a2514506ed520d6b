//! A process of the CLR: its parts side by side, each for a while.
//!
//! Parts take turns in runs, as threads do: in recordings of a real runtime consecutive calls
//! mostly come from the same thread and belong to the same heap.

use hostmem_interface::scenario::Step;

use super::{Workload, profile};
use crate::random::Draw;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws: the weight of each part, and how long a part goes on.
pub const KNOBS: &[Knob] =
    &[Knob::weight("gc-seg-wks", 20), Knob::weight("malloc", 6), Knob::quantity("run", 1, 32)];

/// Parts and whose turn it is.
struct Mixture {
    parts: Vec<(u32, Box<dyn Workload>)>,
    run: u64,
    turn: usize,
    left: u64,
}

/// The workload of a swarm. Each part draws its own swarm.
pub(super) fn build(swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
    let alive = swarm.iter().filter(|(_, weight)| *weight > 0);
    let parts =
        alive.filter_map(|(name, weight)| Some((weight, profile(name)?.start(draw)))).collect();
    Box::new(Mixture { parts, run: u64::from(swarm.get("run")), turn: 0, left: 0 })
}

impl Workload for Mixture {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        if self.left == 0 {
            let weights: Vec<u32> = self.parts.iter().map(|(weight, _)| *weight).collect();
            self.turn = draw.weighted(&weights);
            self.left = draw.between(1, self.run);
        }
        self.left -= 1;
        self.parts[self.turn].1.next(draw, view)
    }
}
