//! Every call of a scope, in one fixed order, without chance.
//!
//! The calls do not depend on the state: each is asked in every state, where it may well be
//! refused. All addresses are relative to one hole, so each call can stand in a scenario.
//!
//! Deliberately not here: null addresses (the manager's own choice of a place would leave the
//! scope), ranges that are no whole pages, and malformed words: these are the business of the
//! scenarios and of random work, where each needs one state and not all of them.

use std::sync::Arc;

use hostmem_interface::scenario::{Name, Place, SymbolicCall};
use hostmem_interface::{
    AllocationType, Call, Capabilities, Capability, CriticalLevel, Data, FreeType,
    MemoryBasicInformation, OutPointer, Protection, WatchFlags, WatchPointers,
};

use super::scope::{Layout, Scope};
use crate::run::needs::call_needs;

/// The name of the hole in scenarios.
pub const HOLE: Name = Name(0);
/// How many bytes a read or write has: one access.
pub const WORD: u64 = 8;

/// What is written to a page: not zero, and another word on each page, so that pages that
/// change places are noticed.
#[must_use]
pub fn word_of(page: usize) -> [u8; 8] {
    let number = u8::try_from(page + 1).expect("a scope has few pages");
    [number, 0xA5, number, 0x5A, number, 0xA5, number, 0x5A]
}

/// The calls of a scope that a subject can carry out, and what is left out for its sake.
#[must_use]
pub fn alphabet(
    scope: &Scope,
    layout: &Layout,
    have: Capabilities,
) -> (Vec<SymbolicCall>, Vec<Capability>) {
    let mut left_out: Vec<Capability> = Vec::new();
    let mut calls = Alphabet { layout, protections: &scope.protections, calls: Vec::new() };
    calls.look_and_touch();
    calls.allocate(AllocationType::RESERVE | AllocationType::COMMIT);
    calls.allocate(AllocationType::RESERVE);
    calls.allocate(AllocationType::COMMIT);
    calls.free();
    calls.protect();
    if scope.watch {
        calls.watch();
    }
    if scope.reset {
        calls.reset();
    }
    let mut calls = calls.calls;
    calls.retain(|call| match call_needs(call).missing_from(have) {
        Some(missing) => {
            left_out.push(missing);
            false
        }
        None => true,
    });
    left_out.sort_unstable();
    left_out.dedup();
    (calls, left_out)
}

/// An address relative to the hole.
#[must_use]
pub const fn place(offset: u64) -> Place {
    Place::Relative { name: HOLE, offset }
}

/// A query with a full buffer.
#[must_use]
pub const fn query<A, M>(address: A) -> Call<A, M> {
    let length = MemoryBasicInformation::SIZE;
    Call::VirtualQuery { address, buffer: OutPointer::Valid, length }
}

/// Which pages of a range were written, with room for all of them; clears nothing.
#[must_use]
pub const fn marks<A, M>(address: A, size: u64, capacity: u64) -> Call<A, M> {
    let null = WatchPointers {
        addresses: OutPointer::Valid,
        count: OutPointer::Valid,
        granularity: OutPointer::Valid,
    };
    Call::GetWriteWatch { address, size, flags: WatchFlags(0), capacity, null }
}

struct Alphabet<'a> {
    layout: &'a Layout,
    protections: &'a [Protection],
    calls: Vec<SymbolicCall>,
}

