//! What a range of pages looks like by the subject's own `VirtualQuery`.
//!
//! Deliberately not here: whether that is lawful.

use std::ops::Range;

use hostmem_interface::{
    Address, Call, MemoryBasicInformation, OutPointer, Outcome, RegionState, Reply, Subject, Value,
};

use super::strip::{Look, Run, UNKNOWN};

/// The runs of `pages`, ascending, cut at its ends. Where the subject gives no answer that
/// means anything, the pages are marked so.
#[must_use]
pub fn runs(subject: &dyn Subject, pages: Range<u64>, page: u64) -> Vec<Run> {
    let mut found = Vec::new();
    let mut at = pages.start;
    while at < pages.end {
        let Some(region) = region(subject, Address(at * page)) else {
            found.push(unknown(at..pages.end));
            break;
        };
        let size = region.end().0.wrapping_sub(at * page).div_ceil(page);
        let end = at.saturating_add(size).min(pages.end);
        if end == at {
            found.push(unknown(at..pages.end));
            break;
        }
        if region.state != RegionState::FREE {
            found.push(run(&region, at..end, page));
        }
        at = end;
    }
    found
}

fn region(subject: &dyn Subject, address: Address) -> Option<MemoryBasicInformation> {
    let length = MemoryBasicInformation::SIZE;
    let query = Call::VirtualQuery { address, buffer: OutPointer::Valid, length };
    let Reply::Outcome { outcome: Outcome::Done { value: Value::Region(answer), .. }, .. } =
        subject.call(&query)
    else {
        return None;
    };
    let region = answer.information;
    let holds = region.base_address <= address && address < region.end();
    (answer.written >= length && holds).then_some(region)
}

const fn run(region: &MemoryBasicInformation, pages: Range<u64>, page: u64) -> Run {
    let look = Look {
        state: region.state.0,
        protect: region.protect.0,
        allocation_protect: region.allocation_protect.0,
        kind: region.kind.0,
        marks: 0,
    };
    Run { start: pages.start, end: pages.end, base: region.allocation_base.0 / page, look }
}

fn unknown(pages: Range<u64>) -> Run {
    let look = Look { marks: UNKNOWN, ..Look::default() };
    Run { start: pages.start, end: pages.end, base: pages.start, look }
}
