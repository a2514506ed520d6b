//! Accesses to a foreign manager's memory: through the manager's own instruments where it has
//! them, else real touches of real memory.
//!
//! A touch is made with the fault-safe instructions of [`crate::touch`], and only inside
//! what the ledger says this case was given; any other address is answered with an access
//! violation and never touched.
//!
//! Guard pages need a system beneath: on Windows it is the kernel that sees the flag, raises the
//! exception and takes the flag off, not the manager. Elsewhere, and for a manager whose armed
//! pages are merely inaccessible, this module is that system: after an access violation it asks
//! the manager's `VirtualQuery`, and if the page is armed and its base protection permits the
//! access (GP-05), it takes the flag off with `VirtualProtect` and reports the guard. A manager
//! need only record `PAGE_GUARD` and make the page inaccessible.
//!
//! Deliberately not here: splitting of long accesses, which the dispatcher does.

use std::sync::Mutex;

use hostmem_interface::{
    AccessKind, Address, ExecuteError, Fault, MemoryAccess, MemoryLoad, MemoryLoadControl,
    NtStatus, Refusal,
};
use windows_core::HRESULT;

use super::import::{Held, lied, locked, said};
use super::interfaces::{
    ABILITY_ACCESS, ABILITY_LOAD_CONTROL, HostmemFault, IHostmemInstruments, NOT_RETURN,
};
use super::layout::{MEMORY_BASIC_INFORMATION, pointer, size};
use super::touch_ledger::{PAGE, TouchLedger};
use crate::touch::{RawFault, Touch};

/// The only code that is ever run: `ret`.
const RETURN: u8 = 0xC3;

/// How memory is accessed, and which.
pub(super) struct Memory {
    instruments: Option<IHostmemInstruments>,
    abilities: u32,
    touch: Option<Touch>,
    ledger: Mutex<TouchLedger>,
}

impl Memory {
    /// Memory accessed through `instruments`, as far as `abilities` go, else touched.
    pub(super) fn new(
        instruments: Option<IHostmemInstruments>,
        abilities: u32,
        touch: Option<Touch>,
        ledger: TouchLedger,
    ) -> Self {
        Self { instruments, abilities, touch, ledger: Mutex::new(ledger) }
    }

    /// The manager is about to go.
    pub(super) fn forget_instruments(&mut self) {
        self.instruments = None;
    }

    /// The instruments, if they have an ability.
    fn able(&self, ability: u32) -> Option<&IHostmemInstruments> {
        self.instruments.as_ref().filter(|_| self.abilities & ability != 0)
    }

    /// Whether memory can be accessed at all.
    pub(super) fn accessible(&self) -> bool {
        self.touch.is_some() || self.able(ABILITY_ACCESS).is_some()
    }

    /// Whether the memory load can be set.
    pub(super) fn controllable(&self) -> bool {
        self.able(ABILITY_LOAD_CONTROL).is_some()
    }

    /// Whether memory is touched for real, so that the ledger means something.
    fn is_real(&self) -> bool {
        self.able(ABILITY_ACCESS).is_none()
    }

    pub(super) fn reserved(&self, address: u64, size: u64, base: u64) {
        if self.is_real()
            && let Err(why) = locked(&self.ledger).reserved(address, size, base)
        {
            lied(why);
        }
    }

    pub(super) fn allocated(&self, base: u64, size: u64) {
        if self.is_real()
            && let Err(why) = locked(&self.ledger).allocated(base, size)
        {
            lied(why);
        }
    }

    /// Releases a reservation: nobody touches it from before the call on.
    pub(super) fn releasing(
        &self,
        base: u64,
        release: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let end = locked(&self.ledger).release(base);
        let released = release();
        if let (Some(end), Err(_)) = (end, &released) {
            locked(&self.ledger).keep(base, end);
        }
        released
    }

    /// Frees a block: nobody touches it from before the call on.
    pub(super) fn freeing(
        &self,
        base: u64,
        free: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let end = locked(&self.ledger).free(base);
        let freed = free();
        if let (Some(end), Err(_)) = (end, &freed) {
            locked(&self.ledger).keep_block(base, end);
        }
        freed
    }

