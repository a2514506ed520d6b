//! Touching memory as a program does, with the fault as an answer.
//!
//! Every access is one instruction in a function of its own: the first instruction of the
//! stub. A fault whose instruction pointer is the address of a stub is ours: the handler puts
//! what it learned into the two return registers and continues at a lone `ret`, so that the
//! stub returns as any function does. No thread-local state, no lock, no jump over frames,
//! so that it works on every thread and on whatever stack the system runs the handler.
//!
//! Map: [`Touch`] is the way in; [`stubs`] holds the instructions, [`landing`] what they
//! return; the handler is a `signal` handler on Unix and a vectored `exception` handler on
//! Windows, and each says what becomes of faults that are not ours.
//!
//! Deliberately not here: which addresses may be touched, and what a fault means where the
//! system does not say it (on Unix there are no guard pages): the access layer knows the
//! ledger.

#[cfg(windows)]
mod exception;
mod landing;
#[cfg(unix)]
mod signal;
mod stubs;

#[cfg(windows)]
use exception as handler;
#[cfg(unix)]
use signal as handler;

use std::fmt;

use hostmem_interface::{AccessKind, NtStatus};

/// A fault as the processor and the system told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawFault {
    /// The exception; on Unix always an access violation.
    pub(crate) status: NtStatus,
    /// What was attempted, from the processor's error code.
    pub(crate) kind: AccessKind,
    /// The first byte of the access on the faulting page.
    pub(crate) at: u64,
}

impl fmt::Display for RawFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}", self.kind, self.at)
    }
}

/// The right to touch memory: proof that the handler is installed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch(());

impl Touch {
    /// Installs the handler, once for the process.
    ///
    /// # Errors
    /// Why memory cannot be touched safely on this machine.
    pub(crate) fn arm() -> Result<Self, String> {
        handler::install().map(|()| Self(()))
    }

    /// Reads `into.len()` bytes at `at` as one access.
    ///
    /// # Errors
    /// The fault; `into` is unspecified then.
    ///
    /// # Safety
    /// Nothing in the process may rely on `[at, at + into.len())` not being read: no
    /// memory-mapped device, and no Rust object that another thread is changing.
    pub(crate) unsafe fn read(self, at: u64, into: &mut [u8]) -> Result<(), RawFault> {
        let size = into.len() as u64;
        // SAFETY: the stubs only read `at`, which the caller vouches for.
        let landing = unsafe {
            match size {
                1 => stubs::load1(at),
                2 => stubs::load2(at),
                4 => stubs::load4(at),
                8 => stubs::load8(at),
                _ => stubs::copy_from(into.as_mut_ptr() as u64, at, 0, size),
            }
        };
        landing.outcome(AccessKind::Read, at, size).map(|value| {
            if matches!(size, 1 | 2 | 4 | 8) {
                into.copy_from_slice(&value.to_le_bytes()[..into.len()]);
            }
        })
    }

    /// Writes `bytes` at `at` as one access: nothing of it shows if it faults, provided that
    /// it has 1, 2, 4 or 8 bytes or lies inside one page.
    ///
    /// # Errors
    /// The fault.
    ///
    /// # Safety
    /// `[at, at + bytes.len())` is memory that no Rust object lives in.
    pub(crate) unsafe fn write(self, at: u64, bytes: &[u8]) -> Result<(), RawFault> {
        let size = bytes.len() as u64;
        let mut word = [0; 8];
        if let 1 | 2 | 4 | 8 = size {
            word[..bytes.len()].copy_from_slice(bytes);
        }
        let value = u64::from_le_bytes(word);
        // SAFETY: the stubs only write `at`, which the caller vouches for.
        let landing = unsafe {
            match size {
                1 => stubs::store1(at, value),
                2 => stubs::store2(at, value),
                4 => stubs::store4(at, value),
                8 => stubs::store8(at, value),
                _ => stubs::copy_to(at, bytes.as_ptr() as u64, 0, size),
            }
        };
        landing.outcome(AccessKind::Write, at, size).map(drop)
    }

    /// Calls `at` as a function without arguments.
    ///
    /// # Errors
    /// The fault of fetching its first instruction.
    ///
    /// # Safety
    /// If `at` can be fetched, the code there is a lone `ret` and stays one.
    pub(crate) unsafe fn execute(self, at: u64) -> Result<(), RawFault> {
        // SAFETY: the caller vouches for the code.
        unsafe { stubs::call(at) }.outcome(AccessKind::Execute, at, 1).map(drop)
    }
}
