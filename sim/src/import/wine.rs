//! What the calls of a relay log become.
//!
//! | function | becomes |
//! |---|---|
//! | `VirtualAlloc`, `VirtualAllocEx`, `VirtualAllocExNuma` | `VirtualAlloc` |
//! | `VirtualFree`, `VirtualFreeEx` | `VirtualFree` |
//! | `VirtualProtect`, `VirtualProtectEx` | `VirtualProtect` |
//! | `VirtualQuery`, `VirtualQueryEx` | `VirtualQuery` |
//! | `GetWriteWatch`, `ResetWriteWatch` | the same |
//! | `GlobalMemoryStatus`, `GlobalMemoryStatusEx` | `GetMemoryLoad` |
//!
//! The forms with a process count only for the caller's own. A success becomes an expectation;
//! a failure is repeated, and nothing is expected of it: it may have been the machine's.
//! `GetWriteWatch` gets a capacity of 100, which is what the runtime always passes: the log has
//! only the address of the count. No pages are expected, as the program's writes are not in
//! the log.
//!
//! Views (`MapViewOfFile`) are left out although a host hears of them as acquired address
//! space: a view has no place in a replay that a name could stand for. Heaps likewise.
//!
//! Reports of written pages are in [`watch`].
//!
//! Deliberately not here: pairing (`calls`), naming and holes (`draft`).

mod watch;

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::{
    AllocationType, Call, FreeType, OutPointer, Protection, WatchPointers, Win32Error,
};

use super::calls::{Asked, Function, RelayLog};
use super::draft::{self, Draft, Expect, Target, into_block};
use super::journal::Journal;
use super::live::{Detail, Marks};
use super::regions::{BlockId, Regions, granule, pages};
use super::{Reason, Summary};

/// `*lpdwCount` of the runtime's `GetWriteWatch` calls.
const CAPACITY: u64 = 100;

/// Turns a log's calls into steps.
#[derive(Debug)]
pub(super) struct Translation {
    journal: Journal<Asked>,
    details: BTreeMap<usize, Detail>,
    marks: Marks,
    done: Vec<bool>,
    process: u32,
    regions: Regions,
    pub(super) draft: Draft,
    pub(super) summary: Summary,
}

/// Why a call is not in the scenario; `Ok`: it is.
type Kept = Result<(), Reason>;

impl Translation {
    /// Translates every call of the log.
    pub(super) fn of(log: RelayLog) -> Self {
        let RelayLog { journal, details, summary, .. } = log;
        let done = vec![false; journal.len()];
        let process = busiest(&journal);
        let (regions, draft, marks) = (Regions::default(), Draft::default(), Marks::default());
        let mut all = Self { journal, details, marks, done, process, regions, draft, summary };
        for at in 0..all.journal.returned().len() {
            all.one(all.journal.returned()[at]);
        }
        for (reason, function) in all.draft.take_dropped() {
            all.summary.leave_out(reason, function);
            all.summary.functions.entry(function.to_owned()).or_default().kept -= 1;
        }
        all.summary.reservations = all.regions.count();
        all
    }

    fn one(&mut self, index: usize) {
        if std::mem::replace(&mut self.done[index], true) {
            return;
        }
        let record = self.journal.record(index);
        let (asked, thread) = (record.what, record.thread);
        let Some(result) = record.result else { return };
        let name = asked.function.name();
        let kept = if asked.process == self.process {
            self.translate(index, asked, thread, result)
        } else {
            Err(Reason::OtherProcess)
        };
        match kept {
            Ok(()) => {
                self.summary.keep(name);
                self.summary.failed += u64::from(failed(asked.function, result));
            }
            Err(reason) => self.summary.leave_out(reason, name),
        }
    }

