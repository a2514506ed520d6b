//! Reads, writes and execution: made for real, with the system's exception as the answer.
//!
//! Only memory of the case is ever touched. Of a store that ends outside it, the part inside
//! is tried if the system would refuse that; else what lies behind is answered for.
//!
//! Deliberately not here: splitting of long accesses, which the dispatcher does.

use std::ops::Range;

use hostmem_interface::{
    AccessKind, Address, ExecuteError, Fault, MemoryAccess, MemoryBasicInformation, OutPointer,
    Protection, RegionState,
};

use super::foreign::violation;
use super::manager::{Win32Manager, span};
use super::system;
use crate::touch::{RawFault, Touch};

/// The only code that is ever run: `ret`.
const RETURN: u8 = 0xC3;
const PAGE: u64 = 0x1000;

impl MemoryAccess for Win32Manager {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        self.access(AccessKind::Read, address.0, into.len() as u64, |touch, size| {
            // SAFETY: `access` passes on memory of the case only, in which there are no Rust
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
        let at = address.0;
        let refused = ExecuteError::Fault(violation(AccessKind::Execute, at));
        let Some(touch) = self.touch else { return Err(refused) };
        // Alone: code that was looked at stays as it is.
        let ledger = self.ledger_alone();
        let byte = span(at, 1);
        if ledger.holds(&byte) {
            return execute_own(touch, at);
        }
        self.heaps.inside_block(&byte, || execute_own(touch, at)).unwrap_or(Err(refused))
    }
}

impl Win32Manager {
    /// Has `make` touch as many bytes as belong to the case, or answers for the access.
    fn access(
        &self,
        kind: AccessKind,
        at: u64,
        size: u64,
        mut make: impl FnMut(Touch, usize) -> Result<(), RawFault>,
    ) -> Result<(), Fault> {
        let Some(touch) = self.touch else { return Err(violation(kind, at)) };
        let ledger = self.ledger();
        let range = span(at, size);
        if let Some(own) = ledger.stretch(at) {
            return touch_own(touch, &own, kind, range, make);
        }
        let touched = self.heaps.inside_block(&range, || make(touch, system::native(size)));
        touched
            .unwrap_or(Err(RawFault {
                status: hostmem_interface::NtStatus::STATUS_ACCESS_VIOLATION,
                kind,
                at,
            }))
            .map_err(fault)
    }
}

/// Has `make` touch as many bytes of a range as belong to the case's own memory `own`, which
/// its first byte lies in, or answers for the access.
pub(super) fn touch_own(
    touch: Touch,
    own: &Range<u64>,
    kind: AccessKind,
    range: Range<u64>,
    mut make: impl FnMut(Touch, usize) -> Result<(), RawFault>,
) -> Result<(), Fault> {
    let inside = range.end.min(own.end) - range.start;
    if range.end > own.end && permits(range.start, kind) {
        return Err(violation(kind, own.end));
    }
    make(touch, system::native(inside)).map_err(fault)
}

fn fault(raw: RawFault) -> Fault {
    Fault { status: raw.status, access: raw.kind, at: Address(raw.at) }
}

/// Whether the system's own view lets an access to a page pass without a fault.
fn permits(at: u64, kind: AccessKind) -> bool {
    system::region(at).is_some_and(|region| allows(&region, kind) && !is_armed(&region))
}

fn allows(region: &MemoryBasicInformation, kind: AccessKind) -> bool {
    let execute = Protection::EXECUTE.0 | Protection::EXECUTE_READ.0;
    let every = Protection::EXECUTE_READWRITE.0;
    let write = Protection::READWRITE.0 | every;
    let bits = match kind {
        AccessKind::Read => Protection::READONLY.0 | write | execute,
        AccessKind::Write => write,
        AccessKind::Execute => execute | every,
    };
    region.state == RegionState::COMMIT && region.protect.0 & bits != 0
}

fn is_armed(region: &MemoryBasicInformation) -> bool {
    region.state == RegionState::COMMIT && region.protect.contains(Protection::GUARD)
}

/// Calls code of the case's if it is a lone return, or if it cannot be fetched.
///
/// A system that ran what its own view calls forbidden must not run a stranger's bytes: other
/// bytes than a return are never called. Where the view says that they would fault, that is
/// the answer, and a guard is then fired by reading the byte.
fn execute_own(touch: Touch, at: u64) -> Result<(), ExecuteError> {
    let region = system::region(at).unwrap_or_default();
    let armed = is_armed(&region);
    let byte = if armed { peek(touch, at, &region) } else { look(touch, at) };
    match byte {
        // SAFETY: the code is a lone return, and nobody can change it now; or it cannot be
        // read, and what cannot be read cannot be fetched.
        Some(RETURN) | None => {
            unsafe { touch.execute(at) }.map_err(|raw| ExecuteError::Fault(fault(raw)))
        }
        Some(_) if !allows(&region, AccessKind::Execute) => {
            Err(ExecuteError::Fault(violation(AccessKind::Execute, at)))
        }
        Some(_) if armed => {
            // SAFETY: memory of the case.
            let fired = unsafe { touch.read(at, &mut [0]) }.err();
            let raw = fired.map_or(violation(AccessKind::Execute, at), fault);
            Err(ExecuteError::Fault(Fault { access: AccessKind::Execute, ..raw }))
        }
        Some(other) => Err(ExecuteError::NotReturn(other)),
    }
}

/// The byte at an address, if it can be read.
fn look(touch: Touch, at: u64) -> Option<u8> {
    let mut byte = [0];
    // SAFETY: memory of the case.
    unsafe { touch.read(at, &mut byte) }.ok().map(|()| byte[0])
}

/// The byte on an armed page, which is armed again afterwards.
fn peek(touch: Touch, at: u64, region: &MemoryBasicInformation) -> Option<u8> {
    let page = at & !(PAGE - 1);
    let set = |protect| {
        // SAFETY: a page of the case, which everybody else is shut out from.
        unsafe { system::protect(page, PAGE, protect, OutPointer::Valid) }.is_ok()
    };
    let byte = if set(Protection::READONLY) { look(touch, at) } else { None };
    set(region.protect);
    byte
}
