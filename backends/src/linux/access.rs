//! Reads, writes and execution: made for real, with the fault as the answer.
//!
//! Inside the arena every access is made first; only a fault is looked up in the ledger,
//! to tell a guard page from a violation. The kernel's word counts: where the ledger disagrees
//! even with the lock held, what really happened is told, so that the difference shows.
//! Heap memory is touched inside live blocks only; any other address is answered with a
//! violation and never touched.
//!
//! Permission comes before the guard (GP-05): an access that the base protection forbids is
//! a plain violation and leaves the page armed.
//!
//! Deliberately not here: splitting of long accesses, which the dispatcher does.

use std::fmt::Display;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{OnceLock, PoisonError};

use hostmem_interface::{AccessKind, Address, ExecuteError, Fault, MemoryAccess, NtStatus};

use super::manager::{LinuxManager, Space};
use super::mapping::{Arena, Prot};
use super::mapping_budget::Purpose;
use crate::ledger::{GRANULE, Ledger, PAGE};
use crate::touch::{RawFault, Touch};

/// The only code that is ever run: `ret`.
const RETURN: u8 = 0xC3;

/// Whether code can be run in memory that was written, found out by doing it once: hardened
/// kernels refuse such mappings.
///
/// # Errors
/// The reason, as a sentence.
pub(super) fn probe_execution() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    ANSWER.get_or_init(|| try_execution(Touch::arm()?)).clone()
}

fn try_execution(touch: Touch) -> Result<(), String> {
    let refused = |what, why: &dyn Display| format!("running code: {what}: {why}");
    let arena = Arena::open(GRANULE, GRANULE).map_err(|why| refused("mmap", &why))?;
    let at = arena.range().start;
    arena.protect(at..at + PAGE, Prot::ALL).map_err(|why| refused("mprotect", &why))?;
    // SAFETY: memory of this function's own.
    unsafe { touch.write(at, &[RETURN]) }.map_err(|why| refused("write", &why))?;
    // SAFETY: the code is a lone return.
    unsafe { touch.execute(at) }.map_err(|why| refused("call", &why))
}

impl MemoryAccess for LinuxManager {
    fn read(&self, address: Address, into: &mut [u8]) -> Result<(), Fault> {
        let size = into.len() as u64;
        self.access(AccessKind::Read, address.0, size, |touch| {
            // SAFETY: `access` passes on addresses of the arena and of live heap blocks only,
            // in which there are no Rust objects.
            unsafe { touch.read(address.0, into) }
        })
    }

    fn write(&self, address: Address, bytes: &[u8]) -> Result<(), Fault> {
        // Code that is being looked at must not change before it runs.
        let _shared = self.writes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((behind, rest)) = self.refused_behind(address.0, bytes) {
            return self.access(AccessKind::Write, behind, rest.len() as u64, |touch| {
                // SAFETY: as for a read.
                unsafe { touch.write(behind, rest) }
            });
        }
        self.access(AccessKind::Write, address.0, bytes.len() as u64, |touch| {
            // SAFETY: as for a read.
            unsafe { touch.write(address.0, bytes) }
        })
    }

    fn execute(&self, address: Address) -> Result<(), ExecuteError> {
        let at = address.0;
        let Some(touch) = self.touch else { return Err(no_execution(at)) };
        let range = at..at.saturating_add(1);
        if self.arena.holds(&range) {
            return self.execute_in_arena(touch, at);
        }
        let run = || run(touch, at);
        self.heaps.inside_block(&range, run).unwrap_or(Err(no_execution(at)))
    }
}