    fn translate(&mut self, index: usize, asked: Asked, thread: u32, result: u64) -> Kept {
        let [a, b, c, d, e, f, _] = asked.arguments;
        let fine = !failed(asked.function, result);
        let detail = self.details.remove(&index);
        // The caller's own process is the handle -1, of 32 bits in older logs.
        let own = || (u64::from(low(a)) == 0xFFFF_FFFF).then_some(()).ok_or(Reason::OtherProcess);
        match asked.function {
            Function::VirtualAlloc => {
                self.allocate(index, thread, (a, b, c, d), result, detail.as_ref())
            }
            Function::VirtualAllocEx | Function::VirtualAllocExNuma => {
                own()?;
                self.allocate(index, thread, (b, c, d, e), result, detail.as_ref())
            }
            Function::VirtualFree => self.free(thread, (a, b, c), fine, detail.as_ref()),
            Function::VirtualFreeEx => {
                own()?;
                self.free(thread, (b, c, d), fine, detail.as_ref())
            }
            Function::VirtualProtect => self.protect(thread, (a, b, c, d), fine, detail.as_ref()),
            Function::VirtualProtectEx => {
                own()?;
                self.protect(thread, (b, c, d, e), fine, detail.as_ref())
            }
            Function::VirtualQuery => {
                self.query(thread, (a, b, c), fine, asked.function, detail.as_ref())
            }
            Function::VirtualQueryEx => {
                own()?;
                self.query(thread, (b, c, d), fine, asked.function, detail.as_ref())
            }
            Function::GetWriteWatch => {
                let null = WatchPointers {
                    addresses: pointer(d),
                    count: pointer(e),
                    granularity: pointer(f),
                };
                self.get_watch(thread, (a, b, c), null, fine, detail)
            }
            Function::ResetWriteWatch => self.reset_watch(thread, (a, b), fine),
            Function::GlobalMemoryStatus | Function::GlobalMemoryStatusEx => {
                self.draft.push(thread, Call::GetMemoryLoad, expect(fine));
                Ok(())
            }
        }
    }

    fn allocate(
        &mut self,
        index: usize,
        thread: u32,
        (address, size, kind, protect): (u64, u64, u64, u64),
        result: u64,
        detail: Option<&Detail>,
    ) -> Kept {
        let (kind, protect) = (AllocationType(low(kind)), Protection(low(protect)));
        if kind.intersects(AllocationType::PHYSICAL | AllocationType::LARGE_PAGES) {
            return Err(Reason::NoWord);
        }
        if result == 0 {
            let expect = refusal(detail);
            return self.repeat_allocate(thread, address, size, (kind, protect), expect);
        }
        if !well_formed(protect) {
            return Err(Reason::AgainstTheLaw);
        }
        if address == 0 || kind.contains(AllocationType::RESERVE) {
            self.reserve(index, thread, (address, size), (kind, protect), result)
        } else {
            self.commit(thread, (address, size), (kind, protect), result)
        }
    }

    /// A failed allocation: asked again where the scenario has a name for the place.
    fn repeat_allocate(
        &mut self,
        thread: u32,
        address: u64,
        size: u64,
        (kind, protect): (AllocationType, Protection),
        expect: Expect,
    ) -> Kept {
        if address == 0 {
            self.draft.place(thread, size, kind, protect, None);
        } else {
            let target = self.target(address)?.1;
            let call = draft::allocate(target, size, kind, protect);
            self.draft.push(thread, call, expect);
        }
        Ok(())
    }

    fn reserve(
        &mut self,
        index: usize,
        thread: u32,
        (address, size): (u64, u64),
        (kind, protect): (AllocationType, Protection),
        result: u64,
    ) -> Kept {
        let first = if address == 0 { result } else { address };
        let span = pages(first, size).map(|pages| granule(first)..pages.end);
        let watched = kind.contains(AllocationType::WRITE_WATCH);
        let lawful = kind.without(RESERVING) == AllocationType(0)
            && kind.intersects(AllocationType::RESERVE | AllocationType::COMMIT)
            && (kind.contains(AllocationType::RESERVE) || !watched)
            && result == granule(first)
            && result != 0;
        let span = span.filter(|_| lawful).ok_or(Reason::AgainstTheLaw)?;
        self.make_room(index, &span);
        let block = self.regions.reserve(span.clone(), watched);
        if kind.contains(AllocationType::COMMIT) {
            self.regions.commit(block, &span);
        }
        if address == 0 {
            self.draft.place(thread, size, kind, protect, Some(block));
        } else {
            let granules = span.start..granule(span.end - 1) + 0x1_0000;
            let place = (address, size);
            self.draft.place_at(thread, granules, place, (kind, protect), block);
        }
        Ok(())
    }

