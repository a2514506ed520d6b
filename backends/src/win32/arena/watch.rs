//! `GetWriteWatch` and `ResetWriteWatch`: the system's record of committed pages, joined with
//! the ledger's of pages that were written and then decommitted (WW-12).

use std::collections::BTreeSet;
use std::ops::Range;

use hostmem_interface::{
    Address, Refusal, WatchAnswer, WatchFlags, WatchPointers, Win32Error, WriteWatch,
};

use super::manager::ArenaManager;
use super::zones::Zones;
use crate::arguments::{self, USER_SPACE};
use crate::ledger::{Allocation, PAGE, pages_of};
use crate::win32::system;

impl WriteWatch for ArenaManager {
    fn get_write_watch(
        &self,
        address: Address,
        size: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal> {
        arguments::check_watch(size, flags, capacity, null)?;
        let mut zones = self.zones();
        let (allocation, range) = watched(&mut zones, address.0, size)?;
        let mut pages: BTreeSet<u64> = written(allocation, &range, false)?.into_iter().collect();
        pages.extend(kept(allocation, &range));
        let most = usize::try_from(capacity).unwrap_or(usize::MAX);
        let pages: Vec<u64> = pages.into_iter().take(most).collect();
        if flags.contains(WatchFlags::RESET) {
            for page in &pages {
                written(allocation, &(*page..page + PAGE), true)?;
                allocation.mark(&(*page..page + PAGE), false);
            }
        }
        let pages = pages.into_iter().map(Address).collect();
        Ok(WatchAnswer { pages, granularity: 0x1000 })
    }

    fn reset_write_watch(&self, address: Address, size: u64) -> Result<(), Refusal> {
        let mut zones = self.zones();
        let (allocation, range) = watched(&mut zones, address.0, size)?;
        system::reset_write_watch(range.start, range.end - range.start)
            .map_err(Refusal::from_win32)?;
        allocation.mark(&range, false);
        Ok(())
    }
}

/// WW-03, WW-04: the pages of a range inside one watched allocation.
fn watched(
    zones: &mut Zones,
    at: u64,
    size: u64,
) -> Result<(&mut Allocation, Range<u64>), Refusal> {
    let malformed = Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);
    if size == 0 || at >= USER_SPACE.end || size > USER_SPACE.end - at {
        return Err(malformed);
    }
    let range = pages_of(at, size);
    let allocation = zones.allocation(range.start);
    let allocation = allocation.filter(|one| one.watched && range.end <= one.range().end);
    Ok((allocation.ok_or(malformed)?, range))
}

/// The pages of which the system records a write; with `clear` it forgets them.
fn written(allocation: &Allocation, range: &Range<u64>, clear: bool) -> Result<Vec<u64>, Refusal> {
    let mut pages = Vec::new();
    for (run, state) in allocation.runs(range) {
        if !state.is_committed() {
            continue;
        }
        let size = run.end - run.start;
        let flags = if clear { WatchFlags::RESET } else { WatchFlags(0) };
        let null = WatchPointers::default();
        let told = system::get_write_watch(run.start, size, flags.0, size / PAGE, null);
        let (told, _) = told.map_err(Refusal::from_win32)?;
        pages.extend(told.into_iter().map(|page| page.0));
    }
    Ok(pages)
}

/// The ledger's marks in a range.
fn kept(allocation: &Allocation, range: &Range<u64>) -> Vec<u64> {
    let Some(marks) = &allocation.marks else { return Vec::new() };
    let over = marks.over(allocation.numbers(range)).filter(|(_, written)| *written);
    over.flat_map(|(pages, _)| allocation.addresses(&pages).step_by(0x1000)).collect()
}

/// Takes over what the system knows of pages that are about to lose their memory.
///
/// # Errors
/// The system's.
pub(super) fn keep_marks(allocation: &mut Allocation, range: &Range<u64>) -> Result<(), Refusal> {
    for page in written(allocation, range, true)? {
        allocation.mark(&(page..page + PAGE), true);
    }
    Ok(())
}
