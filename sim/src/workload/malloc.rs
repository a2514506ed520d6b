//! The runtime's small allocations: `IHostMalloc` behind operator new (`EEHeapAlloc`).
//!
//! Sizes of 8 bytes to 64 KiB, most below 512; lives short, but a few for ever; `Free` of a
//! null pointer is passed on (`EEHeapFree`). The sources give no law of sizes: log-uniform.

use hostmem_interface::scenario::{Name, Place, Step};
use hostmem_interface::{Address, Call, CriticalLevel, MallocId, MallocType};

use super::Workload;
use crate::intent::kinds::level;
use crate::intent::realise::RET;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::{Binding, View};

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("alloc", 20),
    Knob::weight("free", 16),
    Knob::weight("use", 8),
    Knob::weight("free-null", 1),
    Knob::quantity("heaps", 1, 4),
    Knob::quantity("live", 8, 512),
];

/// Heaps and the blocks of each.
#[derive(Debug)]
struct Heaps {
    weights: [u32; 4],
    heaps: usize,
    live: usize,
    blocks: Vec<Name>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Heaps {
        weights: ["alloc", "free", "use", "free-null"].map(|name| swarm.get(name)),
        heaps: swarm.get("heaps") as usize,
        live: swarm.get("live") as usize,
        blocks: Vec::new(),
    })
}

/// The heaps that were created, oldest first.
fn heaps(view: &View<'_>) -> Vec<Name> {
    let named = (0u32..).map(Name).zip(view.bound);
    named.filter(|(_, bound)| matches!(bound, Binding::Malloc)).map(|(name, _)| name).collect()
}

/// The heap and the base of a live block.
fn block(view: &View<'_>, name: Name) -> Option<(Name, Address, u64)> {
    match view.bound.get(name.0 as usize) {
        Some(Binding::Range { base, malloc: Some(malloc), .. }) => {
            view.state.heaps.block(*base).map(|block| (*malloc, *base, block.size))
        }
        _ => None,
    }
}

impl Workload for Heaps {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        let heaps = heaps(view);
        if heaps.len() < self.heaps.max(1) {
            // GetProcessExecutableHeap makes the executable one.
            let both = MallocType::THREADSAFE | MallocType::EXECUTABLE;
            let kind = if heaps.is_empty() { MallocType::THREADSAFE } else { both };
            script.create_malloc(kind);
            return script.steps();
        }
        let heap = *draw.pick(&heaps);
        let full = self.blocks.len() >= self.live;
        match (draw.weighted(&self.weights), self.blocks.is_empty()) {
            (0, _) if !full => self.alloc(&mut script, draw, heap),
            (2, false) => self.touch(&mut script, draw),
            (3, _) => script.heap_free(heap, Place::NULL),
            (_, false) => self.free(&mut script, draw),
            _ => self.alloc(&mut script, draw, heap),
        }
        if script.is_empty() {
            self.alloc(&mut script, draw, heap);
        }
        script.steps()
    }
}

impl Heaps {
    fn alloc(&mut self, script: &mut Script<'_>, draw: &mut Draw, heap: Name) {
        script.level = level(draw);
        let rare = draw.chance(1, 20);
        let size = if rare { draw.log_uniform(512, 0x1_0000) } else { draw.log_uniform(8, 511) };
        self.blocks.push(script.heap_alloc(heap, size));
    }

    /// Mostly one of the newest: most live shortly.
    fn free(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let newest = self.blocks.len().min(16);
        let all = draw.chance(1, 5);
        let back = draw.index(if all { self.blocks.len() } else { newest });
        let name = self.blocks.remove(self.blocks.len() - 1 - back);
        if let Some((heap, ..)) = block(script.view(), name) {
            script.heap_free(heap, Place::Relative { name, offset: 0 });
        }
    }

    /// Writes and reads back, and runs code in an executable heap.
    fn touch(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let name = *draw.pick(&self.blocks);
        let Some((heap, _, size)) = block(script.view(), name).filter(|(.., size)| *size >= 8)
        else {
            self.blocks.retain(|known| *known != name);
            return;
        };
        let place = |offset| Place::Relative { name, offset };
        let offset = draw.below(size - 7) & !7;
        if is_executable(script.view(), heap) && draw.chance(1, 2) {
            script.write(place(offset), &[RET]);
            script.call(Call::Execute { address: place(offset) });
            return;
        }
        script.write(place(offset), &draw.bytes(8));
        script.read(place(offset), 8);
    }
}

/// The k-th heap that was bound is the k-th that was made.
fn is_executable(view: &View<'_>, heap: Name) -> bool {
    let number = heaps(view).iter().position(|known| *known == heap);
    let id = number.and_then(|number| u32::try_from(number).ok()).map(MallocId);
    id.and_then(|id| view.state.heaps.kind(id))
        .is_some_and(|kind| kind.contains(MallocType::EXECUTABLE))
}

/// The level of everything before the runtime has started.
pub const STARTING: CriticalLevel = CriticalLevel::PROCESS;
