//! Mapped images and the three notices about them.
//!
//! utilcode/util.cpp `CLRMapViewOfFileEx`, `CLRUnmapViewOfFile`: a mapping that succeeded is
//! announced, one that failed asks for room first; vm/peimagelayout.cpp
//! `ApplyBaseRelocations`: sections with fixups are made writable, written and protected
//! again.
//!
//! The mappings themselves never reach a host, so the announced ranges lie where no manager
//! puts anything; the sections that are patched are stand-ins of the case's own.

use hostmem_interface::scenario::{Place, Step};
use hostmem_interface::{Address, AllocationType, Call, Protection};

use super::Workload;
use super::held::{Held, forget_lost};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("map", 10),
    Knob::weight("unmap", 8),
    Knob::weight("pressure", 1),
    Knob::weight("relocate", 6),
    Knob::weight("query", 4),
    Knob::quantity("images", 50, 500),
];

/// Where images are taken to be: no manager chooses this by itself.
const IMAGES: u64 = 0x7FF6_0000_0000;
const PAGE: u64 = 0x1000;
/// One image every so many bytes.
const STRIDE: u64 = 64 << 20;
/// Stand-ins for sections.
const MOST_SECTIONS: usize = 12;

/// The images of a process.
#[derive(Debug)]
struct Images {
    weights: [u32; 5],
    slots: u64,
    mapped: Vec<u64>,
    sections: Vec<Held>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Images {
        weights: ["map", "unmap", "pressure", "relocate", "query"].map(|name| swarm.get(name)),
        slots: u64::from(swarm.get("images")),
        mapped: Vec::new(),
        sections: Vec::new(),
    })
}

const fn place_of(slot: u64) -> Place {
    Place::Absolute(Address(IMAGES + slot * STRIDE))
}

impl Workload for Images {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        forget_lost(&mut self.sections, view);
        match draw.weighted(&self.weights) {
            1 if !self.mapped.is_empty() => self.unmap(&mut script, draw),
            2 => self.pressure(&mut script, draw),
            3 => self.relocate(&mut script, draw),
            4 if !self.mapped.is_empty() => self.query(&mut script, draw),
            _ => self.map(&mut script, draw),
        }
        script.steps()
    }
}

impl Images {
    /// Announced after it was mapped.
    fn map(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let slot = draw.below(self.slots);
        if self.mapped.contains(&slot) {
            self.unmap(script, draw);
            return;
        }
        let (address, size) = (place_of(slot), draw.log_uniform(0x1000, 50 << 20));
        script.call(Call::AcquiredVirtualAddressSpace { address, size });
        self.mapped.push(slot);
    }

    fn unmap(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let slot = self.mapped.remove(draw.index(self.mapped.len()));
        script.call(Call::ReleasedVirtualAddressSpace { address: place_of(slot) });
    }

    /// A mapping failed: at its preferred base, and then anywhere. All maps pass size 0. Now
    /// and then the host has no room to give either.
    fn pressure(&self, script: &mut Script<'_>, draw: &mut Draw) {
        if draw.chance(1, 4) {
            script.fail_next("NeedsVirtualAddressSpace", 1, None);
        }
        if draw.chance(1, 2) {
            let address = place_of(draw.below(self.slots));
            script.call(Call::NeedsVirtualAddressSpace { address, size: 0 });
        }
        script.call(Call::NeedsVirtualAddressSpace { address: Place::NULL, size: 0 });
    }

    /// A section whose fixups are applied: writable, written, and as it was.
    fn relocate(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let many = self.sections.len() >= MOST_SECTIONS;
        if self.sections.is_empty() || (!many && draw.chance(1, 4)) {
            let size = draw.log_uniform(0x1000, 1 << 20);
            let kind = AllocationType::RESERVE | AllocationType::COMMIT;
            let name = script.reserve(size, kind, Protection::EXECUTE_READ);
            self.sections.push(Held { name, size });
            return;
        }
        if many {
            script.release(self.sections.remove(0).at(0));
            return;
        }
        let section = *draw.pick(&self.sections);
        // The header alone (`ConvertILOnlyPE32ToPE64`), or the whole section at once; with
        // code that is converted while it may run.
        let (size, protect) = match draw.weighted(&[6, 2, 1]) {
            0 => (section.size, Protection::READWRITE),
            1 => (PAGE, Protection::READWRITE),
            _ => (section.size, Protection::EXECUTE_READWRITE),
        };
        script.protect(section.at(0), size, protect);
        for _ in 0..draw.between(1, 3) {
            let offset = draw.below(size.max(9) - 8);
            script.write(section.at(offset), &draw.bytes(8));
        }
        script.protect(section.at(0), size, Protection::EXECUTE_READ);
    }

    fn query(&self, script: &mut Script<'_>, draw: &mut Draw) {
        script.query(place_of(*draw.pick(&self.mapped)));
    }
}