    /// Touches `[at, at + size)`, as far as that is this case's memory.
    fn touch_real(
        &self,
        kind: AccessKind,
        at: u64,
        size: u64,
        make: impl FnOnce(Touch) -> Result<(), RawFault>,
    ) -> Result<(), Fault> {
        // Held during the touch, so that nothing is given back meanwhile.
        let ledger = locked(&self.ledger);
        let reach = ledger.reach(at);
        let (Some(touch), Some(end)) = (self.touch, at.checked_add(size)) else {
            return Err(violation(kind, at));
        };
        if reach >= end {
            return make(touch).map_err(fault);
        }
        if reach == at {
            return Err(violation(kind, at));
        }
        // It begins inside and ends outside: the first page may stop it first. A byte that is
        // read and put back shows whether it does, and changes nothing.
        let mut byte = [0];
        // SAFETY: inside memory that the case was given.
        let probed = unsafe { touch.read(at, &mut byte) };
        let probed = match kind {
            // SAFETY: as above.
            AccessKind::Write if probed.is_ok() => unsafe { touch.write(at, &byte) },
            AccessKind::Write => probed.map_err(|raw| RawFault { kind, ..raw }),
            _ => probed,
        };
        Err(match probed {
            Ok(()) => violation(kind, reach),
            Err(raw) => fault(raw),
        })
    }

    fn execute_real(&self, at: u64) -> Result<Result<(), u8>, Fault> {
        let mut seen = Ok(());
        self.touch_real(AccessKind::Execute, at, 1, |touch| {
            let mut byte = [0];
            // SAFETY: `touch_real` passes on memory that the case was given.
            let looked = unsafe { touch.read(at, &mut byte) };
            looked.map_err(|raw| RawFault { kind: AccessKind::Execute, ..raw })?;
            if byte[0] != RETURN {
                seen = Err(byte[0]);
                return Ok(());
            }
            // SAFETY: a lone return; the ledger is locked, so no access of the case can
            // change it now.
            unsafe { touch.execute(at) }
        })?;
        Ok(seen)
    }
}

impl MemoryLoadControl for Held {
    fn set_memory_load(&self, load: MemoryLoad) -> Result<(), Refusal> {
        let instruments = self.memory.able(ABILITY_LOAD_CONTROL).expect("asked for only if there");
        // SAFETY: a live object.
        said(unsafe { instruments.SetMemoryLoad(load.load, load.available) })
    }
}

impl MemoryAccess for Held {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        let at = address.0;
        if let Some(instruments) = self.memory.able(ABILITY_ACCESS) {
            let mut fault = HostmemFault::default();
            // SAFETY: a live object, a buffer of that length, a valid out pointer.
            let told =
                unsafe { instruments.Read(at, into.len(), into.as_mut_ptr(), &raw mut fault) };
            return simulated("Read", told, &fault);
        }
        let length = into.len() as u64;
        self.guarded(self.memory.touch_real(AccessKind::Read, at, length, |touch| {
            // SAFETY: `touch_real` passes on memory that the case was given; this process
            // keeps nothing of its own there.
            unsafe { touch.read(at, into) }
        }))
    }

    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault> {
        let at = address.0;
        if let Some(instruments) = self.memory.able(ABILITY_ACCESS) {
            let mut fault = HostmemFault::default();
            // SAFETY: a live object, a buffer of that length, a valid out pointer.
            let told =
                unsafe { instruments.Write(at, bytes.len(), bytes.as_ptr(), &raw mut fault) };
            return simulated("Write", told, &fault);
        }
        let length = bytes.len() as u64;
        self.guarded(self.memory.touch_real(AccessKind::Write, at, length, |touch| {
            // SAFETY: as for a read.
            unsafe { touch.write(at, bytes) }
        }))
    }

    fn execute(&self, address: Address) -> Result<(), ExecuteError> {
        if let Some(instruments) = self.memory.able(ABILITY_ACCESS) {
            let (mut byte, mut fault) = (0, HostmemFault::default());
            // SAFETY: a live object and valid out pointers.
            let told = unsafe { instruments.Execute(address.0, &raw mut byte, &raw mut fault) };
            if told == NOT_RETURN {
                return Err(ExecuteError::NotReturn(byte));
            }
            return simulated("Execute", told, &fault).map_err(ExecuteError::Fault);
        }
        match self.memory.execute_real(address.0) {
            Ok(Ok(())) => Ok(()),
            // What is no lone return is not run to find out whether it could be: there the
            // manager's own word has to do.
            Ok(Err(byte)) if self.shows_code(address) => Err(ExecuteError::NotReturn(byte)),
            Ok(Err(_)) => {
                let fault = violation(AccessKind::Execute, address.0);
                self.guarded(Err(fault)).map_err(ExecuteError::Fault)
            }
            Err(fault) => self.guarded(Err(fault)).map_err(ExecuteError::Fault),
        }
    }
}

