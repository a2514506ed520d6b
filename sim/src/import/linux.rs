//! What the system calls of an `strace` log become.
//!
//! | Linux | Win32 |
//! |---|---|
//! | `mmap` of private anonymous memory, `PROT_NONE` | reserve |
//! | the same with another protection | reserve and commit |
//! | `mmap` `MAP_FIXED` `PROT_NONE` in a reservation | decommit |
//! | the same with another protection | decommit what is committed, then commit |
//! | `mprotect` of pages that are not all committed | commit (which protects the others) |
//! | `mprotect` of committed pages | protect |
//! | `mprotect` `PROT_NONE` | protect what is committed as `PAGE_NOACCESS` |
//! | `madvise` `MADV_DONTNEED` | decommit what is committed |
//! | `madvise` `MADV_FREE` | reset what is committed |
//! | `munmap` (or `mremap`) of the last pages of a reservation | release |
//! | `munmap` (or `mremap`) of other pages | decommit what is committed: Win32 cannot release it |
//! | `mmap` of a file over pages of a reservation | nothing |
//!
//! Every `mmap` without `MAP_FIXED` is a reservation of its own, wherever the subject likes, a
//! hint notwithstanding. So the 4 KiB alignment of Linux and the 64 KiB of Win32 do not meet:
//! steps name a reservation and an offset in it, and what lay side by side on Linux need not.
//! `MADV_DONTNEED` leaves its pages accessible on Linux; here they are committed again by the
//! next `mprotect`. Of pages that were unmapped or became a file's, nothing more is told, until
//! Linux gives their addresses out again. A failure is left out: it is Linux's, not Win32's.
//!
//! Deliberately not here: pairing (`strace`), naming (`draft`).

use std::ops::Range;

use hostmem_interface::{AllocationType, Call, FreeType, OutPointer, Protection};

use super::draft::{self, Draft, Expect, Target, into_block};
use super::journal::Journal;
use super::regions::{BlockId, Regions, pages};
use super::strace::{Access, Advice, FAILED, Request, StraceLog};
use super::{Reason, Summary};

/// Turns a log's calls into steps.
#[derive(Debug)]
pub(super) struct Translation {
    journal: Journal<Request>,
    done: Vec<bool>,
    regions: Regions,
    pub(super) draft: Draft,
    pub(super) summary: Summary,
}

/// Why a call is not in the scenario; `Ok`: it is.
type Kept = Result<(), Reason>;

impl Translation {
    /// Translates every call of the log.
    pub(super) fn of(log: StraceLog) -> Self {
        let StraceLog { journal, summary } = log;
        let done = vec![false; journal.len()];
        let (regions, draft) = (Regions::default(), Draft::default());
        let mut all = Self { journal, done, regions, draft, summary };
        for at in 0..all.journal.returned().len() {
            all.one(all.journal.returned()[at]);
        }
        all.summary.reservations = all.regions.count();
        all
    }

    fn one(&mut self, index: usize) {
        if std::mem::replace(&mut self.done[index], true) {
            return;
        }
        let record = self.journal.record(index);
        let (request, thread) = (record.what, record.thread);
        let Some(result) = record.result else { return };
        let kept = match request {
            _ if result == FAILED => Err(Reason::FailedOnLinux),
            Request::Map { size, protect, plain, fixed } => match pages(result, size) {
                Some(range) if fixed => self.map_over(thread, range, plain.then_some(protect)),
                Some(range) if plain => {
                    self.make_room(index, &range);
                    self.reserve(thread, range, size, protect)
                }
                _ => Err(Reason::NoWord),
            },
            Request::Unmap { address, size } | Request::Move { address, size } => {
                self.unmap(thread, address, size)
            }
            Request::Protect { address, size, protect } => {
                self.protect(thread, address, size, protect)
            }
            Request::Advise { address, size, advice } => self.advise(thread, address, size, advice),
        };
        match kept {
            Ok(()) => self.summary.keep(request.name()),
            Err(reason) => self.summary.leave_out(reason, request.name()),
        }
    }

    fn reserve(&mut self, thread: u32, range: Range<u64>, size: u64, access: Access) -> Kept {
        let block = self.regions.reserve(range.clone(), false);
        let mut kind = AllocationType::RESERVE;
        if access != Access::default() {
            kind = kind | AllocationType::COMMIT;
            self.regions.commit(block, &range);
        }
        self.draft.place(thread, size, kind, protection(access), Some(block));
        Ok(())
    }

    /// Linux gives out addresses only when nobody has them: an unmapping of them that was in
    /// flight had been done, whoever they belonged to; or the log does not have it.
    fn make_room(&mut self, index: usize, range: &Range<u64>) {
        for race in self.journal.races(index).to_vec() {
            if self.unmaps(race, range) {
                self.one(race);
            }
        }
        for (_, block) in self.regions.owned(range) {
            self.regions.release(block);
            self.summary.lost += 1;
        }
    }

    /// Whether a call takes pages of a range away.
    fn unmaps(&self, index: usize, range: &Range<u64>) -> bool {
        match self.journal.record(index).what {
            Request::Unmap { address, size } | Request::Move { address, size } => {
                pages(address, size).is_some_and(|it| it.start < range.end && range.start < it.end)
            }
            _ => false,
        }
    }

