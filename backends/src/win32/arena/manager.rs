//! [`ArenaManager`]: the interface's traits, each method handed to the file of its call; and
//! [`ArenaBackend`], which opens one for each case.
//!
//! One lock guards the books and is held while the system is asked to follow.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostmem_interface::dispatch::Host;
use hostmem_interface::{
    AccessKind, Address, AllocationType, Backend, Capabilities, Capability, CriticalLevel,
    Description, ExecuteError, Fault, FreeType, Grain, HostMemoryManager, InProcess, Machine,
    MemoryAccess, MemoryLoad, OpenError, OutPointer, Protection, QueryAnswer, Refusal, Subject,
    WriteWatch,
};

use super::zones::{Zone, Zones};
use crate::arguments::AllocArguments;
use crate::touch::Touch;
use crate::win32::access::touch_own;
use crate::win32::foreign::violation;
use crate::win32::turn::Turn;
use crate::win32::{backend, memory_load};

/// Which part of an arena the system watches for writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// All of it: watched reservations may lie anywhere.
    All,
    /// An eighth, where watched reservations lie.
    Apart,
}

/// How an arena is opened; sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaOptions {
    /// How much address space it has.
    pub size: u64,
    /// Which part of it is watched.
    pub watched: Watched,
    /// Where it is to lie, if that is free; 0 leaves it to the system.
    pub at: u64,
}

impl Default for ArenaOptions {
    fn default() -> Self {
        Self { size: 64 << 30, watched: Watched::All, at: 0 }
    }
}

/// A manager over address space of its own. Callable from any thread.
#[derive(Debug)]
pub struct ArenaManager {
    description: Description,
    touch: Option<Touch>,
    zones: Mutex<Zones>,
    /// If it is a subject: given back when all else is gone.
    turn: Option<Turn>,
}

impl ArenaManager {
    /// Takes the address space.
    ///
    /// # Errors
    /// The system's, if it has not so much.
    pub fn open(options: ArenaOptions) -> io::Result<Self> {
        let ArenaOptions { size, watched, at } = options;
        let zones = match watched {
            Watched::All => vec![Zone::reserve(size, true, at)?],
            Watched::Apart => {
                let plain = Zone::reserve(size / 8 * 7, false, at)?;
                let behind = plain.range().end + crate::ledger::GRANULE;
                vec![plain, Zone::reserve(size / 8, true, behind)?]
            }
        };
        let touch = Touch::arm().ok();
        let description = describe(touch.is_some());
        Ok(Self { description, touch, zones: Mutex::new(Zones(zones)), turn: None })
    }

    pub(super) fn zones(&self) -> MutexGuard<'_, Zones> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an address is the arena's to give.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        self.zones().at(address.0).is_some()
    }
}

fn describe(touches: bool) -> Description {
    let touching = [Capability::Contents, Capability::Faults, Capability::GuardPages];
    let mut capabilities = Capabilities::from_iter([
        Capability::WriteWatch,
        Capability::Buffers,
        Capability::MemoryLoad,
        Capability::TopDown,
        Capability::Reset,
        Capability::Nocache,
        Capability::Query,
        Capability::PrivateArena,
    ]);
    if touches {
        capabilities = touching.into_iter().fold(capabilities, Capabilities::with);
    }
    let other = "this manager has address space only";
    let absent = [
        (Capability::Execute, other),
        (Capability::Malloc, other),
        (Capability::AddressSpaceNotices, "what the runtime maps never lies in the arena"),
        (Capability::MemoryLoadControl, "this is a real machine"),
        (Capability::Notifications, "memory pressure is not listened to"),
    ];
    Description {
        name: "win32-arena".to_owned(),
        version: backend::version(),
        machine: backend::machine(),
        capabilities,
        grain: Grain::Win32,
        absent: absent.map(|(what, why)| (what, why.to_owned())).to_vec(),
    }
}