impl LinuxManager {
    /// The part of a store on its second page, where only that page refuses it.
    ///
    /// The kernel resolves the write-protect fault of the first page, which marks it as
    /// written, before the processor tries again and the second page refuses the store. A
    /// write that faults must mark nothing (WW-10): so the page that refuses is tried alone.
    fn refused_behind<'b>(&self, at: u64, bytes: &'b [u8]) -> Option<(u64, &'b [u8])> {
        let end = at.checked_add(bytes.len() as u64)?;
        let behind = (at & !(PAGE - 1)) + PAGE;
        if end <= behind {
            return None;
        }
        let fault = expected(&self.space().ledger, AccessKind::Write, &(at..end))?;
        let split = usize::try_from(behind - at).ok()?;
        (fault.at.0 == behind).then(|| (behind, &bytes[split..]))
    }

    /// Makes an access where that is allowed, else answers for it.
    fn access(
        &self,
        kind: AccessKind,
        at: u64,
        size: u64,
        mut make: impl FnMut(Touch) -> Result<(), RawFault>,
    ) -> Result<(), Fault> {
        let (Some(touch), Some(end)) = (self.touch, at.checked_add(size)) else {
            return Err(violation(kind, at));
        };
        let range = at..end;
        if self.arena.holds(&range) {
            return self.access_arena(kind, &range, || make(touch));
        }
        if let Some(made) = self.heaps.inside_block(&range, || make(touch)) {
            return made.map_err(|raw| violation(raw.kind, raw.at));
        }
        let mut space = self.space();
        let fault = expected(&space.ledger, kind, &range).unwrap_or(violation(kind, at));
        self.raise(&mut space, &fault);
        Err(fault)
    }

    fn access_arena(
        &self,
        kind: AccessKind,
        range: &Range<u64>,
        mut make: impl FnMut() -> Result<(), RawFault>,
    ) -> Result<(), Fault> {
        let overdue = self.overdue.load(Ordering::Acquire);
        let seen = if overdue {
            None
        } else {
            match make() {
                Ok(()) => return Ok(()),
                Err(raw) => Some(raw.at),
            }
        };
        let mut space = self.space();
        match expected(&space.ledger, kind, range) {
            Some(fault) if overdue || seen == Some(fault.at.0) => {
                self.raise(&mut space, &fault);
                Err(fault)
            }
            // Another thread changed the page in between, or somebody lies: with the lock
            // held, the kernel's answer is the truth.
            fault => match make() {
                Ok(()) => Ok(()),
                Err(raw) => {
                    let same = fault.filter(|fault| fault.at.0 == raw.at);
                    let fault = same.unwrap_or(violation(raw.kind, raw.at));
                    self.raise(&mut space, &fault);
                    Err(fault)
                }
            },
        }
    }

    /// Calls code with everything else that could change it shut out.
    fn execute_in_arena(&self, touch: Touch, at: u64) -> Result<(), ExecuteError> {
        let _alone = self.writes.write().unwrap_or_else(PoisonError::into_inner);
        let mut space = self.space();
        let Some(fault) = expected(&space.ledger, AccessKind::Execute, &(at..at + 1)) else {
            return run(touch, at);
        };
        // The processor is asked too, where a wrong ledger could do no harm: what cannot be
        // read is never mapped executable, and a lone return is harmless.
        let mut byte = [0];
        // SAFETY: an address of the arena.
        let looked = unsafe { touch.read(at, &mut byte) };
        let overdue = self.overdue.load(Ordering::Relaxed);
        if !overdue && (looked.is_err() || byte[0] == RETURN) {
            // SAFETY: as just said; nobody can change the page meanwhile.
            let called = unsafe { touch.execute(at) };
            if called.is_ok() {
                return Ok(()); // against the ledger: the difference must show
            }
        }
        self.raise(&mut space, &fault);
        Err(ExecuteError::Fault(fault))
    }

    /// A guard that fires is gone before the program hears of it (GP-02).
    fn raise(&self, space: &mut Space, fault: &Fault) {
        if fault.status != NtStatus::STATUS_GUARD_PAGE_VIOLATION {
            return;
        }
        let page = fault.at.0 & !(PAGE - 1);
        let allocation = space.ledger.containing_mut(page).expect("an armed page has an owner");
        let disarmed = allocation.state(page).disarmed();
        // Counted, not asked for: a fault cannot be refused. Headroom is left for it.
        self.budget.admits(Purpose::Change);
        // If the kernel has no mapping left even so, the page stays armed in both records.
        drop(self.change(allocation, &(page..page + PAGE), disarmed));
    }
}

/// Looks at the byte and calls it. The caller keeps everybody from changing it in between.
fn run(touch: Touch, at: u64) -> Result<(), ExecuteError> {
    let told = |raw: RawFault| ExecuteError::Fault(violation(raw.kind, raw.at));
    let mut byte = [0];
    // SAFETY: an address of the arena or of a live block.
    unsafe { touch.read(at, &mut byte) }.map_err(told)?;
    if byte[0] != RETURN {
        return Err(ExecuteError::NotReturn(byte[0]));
    }
    // SAFETY: the code is a lone return, and nobody can change it now.
    unsafe { touch.execute(at) }.map_err(told)
}

/// What the ledger says must come of an access: the first page that stops it.
fn expected(ledger: &Ledger, kind: AccessKind, range: &Range<u64>) -> Option<Fault> {
    let mut at = range.start;
    while at < range.end {
        let state = ledger.containing(at).map(|allocation| allocation.state(at));
        let Some(state) = state.filter(|state| state.allows(kind)) else {
            return Some(violation(kind, at));
        };
        if state.is_armed() {
            let status = NtStatus::STATUS_GUARD_PAGE_VIOLATION;
            return Some(Fault { status, access: kind, at: Address(at) });
        }
        at = (at & !(PAGE - 1)) + PAGE;
    }
    None
}

fn no_execution(at: u64) -> ExecuteError {
    ExecuteError::Fault(violation(AccessKind::Execute, at))
}

fn violation(access: AccessKind, at: u64) -> Fault {
    Fault { status: NtStatus::STATUS_ACCESS_VIOLATION, access, at: Address(at) }
}