    /// A mapping at a fixed address; `None`: of something that is not plain memory.
    fn map_over(&mut self, thread: u32, range: Range<u64>, access: Option<Access>) -> Kept {
        let Some(access) = access else {
            for (part, block) in self.regions.owned(&range) {
                self.regions.give_up(block, &part);
            }
            return Err(Reason::NoWord);
        };
        let block = self.holder(&range)?;
        let reserves_only = access == Access::default();
        if reserves_only || !self.regions.committed(block, &range).is_empty() {
            self.decommit(thread, block, range.clone());
        }
        if !reserves_only {
            self.commit(thread, block, &range, access);
        }
        Ok(())
    }

    fn unmap(&mut self, thread: u32, address: u64, size: u64) -> Kept {
        let range = pages(address, size).ok_or(Reason::NeverReserved)?;
        let parts = self.regions.owned(&range);
        if parts.is_empty() {
            return Err(self.regions.owner(address).err().unwrap_or(Reason::NeverReserved));
        }
        let mut told = false;
        for (part, block) in parts {
            let committed = self.regions.committed(block, &part);
            self.regions.give_up(block, &part);
            if self.regions.is_gone(block) {
                let (address, kind) = (Target::Block(block, 0), FreeType::RELEASE);
                let call = Call::VirtualFree { address, size: 0, kind };
                self.draft.push(thread, call, Expect::Done);
                told = true;
            } else {
                for part in committed {
                    self.decommit(thread, block, part);
                    told = true;
                }
            }
        }
        if told { Ok(()) } else { Err(Reason::PartlyUnmapped) }
    }

    fn protect(&mut self, thread: u32, address: u64, size: u64, access: Access) -> Kept {
        let range = pages(address, size).ok_or(Reason::NoEffect)?;
        let block = self.holder(&range)?;
        let parts = if access == Access::default() {
            self.regions.committed(block, &range)
        } else if self.regions.is_committed(block, &range) {
            vec![range]
        } else {
            self.commit(thread, block, &range, access);
            return Ok(());
        };
        let some = !parts.is_empty();
        for part in parts {
            let (address, size) = (self.target(block, part.start), part.end - part.start);
            let (protect, old) = (protection(access), OutPointer::Valid);
            let call = Call::VirtualProtect { address, size, protect, old };
            self.draft.push(thread, call, Expect::Done);
        }
        some.then_some(()).ok_or(Reason::NoEffect)
    }

    fn advise(&mut self, thread: u32, address: u64, size: u64, advice: Advice) -> Kept {
        let range = pages(address, size).ok_or(Reason::NoEffect)?;
        let block = self.holder(&range)?;
        let parts = self.regions.committed(block, &range);
        if parts.is_empty() || advice == Advice::Other {
            return Err(Reason::NoEffect);
        }
        for part in parts {
            if advice == Advice::Discard {
                self.decommit(thread, block, part);
            } else {
                let address = self.target(block, part.start);
                let (size, kind) = (part.end - part.start, AllocationType::RESET);
                let call = draft::allocate(address, size, kind, Protection::READWRITE);
                self.draft.push(thread, call, Expect::At(address));
            }
        }
        Ok(())
    }

    fn commit(&mut self, thread: u32, block: BlockId, range: &Range<u64>, access: Access) {
        self.regions.commit(block, range);
        let (address, size) = (self.target(block, range.start), range.end - range.start);
        let call = draft::allocate(address, size, AllocationType::COMMIT, protection(access));
        self.draft.push(thread, call, Expect::At(address));
    }

    fn decommit(&mut self, thread: u32, block: BlockId, range: Range<u64>) {
        self.regions.decommit(block, &range);
        let (address, size) = (self.target(block, range.start), range.end - range.start);
        let call = Call::VirtualFree { address, size, kind: FreeType::DECOMMIT };
        self.draft.push(thread, call, Expect::Done);
    }

    /// The one reservation that holds a range.
    fn holder(&self, range: &Range<u64>) -> Result<BlockId, Reason> {
        match self.regions.holding(range) {
            Some(block) => Ok(block),
            None if self.regions.owned(range).is_empty() => {
                Err(self.regions.owner(range.start).err().unwrap_or(Reason::NeverReserved))
            }
            None => Err(Reason::AgainstTheLaw),
        }
    }

    fn target(&self, block: BlockId, address: u64) -> Target {
        into_block(block, self.regions.base(block), address)
    }
}

/// Windows has no memory that can be written and not read, nor on x64 any that can be executed
/// and not read.
const fn protection(access: Access) -> Protection {
    match access {
        Access { execute: true, write: true, .. } => Protection::EXECUTE_READWRITE,
        Access { execute: true, read: true, .. } => Protection::EXECUTE_READ,
        Access { execute: true, .. } => Protection::EXECUTE,
        Access { write: true, .. } => Protection::READWRITE,
        Access { read: true, .. } => Protection::READONLY,
        _ => Protection::NOACCESS,
    }
}
