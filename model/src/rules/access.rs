//! What a program does to memory: reads, writes, executions.
//!
//! A long access is a sequence of single ones, as [`hostmem_interface::dispatch::pieces`]
//! cuts it. The first of them that faults decides the outcome; those before it were done.
//! For each page of a single access, permission and guard are looked at in ascending order
//! of addresses.
//!
//! Where the base protection forbids an access to an armed guard page, either may come first
//! (GP-05): a plain violation, or the guard.

use hostmem_interface::dispatch::pieces;
use hostmem_interface::{AccessKind, Address, Data, Fault, MallocType, NtStatus};

use crate::effect::Effect;
use crate::page::PageState;
use crate::rule::{
    AF_01, AF_02, AF_03, AF_04, GP_02, GP_05, GP_06, GP_07, GP_09, HM_07, HM_09, RuleId, VA_42E,
};
use crate::space::Allocation;
use crate::state::State;
use crate::verdict::{Answer, Permitted, Verdict};

/// What stops a single access.
enum Stop {
    /// The page does not permit it.
    Violation(RuleId, Address),
    /// An armed guard fires.
    Guard(RuleId, Address),
    /// Both are possible.
    Either(Address),
    /// The access leaves a heap block.
    Block,
}

/// What the law permits for a read.
pub(super) fn read(state: &State, address: Address, size: u64) -> Verdict {
    if let Some((done, piece, stop)) = first_stop(state, address, size, AccessKind::Read) {
        return faulted(AccessKind::Read, address, done, piece, stop, None);
    }
    if state.meets_block(address, size) {
        return Verdict::succeed(HM_07, Answer::BlockBytes(address, size), Effect::None);
    }
    let rule = if state.contents.is_uncertain(address, size) { VA_42E } else { AF_03 };
    Verdict::succeed(rule, Answer::Bytes(address, size), Effect::None)
}

/// What the law permits for a write.
pub(super) fn write(state: &State, address: Address, data: &Data) -> Verdict {
    let size = data.size();
    if let Some((done, piece, stop)) = first_stop(state, address, size, AccessKind::Write) {
        return faulted(AccessKind::Write, address, done, piece, stop, Some(data));
    }
    let rule = if state.meets_block(address, size) { HM_07 } else { AF_03 };
    Verdict::succeed(rule, Answer::Nothing, access(address, Some(data), size, None))
}

/// What the law permits for a call of the code at an address.
pub(super) fn execute(state: &State, address: Address) -> Verdict {
    if let Some((base, block)) = state.heaps.holding(address) {
        let kind = state.heaps.kind(block.malloc).unwrap_or_default();
        let fault = violation(AccessKind::Execute, address);
        let success = Permitted::success(HM_09, Answer::Nothing, Effect::None);
        debug_assert!(base <= address, "the block holds the address");
        if kind.contains(MallocType::EXECUTABLE) {
            return Verdict::only(success);
        }
        return Verdict::succeed(HM_09, Answer::Fault(fault), Effect::None).or(success);
    }
    match first_stop(state, address, 1, AccessKind::Execute) {
        Some((done, piece, stop)) => faulted(AccessKind::Execute, address, done, piece, stop, None),
        None => Verdict::succeed(AF_02, Answer::Nothing, Effect::None),
    }
}

/// The first single access that stops: how much was done before it, its size, and why.
fn first_stop(
    state: &State,
    address: Address,
    size: u64,
    kind: AccessKind,
) -> Option<(u64, u64, Stop)> {
    let page = state.machine().page;
    for (offset, length) in pieces(page, address, size) {
        let at = address.wrapping_add(offset);
        if let Some(stop) = stop(state, at, length, kind) {
            return Some((offset, length, stop));
        }
    }
    None
}

/// What stops a single access of `length` bytes at `at`, if anything.
fn stop(state: &State, at: Address, length: u64, kind: AccessKind) -> Option<Stop> {
    let last = at.wrapping_add(length - 1);
    let whole = |(base, block): (Address, &crate::heaps::Block)| {
        last.offset_from(base).is_some_and(|offset| offset < block.size)
    };
    match state.heaps.holding(at) {
        Some(block) if whole(block) => return None,
        Some(_) => return Some(Stop::Block),
        None => {}
    }
    let page = state.machine().page;
    let second = last.align_down(page);
    if let Some(stop) = stop_on_page(state, at, kind) {
        return Some(stop);
    }
    if second == at.align_down(page) {
        return None;
    }
    // The block of a heap may lie directly behind.
    match state.heaps.holding(second) {
        Some(block) if whole(block) => return None,
        Some(_) => return Some(Stop::Block),
        None => {}
    }
    // The second page of an access that straddles two reports its own base (AF-04).
    stop_on_page(state, second, kind).map(|stop| match stop {
        Stop::Violation(_, at) => Stop::Violation(AF_04, at),
        other => other,
    })
}

fn stop_on_page(state: &State, at: Address, kind: AccessKind) -> Option<Stop> {
    let Some(allocation) = state.space.find(at) else {
        return Some(Stop::Violation(if kind == AccessKind::Execute { AF_02 } else { AF_01 }, at));
    };
    let page = allocation.state(allocation.page_of(at));
    match (page.permits(kind), page.is_guarded()) {
        (true, false) => None,
        (true, true) => {
            let watched = allocation.terms().watched;
            Some(Stop::Guard(if watched { GP_09 } else { GP_02 }, at))
        }
        (false, true) => Some(Stop::Either(at)),
        (false, false) => Some(Stop::Violation(violation_rule(allocation, page, kind), at)),
    }
}

/// The rule that says most about a plain violation.
fn violation_rule(allocation: &Allocation, page: PageState, kind: AccessKind) -> RuleId {
    let guarded = allocation.terms().protect.contains(hostmem_interface::Protection::GUARD);
    let touched = allocation.committed_pages() > 0;
    match (page.is_committed(), kind) {
        (false, _) if guarded && touched => GP_07,
        (false, _) if guarded => GP_06,
        (_, AccessKind::Execute) => AF_02,
        _ => AF_03,
    }
}

const fn violation(access: AccessKind, at: Address) -> Fault {
    Fault { status: NtStatus::STATUS_ACCESS_VIOLATION, access, at }
}

fn access(at: Address, data: Option<&Data>, length: u64, disarmed: Option<Address>) -> Effect {
    if data.is_none() && disarmed.is_none() {
        return Effect::None;
    }
    Effect::Access { at, data: data.cloned(), length, disarmed }
}

fn faulted(
    kind: AccessKind,
    address: Address,
    done: u64,
    piece: u64,
    stop: Stop,
    data: Option<&Data>,
) -> Verdict {
    let effect = |disarmed| access(address, data, done, disarmed);
    let guard = |at| Fault { status: NtStatus::STATUS_GUARD_PAGE_VIOLATION, access: kind, at };
    match stop {
        Stop::Violation(rule, at) => {
            Verdict::succeed(rule, Answer::Fault(violation(kind, at)), effect(None))
        }
        Stop::Guard(rule, at) => Verdict::succeed(rule, Answer::Fault(guard(at)), effect(Some(at))),
        Stop::Either(at) => {
            Verdict::succeed(GP_05, Answer::Fault(violation(kind, at)), effect(None))
                .or(Permitted::success(GP_05, Answer::Fault(guard(at)), effect(Some(at))))
        }
        Stop::Block => {
            let at = address.wrapping_add(done);
            Verdict::succeed(HM_07, Answer::FaultIn(violation(kind, at), piece), effect(None))
        }
    }
}