    /// Others stood where the log now sees a reservation granted: their release was in flight,
    /// or the log does not have it.
    fn make_room(&mut self, index: usize, span: &Range<u64>) {
        if self.regions.owned(span).is_empty() {
            return;
        }
        for race in self.journal.races(index).to_vec() {
            self.one(race);
        }
        for (_, block) in self.regions.owned(span) {
            // Still there in a replay: so nothing may count on its addresses.
            self.regions.release(block);
            self.draft.close();
            self.summary.lost += 1;
        }
    }

    fn commit(
        &mut self,
        thread: u32,
        (address, size): (u64, u64),
        (kind, protect): (AllocationType, Protection),
        result: u64,
    ) -> Kept {
        let (block, target) = self.target(address)?;
        let range = self.within(address, size).ok_or(Reason::AgainstTheLaw)?;
        let returned = Expect::At(into_block(block, self.regions.base(block), range.start));
        let expect = if kind.without(AllocationType::TOP_DOWN) == AllocationType::COMMIT {
            self.regions.commit(block, &range);
            returned
        } else if kind == AllocationType::RESET {
            // Of a reset that is not of whole committed pages, either answer is lawful.
            let plain = self.regions.is_committed(block, &range)
                && range == (address..address.saturating_add(size));
            if plain { returned } else { Expect::Nothing }
        } else if kind == AllocationType::RESET_UNDO {
            Expect::Nothing
        } else {
            return Err(Reason::AgainstTheLaw);
        };
        if result != range.start {
            return Err(Reason::AgainstTheLaw);
        }
        self.draft.push(thread, draft::allocate(target, size, kind, protect), expect);
        Ok(())
    }

    fn free(
        &mut self,
        thread: u32,
        (address, size, kind): (u64, u64, u64),
        fine: bool,
        detail: Option<&Detail>,
    ) -> Kept {
        let kind = FreeType(low(kind));
        let (block, target) = self.target(address)?;
        let at_base = pages(address, 1).is_some_and(|page| page.start == self.regions.base(block));
        let whole = (size == 0 && at_base).then(|| self.regions.span(block).clone());
        let takes = match kind {
            FreeType::RELEASE => whole,
            FreeType::DECOMMIT => whole.or_else(|| self.within(address, size)),
            _ => None,
        };
        match (&takes, fine) {
            (Some(_), false) => return Err(Reason::FailedTakingAway),
            (None, true) => return Err(Reason::AgainstTheLaw),
            (None, false) => {}
            (Some(range), true) if kind == FreeType::RELEASE => {
                self.marks.clear(range);
                self.regions.release(block);
            }
            (Some(range), true) => self.regions.decommit(block, range),
        }
        let call = Call::VirtualFree { address: target, size, kind };
        self.draft.push(thread, call, if fine { Expect::Done } else { refusal(detail) });
        Ok(())
    }

    fn protect(
        &mut self,
        thread: u32,
        (address, size, protect, old): (u64, u64, u64, u64),
        fine: bool,
        detail: Option<&Detail>,
    ) -> Kept {
        let protect = Protection(low(protect));
        let (block, target) = self.target(address)?;
        let lawful = well_formed(protect)
            && old != 0
            && self
                .within(address, size)
                .is_some_and(|range| self.regions.is_committed(block, &range));
        if fine && !lawful {
            return Err(Reason::AgainstTheLaw);
        }
        let old = pointer(old);
        let call = Call::VirtualProtect { address: target, size, protect, old };
        let expect = match detail {
            Some(Detail::Old(before)) if fine => Expect::Old(*before),
            _ if fine => Expect::Done,
            other => refusal(other),
        };
        self.draft.push(thread, call, expect);
        Ok(())
    }

