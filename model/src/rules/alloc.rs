//! `VirtualAlloc`: the checks of its arguments, then reservations and commits.
//!
//! `MEM_RESET` and `MEM_RESET_UNDO` go on in [`super::reset`].

use hostmem_interface::{Address, AllocationType, Protection, Win32Error};

use crate::effect::{Effect, Pages};
use crate::page::PageState;
use crate::rule::{
    PR_02B, PR_03, RuleId, VA_01, VA_02, VA_03, VA_04, VA_05, VA_06, VA_07, VA_08, VA_09, VA_10,
    VA_12, VA_13, VA_15, VA_16, VA_17, VA_20, VA_21, VA_22, VA_23, VA_24, VA_27, VA_30, VA_30B,
    VA_31, VA_40, VA_41, VA_43, VA_44, VA_45, VA_45B, VA_46, VA_50, VA_51,
};
use crate::rules::protection::{is_copy_on_write, malformed};
use crate::rules::{beyond, leaves, reset};
use crate::space::{Allocation, Terms};
use crate::state::{SMALL, State};
use crate::verdict::{Answer, No, Permitted, Verdict};

const BAD_ARGUMENT: Win32Error = Win32Error::ERROR_INVALID_PARAMETER;
const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

const COMMIT: AllocationType = AllocationType::COMMIT;
const RESERVE: AllocationType = AllocationType::RESERVE;
const RESET: AllocationType = AllocationType::RESET;
const RESET_UNDO: AllocationType = AllocationType::RESET_UNDO;
const TOP_DOWN: AllocationType = AllocationType::TOP_DOWN;
const WRITE_WATCH: AllocationType = AllocationType::WRITE_WATCH;
const PHYSICAL: AllocationType = AllocationType::PHYSICAL;
const LARGE_PAGES: AllocationType = AllocationType::LARGE_PAGES;

/// What one of these must be set.
const ACTIONS: AllocationType = AllocationType(COMMIT.0 | RESERVE.0 | RESET.0 | RESET_UNDO.0);
/// Special kinds of memory, no two of which go together.
const SPECIAL: AllocationType = AllocationType(WRITE_WATCH.0 | PHYSICAL.0 | LARGE_PAGES.0);
/// Every bit that means something.
const KNOWN: AllocationType = AllocationType(ACTIONS.0 | TOP_DOWN.0 | SPECIAL.0);

/// The arguments of one call.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) address: Address,
    pub(super) size: u64,
    pub(super) kind: AllocationType,
    pub(super) protect: Protection,
}

/// What the law permits for `VirtualAlloc`.
#[inline(never)]
pub(super) fn decide(
    state: &State,
    address: Address,
    size: u64,
    kind: AllocationType,
    protect: Protection,
) -> Verdict {
    let request = Request { address, size, kind, protect };
    if let Some(rule) = wrong_type(&request).or_else(|| wrong_argument(state, &request)) {
        return Verdict::refuse(rule, BAD_ARGUMENT);
    }
    if kind.contains(LARGE_PAGES) {
        return large_pages(act(state, &request));
    }
    if kind.contains(WRITE_WATCH) && !kind.contains(RESERVE) {
        // Documented as an error; but COMMIT at a null address reserves (VA-09).
        return Verdict::refuse(VA_44, BAD_ARGUMENT).or_all(act(state, &request));
    }
    act(state, &request)
}

/// What the law permits where the arguments are lawful by themselves.
#[inline(always)]
fn act(state: &State, request: &Request) -> Verdict {
    let Request { address, kind, .. } = *request;
    if kind == RESET || kind == RESET_UNDO {
        reset::decide(state, request)
    } else if kind.contains(RESERVE) || address.is_null() {
        reserve(state, request)
    } else {
        commit(state, request)
    }
}

/// The rule that the allocation type breaks by itself.
fn wrong_type(request: &Request) -> Option<RuleId> {
    let Request { address, kind, protect, .. } = *request;
    // What nearly every call asks for.
    if kind == COMMIT || kind == RESERVE {
        return None;
    }
    if kind.without(KNOWN).0 != 0 || !kind.intersects(ACTIONS) {
        return Some(VA_01);
    }
    if kind.contains(RESET) && kind != RESET {
        return Some(VA_40);
    }
    if kind.contains(RESET_UNDO) && kind != RESET_UNDO {
        return Some(VA_43);
    }
    if (kind.0 & SPECIAL.0).count_ones() > 1 {
        return Some(VA_02);
    }
    if kind.contains(WRITE_WATCH) && !kind.contains(RESERVE) && !address.is_null() {
        return Some(VA_44);
    }
    let physical_alone = kind.without(TOP_DOWN) == RESERVE | PHYSICAL;
    if kind.contains(PHYSICAL) && !(physical_alone && protect == Protection::READWRITE) {
        return Some(VA_45);
    }
    if kind.contains(LARGE_PAGES) && !kind.contains(COMMIT) {
        return Some(VA_46);
    }
    None
}

