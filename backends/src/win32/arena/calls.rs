//! `VirtualAlloc`, `VirtualFree`, `VirtualProtect` and `VirtualQuery`: arguments first, then the
//! books, then the system; the books follow when the system has agreed.

use std::ops::Range;

use hostmem_interface::{
    Address, AllocationType, FreeType, MemoryBasicInformation, OutPointer, Protection, QueryAnswer,
    Refusal, RegionState, RegionType, Win32Error,
};

use super::manager::ArenaManager;
use super::watch;
use super::zones::{Change, Zones, change};
use crate::arguments::{self, AllocArguments, USER_SPACE, copies_on_write};
use crate::ledger::page_state::PageState;
use crate::ledger::{Allocation, GRANULE, PAGE, pages_of};
use crate::win32::system;

const BAD_ADDRESS: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_ADDRESS);
const MALFORMED: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);

impl ArenaManager {
    pub(super) fn alloc(&self, request: &AllocArguments) -> Result<Address, Refusal> {
        request.check()?;
        let mut zones = self.zones();
        let kind = request.kind;
        let base = if request.reserves() {
            reserve(&mut zones, request)
        } else if kind.contains(AllocationType::COMMIT) {
            commit(&mut zones, request)
        } else {
            reset(&mut zones, request)
        };
        base.map(Address)
    }

    pub(super) fn free(&self, at: u64, size: u64, kind: FreeType) -> Result<(), Refusal> {
        arguments::check_free(at, size, kind)?;
        let mut zones = self.zones();
        let allocation = zones.allocation(at).ok_or(Refusal::not_ours())?;
        let range = allocation.freed(at, size, kind)?;
        if kind == FreeType::DECOMMIT {
            return decommit(allocation, &range);
        }
        if allocation.committed(&range) > 0 {
            take_memory(allocation, &range)?;
        }
        let zone = zones.at_mut(range.start).expect("found just now");
        zone.ledger.remove(range.start);
        Ok(())
    }

    pub(super) fn protect(
        &self,
        at: u64,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        arguments::check_protect(at, size, protect, old)?;
        let range = pages_of(at, size);
        let mut zones = self.zones();
        let allocation = zones.allocation(range.start);
        let allocation =
            allocation.filter(|one| range.end <= one.range().end).ok_or(BAD_ADDRESS)?;
        if copies_on_write(protect) {
            return Err(MALFORMED);
        }
        if !allocation.runs(&range).all(|(_, state)| state.is_committed()) {
            return Err(BAD_ADDRESS);
        }
        settle_guards(allocation, &range);
        let before = allocation.state(range.start).shown() | allocation.cache();
        let state = PageState::committed(protect);
        // SAFETY: committed pages of ours, whose owner wants them so.
        unsafe { change(&range, Change::Protect(state.shown())) }.map_err(Refusal::from_win32)?;
        set(allocation, &range, state);
        Ok(before)
    }

    pub(super) fn query(
        &self,
        address: u64,
        buffer: OutPointer,
        length: u64,
    ) -> Result<QueryAnswer, Refusal> {
        if address >= USER_SPACE.end {
            return Err(MALFORMED);
        }
        if length < MemoryBasicInformation::SIZE {
            return Err(Refusal::from_win32(Win32Error::ERROR_BAD_LENGTH));
        }
        if buffer == OutPointer::Null {
            return Err(Refusal::from_win32(Win32Error::ERROR_NOACCESS));
        }
        let page = address & !(PAGE - 1);
        let mut zones = self.zones();
        let Some(zone) = zones.at_mut(page) else {
            return Ok(QueryAnswer::of(outside(page, &zones.outside(page))));
        };
        let next = zone.ledger.next_base(page);
        Ok(QueryAnswer::of(match zone.ledger.containing_mut(page) {
            Some(allocation) => inside(page, allocation),
            None => MemoryBasicInformation::free(Address(page), next - page),
        }))
    }
}

fn set(allocation: &mut Allocation, range: &Range<u64>, state: PageState) {
    let numbers = allocation.numbers(range);
    allocation.pages.set(numbers, state);
}

/// `MEM_RESERVE`, alone or with `MEM_COMMIT`.
fn reserve(zones: &mut Zones, request: &AllocArguments) -> Result<u64, Refusal> {
    let watched = request.kind.contains(AllocationType::WRITE_WATCH);
    let range = place(zones, request, watched)?;
    let mut allocation = Allocation::new(&range, request.protect);
    allocation.watched = watched;
    allocation.physical = request.kind.contains(AllocationType::PHYSICAL);
    if watched {
        // What lay here before may have left marks.
        system::reset_write_watch(range.start, range.end - range.start)
            .map_err(Refusal::from_win32)?;
    }
    if request.kind.contains(AllocationType::COMMIT) {
        commit_pages(&mut allocation, &range, request.protect)?;
    }
    let zone = zones.at_mut(range.start).expect("the place is in a zone");
    zone.ledger.insert(allocation);
    Ok(range.start)
}

