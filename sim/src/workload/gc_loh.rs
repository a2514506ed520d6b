//! Large objects: segments of 128 MiB (256 MiB on a server) or as many times that as an
//! object takes, one commit an object, resets of the gaps, whole segments that come and go.
//!
//! gc.cpp `get_large_seg_size`, `grow_heap_segment`, `reset_memory`,
//! `delete_heap_segment`. After the first refused reset it is never tried again.
//!
//! Committed memory is real, so objects are at most 64 MiB, and rarely that.

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, Call, Protection};

use super::Workload;
use super::gc_seg::{allocation_level, collection_level};
use super::held::Held;
use super::segment::{FIRST, PAGE, Segment};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("allocate", 12),
    Knob::weight("sweep", 5),
    Knob::weight("reset", 5),
    Knob::weight("collapse", 1),
    Knob::quantity("server", 0, 1),
    Knob::quantity("largest-kib", 128, 1 << 20),
];

/// What counts as large.
const LARGE: u64 = 85_000;
/// Gaps up to this are not worth a reset.
const GAP: u64 = 128 << 10;
/// The most segments.
const MOST: usize = 8;

/// The large-object heap.
#[derive(Debug)]
struct LargeObjects {
    weights: [u32; 4],
    unit: u64,
    largest: u64,
    segments: Vec<Segment>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    let server = swarm.get("server") > 0;
    Box::new(LargeObjects {
        weights: ["allocate", "sweep", "reset", "collapse"].map(|name| swarm.get(name)),
        unit: if server { 256 << 20 } else { 128 << 20 },
        largest: u64::from(swarm.get("largest-kib")) << 10,
        segments: Vec::new(),
    })
}

impl Workload for LargeObjects {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        self.segments.retain(|segment| segment.held.find(view).is_some());
        let some = !self.segments.is_empty();
        match draw.weighted(&self.weights) {
            1 if some => self.sweep(&mut script, draw),
            2 if some => self.reset(&mut script, draw),
            3 if some => self.collapse(&mut script, draw),
            _ => self.allocate(&mut script, draw),
        }
        if script.is_empty() {
            self.sweep(&mut script, draw);
        }
        script.steps()
    }
}

impl LargeObjects {
    /// An object in the first segment with room for it, or in a new one.
    fn allocate(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = allocation_level(draw);
        // About every second allocation asks, in recordings: those that may collect.
        if draw.chance(1, 2) {
            script.call(Call::GetMemoryLoad);
        }
        let object = draw.log_uniform(LARGE, self.largest.max(LARGE));
        for segment in &mut self.segments {
            if segment.used + object <= segment.size {
                if !segment.grow_at_once(script, draw, object) {
                    self.sweep(script, draw);
                }
                return;
            }
        }
        if self.segments.len() >= MOST {
            self.collapse(script, draw);
            return;
        }
        // Room for two of the smallest objects and the header beside the object itself.
        let size = (object + 2 * 24 + PAGE).next_multiple_of(self.unit);
        let kind = AllocationType::RESERVE;
        let held = Held { name: script.reserve(size, kind, Protection::READWRITE), size };
        let segment = Segment::whole(held);
        segment.open(script);
        self.segments.push(segment);
    }

    /// After a sweep: the end of each segment is given back.
    fn sweep(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        script.call(Call::GetMemoryLoad);
        for segment in &mut self.segments {
            segment.used = FIRST + draw.below(segment.used.max(FIRST) - FIRST + 1);
            segment.trim(script, 0);
        }
    }

    /// `reset_memory`: the pages inside a gap between objects, without the object headers at
    /// both its ends.
    fn reset(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        let segment = draw.pick(&self.segments);
        let committed = segment.committed(script.view()).unwrap_or(0);
        let used = committed.min(segment.used);
        if used < FIRST + GAP + 3 * PAGE {
            return;
        }
        let gap = draw.log_uniform(GAP + 1, used - FIRST - 2 * PAGE);
        let start = FIRST + draw.below(used - FIRST - gap);
        let first = (start + 64).next_multiple_of(PAGE);
        let end = (start + gap - 64) & !(PAGE - 1);
        script.reset(segment.held.at(first), end - first);
        if draw.chance(1, 2) {
            script.read(segment.held.at(first), 8);
        }
    }

    /// The end of a segment: emptied first, then released.
    fn collapse(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        let segment = self.segments.remove(draw.index(self.segments.len()));
        let committed = segment.committed(script.view()).unwrap_or(0);
        if committed > 0 {
            script.decommit(segment.held.at(0), committed);
        }
        script.release(segment.held.at(0));
    }
}
