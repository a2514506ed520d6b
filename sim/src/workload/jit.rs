//! Code: heaps of the JIT, dynamic methods, stub dispatch, jump stubs, and patches.
//!
//! vm/codeman.cpp (`NewCodeHeap`, `LoaderCodeHeap::CreateCodeHeap`, emergency jump stubs),
//! vm/dynamicmethod.cpp (`HostCodeHeap`: its nibble map is committed first, at the top end),
//! vm/virtualcallstub.cpp (`VirtualCallStubManager::Init`). Commits are exact pages and
//! executable; a patch makes 8 bytes writable and back.
//!
//! Deliberately not here: the compiler's own memory ([`super::jit_arena`]).

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, Call, CriticalLevel, Protection};

use super::Workload;
use super::held::{Held, forget_lost};
use super::window::Window;
use crate::intent::realise::RET;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("method", 20),
    Knob::weight("dynamic", 8),
    Knob::weight("run", 10),
    Knob::weight("patch", 6),
    Knob::weight("walk", 8),
    Knob::weight("collect", 4),
    Knob::weight("dispatch", 2),
    Knob::weight("jump-stubs", 1),
];

const PAGE: u64 = 0x1000;
const GRANULE: u64 = 0x1_0000;
const ERW: Protection = Protection::EXECUTE_READWRITE;
const RW: Protection = Protection::READWRITE;
const RX: Protection = Protection::EXECUTE_READ;
/// Bytes of the stand-in for the runtime's image.
const IMAGE: u64 = 0x1_0000;
/// The emergency jump stubs.
const JUMP_STUBS: u64 = 16 << 20;
/// From so many code heaps on, the next are larger.
const MANY: usize = 5;
/// The most code heaps of a case.
const MOST: usize = 24;

/// Code heaps of a process.
#[derive(Debug)]
struct Jit {
    weights: [u32; 8],
    window: Window,
    code: Vec<Held>,
    dynamic: Vec<Held>,
    dispatch: Option<Held>,
    jump_stubs: Option<Held>,
    /// A stand-in for a part of the runtime's own image.
    image: Option<Held>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Jit {
        weights: ["method", "dynamic", "run", "patch", "walk", "collect", "dispatch", "jump-stubs"]
            .map(|name| swarm.get(name)),
        window: Window::default(),
        code: Vec::new(),
        dynamic: Vec::new(),
        dispatch: None,
        jump_stubs: None,
        image: None,
    })
}

impl Workload for Jit {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = CriticalLevel::PROCESS;
        forget_lost(&mut self.code, view);
        forget_lost(&mut self.dynamic, view);
        if self.window.open(&mut script) {
            return script.steps();
        }
        match draw.weighted(&self.weights) {
            0 => self.method(&mut script, draw),
            1 if self.dynamic.len() < MOST => self.dynamic(&mut script, draw),
            2 => self.run(&mut script, draw),
            3 => self.patch(&mut script, draw),
            4 => self.walk(&mut script, draw),
            6 => self.dispatch(&mut script, draw),
            7 => self.jump_stubs(&mut script),
            _ => self.collect(&mut script, draw),
        }
        if script.is_empty() {
            self.method(&mut script, draw);
        }
        script.steps()
    }
}

impl Jit {
    /// A method's code: the next pages of the newest heap, or a new heap.
    fn method(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let need = PAGE * [1, 2, 4, 40][draw.weighted(&[16, 3, 2, 1])];
        if let Some(heap) = self.code.last().copied() {
            let committed = heap.committed(script.view(), 0, heap.size).unwrap_or(heap.size);
            if committed + need <= heap.size {
                script.commit(heap.at(committed), need, ERW);
                script.write(heap.at(committed + (draw.below(need) & !15)), &[RET]);
                return;
            }
        }
        if self.code.len() >= MOST {
            script.release(self.code.remove(0).at(0));
            return;
        }
        // 64 KiB, four times that on 64 bits, sixteen times with many heaps.
        let factor = if self.code.len() > MANY { 16 } else { [1, 4][draw.index(2)] };
        let heap =
            self.window.reserve(script, (GRANULE * factor).max(need.next_multiple_of(GRANULE)));
        script.commit(heap.at(0), need, ERW);
        self.code.push(heap);
    }

