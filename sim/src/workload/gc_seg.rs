//! Small objects: segments of the workstation and the server collector.
//!
//! One reservation for all initial segments, or two, or one each
//! (gc.cpp `reserve_initial_memory`); growth in chains of 64 KiB (`grow_heap_segment`); after
//! a collection at most one decommit a segment (`decommit_heap_segment_pages`); new segments
//! when the ephemeral one is full (`get_segment`), and their end (`delete_heap_segment`).
//!
//! Deliberately not here: large objects ([`super::gc_loh`]) and the tables beside the heap
//! ([`super::gc_tables`]).

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, Call, CriticalLevel, Protection};

use super::Workload;
use super::held::Held;
use super::segment::{FIRST, PAGE, Segment};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a workstation case draws.
pub const WORKSTATION: &[Knob] = &[
    Knob::weight("allocate", 24),
    Knob::weight("collect", 2),
    Knob::weight("segment", 1),
    Knob::weight("background", 2),
    Knob::quantity("heaps", 1, 1),
    Knob::quantity("survival", 1, 90),
    Knob::quantity("burst", 1, 16),
    Knob::quantity("budget", 8, 256),
    Knob::quantity("watched", 0, 1),
    Knob::quantity("retain", 0, 1),
    Knob::quantity("server", 0, 0),
];

/// What a server case draws.
pub const SERVER: &[Knob] = &[
    Knob::weight("allocate", 24),
    Knob::weight("collect", 1),
    Knob::weight("segment", 1),
    Knob::weight("background", 1),
    Knob::quantity("heaps", 1, 64),
    Knob::quantity("survival", 1, 90),
    Knob::quantity("burst", 1, 16),
    Knob::quantity("budget", 8, 256),
    Knob::quantity("watched", 0, 1),
    Knob::quantity("retain", 0, 1),
    Knob::quantity("server", 1, 1),
];

/// The most segments beside the initial ones.
const MOST_SEGMENTS: usize = 6;
/// `GC_EPHEMERAL_DECOMMIT` keeps this much on a workstation; nothing when memory is low.
const EPHEMERAL_SLACK: u64 = 512 << 10;
/// `GetWriteWatch` is asked for so many pages at a time.
const WATCH_BATCH: u64 = 100;

/// The sizes of one kind of collector.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    small: u64,
    large: u64,
}

/// INITIAL_ALLOC and LHEAP_ALLOC on 64 bits; a server with more processors halves the first.
const fn sizes(server: bool, heaps: u64) -> Sizes {
    const MIB: u64 = 1 << 20;
    let small = match (server, heaps) {
        (false, _) => 256 * MIB,
        (true, 0..=4) => 4096 * MIB,
        (true, 5..=8) => 2048 * MIB,
        (true, _) => 1024 * MIB,
    };
    Sizes { small, large: if server { 256 * MIB } else { 128 * MIB } }
}

/// The small-object heaps of a process.
#[derive(Debug)]
struct Segments {
    weights: [u32; 4],
    heaps: u64,
    sizes: Sizes,
    /// How much survives a collection at most, percent.
    survival: u64,
    /// The most that is allocated at once, in units of 64 KiB.
    burst: u64,
    /// How many bytes are allocated before a collection is due: the budget of generation 0.
    budget: u64,
    /// How many were since the last.
    allocated: u64,
    kind: AllocationType,
    retain: bool,
    server: bool,
    /// How often the initial reservation was tried.
    tried: u32,
    segments: Vec<Segment>,
    standby: Vec<Segment>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    let number = |name| u64::from(swarm.get(name));
    let (server, heaps) = (number("server") > 0, number("heaps").max(1));
    let watch = AllocationType::RESERVE | AllocationType::WRITE_WATCH;
    let kind = if number("watched") > 0 { watch } else { AllocationType::RESERVE };
    Box::new(Segments {
        weights: ["allocate", "collect", "segment", "background"].map(|name| swarm.get(name)),
        heaps,
        sizes: sizes(server, heaps),
        survival: number("survival"),
        burst: number("burst").max(1),
        budget: number("budget").max(1) * 0x1_0000,
        allocated: 0,
        kind,
        retain: number("retain") > 0,
        server,
        tried: 0,
        segments: Vec::new(),
        standby: Vec::new(),
    })
}

impl Workload for Segments {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        self.segments.retain(|segment| segment.held.find(view).is_some());
        self.standby.retain(|segment| segment.held.find(view).is_some());
        if self.segments.is_empty() {
            self.begin(&mut script);
            return script.steps();
        }
        match draw.weighted(&self.weights) {
            0 => self.allocate(&mut script, draw),
            1 => self.collect(&mut script, draw),
            2 => self.change_segments(&mut script, draw),
            _ => self.background(&mut script, draw),
        }
        // What fits into committed memory asks the manager for nothing.
        while script.is_empty() {
            self.allocate(&mut script, draw);
        }
        script.steps()
    }
}

