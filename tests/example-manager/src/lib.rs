//! A memory manager as an outsider writes one: small, plain, and with no crate of hostmem's
//! but the contract, `hostmem-interface`.
//!
//! It hands out addresses and keeps the bytes behind them in its own tables, as an emulator
//! does. What it does not do (guard pages, write watch, heaps, code, `MEM_TOP_DOWN`,
//! `MEM_RESET`) its description leaves out, and hostmem does not ask for it. How it is tested
//! is in `tests/conformance.rs`: five lines.
//!
//! Map: this file is the interface, each call its list of checks; [`memory`] is the blocks,
//! their pages, and who may touch them.
//!
//! Deliberately not here: speed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hostmem_interface::{
    AccessKind, Address, AllocationType, Capability, CriticalLevel, Description, ExecuteError,
    Fault, FreeType, Host, HostMemoryManager, Machine, MemoryAccess, MemoryBasicInformation,
    NtStatus, OutPointer, Protection, QueryAnswer, Refusal, Win32Error,
};

pub mod memory;

use memory::{Block, Memory, PAGE};

const INVALID_PARAMETER: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);
const INVALID_ADDRESS: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_ADDRESS);
const NOT_ENOUGH_MEMORY: Refusal = Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
const NO_PRIVILEGE: Refusal = Refusal::from_win32(Win32Error::ERROR_PRIVILEGE_NOT_HELD);

const COMMIT: AllocationType = AllocationType::COMMIT;
const RESERVE: AllocationType = AllocationType::RESERVE;
const PHYSICAL: AllocationType = AllocationType::PHYSICAL;
const LARGE_PAGES: AllocationType = AllocationType::LARGE_PAGES;

const START: u64 = Machine::WINDOWS_X64.lowest;
const END: u64 = Machine::WINDOWS_X64.end();

/// A manager of memory of its own.
#[derive(Debug)]
pub struct Manager {
    description: Description,
    memory: Mutex<Memory>,
    /// Whether a page that is decommitted loses its bytes, as it must.
    scrubs: bool,
}

impl Default for Manager {
    fn default() -> Self {
        Self::new()
    }
}