/// The pages of a new reservation: where the caller wants them, or where there is room.
fn place(
    zones: &mut Zones,
    request: &AllocArguments,
    watched: bool,
) -> Result<Range<u64>, Refusal> {
    if request.at == 0 {
        let size = request.size.next_multiple_of(PAGE);
        let top_down = request.kind.contains(AllocationType::TOP_DOWN);
        let base = zones.suiting(watched).find_map(|zone| zone.ledger.place(size, top_down));
        let base = base.ok_or(Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY))?;
        return Ok(base..base + size);
    }
    let range = request.at & !(GRANULE - 1)..pages_of(request.at, request.size).end;
    let zone = zones.at(range.start).filter(|zone| zone.ledger.is_free(&range));
    zone.filter(|zone| zone.watched || !watched).map(|_| range).ok_or(BAD_ADDRESS)
}

fn commit(zones: &mut Zones, request: &AllocArguments) -> Result<u64, Refusal> {
    let range = pages_of(request.at, request.size);
    let allocation = zones.allocation(range.start);
    let allocation = allocation.filter(|one| range.end <= one.range().end && !one.physical);
    let allocation = allocation.ok_or(BAD_ADDRESS)?;
    if copies_on_write(request.protect) {
        return Err(MALFORMED);
    }
    commit_pages(allocation, &range, request.protect)?;
    Ok(range.start)
}

fn commit_pages(
    allocation: &mut Allocation,
    range: &Range<u64>,
    protect: Protection,
) -> Result<(), Refusal> {
    let state = PageState::committed(protect);
    // SAFETY: pages of ours, whose owner wants them so.
    unsafe { change(range, Change::Commit(state.shown())) }.map_err(Refusal::from_win32)?;
    set(allocation, range, state);
    Ok(())
}

/// `MEM_RESET` and `MEM_RESET_UNDO`: lawful and without effect. The contents stay, so that an
/// undo is always true, also where the system has none (Wine 8.0).
fn reset(zones: &mut Zones, request: &AllocArguments) -> Result<u64, Refusal> {
    let range = pages_of(request.at, request.size);
    let allocation = zones.allocation(range.start);
    let inside = allocation.is_some_and(|one| range.end <= one.range().end);
    if inside { Ok(range.start) } else { Err(BAD_ADDRESS) }
}

fn decommit(allocation: &mut Allocation, range: &Range<u64>) -> Result<(), Refusal> {
    if allocation.committed(range) == 0 {
        return Ok(());
    }
    if allocation.watched {
        // Before the system is asked: a write that comes in between would be lost.
        close(allocation, range).map_err(Refusal::from_win32)?;
        watch::keep_marks(allocation, range)?;
    }
    take_memory(allocation, range)?;
    set(allocation, range, PageState::RESERVED);
    Ok(())
}

/// Makes the committed pages of a range inaccessible.
fn close(allocation: &Allocation, range: &Range<u64>) -> Result<(), Win32Error> {
    let mut open = allocation.runs(range).filter(|(_, state)| state.is_committed());
    // SAFETY: committed pages of ours, which their owner gives back.
    open.try_for_each(|(run, _)| unsafe { change(&run, Change::Protect(Protection::NOACCESS)) })
}

/// Has the system take the memory of a range. Guards first: Wine raises them even where there is
/// no memory any more.
fn take_memory(allocation: &Allocation, range: &Range<u64>) -> Result<(), Refusal> {
    let mut armed = allocation.runs(range).filter(|(_, state)| state.is_armed());
    let disarmed = armed.try_for_each(|(run, state)| {
        // SAFETY: committed pages of ours, which their owner gives back.
        unsafe { change(&run, Change::Protect(state.disarmed().shown())) }
    });
    // SAFETY: likewise.
    let taken = disarmed.and_then(|()| unsafe { change(range, Change::Decommit) });
    taken.map_err(Refusal::from_win32)
}

/// Takes over which guards have fired: the system disarms them behind our back.
fn settle_guards(allocation: &mut Allocation, range: &Range<u64>) {
    let armed = allocation.runs(range).filter(|(_, state)| state.is_armed());
    let armed: Vec<_> = armed.collect();
    for (run, state) in armed {
        for page in run.step_by(0x1000) {
            let shown = system::region(page).unwrap_or_default().protect;
            if !shown.contains(Protection::GUARD) {
                set(allocation, &(page..page + PAGE), state.disarmed());
            }
        }
    }
}

fn inside(page: u64, allocation: &mut Allocation) -> MemoryBasicInformation {
    let behind = page..allocation.range().end;
    settle_guards(allocation, &behind);
    allocation.region(page)
}

/// What the system shows of a page outside; but nothing is called free that would never be
/// granted.
fn outside(page: u64, limits: &Range<u64>) -> MemoryBasicInformation {
    if page < USER_SPACE.start {
        return MemoryBasicInformation::free(Address(page), USER_SPACE.start - page);
    }
    let found = system::region(page).unwrap_or_default();
    if found.state != RegionState::FREE {
        return found;
    }
    let end = found.end().0.min(limits.end);
    MemoryBasicInformation {
        base_address: Address(page),
        allocation_base: Address(page),
        allocation_protect: Protection::NOACCESS,
        region_size: end.max(page + PAGE) - page,
        state: RegionState::RESERVE,
        protect: Protection(0),
        kind: RegionType::PRIVATE,
    }
}
