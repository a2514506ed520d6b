//! `VirtualAlloc` with `MEM_RESET` and `MEM_RESET_UNDO`, after the common checks.
//!
//! The evidence conflicts in several places here, and the model permits every reading:
//! whether pages that are only reserved may be reset (VA-42b), and what happens to a range
//! that is not page aligned (VA-42c).

use hostmem_interface::{Address, AllocationType, Win32Error};

use crate::effect::{Effect, Pages};
use crate::rule::{RuleId, VA_41, VA_42, VA_42B, VA_42C, VA_42D, VA_43, VA_47};
use crate::rules::alloc::Request;
use crate::rules::protection::is_copy_on_write;
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Verdict};

const BAD_ARGUMENT: Win32Error = Win32Error::ERROR_INVALID_PARAMETER;
const BAD_ADDRESS: Win32Error = Win32Error::ERROR_INVALID_ADDRESS;

/// What the law permits for a reset or its undoing.
pub(super) fn decide(state: &State, request: &Request) -> Verdict {
    let verdict = range(state, request);
    if is_copy_on_write(request.protect) {
        // Well formed, ignored, and yet never lawful elsewhere: either reading.
        return verdict.or(Permitted::refused(VA_41, No::Win32(BAD_ARGUMENT)));
    }
    verdict
}

fn range(state: &State, request: &Request) -> Verdict {
    let Request { address, size, kind, .. } = *request;
    if address.is_null() {
        return Verdict::only(Permitted::refused(VA_47, No::Any));
    }
    let Some(allocation) = state.space.find(address) else {
        return refused(kind, VA_42D);
    };
    let Some(pages) = allocation.touched(address, size) else {
        return refused(kind, VA_42D);
    };
    let machine = state.machine();
    let first = allocation.address_of(pages.start);
    let aligned = address == first && size.is_multiple_of(machine.page);
    let committed = allocation.all_committed(pages.clone());
    let last = allocation.address_of(pages.end);
    let pages = Pages::of(allocation.base(), pages);
    if kind == AllocationType::RESET_UNDO {
        return undo(first, last, aligned && committed, pages);
    }
    let effect = Effect::Reset(pages);
    if aligned && committed {
        return Verdict::succeed(VA_42, Answer::Address(first), effect);
    }
    let (rule, answer) = if aligned {
        (VA_42B, Answer::Address(first))
    } else {
        (VA_42C, Answer::AddressIn(first, last))
    };
    Verdict::succeed(rule, answer, effect).or(Permitted::refused(rule, No::Win32(BAD_ADDRESS)))
}

/// Success means that the contents are intact; a refusal, that some may be gone. How a range
/// that cannot be undone is refused is not documented.
fn undo(first: Address, last: Address, exact: bool, pages: Pages) -> Verdict {
    let answer = if exact { Answer::Address(first) } else { Answer::AddressIn(first, last) };
    let success = Permitted::success(VA_43, answer, Effect::UndoReset(pages));
    Verdict::only(success).or(Permitted::refused(VA_43, No::Any))
}

fn refused(kind: AllocationType, rule: RuleId) -> Verdict {
    if kind == AllocationType::RESET_UNDO {
        return Verdict::refuse(VA_43, BAD_ADDRESS).or(Permitted::refused(VA_43, No::Any));
    }
    Verdict::refuse(rule, BAD_ADDRESS)
}