impl HostMemoryManager for ArenaManager {
    fn virtual_alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        _: CriticalLevel,
    ) -> Result<Address, Refusal> {
        self.alloc(&AllocArguments { at: address.0, size, kind, protect })
    }

    fn virtual_free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        self.free(address.0, size, kind)
    }

    fn virtual_query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        self.query(address.0, buffer, length)
    }

    fn virtual_protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        self.protect(address.0, size, protect, old)
    }

    fn get_memory_load(&self) -> Result<MemoryLoad, Refusal> {
        memory_load::answer()
    }

    fn needs_virtual_address_space(&self, _: Address, _: u64) -> Result<(), Refusal> {
        // Address space is never short on 64 bits: trying once more costs nothing.
        Ok(())
    }

    fn acquired_virtual_address_space(&self, _: Address, _: u64) -> Result<(), Refusal> {
        // The system's own queries show what lies outside.
        Ok(())
    }

    fn released_virtual_address_space(&self, _: Address) -> Result<(), Refusal> {
        Ok(())
    }
}

impl MemoryAccess for ArenaManager {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        let size = into.len() as u64;
        self.access(AccessKind::Read, address.0, size, |touch, size| {
            // SAFETY: `access` passes on memory of the arena only, in which there are no Rust
            // objects.
            unsafe { touch.read(address.0, &mut into[..size]) }
        })
    }

    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault> {
        self.access(AccessKind::Write, address.0, bytes.len() as u64, |touch, size| {
            // SAFETY: as for a read.
            unsafe { touch.write(address.0, &bytes[..size]) }
        })
    }

    fn execute(&self, address: Address) -> Result<(), ExecuteError> {
        // Never asked: the description says that it cannot be done.
        Err(ExecuteError::Fault(violation(AccessKind::Execute, address.0)))
    }
}

impl ArenaManager {
    fn access(
        &self,
        kind: AccessKind,
        at: u64,
        size: u64,
        make: impl FnMut(Touch, usize) -> Result<(), crate::touch::RawFault>,
    ) -> Result<(), Fault> {
        let Some(touch) = self.touch else { return Err(violation(kind, at)) };
        let zones = self.zones();
        let Some(own) = zones.stretch(at) else { return Err(violation(kind, at)) };
        touch_own(touch, &own, kind, at..at.saturating_add(size), make)
    }
}

impl Host for ArenaManager {
    fn description(&self) -> &Description {
        &self.description
    }

    fn memory(&self) -> &dyn HostMemoryManager {
        self
    }

    fn access(&self) -> Option<&dyn MemoryAccess> {
        self.touch.map(|_| self as &dyn MemoryAccess)
    }

    fn watch(&self) -> Option<&dyn WriteWatch> {
        Some(self)
    }

    fn checkpoint(&self) -> Result<(), String> {
        self.compare_views()
    }
}

impl ArenaManager {
    /// The system's view of every page against the books.
    ///
    /// # Errors
    /// The first run that is not what it should be.
    fn compare_views(&self) -> Result<(), String> {
        for allocation in self.zones().allocations() {
            for (run, state) in allocation.runs(&allocation.range()) {
                for region in crate::win32::ledger::regions(&run) {
                    let committed = region.state == hostmem_interface::RegionState::COMMIT;
                    // Guards fire behind our back.
                    let same = region.protect == state.shown()
                        || region.protect == state.disarmed().shown();
                    if committed != state.is_committed() || (committed && !same) {
                        return Err(format!(
                            "the books have {} from {:#x} to {:#x}, and the system shows {} {}",
                            state.shown(),
                            run.start,
                            run.end,
                            region.state,
                            region.protect
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The backend `win32-arena`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArenaBackend(ArenaOptions);

impl Backend for ArenaBackend {
    fn name(&self) -> &'static str {
        "win32-arena"
    }

    fn open(&self, asked: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        // Asked before the wait: what cannot be opened need not wait.
        backend::machine_like(asked)?;
        // Waited for before address space is taken, which would be in somebody's way.
        let turn = Turn::take();
        let mut manager = ArenaManager::open(self.0).map_err(|error| {
            OpenError::Unavailable(format!(
                "no {} MiB of address space: {error}",
                self.0.size >> 20
            ))
        })?;
        manager.turn = Some(turn);
        Ok(Box::new(InProcess::new(manager)))
    }
}