impl Segments {
    /// `reserve_initial_memory`: all in one piece; if that was refused, the blocks of small
    /// objects and those of large ones, or a block. Two pages of each are committed; what else
    /// happens to large objects is [`super::gc_loh`].
    fn begin(&mut self, script: &mut Script<'_>) {
        script.level = CriticalLevel::PROCESS;
        let Sizes { small, large } = self.sizes;
        let (count, pieces): (u64, &[u64]) = match self.tried {
            0 => (self.heaps, &[self.heaps * (small + large)]),
            1 => (self.heaps, &[self.heaps * small, self.heaps * large]),
            _ => (1, &[small]),
        };
        if self.tried > 0 {
            // Perhaps there is no write watch (`GCToOSInterface::SupportsWriteWatch`).
            self.kind = AllocationType::RESERVE;
        }
        self.tried += 1;
        let reserve = |size: &u64| {
            let size = *size;
            Held { name: script.reserve(size, self.kind, Protection::READWRITE), size }
        };
        let pieces: Vec<Held> = pieces.iter().map(reserve).collect();
        for heap in 0..count {
            let offset = heap * small;
            let segment = Segment { offset, size: small, ..Segment::whole(pieces[0]) };
            segment.open(script);
            self.segments.push(segment);
        }
        let large_at = |heap| match pieces[..] {
            [all] if all.size > count * small => Some(all.at(count * small + heap * large)),
            [_, blocks] => Some(blocks.at(heap * large)),
            _ => None,
        };
        for place in (0..count).filter_map(large_at) {
            script.commit(place, FIRST, Protection::READWRITE);
        }
    }

    /// Mutators fill their allocation contexts; a server's in parallel, one heap each. A
    /// generation that has used up its budget is collected first.
    fn allocate(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        if self.allocated >= self.budget * self.heaps {
            self.collect(script, draw);
            return;
        }
        script.level = allocation_level(draw);
        let at = draw.index(self.segments.len());
        let need = draw.between(1, self.burst) * 0x1_0000 - draw.below(0x8000);
        if self.segments[at].grow(script, draw, need) {
            self.allocated += need;
        } else {
            self.collect(script, draw);
        }
    }

    /// A collection: the load is asked for, what died is given back.
    fn collect(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        self.allocated = 0;
        script.call(Call::GetMemoryLoad);
        let low = draw.chance(1, 8);
        for (number, segment) in self.segments.iter_mut().enumerate() {
            let survives = draw.below(self.survival + 1);
            let live = segment.used.saturating_sub(FIRST) / 100 * survives;
            segment.used = FIRST + live;
            let ephemeral = number == 0 && !self.server && !low;
            segment.trim(script, if ephemeral { EPHEMERAL_SLACK } else { 0 });
        }
    }

    /// A new segment, one out of the standby list, or the end of one.
    fn change_segments(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        let initial = usize::try_from(self.heaps).unwrap_or(usize::MAX).min(self.segments.len());
        let grow = self.segments.len() - initial < MOST_SEGMENTS;
        if grow && draw.chance(1, 2) {
            if let Some(segment) = self.standby.pop() {
                self.segments.push(segment);
                return;
            }
            let size = self.sizes.small;
            let held = Held { name: script.reserve(size, self.kind, Protection::READWRITE), size };
            let segment = Segment::whole(held);
            segment.open(script);
            self.segments.push(segment);
        } else if self.segments.len() > initial {
            let at = initial + draw.index(self.segments.len() - initial);
            let mut segment = self.segments.remove(at);
            if self.retain {
                segment.park(script);
                self.standby.push(segment);
            } else if segment.offset == 0 && segment.size == segment.held.size {
                script.release(segment.held.at(0));
            }
        }
    }

    /// A background collection looks for written pages, batch by batch, and forgets them.
    fn background(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let segment = &self.segments[draw.index(self.segments.len())];
        let end = segment.used.next_multiple_of(PAGE).min(segment.size);
        let place = segment.held.at(segment.offset + PAGE);
        let size = end.saturating_sub(PAGE).max(PAGE);
        if self.kind.contains(AllocationType::WRITE_WATCH) {
            script.get_watch(place, size, WATCH_BATCH);
            script.reset_watch(place, size.min(128 << 20));
        } else {
            script.query(place);
        }
    }
}

/// An allocating thread holds no lock of the runtime unless its program is in a monitor.
pub fn allocation_level(draw: &mut Draw) -> CriticalLevel {
    CriticalLevel([0, 1, 2][draw.weighted(&[14, 3, 1])])
}

/// A collection on a managed thread holds the thread-store lock.
pub fn collection_level(draw: &mut Draw) -> CriticalLevel {
    CriticalLevel([1, 2][draw.weighted(&[1, 2])])
}
