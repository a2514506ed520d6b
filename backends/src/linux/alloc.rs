//! `VirtualAlloc`: arguments first, then the state of the memory, then resources, and only
//! then the kernel. A change that the kernel refuses half-way is undone.
//!
//! Deliberately not here: a call for a plain reservation. Free addresses of the arena are
//! inaccessible and empty already, which is all that Windows promises of reserved ones.

use std::io;
use std::ops::Range;

use hostmem_interface::{Address, AllocationType, Protection, Refusal, Win32Error};

use super::manager::{LinuxManager, Space, refuse};
use super::mapping_budget::Purpose;
use super::watch::Watch;
use crate::arguments::{AllocArguments, copies_on_write};
use crate::ledger::page_state::PageState;
use crate::ledger::{Allocation, GRANULE, PAGE, pages_of};

impl LinuxManager {
    pub(super) fn alloc(
        &self,
        address: Address,
        size: u64,
        kind: AllocationType,
        protect: Protection,
    ) -> Result<Address, Refusal> {
        let request = AllocArguments { at: address.0, size, kind, protect };
        request.check()?;
        let _quiet = self.without_writes(request.at);
        let mut space = self.space();
        if request.reserves() {
            self.reserve(&mut space, &request)
        } else if kind.contains(AllocationType::COMMIT) {
            self.commit(&mut space, &request)
        } else {
            reset(&space, &request)
        }
        .map(Address)
    }

    /// `MEM_RESERVE`, alone or with `MEM_COMMIT`.
    fn reserve(&self, space: &mut Space, request: &AllocArguments) -> Result<u64, Refusal> {
        let range = place(request, space)?;
        let mut allocation = Allocation::new(&range, request.protect);
        allocation.watched = request.kind.contains(AllocationType::WRITE_WATCH);
        allocation.physical = request.kind.contains(AllocationType::PHYSICAL);
        if allocation.watched {
            self.register(space, &range)?;
        }
        if request.kind.contains(AllocationType::COMMIT) {
            let state = PageState::committed(request.protect);
            let watch = space.watch.as_ref().filter(|_| allocation.watched);
            if let Err(refusal) = self.commit_pages(&mut allocation, watch, &range, state) {
                if allocation.watched {
                    // A fresh mapping drops the registration; without one it does no harm.
                    drop(self.arena.empty(range));
                }
                return Err(refusal);
            }
        }
        space.ledger.insert(allocation);
        Ok(range.start)
    }

    /// Has the kernel watch a range, opening this case's watch at its first use.
    fn register(&self, space: &mut Space, range: &Range<u64>) -> Result<(), Refusal> {
        if !self.can_watch() {
            return Err(refuse(Win32Error::ERROR_NOT_SUPPORTED));
        }
        if !self.budget.admits(Purpose::Growth) {
            return Err(refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY));
        }
        if space.watch.is_none() {
            space.watch = Some(Watch::open().map_err(no_memory)?);
        }
        let watch = space.watch.as_ref().expect("opened just now");
        watch.register(range).map_err(no_memory)
    }

    /// `MEM_COMMIT` inside an allocation.
    fn commit(&self, space: &mut Space, request: &AllocArguments) -> Result<u64, Refusal> {
        let range = pages_of(request.at, request.size);
        let Space { ledger, watch } = space;
        let allocation = ledger
            .containing_mut(range.start)
            .filter(|one| range.end <= one.range().end && !one.physical);
        let allocation = allocation.ok_or(refuse(Win32Error::ERROR_INVALID_ADDRESS))?;
        if copies_on_write(request.protect) {
            return Err(refuse(Win32Error::ERROR_INVALID_PARAMETER));
        }
        let watch = watch.as_ref().filter(|_| allocation.watched);
        let state = PageState::committed(request.protect);
        self.commit_pages(allocation, watch, &range, state)?;
        Ok(range.start)
    }

    /// Commits pages of an allocation that may not be in the ledger yet.
    fn commit_pages(
        &self,
        allocation: &mut Allocation,
        watch: Option<&Watch>,
        range: &Range<u64>,
        state: PageState,
    ) -> Result<(), Refusal> {
        let fresh = (range.end - range.start) / PAGE - allocation.committed(range);
        if !self.commit.take(fresh) {
            return Err(refuse(Win32Error::ERROR_COMMITMENT_LIMIT));
        }
        let done = if self.budget.admits(Purpose::Growth) {
            arm(allocation, watch, range)
                .and_then(|()| self.change(allocation, range, state))
                .map_err(no_memory)
        } else {
            Err(refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY))
        };
        if done.is_err() {
            self.commit.give(fresh);
        }
        done
    }

    /// Gives pages of an allocation a state that is committed, at the kernel and in the
    /// record, or leaves both as they were.
    pub(super) fn change(
        &self,
        allocation: &mut Allocation,
        range: &Range<u64>,
        state: PageState,
    ) -> io::Result<()> {
        if let Err(error) = self.arena.protect(range.clone(), state.prot()) {
            for (run, before) in allocation.runs(range) {
                // Back to fewer mappings, so the kernel agrees; if not, a checkpoint tells.
                drop(self.arena.protect(run, before.prot()));
            }
            return Err(error);
        }
        let numbers = allocation.numbers(range);
        allocation.pages.set(numbers, state);
        Ok(())
    }
}

/// The pages of a new reservation: where the caller wants them, or where there is room.
fn place(request: &AllocArguments, space: &Space) -> Result<Range<u64>, Refusal> {
    if request.at == 0 {
        let size = request.size.next_multiple_of(PAGE);
        let top_down = request.kind.contains(AllocationType::TOP_DOWN);
        let base = space.ledger.place(size, top_down);
        let base = base.ok_or(refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY))?;
        return Ok(base..base + size);
    }
    let base = request.at & !(GRANULE - 1);
    let range = base..pages_of(request.at, request.size).end;
    if space.ledger.is_free(&range) {
        Ok(range)
    } else {
        Err(refuse(Win32Error::ERROR_INVALID_ADDRESS))
    }
}

/// `MEM_RESET` and `MEM_RESET_UNDO`: lawful and without effect. The contents stay, so that an
/// undo is always true; memory that the kernel took back could not be told from zeros.
fn reset(space: &Space, request: &AllocArguments) -> Result<u64, Refusal> {
    let range = pages_of(request.at, request.size);
    match space.ledger.containing(range.start) {
        Some(allocation) if range.end <= allocation.range().end => Ok(range.start),
        _ => Err(refuse(Win32Error::ERROR_INVALID_ADDRESS)),
    }
}

/// Clears the record of the pages that are about to be committed.
fn arm(allocation: &Allocation, watch: Option<&Watch>, range: &Range<u64>) -> io::Result<()> {
    let Some(watch) = watch else { return Ok(()) };
    let fresh = allocation.runs(range).filter(|(_, state)| !state.is_committed());
    fresh.map(|(run, _)| run).try_for_each(|run| watch.arm(&run))
}

/// Whatever the kernel says at this point, it is that it lacks the means.
fn no_memory(_: io::Error) -> Refusal {
    refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY)
}