/// The rule that address, protection or size break by themselves, in the documented order.
fn wrong_argument(state: &State, request: &Request) -> Option<RuleId> {
    let Request { address, size, kind, protect } = *request;
    let machine = state.machine();
    let resets = kind == RESET || kind == RESET_UNDO;
    if !address.is_null() && address.0 < machine.lowest {
        return Some(VA_03);
    }
    if let Some(rule) = malformed(protect) {
        return Some(malformed_rule(state, request, rule));
    }
    let reserves = kind.contains(RESERVE) || address.is_null();
    if is_copy_on_write(protect) && reserves && !resets {
        return Some(if conflicts(state, request) { VA_30B } else { PR_03 });
    }
    if beyond(machine, address) {
        return Some(VA_05);
    }
    if leaves(machine, address, size) {
        return Some(VA_06);
    }
    (size == 0).then_some(VA_08)
}

/// All malformed protections are refused alike; the rule names what else was wrong.
fn malformed_rule(state: &State, request: &Request, rule: RuleId) -> RuleId {
    let kind = request.kind;
    if rule == PR_02B && !conflicts(state, request) {
        // Whether it is malformed at all is less certain.
        PR_02B
    } else if kind == RESET || kind == RESET_UNDO {
        VA_41
    } else if conflicts(state, request) {
        VA_31
    } else if kind.contains(RESERVE) || request.address.is_null() {
        rule
    } else {
        VA_04
    }
}

/// Whether the range does not suit the state: taken for a reservation, in no allocation for a
/// commit.
fn conflicts(state: &State, request: &Request) -> bool {
    let Request { address, size, kind, .. } = *request;
    if address.is_null() {
        return false;
    }
    if kind.contains(RESERVE) {
        state.space.owner_of_granule(address).is_some()
    } else {
        state.space.find(address).is_none_or(|it| it.touched(address, size).is_none())
    }
}

/// A privilege that few processes have decides before the pages are looked at; a process
/// that has it may succeed, and a size that is no multiple of the large page may be named
/// first.
#[inline(never)]
fn large_pages(otherwise: Verdict) -> Verdict {
    Verdict::refuse(VA_46, Win32Error::ERROR_PRIVILEGE_NOT_HELD)
        .or(Permitted::refused(VA_46, No::Win32(BAD_ARGUMENT)))
        .or_all(otherwise)
}

#[inline(never)]
fn reserve(state: &State, request: &Request) -> Verdict {
    let kind = request.kind;
    let terms = Terms {
        protect: request.protect,
        watched: kind.contains(WRITE_WATCH),
        physical: kind.contains(PHYSICAL),
    };
    let pages = if kind.contains(COMMIT) {
        PageState::committed(request.protect)
    } else {
        PageState::RESERVED
    };
    if request.address.is_null() {
        reserve_anywhere(state, request, terms, pages)
    } else {
        reserve_there(state, request, terms, pages)
    }
}

