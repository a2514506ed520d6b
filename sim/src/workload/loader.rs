//! Loader heaps: 64 KiB at a time of reserved memory, committed page by page and never given
//! back before everything is unloaded.
//!
//! utilcode/loaderheap.cpp (`UnlockedReservePages`, `GetMoreCommittedPages`),
//! vm/loaderallocator.cpp (`Init`, `Terminate`), heap sizes of vm/appdomain.hpp. Reservations
//! are `PAGE_NOACCESS` even for data, commits are read-write, or executable for stubs.
//!
//! `unload` is the same with domains that come and go: a burst of releases from one thread,
//! after which the same holes are reserved again.

use hostmem_interface::scenario::Step;
use hostmem_interface::{Call, CriticalLevel, Protection};

use super::Workload;
use super::held::Held;
use super::window::Window;
use crate::intent::realise::RET;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case of `loader` draws.
pub const LOADER: &[Knob] = &[
    Knob::weight("grow", 40),
    Knob::weight("use", 8),
    Knob::weight("query", 2),
    Knob::weight("domain", 3),
    Knob::weight("unload", 1),
    Knob::quantity("domains", 2, 12),
    Knob::quantity("collectible", 0, 2),
];

/// What a case of `unload` draws.
pub const UNLOAD: &[Knob] = &[
    Knob::weight("grow", 20),
    Knob::weight("use", 4),
    Knob::weight("query", 1),
    Knob::weight("domain", 8),
    Knob::weight("unload", 6),
    Knob::quantity("domains", 4, 32),
    Knob::quantity("collectible", 0, 9),
];

const PAGE: u64 = 0x1000;
const GRANULE: u64 = 0x1_0000;
const RW: Protection = Protection::READWRITE;
const ERW: Protection = Protection::EXECUTE_READWRITE;

/// Pieces of the first 64 KiB: pages and protection. Low-frequency, high-frequency and stub
/// heap of a domain; those of the global one, which has an executable heap too.
const GLOBAL: &[(u64, Protection)] = &[(3, RW), (9, RW), (3, ERW), (1, ERW)];
const DOMAIN: &[(u64, Protection)] = &[(3, RW), (10, RW), (3, ERW)];
/// High-frequency, stub, code and stub-dispatch memory of a collectible assembly.
const COLLECTIBLE: &[(u64, Protection)] = &[(3, RW), (1, ERW), (7, ERW), (5, ERW)];

/// A heap: where it grows now, and the protection of its commits.
#[derive(Clone, Copy, Debug)]
struct Piece {
    held: Held,
    start: u64,
    end: u64,
    protect: Protection,
}

/// One `LoaderAllocator`.
#[derive(Debug)]
struct Domain {
    initial: Held,
    pieces: Vec<Piece>,
    /// Blocks that its heaps took when a piece was full, oldest first.
    more: Vec<Held>,
    /// Its code heaps.
    code: Vec<Held>,
    critical: CriticalLevel,
}

/// The domains of a process.
#[derive(Debug)]
struct Loader {
    weights: [u32; 5],
    most: usize,
    /// How many of ten domains are collectible.
    collectible: u64,
    window: Window,
    domains: Vec<Domain>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Loader {
        weights: ["grow", "use", "query", "domain", "unload"].map(|name| swarm.get(name)),
        most: swarm.get("domains") as usize,
        collectible: u64::from(swarm.get("collectible")),
        window: Window::default(),
        domains: Vec::new(),
    })
}

impl Workload for Loader {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        self.domains.retain(|domain| domain.initial.find(view).is_some());
        if self.window.open(&mut script) {
            return script.steps();
        }
        let few = self.domains.is_empty();
        match draw.weighted(&self.weights) {
            0 if !few => self.grow(&mut script, draw),
            1 if !few => self.touch(&mut script, draw),
            2 if !few => self.query(&mut script, draw),
            4 if !few => self.unload(&mut script, draw),
            _ if self.domains.len() < self.most.max(1) => self.load(&mut script, draw),
            _ => self.unload(&mut script, draw),
        }
        script.steps()
    }
}

