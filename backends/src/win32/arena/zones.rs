//! The address space of an arena: one or two zones, each a reservation of the system's with a
//! ledger of what lies in it.

use std::io;
use std::ops::Range;

use hostmem_interface::{AllocationType, FreeType, OutPointer, Protection};

use crate::arguments::USER_SPACE;
use crate::ledger::{Allocation, GRANULE, Ledger};
use crate::win32::system;

/// A part of the address space.
#[derive(Debug)]
pub(super) struct Zone {
    range: Range<u64>,
    /// Whether the system records writes to it.
    pub(super) watched: bool,
    pub(super) ledger: Ledger,
}

impl Zone {
    /// Takes so much address space from the system, at `wanted` or behind it if that is free.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn reserve(size: u64, watched: bool, wanted: u64) -> io::Result<Self> {
        let mut kind = AllocationType::RESERVE;
        if watched {
            kind = kind | AllocationType::WRITE_WATCH;
        }
        let reserve = |at| {
            // SAFETY: fresh address space: whatever is in use is refused.
            unsafe { system::alloc(at, size, kind, Protection::READWRITE) }
        };
        let base = reserve(wanted).or_else(|_| reserve(0));
        let base = base.map_err(|error| io::Error::from_raw_os_error(error.0.cast_signed()))?.0;
        let range = base..base + size / GRANULE * GRANULE;
        Ok(Self { ledger: Ledger::new(range.clone()), range, watched })
    }

    pub(super) fn range(&self) -> &Range<u64> {
        &self.range
    }
}

/// Gives the address space back.
impl Drop for Zone {
    fn drop(&mut self) {
        // SAFETY: a reservation of our own, and nobody is left who could touch it. A refusal
        // leaves it to the process, which has nothing better to do with it.
        let _ = unsafe { system::free(self.range.start, 0, FreeType::RELEASE) };
    }
}

/// All zones, ascending by their use: plain first.
#[derive(Debug)]
pub(super) struct Zones(pub(super) Vec<Zone>);

impl Zones {
    /// The zone of an address.
    pub(super) fn at(&self, address: u64) -> Option<&Zone> {
        self.0.iter().find(|zone| zone.range.contains(&address))
    }

    pub(super) fn at_mut(&mut self, address: u64) -> Option<&mut Zone> {
        self.0.iter_mut().find(|zone| zone.range.contains(&address))
    }

    /// The zones where a reservation may lie, the best first.
    pub(super) fn suiting(&mut self, watched: bool) -> impl Iterator<Item = &mut Zone> {
        self.0.iter_mut().filter(move |zone| zone.watched || !watched)
    }

    /// The allocation that an address belongs to, to change it.
    pub(super) fn allocation(&mut self, address: u64) -> Option<&mut Allocation> {
        self.at_mut(address)?.ledger.containing_mut(address)
    }

    /// The memory around an address that is the arena's own without a gap: its allocation and
    /// those that lie right behind it.
    pub(super) fn stretch(&self, address: u64) -> Option<Range<u64>> {
        let ledger = &self.at(address)?.ledger;
        let mut whole = ledger.containing(address)?.range();
        while let Some(next) = ledger.containing(whole.end) {
            whole.end = next.range().end;
        }
        Some(whole)
    }

    /// All allocations.
    pub(super) fn allocations(&self) -> impl Iterator<Item = &Allocation> {
        self.0.iter().flat_map(|zone| zone.ledger.allocations())
    }

    /// The address space around an address of no zone, up to the zones on both sides.
    pub(super) fn outside(&self, address: u64) -> Range<u64> {
        let ends = self.0.iter().map(|zone| zone.range.end).filter(|end| *end <= address);
        let starts = self.0.iter().map(|zone| zone.range.start).filter(|start| *start > address);
        ends.max().unwrap_or(0)..starts.min().unwrap_or(USER_SPACE.end)
    }
}

/// Changes what the system has of a range of the arena's own.
///
/// # Errors
/// The last error.
///
/// # Safety
/// The range lies in a zone, and whoever has memory there expects the change.
pub(super) unsafe fn change(
    range: &Range<u64>,
    change: Change,
) -> Result<(), hostmem_interface::Win32Error> {
    let (at, size) = (range.start, range.end - range.start);
    // SAFETY: the caller vouches for the range.
    unsafe {
        match change {
            Change::Commit(protect) => {
                system::alloc(at, size, AllocationType::COMMIT, protect).map(drop)
            }
            Change::Decommit => system::free(at, size, FreeType::DECOMMIT),
            Change::Protect(protect) => {
                system::protect(at, size, protect, OutPointer::Valid).map(drop)
            }
        }
    }
}

/// A change at the system.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Commit(Protection),
    Decommit,
    Protect(Protection),
}
