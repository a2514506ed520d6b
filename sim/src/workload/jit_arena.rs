//! The compiler's own memory: arenas of 64 KiB and more, by a commit at a null address, given
//! back at the end of the method (jit/alloc.cpp, utilcode/jithost.cpp). One of 64 KiB is kept
//! for the next method.

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, Protection};

use super::Workload;
use super::held::{Held, forget_lost};
use crate::intent::kinds::level;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("compile", 10),
    Knob::weight("finish", 9),
    Knob::quantity("threads", 1, 16),
    Knob::quantity("large", 1, 32),
];

const GRANULE: u64 = 0x1_0000;

/// The arenas of the threads that compile.
#[derive(Debug)]
struct Arenas {
    weights: [u32; 2],
    threads: usize,
    large: u64,
    live: Vec<Held>,
    pooled: Option<Held>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Arenas {
        weights: ["compile", "finish"].map(|name| swarm.get(name)),
        threads: swarm.get("threads") as usize,
        large: u64::from(swarm.get("large")),
        live: Vec::new(),
        pooled: None,
    })
}

impl Workload for Arenas {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = level(draw);
        forget_lost(&mut self.live, view);
        let full = self.live.len() > self.threads;
        if self.live.is_empty() || (draw.weighted(&self.weights) == 0 && !full) {
            self.compile(&mut script, draw);
        } else {
            self.finish(&mut script, draw);
        }
        script.steps()
    }
}

impl Arenas {
    fn compile(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let units = if draw.chance(1, 6) { draw.between(1, self.large) } else { 1 };
        let pooled = self.pooled.take().filter(|held| held.find(script.view()).is_some());
        let arena = match pooled {
            Some(arena) if units == 1 => arena,
            other => {
                self.pooled = other;
                let size = units * GRANULE;
                let kind = AllocationType::COMMIT;
                Held { name: script.reserve(size, kind, Protection::READWRITE), size }
            }
        };
        let offset = draw.below(arena.size - 16) & !7;
        script.write(arena.at(offset), &draw.bytes(16));
        script.read(arena.at(offset), 8);
        self.live.push(arena);
    }

    fn finish(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let arena = self.live.remove(draw.index(self.live.len()));
        if arena.size == GRANULE && self.pooled.is_none() {
            script.query(arena.at(0));
            self.pooled = Some(arena);
        } else {
            script.release(arena.at(0));
        }
    }
}