impl Alphabet<'_> {
    fn look_and_touch(&mut self) {
        for (number, at) in self.layout.pages.iter().enumerate() {
            let data = Data::Bytes(Arc::from(word_of(number)));
            self.calls.push(query(place(*at)));
            self.calls.push(Call::Read { address: place(*at), size: WORD });
            self.calls.push(Call::Write { address: place(*at), data });
        }
    }

    /// One type of allocation: every range and protection, and size 0 at every page.
    fn allocate(&mut self, kind: AllocationType) {
        let critical = CriticalLevel::TASK;
        for (at, size) in self.layout.ranges() {
            let calls = self.protections.iter().map(|protect| Call::VirtualAlloc {
                address: place(at),
                size,
                kind,
                protect: *protect,
                critical,
            });
            self.calls.extend(calls);
        }
        let nothing = |at: &u64| Call::VirtualAlloc {
            address: place(*at),
            size: 0,
            kind,
            protect: self.protections[0],
            critical,
        };
        self.calls.extend(self.layout.pages.iter().map(nothing));
    }

    /// Both types, every range (which `MEM_RELEASE` refuses) and size 0 at every page.
    fn free(&mut self) {
        for kind in [FreeType::RELEASE, FreeType::DECOMMIT] {
            let whole = self.layout.pages.iter().map(|at| (*at, 0));
            let calls = whole.chain(self.layout.ranges());
            let calls =
                calls.map(|(at, size)| Call::VirtualFree { address: place(at), size, kind });
            self.calls.extend(calls);
        }
    }

    fn protect(&mut self) {
        let old = OutPointer::Valid;
        for (at, size) in self.layout.ranges() {
            let calls = self.protections.iter().map(|protect| Call::VirtualProtect {
                address: place(at),
                size,
                protect: *protect,
                old,
            });
            self.calls.extend(calls);
        }
        let protect = self.protections[0];
        let nothing =
            |at: &u64| Call::VirtualProtect { address: place(*at), size: 0, protect, old };
        self.calls.extend(self.layout.pages.iter().map(nothing));
    }

    /// Watched memory; its marks told, told and cleared, told and cleared one page at a time,
    /// and cleared.
    fn watch(&mut self) {
        let watched = AllocationType::RESERVE | AllocationType::WRITE_WATCH;
        self.allocate(watched | AllocationType::COMMIT);
        self.allocate(watched);
        let all = self.layout.size / self.layout.machine.page;
        for (at, size) in self.layout.ranges() {
            self.calls.push(marks(place(at), size, all));
            for capacity in [1, all] {
                self.calls.push(Call::GetWriteWatch {
                    address: place(at),
                    size,
                    flags: WatchFlags::RESET,
                    capacity,
                    null: WatchPointers::default(),
                });
            }
            self.calls.push(Call::ResetWriteWatch { address: place(at), size });
        }
    }

    fn reset(&mut self) {
        for kind in [AllocationType::RESET, AllocationType::RESET_UNDO] {
            let calls = self.layout.ranges().map(|(at, size)| Call::VirtualAlloc {
                address: place(at),
                size,
                kind,
                // Ignored, but it must be well formed (VA-41).
                protect: Protection::READWRITE,
                critical: CriticalLevel::TASK,
            });
            self.calls.extend(calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(scope: &Scope, have: Capabilities) -> (usize, Vec<Capability>) {
        let layout = Layout::new(scope, scope.tight_machine());
        let (calls, left_out) = alphabet(scope, &layout, have);
        for (at, call) in calls.iter().enumerate() {
            assert!(!calls[..at].contains(call), "twice: {call:?}");
        }
        (calls.len(), left_out)
    }

    #[test]
    fn the_calls_are_every_range_with_every_protection() {
        // Of p pages there are r = p (p + 1) / 2 ranges; with k protections there are
        // 3 p to look and touch, 3 (k r + p) allocations, 2 (r + p) frees, k r + p protects.
        for (pages, granules, kinds) in [(1, 1, 1), (2, 1, 2), (3, 2, 4), (4, 2, 3)] {
            let protections = Scope::default().protections[..kinds].to_vec();
            let scope = Scope { pages, granules, protections, ..Scope::default() };
            let (p, k) = (pages as usize, kinds);
            let r = p * (p + 1) / 2;
            let expected = 3 * p + 3 * (k * r + p) + 2 * (r + p) + k * r + p;
            assert_eq!(count(&scope, Capabilities::ALL), (expected, vec![]));
        }
    }

    #[test]
    fn what_a_subject_cannot_do_is_left_out_and_said() {
        let scope = Scope { watch: true, reset: true, ..Scope::default() };
        let (all, _) = count(&scope, Capabilities::ALL);
        let have = Capabilities::ALL.without(Capability::Reset);
        let (fewer, left_out) = count(&scope, have);
        assert_eq!((fewer, left_out), (all - 12, vec![Capability::Reset]));
    }
}
