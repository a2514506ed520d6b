//! What a stub returns: nothing special, or all that the handler learned of a fault.
//!
//! Deliberately not here: how a system tells it (the handlers).

use hostmem_interface::{AccessKind, NtStatus};

use super::RawFault;

/// Bytes in a page: no piece of a copy is ever longer.
const PAGE: u64 = 0x1000;

/// `rax` of a stub that faulted.
pub(super) const FAULTED: u64 = 1;
/// Set beside [`FAULTED`] where the system told no address: non-canonical ones.
pub(super) const NO_ADDRESS: u64 = 2;
/// The access was a write.
pub(super) const WRITE: u64 = 4;
/// The access was an instruction fetch.
pub(super) const FETCH: u64 = 8;
/// The exception code stands in the upper half.
pub(super) const STATUS_SHIFT: u32 = 32;

/// What a stub returns, in the two registers of the System V convention.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Landing {
    /// `rax`: 0 if the access succeeded, else [`FAULTED`] and more bits.
    pub(super) status: u64,
    /// `rdx`: the value read, or the address of the fault.
    pub(super) value: u64,
}

/// `rax` of a stub that faulted with an exception, but for [`NO_ADDRESS`].
pub(super) fn faulted(status: NtStatus, kind: AccessKind) -> u64 {
    let kind = match kind {
        AccessKind::Read => 0,
        AccessKind::Write => WRITE,
        AccessKind::Execute => FETCH,
    };
    FAULTED | kind | u64::from(status.0) << STATUS_SHIFT
}

impl Landing {
    /// Reads the two return registers of a stub that was to do `size` bytes at `at`.
    pub(super) fn outcome(self, meant: AccessKind, at: u64, size: u64) -> Result<u64, RawFault> {
        if self.status == 0 {
            return Ok(self.value);
        }
        let status = u32::try_from(self.status >> STATUS_SHIFT).expect("the upper half");
        let status = NtStatus(status);
        // A non-canonical address gives neither an address nor an error code: what was
        // meant is all there is to tell.
        if self.status & NO_ADDRESS != 0 {
            return Err(RawFault { status, kind: meant, at });
        }
        let kind = if self.status & FETCH != 0 {
            AccessKind::Execute
        } else if self.status & WRITE != 0 {
            AccessKind::Write
        } else {
            AccessKind::Read
        };
        let last = at.saturating_add(size.saturating_sub(1));
        let page = self.value & !(PAGE - 1);
        Err(RawFault { status, kind, at: page.clamp(at, last) })
    }
}