impl Manager {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let description = Description::new("example-manager")
            .with(Capability::Query)
            .with(Capability::Buffers)
            .with(Capability::Contents)
            .with(Capability::Faults)
            .with(Capability::PrivateArena)
            .without(Capability::WriteWatch, "nobody has asked for it yet");
        Self { description, memory: Mutex::default(), scrubs: true }
    }

    /// One with a mistake: it takes pages away and gives them back with their old bytes.
    #[must_use]
    pub fn that_forgets_to_scrub() -> Self {
        Self { scrubs: false, ..Self::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Manager {
    fn description(&self) -> &Description {
        &self.description
    }

    fn memory(&self) -> &dyn HostMemoryManager {
        self
    }

    fn access(&self) -> Option<&dyn MemoryAccess> {
        Some(self)
    }
}

/// Refuses unless something holds.
fn ensure(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

/// A range of user space, as its pages: the first, and the one behind the last.
fn pages(address: Address, size: u64) -> Result<(u64, u64), Refusal> {
    ensure(address.0 < END && size <= END - address.0, INVALID_PARAMETER)?;
    Ok((address.0 / PAGE, (address.0 + size).div_ceil(PAGE)))
}

/// One base value, at most one modifier, and none with `PAGE_NOACCESS`.
fn is_well_formed(protect: Protection) -> bool {
    let modifiers = protect.0 & 0x700;
    protect.0 & !0x7FF == 0
        && (protect.0 & 0xFF).count_ones() == 1
        && modifiers.count_ones() <= 1
        && (modifiers == 0 || !protect.contains(Protection::NOACCESS))
}

fn is_copy_on_write(protect: Protection) -> bool {
    protect.intersects(Protection::WRITECOPY | Protection::EXECUTE_WRITECOPY)
}

/// What this manager does, and combinations that Windows refuses to.
fn is_sensible(kind: AllocationType, protect: Protection) -> bool {
    let physical = kind == RESERVE | PHYSICAL && protect == Protection::READWRITE;
    let large = kind.contains(RESERVE | COMMIT) && !kind.contains(PHYSICAL);
    kind.without(COMMIT | RESERVE | PHYSICAL | LARGE_PAGES).0 == 0
        && kind.intersects(COMMIT | RESERVE)
        && (physical || !kind.contains(PHYSICAL))
        && (large || !kind.contains(LARGE_PAGES))
}

impl HostMemoryManager for Manager {
    fn virtual_alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
        _critical: CriticalLevel,
    ) -> Result<Address, Refusal> {
        ensure(is_sensible(kind, protect), INVALID_PARAMETER)?;
        ensure(address.is_null() || address.0 >= START, INVALID_PARAMETER)?;
        ensure(is_well_formed(protect), INVALID_PARAMETER)?;
        let from = if address.is_null() { Address(START) } else { address };
        let (first, end) = pages(from, size)?;
        ensure(size > 0, INVALID_PARAMETER)?;
        let mut memory = self.lock();
        if !kind.contains(RESERVE) && !address.is_null() {
            let block = memory.around(first, end).ok_or(INVALID_ADDRESS)?;
            ensure(!is_copy_on_write(protect), INVALID_PARAMETER)?;
            ensure(!block.physical, INVALID_ADDRESS)?;
            block.commit(first, end, protect);
            return Ok(Address(first * PAGE));
        }
        ensure(!is_copy_on_write(protect), INVALID_PARAMETER)?;
        ensure(!kind.contains(LARGE_PAGES), NO_PRIVILEGE)?;
        let first = if address.is_null() {
            memory.hole(size.div_ceil(PAGE)).ok_or(NOT_ENOUGH_MEMORY)?
        } else {
            address.align_down(Machine::WINDOWS_X64.granularity).0 / PAGE
        };
        let end = if address.is_null() { first + size.div_ceil(PAGE) } else { end };
        let block = Block::new(first, end, protect, kind.contains(PHYSICAL));
        let block = memory.add(block).ok_or(INVALID_ADDRESS)?;
        if kind.contains(COMMIT) {
            block.commit(first, end, protect);
        }
        Ok(Address(first * PAGE))
    }

    fn virtual_free(&self, address: Address, size: u64, kind: FreeType) -> Result<(), Refusal> {
        let release = kind.contains(FreeType::RELEASE);
        ensure(!release || size == 0, INVALID_PARAMETER)?;
        ensure(kind == FreeType::RELEASE || kind == FreeType::DECOMMIT, INVALID_PARAMETER)?;
        let (first, end) = pages(address, size)?;
        let mut memory = self.lock();
        let block = memory.around(first, first + 1).ok_or(Refusal::not_ours())?;
        ensure(end <= block.end, INVALID_PARAMETER)?;
        ensure(size > 0 || first == block.first, INVALID_ADDRESS)?;
        if release {
            memory.remove(first);
        } else {
            let end = if size == 0 { block.end } else { end };
            block.decommit(first, end, self.scrubs);
        }
        Ok(())
    }

    fn virtual_query(
        &self,
        address: Address,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        ensure(address.0 < END, INVALID_PARAMETER)?;
        let short = Refusal::from_win32(Win32Error::ERROR_BAD_LENGTH);
        ensure(length >= MemoryBasicInformation::SIZE, short)?;
        let null = Refusal::from_win32(Win32Error::ERROR_NOACCESS);
        ensure(buffer == OutPointer::Valid, null)?;
        Ok(QueryAnswer::of(self.lock().region(address.0 / PAGE)))
    }

    fn virtual_protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        ensure(protect.0 & !0x7FF == 0, INVALID_PARAMETER)?;
        ensure((protect.0 & 0xFF).count_ones() == 1, INVALID_PARAMETER)?;
        let null = Refusal::from_win32(Win32Error::ERROR_NOACCESS);
        ensure(old == OutPointer::Valid, null)?;
        let (first, end) = pages(address, size)?;
        ensure(size > 0 && is_well_formed(protect), INVALID_PARAMETER)?;
        let mut memory = self.lock();
        let block = memory.around(first, end).ok_or(INVALID_ADDRESS)?;
        ensure(!is_copy_on_write(protect), INVALID_PARAMETER)?;
        block.protect(first, end, protect).ok_or(INVALID_ADDRESS)
    }
}

impl MemoryAccess for Manager {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        let mut memory = self.lock();
        check(&mut memory, AccessKind::Read, address, into.len())?;
        for (at, byte) in (address.0..).zip(into) {
            *byte = memory.byte(at);
        }
        Ok(())
    }

    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault> {
        let mut memory = self.lock();
        check(&mut memory, AccessKind::Write, address, bytes.len())?;
        for (at, byte) in (address.0..).zip(bytes) {
            memory.set_byte(at, *byte);
        }
        Ok(())
    }

    fn execute(&self, address: Address) -> Result<(), ExecuteError> {
        let (status, access) = (NtStatus::STATUS_ACCESS_VIOLATION, AccessKind::Execute);
        Err(ExecuteError::Fault(Fault { status, access, at: address }))
    }
}

/// Nothing of an access shows unless every byte of it is allowed.
fn check(
    memory: &mut Memory,
    access: AccessKind,
    address: Address,
    length: usize,
) -> Result<(), Fault> {
    let status = NtStatus::STATUS_ACCESS_VIOLATION;
    for offset in 0..length as u64 {
        let at = address.wrapping_add(offset);
        // Only the first byte of each page can be the one that is told.
        if (offset == 0 || at.0.is_multiple_of(PAGE)) && !memory.allows(access, at.0) {
            return Err(Fault { status, access, at });
        }
    }
    Ok(())
}
