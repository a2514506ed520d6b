//! Handle tables (gc/handletablecore.cpp): segments of 64 KiB, 8 KiB committed at first, then
//! page by page; trimmed with a hysteresis of one page; released when empty.

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, CriticalLevel, Protection};

use super::Workload;
use super::gc_seg::collection_level;
use super::held::Held;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("allocate", 10),
    Knob::weight("free", 8),
    Knob::weight("trim", 4),
    Knob::weight("use", 4),
    Knob::quantity("wave", 1, 2000),
];

const PAGE: u64 = 0x1000;
const SEGMENT: u64 = 0x1_0000;
/// Header and one page of handles.
const FIRST: u64 = 2 * PAGE;
/// Handles in a page.
const HANDLES: u64 = PAGE / 8;
/// The most segments.
const MOST: usize = 64;

/// A segment and how many handles are in use.
#[derive(Clone, Copy, Debug)]
struct Segment {
    held: Held,
    handles: u64,
    /// Where the last decommit began.
    decommit_line: u64,
}

/// The tables of a process.
#[derive(Debug)]
struct Tables {
    weights: [u32; 4],
    wave: u64,
    segments: Vec<Segment>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Tables {
        weights: ["allocate", "free", "trim", "use"].map(|name| swarm.get(name)),
        wave: u64::from(swarm.get("wave")),
        segments: Vec::new(),
    })
}

impl Segment {
    fn committed(&self, view: &View<'_>) -> u64 {
        self.held.committed(view, 0, SEGMENT).unwrap_or(0)
    }

    /// The first byte behind the handles in use, in whole pages.
    const fn needed(&self) -> u64 {
        PAGE + self.handles.div_ceil(HANDLES) * PAGE
    }
}

impl Workload for Tables {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = CriticalLevel::PROCESS;
        self.segments.retain(|segment| segment.held.find(view).is_some());
        let some = !self.segments.is_empty();
        match draw.weighted(&self.weights) {
            1 if some => self.free(draw),
            2 if some => self.trim(&mut script, draw),
            3 if some => self.touch(&mut script, draw),
            _ => self.allocate(&mut script, draw),
        }
        if script.is_empty() {
            self.allocate(&mut script, draw);
        }
        script.steps()
    }
}

impl Tables {
    /// More handles: pages of the first segment that has room, or a new segment.
    fn allocate(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let more = draw.between(1, self.wave);
        let full = (SEGMENT - PAGE) / PAGE * HANDLES;
        let room = self.segments.iter_mut().find(|segment| segment.handles + more <= full);
        let Some(segment) = room else {
            if self.segments.len() >= MOST {
                script.release(self.segments.remove(0).held.at(0));
                return;
            }
            let (kind, size) = (AllocationType::RESERVE, SEGMENT);
            let held = Held { name: script.reserve(size, kind, Protection::READWRITE), size };
            script.commit(held.at(0), FIRST, Protection::READWRITE);
            self.segments.push(Segment { held, handles: 0, decommit_line: SEGMENT });
            return;
        };
        segment.handles += more;
        let mut committed = segment.committed(script.view());
        while committed < segment.needed() {
            script.commit(segment.held.at(committed), PAGE, Protection::READWRITE);
            committed += PAGE;
        }
        script.write(segment.held.at(segment.needed() - 8), &draw.bytes(8));
    }

    /// Handles go; the memory stays until the next trim.
    fn free(&mut self, draw: &mut Draw) {
        let at = draw.index(self.segments.len());
        let segment = &mut self.segments[at];
        segment.handles = segment.handles.saturating_sub(draw.between(1, 2 * self.wave));
    }

    /// Decommits from the first empty page on, but only if a whole page below the line of the
    /// last time is empty; and releases an empty segment.
    fn trim(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        let at = draw.index(self.segments.len());
        if self.segments[at].handles == 0 && self.segments.len() > 1 {
            script.release(self.segments.remove(at).held.at(0));
            return;
        }
        let segment = &mut self.segments[at];
        let (needed, committed) = (segment.needed().max(FIRST), segment.committed(script.view()));
        if needed + PAGE <= segment.decommit_line.min(committed) {
            script.decommit(segment.held.at(needed), committed - needed);
            segment.decommit_line = needed;
        } else {
            segment.decommit_line = SEGMENT;
        }
    }

    fn touch(&self, script: &mut Script<'_>, draw: &mut Draw) {
        let segment = draw.pick(&self.segments);
        let committed = segment.committed(script.view());
        if committed > 0 {
            let place = segment.held.at(draw.below(committed) & !7);
            script.write(place, &draw.bytes(8));
            script.read(place, 8);
        }
    }
}
