//! The start of a process, in order, every call at level 2: what each recording of a real
//! runtime begins with. After that, an application that loads more and more.
//!
//! vm/ceemain.cpp `InitGSCookie`, `EEStartupHelper`; gc.cpp `reserve_initial_memory`;
//! `GCToOSInterface::SupportsWriteWatch`; jithelpers.cpp, threads.cpp `InitThreadManager`.
//! The runtime patches its own image: here a stand-in that the case owns.

use hostmem_interface::scenario::{Place, Step};
use hostmem_interface::{Address, AllocationType, Call, CriticalLevel, MallocType, Protection};

use super::Workload;
use super::held::Held;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::quantity("concurrent", 0, 1),
    Knob::quantity("server", 0, 1),
    Knob::quantity("metadata-kib", 64, 1024),
    Knob::quantity("heaps", 1, 3),
];

/// The application.
pub const PARTS: &[&str] = &["loader"];

const RESERVE: AllocationType = AllocationType::RESERVE;
const RW: Protection = Protection::READWRITE;
const RX: Protection = Protection::EXECUTE_READ;
const ERW: Protection = Protection::EXECUTE_READWRITE;
const PAGE: u64 = 0x1000;
const IMAGE: u64 = 0x10_0000;

/// The steps of the start, one after the other.
struct Startup {
    at: usize,
    concurrent: bool,
    server: bool,
    metadata: u64,
    heaps: u32,
    image: Option<Held>,
    probe: Option<Held>,
    application: Box<dyn Workload>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Startup {
        at: 0,
        concurrent: swarm.get("concurrent") > 0,
        server: swarm.get("server") > 0,
        metadata: u64::from(swarm.get("metadata-kib")) << 10,
        heaps: swarm.get("heaps"),
        image: None,
        probe: None,
        application: super::started("loader", swarm, draw),
    })
}

impl Workload for Startup {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = CriticalLevel::PROCESS;
        while script.is_empty() {
            let at = self.at;
            self.at += 1;
            match at {
                0 => self.map_image(&mut script),
                1 => self.patch_image(&mut script),
                2 => self.probe_watch(&mut script),
                3 => self.release_probe(&mut script),
                4 => self.reserve_heap(&mut script),
                5 => self.reserve_tables(&mut script),
                6 => handle_table(&mut script),
                7 => memory_totals(&mut script),
                8 => loader_allocators(&mut script),
                9 => drop(script.reserve(
                    self.metadata.next_multiple_of(PAGE),
                    AllocationType::COMMIT,
                    RW,
                )),
                10 => script.call(Call::RegisterMemoryNotificationCallback),
                11 => self.create_heaps(&mut script),
                12 => acquire_image(&mut script, draw),
                _ => return self.application.next(draw, view),
            }
        }
        script.steps()
    }
}

impl Startup {
    fn map_image(&mut self, script: &mut Script<'_>) {
        let kind = RESERVE | AllocationType::COMMIT;
        self.image = Some(Held { name: script.reserve(IMAGE, kind, RX), size: IMAGE });
    }

    /// The cookie, and the table of helpers: writable and back. The write barrier's 160 bytes:
    /// left writable.
    fn patch_image(&self, script: &mut Script<'_>) {
        let Some(image) = self.image.filter(|held| held.find(script.view()).is_some()) else {
            return;
        };
        script.protect(image.at(0x2_3458), 8, ERW);
        script.write(image.at(0x2_3458), &[0x2B; 8]);
        script.protect(image.at(0x2_3458), 8, RX);
        script.protect(image.at(0x5_1FD0), 160, ERW);
        script.query(image.at(0x5_1FD0));
        script.protect(image.at(0x7_2000), 0x800, ERW);
        script.write(image.at(0x7_2008), &[0x11; 8]);
        script.protect(image.at(0x7_2000), 0x800, RX);
    }

    fn probe_watch(&mut self, script: &mut Script<'_>) {
        let size = 0x1_0000;
        let name = script.reserve(size, RESERVE | AllocationType::WRITE_WATCH, RW);
        self.probe = Some(Held { name, size });
    }

    fn release_probe(&self, script: &mut Script<'_>) {
        if let Some(probe) = self.probe.filter(|held| held.find(script.view()).is_some()) {
            script.release(probe.at(0));
        }
    }

    /// 256 MiB and 128 MiB in one piece, or a server's 4 GiB and 256 MiB twice; two pages of
    /// each segment.
    fn reserve_heap(&self, script: &mut Script<'_>) {
        const MIB: u64 = 1 << 20;
        let (heaps, small, large) =
            if self.server { (2, 4096 * MIB, 256 * MIB) } else { (1, 256 * MIB, 128 * MIB) };
        let size = heaps * (small + large);
        let watch = if self.concurrent { AllocationType::WRITE_WATCH } else { AllocationType(0) };
        let held = Held { name: script.reserve(size, RESERVE | watch, RW), size };
        for heap in 0..heaps {
            script.commit(held.at(heap * small), 2 * PAGE, RW);
            script.commit(held.at(heaps * small + heap * large), 2 * PAGE, RW);
        }
    }

    /// The sizes that recordings show.
    fn reserve_tables(&self, script: &mut Script<'_>) {
        let size = match (self.server, self.concurrent) {
            (true, _) => 0x4EB_0000,
            (false, true) => 0x38_0000,
            (false, false) => 0x7_0000 + 0x1_0000,
        };
        let name = script.reserve(size, RESERVE | AllocationType::WRITE_WATCH, RW);
        let held = Held { name, size };
        script.commit(held.at(0), 0x7_8168.min(size), RW);
    }

    fn create_heaps(&self, script: &mut Script<'_>) {
        for heap in 0..self.heaps {
            let executable = heap == 1;
            let both = MallocType::THREADSAFE | MallocType::EXECUTABLE;
            let malloc =
                script.create_malloc(if executable { both } else { MallocType::THREADSAFE });
            script.heap_alloc(malloc, 0x248);
        }
    }
}

fn handle_table(script: &mut Script<'_>) {
    let size = 0x1_0000;
    let held = Held { name: script.reserve(size, RESERVE, RW), size };
    script.commit(held.at(0), 2 * PAGE, RW);
    script.commit(held.at(2 * PAGE), PAGE, RW);
}

/// The system's, the shared and the default domain: 64 KiB each, of which the first pages of
/// the low-frequency, high-frequency and stub heaps are committed; their stub dispatch.
fn loader_allocators(script: &mut Script<'_>) {
    const DISPATCH: u64 = 0x9_0000;
    for high in [9, 10, 10] {
        let size = 0x1_0000;
        let held = Held { name: script.reserve(size, RESERVE, Protection::NOACCESS), size };
        for (start, protect) in [(0, RW), (3, RW), (3 + high, ERW)] {
            script.commit(held.at(start * PAGE), PAGE, protect);
        }
        script.reserve(DISPATCH, RESERVE, Protection::NOACCESS);
    }
    // The allocator of cache lines.
    script.reserve(0x1_0000, RESERVE | AllocationType::COMMIT, RW);
}

/// Start-up and each growth of the tables ask for totals through the same routine.
fn memory_totals(script: &mut Script<'_>) {
    for _ in 0..3 {
        script.call(Call::GetMemoryLoad);
    }
}

fn acquire_image(script: &mut Script<'_>, draw: &mut Draw) {
    let address = Place::Absolute(Address(0x7FF5_0000_0000));
    let size = draw.log_uniform(0x1_0000, 16 << 20);
    script.call(Call::AcquiredVirtualAddressSpace { address, size });
}