impl Loader {
    /// `LoaderAllocator::Init`: 64 KiB, cut into pieces.
    fn load(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let default = self.domains.is_empty();
        let critical = if default { CriticalLevel::PROCESS } else { CriticalLevel::APP_DOMAIN };
        script.level = critical;
        let collectible = draw.chance(self.collectible, 10) && !default;
        let plan = match (default, collectible) {
            (true, _) => GLOBAL,
            (_, true) => COLLECTIBLE,
            _ => DOMAIN,
        };
        let initial = self.window.reserve(script, GRANULE);
        let mut pieces = Vec::with_capacity(plan.len());
        let mut start = 0;
        for (pages, protect) in plan {
            let end = start + pages * PAGE;
            pieces.push(Piece { held: initial, start, end, protect: *protect });
            script.commit(initial.at(start), PAGE, *protect);
            start = end;
        }
        self.domains.push(Domain { initial, pieces, more: Vec::new(), code: Vec::new(), critical });
    }

    /// `GetMoreCommittedPages`: the next pages of a piece, or a new block.
    fn grow(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let at = self.mostly_the_newest(draw);
        let domain = &mut self.domains[at];
        script.level = domain.critical;
        if draw.chance(1, 16) {
            return self.compile(script, draw, at);
        }
        let which = draw.weighted(&[2, 6, 2, 2][..domain.pieces.len()]);
        let Piece { held, start, end, protect } = domain.pieces[which];
        let need = PAGE * [1, 2, 5][draw.weighted(&[12, 2, 1])];
        let committed = held.committed(script.view(), start, end).unwrap_or(end - start);
        if start + committed + need <= end {
            script.commit(held.at(start + committed), need, protect);
            return;
        }
        // The rest of the old block is wasted for ever.
        let block = self.window.reserve(script, need.next_multiple_of(GRANULE));
        script.commit(block.at(0), need, protect);
        let domain = &mut self.domains[at];
        domain.more.push(block);
        domain.pieces[which] = Piece { held: block, start: 0, end: block.size, protect };
    }

    /// A code heap of the domain: 64 KiB, 256 KiB, or 1 MiB where there are many.
    fn compile(&mut self, script: &mut Script<'_>, draw: &mut Draw, at: usize) {
        let many = self.domains[at].code.len() > 5;
        let size = if many { 1 << 20 } else { *draw.pick(&[GRANULE, 4 * GRANULE]) };
        let heap = self.window.reserve(script, size);
        script.commit(heap.at(0), PAGE * draw.between(1, 8), ERW);
        self.domains[at].code.push(heap);
    }

    /// Writes data, or a stub and runs it.
    fn touch(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let domain = draw.pick(&self.domains);
        let piece = *draw.pick(&domain.pieces);
        let committed = piece.held.committed(script.view(), piece.start, piece.end).unwrap_or(0);
        if committed == 0 {
            script.query(piece.held.at(piece.start));
            return;
        }
        let place = piece.held.at(piece.start + (draw.below(committed) & !15));
        if piece.protect == ERW && draw.chance(1, 2) {
            script.write(place, &[RET]);
            script.call(Call::Execute { address: place });
        } else {
            script.write(place, &draw.bytes(16));
        }
    }

    fn query(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let domain = draw.pick(&self.domains);
        let piece = draw.pick(&domain.pieces);
        script.query(piece.held.at(piece.start + draw.below(piece.end - piece.start)));
    }

    /// In recordings what loads and what goes is nearly always what came last: the rest is
    /// there for the whole run.
    fn mostly_the_newest(&self, draw: &mut Draw) -> usize {
        let newest = self.domains.len() - 1;
        if draw.chance(3, 4) { newest } else { draw.index(self.domains.len()) }
    }

    /// `EEJitManager::Unload`: every code heap; `LoaderAllocator::Terminate`: the blocks of
    /// each heap, oldest first, and the first 64 KiB last. Then the freed addresses are found
    /// again.
    fn unload(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let domain = self.domains.remove(self.mostly_the_newest(draw));
        for block in domain.code.iter().chain(&domain.more) {
            if block.find(script.view()).is_some() {
                script.release(block.at(0));
            }
        }
        script.release(domain.initial.at(0));
        self.window.rewind();
    }
}