impl Held {
    /// What the manager shows at an address, if it shows anything.
    fn region(&self, at: Address) -> Option<MEMORY_BASIC_INFORMATION> {
        // SAFETY: every bit pattern is a value of that plain struct, zero among them.
        let mut region: MEMORY_BASIC_INFORMATION = unsafe { std::mem::zeroed() };
        let (length, mut written) = (size_of::<MEMORY_BASIC_INFORMATION>(), 0);
        let out = (&raw mut region).cast();
        // SAFETY: a live manager, a buffer of that length, a valid out pointer.
        let told = unsafe { self.manager.VirtualQuery(pointer(at), out, length, &raw mut written) };
        (told.0 == 0 && written > 0).then_some(region)
    }

    /// Whether code could run there, as far as the manager shows. Heap blocks show nothing.
    fn shows_code(&self, at: Address) -> bool {
        self.region(at).is_none_or(|region| {
            let code = region.Protect & EXECUTABLE != 0 && region.Protect & PAGE_GUARD == 0;
            region.State != MEM_COMMIT || code
        })
    }

    /// Plays the system's part for a page that is armed.
    fn guarded(&self, accessed: Result<(), Fault>) -> Result<(), Fault> {
        let Err(fault) = accessed else { return Ok(()) };
        if fault.status != NtStatus::STATUS_ACCESS_VIOLATION {
            return Err(fault); // the system has played it
        }
        let page = fault.at.align_down(PAGE);
        if !self.memory.within_reach(page.0) {
            return Err(fault);
        }
        let Some(region) = self.region(page).filter(|it| armed_for(it, fault.access)) else {
            return Err(fault);
        };
        let (bare, mut old) = (region.Protect & !PAGE_GUARD, 0);
        // SAFETY: memory that the case was given, and a valid out pointer. A refusal leaves
        // the page armed, which shows at the next access.
        let _ =
            unsafe { self.manager.VirtualProtect(pointer(page), size(PAGE), bare, &raw mut old) };
        Err(Fault { status: NtStatus::STATUS_GUARD_PAGE_VIOLATION, ..fault })
    }
}

const MEM_COMMIT: u32 = 0x1000;
const PAGE_GUARD: u32 = 0x100;
const EXECUTABLE: u32 = 0xF0; // PAGE_EXECUTE and its forms

/// Whether a committed page is armed, and would permit the access if it were not.
const fn armed_for(region: &MEMORY_BASIC_INFORMATION, access: AccessKind) -> bool {
    let permits = match access {
        AccessKind::Read => 0xFE,  // everything but PAGE_NOACCESS
        AccessKind::Write => 0xCC, // READWRITE, WRITECOPY and their EXECUTE_ forms
        AccessKind::Execute => EXECUTABLE,
    };
    region.State == MEM_COMMIT && region.Protect & PAGE_GUARD != 0 && region.Protect & permits != 0
}

impl Memory {
    fn within_reach(&self, at: u64) -> bool {
        locked(&self.ledger).reach(at) > at
    }
}

/// What the instruments said of an access.
fn simulated(method: &str, told: HRESULT, fault: &HostmemFault) -> Result<(), Fault> {
    let access = match fault.access {
        0 => Some(AccessKind::Read),
        1 => Some(AccessKind::Write),
        8 => Some(AccessKind::Execute),
        _ => None,
    };
    match (told.0, access) {
        (0, _) => Ok(()),
        (1, Some(access)) => {
            let (status, at) = (NtStatus(fault.status), Address(fault.address));
            Err(Fault { status, access, at })
        }
        _ => {
            lied(format!("IHostmemInstruments::{method} returned {told:?} with {fault:?}"));
            Ok(())
        }
    }
}

fn fault(raw: RawFault) -> Fault {
    Fault { status: raw.status, access: raw.kind, at: Address(raw.at) }
}

fn violation(access: AccessKind, at: u64) -> Fault {
    Fault { status: NtStatus::STATUS_ACCESS_VIOLATION, access, at: Address(at) }
}