fn reserve_anywhere(state: &State, request: &Request, terms: Terms, pages: PageState) -> Verdict {
    let Request { size, kind, .. } = *request;
    let machine = state.machine();
    let size = size.next_multiple_of(machine.page);
    if !state.space.has_hole(size) {
        let no = No::Memory(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
        let verdict = Verdict::only(Permitted::refused(VA_07, no));
        if size > machine.end() - machine.lowest {
            // "The whole of user space" (VA-06) may begin at 0 or at the lowest address.
            return verdict.or(Permitted::refused(VA_06, No::Win32(BAD_ARGUMENT)));
        }
        return verdict;
    }
    if pages.is_committed() && !state.may_commit(size) {
        return Verdict::only(commit_limit());
    }
    let rule = if !kind.contains(RESERVE) {
        VA_09
    } else if terms.physical {
        VA_45B
    } else if kind.contains(TOP_DOWN) {
        VA_50
    } else {
        VA_12
    };
    let answer = Answer::AnyBase { size, top_down: kind.contains(TOP_DOWN) };
    let effect = Effect::Reserve { base: None, size, terms, state: pages };
    let committed = if pages.is_committed() { size } else { 0 };
    Verdict {
        first: Permitted::success(rule, answer, effect),
        others: heaps_fill(state, committed),
    }
}

fn reserve_there(state: &State, request: &Request, terms: Terms, pages: PageState) -> Verdict {
    let Request { address, kind, .. } = *request;
    let machine = state.machine();
    let base = address.align_down(machine.granularity);
    let end = (address.0 + request.size).next_multiple_of(machine.page);
    let size = end - base.0;
    if state.space.overlaps(base, size) {
        let owned = state.space.find(address).is_some();
        let tail = !owned && state.space.owner_of_granule(address).is_some();
        return Verdict::refuse(if tail { VA_16 } else { VA_15 }, BAD_ADDRESS);
    }
    let beyond_limit = pages.is_committed() && !state.may_commit(size);
    let rule = if terms.physical {
        VA_45B
    } else if kind.contains(TOP_DOWN) {
        VA_51
    } else if base != address || size != request.size {
        VA_10
    } else {
        VA_17
    };
    let effect = Effect::Reserve { base: Some(base), size, terms, state: pages };
    // Which of the limit and what is in the way is reported is not documented.
    let otherwise = if beyond_limit {
        commit_limit()
    } else {
        Permitted::success(rule, Answer::Address(base), effect)
    };
    if state.foreign_overlapping(base, Address(end)).is_some() {
        // The runtime mapped something there by itself.
        return Verdict::refuse(VA_15, BAD_ADDRESS).or(otherwise);
    }
    if end > machine.end() - machine.granularity {
        // Whether the last granule can be had is not certain (VQ-12).
        return Verdict::only(otherwise)
            .or(Permitted::refused(VA_06, No::Win32(BAD_ARGUMENT)))
            .or(Permitted::refused(VA_15, No::Win32(BAD_ADDRESS)));
    }
    let committed = if pages.is_committed() && !beyond_limit { size } else { 0 };
    Verdict { first: otherwise, others: heaps_fill(state, committed) }
}

fn commit_limit() -> Permitted {
    Permitted::refused(VA_27, No::Memory(Win32Error::ERROR_COMMITMENT_LIMIT))
}

/// What may be said of a commit of `bytes` that keeps within the limit. Whether the memory of
/// heaps counts against it, and how much that is, is the manager's business: with heaps, a
/// commit in the upper half may be refused already, and under a limit that is small beside a
/// heap's own reservation any commit.
fn heaps_fill(state: &State, bytes: u64) -> Vec<Permitted> {
    let Some(limit) = state.machine().commit_limit else { return Vec::new() };
    let upper = limit < SMALL || state.space.committed().saturating_add(bytes) > limit / 2;
    if bytes > 0 && state.heaps.count() > 0 && upper { vec![commit_limit()] } else { Vec::new() }
}

#[inline(always)]
fn commit(state: &State, request: &Request) -> Verdict {
    let Request { address, size, protect, .. } = *request;
    let Some(found) = state.space.look_up(address) else {
        let tail = state.space.owner_of_granule(address).is_some();
        return misplaced(if tail { VA_16 } else { VA_20 }, protect);
    };
    let allocation = found.allocation;
    let Some(pages) = allocation.touched(address, size) else {
        return misplaced(VA_21, protect);
    };
    if allocation.terms().physical {
        // Memory for physical pages cannot be committed; with what error is not documented.
        return Verdict::refuse(VA_45B, BAD_ADDRESS)
            .or(Permitted::refused(VA_45B, No::Win32(BAD_ARGUMENT)));
    }
    if is_copy_on_write(protect) {
        return Verdict::refuse(VA_30, BAD_ARGUMENT);
    }
    let count = pages.end - pages.start;
    let committed = allocation.committed_in(pages.clone());
    let more = (count - committed) * state.machine().page;
    if !state.may_commit(more) {
        return Verdict::only(commit_limit());
    }
    let pages_state = PageState::committed(protect);
    let same = || committed == count && allocation.all_are(pages.clone(), pages_state);
    let rule = commit_rule(request, allocation, committed, same);
    let answer = Answer::Address(allocation.address_of(pages.start));
    let effect = Effect::Commit(Pages::found(&found, pages), pages_state);
    Verdict { first: Permitted::success(rule, answer, effect), others: heaps_fill(state, more) }
}

/// A commit of a range that does not lie in an allocation.
fn misplaced(rule: RuleId, protect: Protection) -> Verdict {
    Verdict::refuse(if is_copy_on_write(protect) { VA_30B } else { rule }, BAD_ADDRESS)
}

/// The rule that says most about a commit that succeeds.
fn commit_rule(
    request: &Request,
    allocation: &Allocation,
    committed: u64,
    same: impl Fn() -> bool,
) -> RuleId {
    debug_assert!(allocation.size() >= request.size, "the range lies in the allocation");
    if request.kind.contains(TOP_DOWN) {
        VA_51
    } else if committed == 0 {
        VA_13
    } else if request.protect.contains(Protection::GUARD) {
        VA_24
    } else if same() {
        VA_22
    } else {
        VA_23
    }
}
