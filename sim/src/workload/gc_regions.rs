//! Regions of the newer collector: one reservation for everything, never released; basic
//! regions of 4 MiB, large ones of 32 MiB and huge ones of several times that, committed a
//! page and then by 64 KiB, kept on free lists by age, and decommitted at a pace.
//!
//! dotnet/runtime gc: region_allocator.cpp, region_free_list.cpp, memory.cpp. No host ever
//! saw this collector; it is here for the modern shape of its calls.

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, Protection};

use super::Workload;
use super::gc_seg::{allocation_level, collection_level};
use super::held::Held;
use super::segment::{PAGE, Segment};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("allocate", 16),
    Knob::weight("collect", 6),
    Knob::weight("step", 4),
    Knob::weight("large", 2),
    Knob::quantity("range-gib", 1, 256),
    Knob::quantity("heaps", 1, 8),
];

const BASIC: u64 = 4 << 20;
const LARGE: u64 = 8 * BASIC;
/// A huge region is up to so many large ones.
const HUGE: u64 = 4;
/// 160 KiB for each millisecond, and 100 of those between two steps.
const STEP: u64 = 100 * (160 << 10);
/// The most regions of a case.
const MOST: usize = 96;

/// A free region goes when it is so many collections old.
const fn old_age(size: u64) -> u32 {
    if size <= BASIC {
        20
    } else if size <= LARGE {
        5
    } else {
        2
    }
}

/// A region in use or on a free list.
#[derive(Clone, Copy, Debug)]
struct Region {
    segment: Segment,
    free: bool,
    age: u32,
}

/// The one reservation and its regions.
#[derive(Debug)]
struct Regions {
    weights: [u32; 4],
    range: u64,
    heaps: u64,
    all: Option<Held>,
    regions: Vec<Region>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Regions {
        weights: ["allocate", "collect", "step", "large"].map(|name| swarm.get(name)),
        range: u64::from(swarm.get("range-gib")) << 30,
        heaps: u64::from(swarm.get("heaps")),
        all: None,
        regions: Vec::new(),
    })
}

impl Workload for Regions {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        let Some(all) = self.all.filter(|held| held.find(view).is_some()) else {
            self.begin(&mut script);
            return script.steps();
        };
        match draw.weighted(&self.weights) {
            0 => self.allocate(&mut script, draw, all),
            1 => self.collect(&mut script, draw),
            2 => self.decommit_step(&mut script, draw),
            _ => {
                let huge = if draw.chance(1, 4) { draw.between(2, HUGE) } else { 1 };
                self.open(&mut script, all, huge * LARGE);
            }
        }
        if script.is_empty() {
            script.query(all.at(draw.below(self.range)));
        }
        script.steps()
    }
}

impl Regions {
    /// The reservation, and the first regions of each heap: pinned objects, then the three
    /// generations, then large objects.
    fn begin(&mut self, script: &mut Script<'_>) {
        script.level = super::malloc::STARTING;
        self.regions.clear();
        let (kind, size) = (AllocationType::RESERVE, self.range);
        let all = Held { name: script.reserve(size, kind, Protection::READWRITE), size };
        self.all = Some(all);
        for _ in 0..self.heaps {
            for size in [LARGE, BASIC, BASIC, BASIC, LARGE] {
                self.open(script, all, size);
            }
        }
        // Half the range next time, if that was refused.
        self.range = (self.range / 2).max(1 << 30);
    }

    /// A region: off the free list, or the first gap of the range.
    fn open(&mut self, script: &mut Script<'_>, all: Held, size: u64) {
        let suits = |region: &&mut Region| region.free && region.segment.size == size;
        if let Some(region) = self.regions.iter_mut().find(suits) {
            region.free = false;
            region.age = 0;
            return;
        }
        let Some(offset) = self.gap(all, size).filter(|_| self.regions.len() < MOST) else {
            return;
        };
        let segment = Segment { held: all, offset, size, used: PAGE };
        script.commit(all.at(offset), PAGE, Protection::READWRITE);
        self.regions.push(Region { segment, free: false, age: 0 });
    }

    /// First fit from the left.
    fn gap(&self, all: Held, size: u64) -> Option<u64> {
        let mut taken: Vec<(u64, u64)> = Vec::with_capacity(self.regions.len());
        taken.extend(self.regions.iter().map(|one| (one.segment.offset, one.segment.size)));
        taken.sort_unstable();
        let mut at = 0;
        for (offset, length) in taken {
            if offset - at >= size {
                break;
            }
            at = offset + length;
        }
        (at + size <= all.size).then_some(at)
    }

    fn allocate(&mut self, script: &mut Script<'_>, draw: &mut Draw, all: Held) {
        script.level = allocation_level(draw);
        let need = draw.log_uniform(0x2000, 1 << 20);
        let room = |region: &&mut Region| {
            !region.free && region.segment.used + need <= region.segment.size
        };
        match self.regions.iter_mut().rev().find(room) {
            Some(region) => {
                if !region.segment.grow(script, draw, need) {
                    self.collect(script, draw);
                }
            }
            None => self.open(script, all, BASIC),
        }
    }

    /// Regions become free, and free ones older; the old ones are decommitted whole.
    fn collect(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        script.level = collection_level(draw);
        for region in &mut self.regions {
            if region.free {
                region.age += 1;
            } else {
                region.free = draw.chance(1, 3);
            }
        }
        let old = |region: &Region| region.free && region.age >= old_age(region.segment.size);
        let gone: Vec<Region> = self.regions.iter().copied().filter(old).take(8).collect();
        for region in &gone {
            let segment = region.segment;
            let committed = segment.committed(script.view()).unwrap_or(0);
            if committed > 0 {
                script.decommit(segment.held.at(segment.offset), committed);
            }
        }
        self.regions
            .retain(|region| !gone.iter().any(|g| g.segment.offset == region.segment.offset));
    }

    /// The timer: the ends of regions in use, so many bytes a step.
    fn decommit_step(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let mut left = STEP;
        for region in self.regions.iter_mut().filter(|region| !region.free) {
            let segment = &mut region.segment;
            segment.used = segment.used.min(PAGE + draw.below(segment.used));
            let committed = segment.committed(script.view()).unwrap_or(0);
            let used = segment.used.next_multiple_of(PAGE);
            let slack = committed.saturating_sub(used).min(left);
            if slack > 0 && draw.chance(1, 3) {
                let end = segment.offset + committed;
                script.decommit(segment.held.at(end - slack), slack);
                left -= slack;
            }
        }
    }
}