    /// `HostCodeHeap`: the nibble map at the top end first, then code from the bottom up.
    fn dynamic(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        if let Some(heap) = self.dynamic.last().copied().filter(|_| draw.chance(2, 3)) {
            let committed = heap.committed(script.view(), 0, heap.size).unwrap_or(heap.size);
            if committed + 2 * PAGE <= heap.size {
                script.commit(heap.at(committed), PAGE * draw.between(1, 2), ERW);
                return;
            }
        }
        let heap = self.window.reserve(script, GRANULE);
        script.commit(heap.at(heap.size - PAGE), PAGE, ERW);
        script.commit(heap.at(0), PAGE, ERW);
        script.write(heap.at(0x40), &[RET]);
        self.dynamic.push(heap);
    }

    /// Some committed code.
    fn some_code(&self, script: &Script<'_>, draw: &mut Draw) -> Option<(Held, u64)> {
        let all = self.code.len() + self.dynamic.len();
        let at = draw.index(all);
        let heap = *self.code.iter().chain(&self.dynamic).nth(at)?;
        let committed = heap.committed(script.view(), 0, heap.size)?;
        (committed > 0).then_some((heap, committed))
    }

    fn run(&self, script: &mut Script<'_>, draw: &mut Draw) {
        if let Some((heap, committed)) = self.some_code(script, draw) {
            let place = heap.at(draw.below(committed) & !15);
            script.write(place, &[RET]);
            script.call(Call::Execute { address: place });
        }
    }

    /// Rejit and allocation helpers: 5 to 8 bytes are made writable, written and protected as
    /// they were, in a code heap, which is writable as it is, or in the runtime's image. The
    /// tests of collection coverage do so with whole methods.
    fn patch(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let Some(image) = self.image.filter(|held| held.find(script.view()).is_some()) else {
            let (kind, size) = (AllocationType::RESERVE | AllocationType::COMMIT, IMAGE);
            self.image = Some(Held { name: script.reserve(size, kind, RX), size });
            return;
        };
        let code = self.some_code(script, draw).filter(|_| draw.chance(1, 2));
        let ((held, length), before) = code.map_or(((image, IMAGE), RX), |code| (code, ERW));
        let whole = draw.chance(1, 8);
        let size = if whole { draw.between(PAGE, length) } else { draw.between(5, 8) };
        let place = held.at(draw.below(length - size + 1));
        script.protect(place, size, ERW);
        script.write(place, &draw.bytes(5));
        script.protect(place, size, before);
    }

    /// A stack walk asks what its addresses are.
    fn walk(&self, script: &mut Script<'_>, draw: &mut Draw) {
        for _ in 0..draw.between(1, 4) {
            if let Some((heap, _)) = self.some_code(script, draw) {
                script.query(heap.at(draw.below(heap.size)));
            }
        }
    }

    /// Heaps that nothing refers to go during the next collection.
    fn collect(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        while !self.dynamic.is_empty() && draw.chance(2, 3) {
            let heap = self.dynamic.remove(draw.index(self.dynamic.len()));
            script.release(heap.at(0));
        }
        self.window.rewind();
    }

    /// Five heaps in one reservation: indirection cells and cache entries are data, lookup,
    /// dispatch and resolve stubs are code (item counts of 64 bits, page by page).
    fn dispatch(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        const HEAPS: [(u64, Protection); 5] = [(4, RW), (8, RW), (2, ERW), (59, ERW), (71, ERW)];
        let Some(block) = self.dispatch.filter(|held| held.find(script.view()).is_some()) else {
            let pages: u64 = HEAPS.iter().map(|(pages, _)| pages).sum();
            let size = (pages * PAGE).next_multiple_of(GRANULE);
            self.dispatch = Some(self.window.reserve(script, size));
            return;
        };
        let which = draw.index(HEAPS.len());
        let start: u64 = HEAPS[..which].iter().map(|(pages, _)| pages * PAGE).sum();
        let (pages, protect) = HEAPS[which];
        let end = start + pages * PAGE;
        let committed = block.committed(script.view(), start, end).unwrap_or(0);
        if start + committed < end {
            script.commit(block.at(start + committed), PAGE, protect);
        } else {
            script.query(block.at(start));
        }
    }

    fn jump_stubs(&mut self, script: &mut Script<'_>) {
        match self.jump_stubs.filter(|held| held.find(script.view()).is_some()) {
            None => self.jump_stubs = Some(self.window.reserve(script, JUMP_STUBS)),
            // Cut up from the beginning.
            Some(stubs) => {
                let used = stubs.committed(script.view(), 0, JUMP_STUBS).unwrap_or(0);
                script.commit(stubs.at(used.min(JUMP_STUBS - GRANULE)), GRANULE, ERW);
            }
        }
    }
}
