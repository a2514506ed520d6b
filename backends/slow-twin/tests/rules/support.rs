//! A twin asked in plain numbers, and short names for the words.

use hostmem_interface::{
    Address, AllocationType, CriticalLevel, Fault, FreeType, Host, HostMemoryManager, Machine,
    MemoryAccess, MemoryBasicInformation, OutPointer, Protection, Refusal, RegionState, WatchFlags,
    WatchPointers, WriteWatch,
};
use hostmem_slow_twin::SlowTwin;

pub(crate) const PAGE: u64 = 0x1000;
pub(crate) const END: u64 = 0x7FFF_FFFF_0000;

pub(crate) const RESERVE: AllocationType = AllocationType::RESERVE;
pub(crate) const COMMIT: AllocationType = AllocationType::COMMIT;
pub(crate) const BOTH: AllocationType = RESERVE.or(COMMIT);
pub(crate) const TOP_DOWN: AllocationType = AllocationType::TOP_DOWN;
pub(crate) const WATCH: AllocationType = AllocationType::WRITE_WATCH;
pub(crate) const RESET: AllocationType = AllocationType::RESET;
pub(crate) const RESET_UNDO: AllocationType = AllocationType::RESET_UNDO;
pub(crate) const DECOMMIT: FreeType = FreeType::DECOMMIT;
pub(crate) const RELEASE: FreeType = FreeType::RELEASE;

pub(crate) const NA: Protection = Protection::NOACCESS;
pub(crate) const RO: Protection = Protection::READONLY;
pub(crate) const RW: Protection = Protection::READWRITE;
pub(crate) const COW: Protection = Protection::WRITECOPY;
pub(crate) const GUARDED: Protection = RW.or(Protection::GUARD);

/// Win32 errors.
pub(crate) const PARAMETER: Result<u64, u32> = Err(87);
pub(crate) const ADDRESS: Result<u64, u32> = Err(487);

/// State, protection and size of a region.
pub(crate) type Seen = (RegionState, Protection, u64);

/// A twin that is looked over at the end of its test.
pub(crate) struct Twin(pub(crate) SlowTwin);

impl Drop for Twin {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.checkpoint(), Ok(()));
        }
    }
}

pub(crate) fn code(refusal: Refusal) -> u32 {
    refusal.win32.expect("the twin always has a Win32 error").0
}

/// Status and kind and address of a fault, as written in reports.
pub(crate) fn fault(status: &str, access: &str, at: u64) -> String {
    format!("STATUS_{status} on {access} at {at:#x}")
}

impl Twin {
    pub(crate) fn new() -> Self {
        Self::on(Machine::WINDOWS_X64)
    }

    pub(crate) fn on(machine: Machine) -> Self {
        Self(SlowTwin::new(machine).expect("a machine in order"))
    }

    pub(crate) fn alloc(
        &self,
        address: u64,
        size: u64,
        kind: AllocationType,
        protect: Protection,
    ) -> Result<u64, u32> {
        let got = self.0.virtual_alloc(Address(address), size, kind, protect, CriticalLevel::TASK);
        got.map(|address| address.0).map_err(code)
    }

    /// A new allocation wherever the twin likes.
    pub(crate) fn some(&self, size: u64, kind: AllocationType, protect: Protection) -> u64 {
        self.alloc(0, size, kind, protect).expect("room for a small allocation")
    }

    pub(crate) fn free(&self, address: u64, size: u64, kind: FreeType) -> Result<(), u32> {
        self.0.virtual_free(Address(address), size, kind).map_err(code)
    }

    pub(crate) fn protect(
        &self,
        address: u64,
        size: u64,
        protect: Protection,
    ) -> Result<Protection, u32> {
        self.protect_into(address, size, protect, OutPointer::Valid)
    }

    pub(crate) fn protect_into(
        &self,
        address: u64,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, u32> {
        self.0.virtual_protect(Address(address), size, protect, old).map_err(code)
    }

    pub(crate) fn query(&self, address: u64) -> MemoryBasicInformation {
        let answer = self
            .0
            .virtual_query(Address(address), OutPointer::Valid, 48)
            .expect("an address of user space");
        assert_eq!(answer.written, 48);
        answer.information
    }

    pub(crate) fn seen(&self, address: u64) -> Seen {
        let region = self.query(address);
        (region.state, region.protect, region.region_size)
    }

    /// The first byte at an address, or the fault.
    pub(crate) fn peek(&self, address: u64) -> Result<u8, String> {
        let mut byte = [0xEE];
        self.0.read(Address(address), &mut byte).map_err(text)?;
        Ok(byte[0])
    }

    pub(crate) fn peek_word(&self, address: u64) -> Result<u64, String> {
        let mut bytes = [0; 8];
        self.0.read(Address(address), &mut bytes).map_err(text)?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(crate) fn poke(&self, address: u64, bytes: &[u8]) -> Result<(), String> {
        self.0.write(Address(address), bytes).map_err(text)
    }

    pub(crate) fn written(&self, address: u64, size: u64) -> Result<Vec<u64>, u32> {
        self.watch(address, size, 0, 64, WatchPointers::default())
    }

    pub(crate) fn watch(
        &self,
        address: u64,
        size: u64,
        flags: u32,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<Vec<u64>, u32> {
        let got = self.0.get_write_watch(Address(address), size, WatchFlags(flags), capacity, null);
        let answer = got.map_err(code)?;
        assert_eq!(answer.granularity, 0x1000);
        Ok(answer.pages.iter().map(|page| page.0).collect())
    }

    pub(crate) fn clear(&self, address: u64, size: u64) -> Result<(), u32> {
        self.0.reset_write_watch(Address(address), size).map_err(code)
    }
}

fn text(fault: Fault) -> String {
    fault.to_string()
}
