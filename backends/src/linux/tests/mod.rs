//! The manager through its traits, against the kernel: one file per concern.

mod contents;
mod faults;
mod heaps;
mod limits;
mod placement;
mod pressure;
mod safety;
mod touching;
mod watching;

use hostmem_interface::dispatch::Host;
use hostmem_interface::{
    AccessKind, Address, AllocationType, CriticalLevel, Fault, FreeType, HostMemoryManager,
    Machine, MemoryAccess, MemoryBasicInformation, NtStatus, OutPointer, Protection, Refusal,
};

use super::{LinuxBackend, LinuxManager, LinuxOptions};

pub(super) const PAGE: u64 = 0x1000;
const RESERVE: AllocationType = AllocationType::RESERVE;
const COMMIT: AllocationType = AllocationType::COMMIT;
const BOTH: AllocationType = AllocationType(COMMIT.0 | RESERVE.0);
const RW: Protection = Protection::READWRITE;

/// A manager with an arena of 1 GiB, and short ways to say what the tests say often.
struct Case(LinuxManager);

impl Case {
    fn new() -> Self {
        Self::with(LinuxOptions::default())
    }

    fn with(options: LinuxOptions) -> Self {
        let small = LinuxOptions { arena: 1 << 30, ..options };
        Self(LinuxBackend::new(small).manager(&Machine::WINDOWS_X64).unwrap())
    }

    fn alloc(
        &self,
        at: u64,
        size: u64,
        kind: AllocationType,
        protect: Protection,
    ) -> Result<u64, Refusal> {
        let answer = self.0.virtual_alloc(Address(at), size, kind, protect, CriticalLevel::TASK);
        answer.map(|address| address.0)
    }

    fn free(&self, at: u64, size: u64, kind: FreeType) -> Result<(), Refusal> {
        self.0.virtual_free(Address(at), size, kind)
    }

    fn decommit(&self, at: u64, size: u64) {
        self.free(at, size, FreeType::DECOMMIT).unwrap();
    }

    fn release(&self, at: u64) {
        self.free(at, 0, FreeType::RELEASE).unwrap();
    }

    fn protect(&self, at: u64, size: u64, protect: Protection) -> Result<Protection, Refusal> {
        self.0.virtual_protect(Address(at), size, protect, OutPointer::Valid)
    }

    fn query(&self, at: u64) -> MemoryBasicInformation {
        self.0.virtual_query(Address(at), OutPointer::Valid, 48).unwrap().information
    }

    fn read(&self, at: u64) -> Result<u8, Fault> {
        let mut byte = [0];
        self.0.read(Address(at), &mut byte).map(|()| byte[0])
    }

    fn write(&self, at: u64, byte: u8) -> Result<(), Fault> {
        self.0.write(Address(at), &[byte])
    }

    fn check(&self) {
        self.0.checkpoint().unwrap();
    }
}

/// The plain violation.
fn violation<T>(access: AccessKind, at: u64) -> Result<T, Fault> {
    Err(Fault { status: NtStatus::STATUS_ACCESS_VIOLATION, access, at: Address(at) })
}

/// The guard that fires.
fn guard<T>(access: AccessKind, at: u64) -> Result<T, Fault> {
    Err(Fault { status: NtStatus::STATUS_GUARD_PAGE_VIOLATION, access, at: Address(at) })
}

fn error(refusal: Refusal) -> u32 {
    refusal.win32.map_or(0, |error| error.0)
}