    fn query(
        &mut self,
        thread: u32,
        (address, buffer, length): (u64, u64, u64),
        fine: bool,
        function: Function,
        detail: Option<&Detail>,
    ) -> Kept {
        let buffer = pointer(buffer);
        if fine && (length < 48 || buffer == OutPointer::Null) {
            return Err(Reason::AgainstTheLaw);
        }
        match self.target(address) {
            Ok((block, target)) => {
                let base = self.regions.base(block);
                let expect = match detail {
                    Some(Detail::Region(region)) if region.allocation_base.0 == base => {
                        Expect::Region(into_block(block, base, base), *region)
                    }
                    _ => expect(fine),
                };
                let call = Call::VirtualQuery { address: target, buffer, length };
                self.draft.push(thread, call, expect);
            }
            Err(reason) if fine => {
                let how = (buffer, length);
                self.draft.query_free(thread, address, how, function.name(), reason);
            }
            Err(reason) => return Err(reason),
        }
        Ok(())
    }

    /// The reservation that holds an address, and the address in its terms.
    fn target(&self, address: u64) -> Result<(BlockId, Target), Reason> {
        let block = self.regions.owner(address)?;
        Ok((block, into_block(block, self.regions.base(block), address)))
    }

    /// The pages of a range, if one reservation holds them all.
    fn within(&self, address: u64, size: u64) -> Option<Range<u64>> {
        pages(address, size).filter(|range| self.regions.holding(range).is_some())
    }
}

/// The types that may stand in a call that reserves.
const RESERVING: AllocationType = AllocationType(
    AllocationType::RESERVE.0
        | AllocationType::COMMIT.0
        | AllocationType::TOP_DOWN.0
        | AllocationType::WRITE_WATCH.0,
);

/// A log may have several processes, each with its own addresses: the one that allocates most
/// is meant, and of two the one that did so first.
fn busiest(journal: &Journal<Asked>) -> u32 {
    let mut counts: Vec<(u32, u64)> = Vec::new();
    for &index in journal.returned() {
        let asked = &journal.record(index).what;
        let allocates = asked.function as usize <= Function::VirtualAllocExNuma as usize;
        let weight = if allocates { 1 << 32 } else { 1 };
        match counts.iter_mut().find(|(process, _)| *process == asked.process) {
            Some((_, count)) => *count += weight,
            None => counts.push((asked.process, weight)),
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(0, |&(process, _)| process)
}

/// Whether a call failed when it was recorded.
fn failed(function: Function, result: u64) -> bool {
    match function {
        // Returns nothing.
        Function::GlobalMemoryStatus => false,
        Function::GetWriteWatch | Function::ResetWriteWatch => low(result) != 0,
        Function::VirtualAlloc
        | Function::VirtualAllocEx
        | Function::VirtualAllocExNuma
        | Function::VirtualQuery
        | Function::VirtualQueryEx => result == 0,
        _ => low(result) == 0,
    }
}

/// A double word in a register of 64 bits, whose upper half means nothing.
fn low(register: u64) -> u32 {
    u32::try_from(register & 0xFFFF_FFFF).expect("32 bits")
}

const fn pointer(address: u64) -> OutPointer {
    if address == 0 { OutPointer::Null } else { OutPointer::Valid }
}

/// What a failure is expected to be again: nothing, if it may have been the machine's.
fn refusal(detail: Option<&Detail>) -> Expect {
    let machine = [Win32Error::ERROR_NOT_ENOUGH_MEMORY, Win32Error::ERROR_COMMITMENT_LIMIT];
    match detail {
        Some(Detail::Refused(error)) if !machine.contains(error) => Expect::Refused(*error),
        _ => Expect::Nothing,
    }
}

const fn expect(fine: bool) -> Expect {
    if fine { Expect::Done } else { Expect::Nothing }
}

/// Whether private memory may have this protection (PR-01 to PR-03).
fn well_formed(protect: Protection) -> bool {
    let modifiers = Protection::GUARD | Protection::NOCACHE | Protection::WRITECOMBINE;
    let base = protect.without(modifiers);
    let modifiers = protect.0 & modifiers.0;
    let bases = [
        Protection::NOACCESS,
        Protection::READONLY,
        Protection::READWRITE,
        Protection::EXECUTE,
        Protection::EXECUTE_READ,
        Protection::EXECUTE_READWRITE,
    ];
    bases.contains(&base)
        && modifiers.count_ones() <= 1
        && (modifiers == 0 || base != Protection::NOACCESS)
}
