//! Refusals: the runtime's ladder of escalation, climbed and left again.
//!
//! Allocations are refused in front of the subject: those of level 0 now and then, all of
//! level 0 and 1, all but level 2, all. Meanwhile the collector goes on: what is refused must
//! leave no trace, and decommits and releases are never refused.

use hostmem_interface::CriticalLevel;
use hostmem_interface::scenario::Step;

use super::Workload;
use super::mixture::{choose, parts};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("gc-seg-wks", 8),
    Knob::weight("gc-loh", 3),
    Knob::weight("loader", 5),
    Knob::weight("jit-arena", 4),
    Knob::quantity("one-in", 4, 64),
];

/// The profiles that go on meanwhile.
pub const PARTS: &[&str] = &["gc-seg-wks", "gc-loh", "loader", "jit-arena"];

/// The ladder: up to which level, how many calls.
const LADDER: [(CriticalLevel, u64); 4] = [
    (CriticalLevel::TASK, 1),
    (CriticalLevel::TASK, 4),
    (CriticalLevel::APP_DOMAIN, 4),
    (CriticalLevel::PROCESS, 2),
];

/// Parts of a process that go on under refusals.
struct Ladder {
    parts: Vec<(u32, Box<dyn Workload>)>,
    one_in: u64,
    rung: usize,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Ladder { parts: parts(swarm, draw), one_in: u64::from(swarm.get("one-in")), rung: 0 })
}

impl Workload for Ladder {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        if draw.chance(1, self.one_in) {
            let (level, count) = LADDER[self.rung];
            self.rung = (self.rung + 1) % LADDER.len();
            let mut script = Script::new(view);
            script.fail_next("VirtualAlloc", count, Some(level));
            return script.steps();
        }
        let part = choose(&self.parts, draw);
        self.parts[part].1.next(draw, view)
    }
}
