//! Calls that were heard as they were made, with what came of them: what `hostmem host` keeps of
//! a program.
//!
//! They go the way of a relay log's calls, and bring along what no such log has: the answers of
//! queries, protections before a change, written pages and last errors, which then are
//! expected. A page that is reported as written is written in the scenario directly before.
//!
//! Deliberately not here: who listened.

use std::collections::BTreeSet;
use std::ops::Range;

use hostmem_interface::{
    Address, Call, MemoryBasicInformation, OutPointer, Outcome, Protection, Value, Win32Error,
};

use super::Reason;
use super::calls::{Asked, Function, RelayLog};

/// A call that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The system's number of the thread.
    pub thread: u32,
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub outcome: Outcome,
    /// Whether a script refused it in front of the manager.
    pub injected: bool,
}

/// What came of a call, beside its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// What a query showed.
    Region(MemoryBasicInformation),
    /// The protection before.
    Old(Protection),
    /// The written pages, and how many there was room for.
    Pages { capacity: u64, pages: Vec<u64> },
    /// The last error.
    Refused(Win32Error),
}

/// The pages that a replay has written and not cleared.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeSet<u64>);

impl Marks {
    pub(super) fn set(&mut self, page: u64) {
        self.0.insert(page);
    }

    pub(super) fn has(&self, page: u64) -> bool {
        self.0.contains(&page)
    }

    pub(super) fn clear(&mut self, range: &Range<u64>) {
        self.0.retain(|page| !range.contains(page));
    }

    /// The first of a range, ascending.
    pub(super) fn within(&self, range: &Range<u64>, most: u64) -> Vec<u64> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.0.range(range.clone()).take(most).copied().collect()
    }
}

/// Calls in the form of a log.
pub(super) fn log(calls: Vec<Heard>) -> RelayLog {
    let mut log = RelayLog::default();
    for heard in calls {
        enter(&mut log, &heard);
    }
    log
}

fn enter(log: &mut RelayLog, heard: &Heard) {
    let Heard { thread, call, outcome, injected } = heard;
    let Some((function, arguments)) = as_logged(call) else {
        log.summary.see(call.name());
        log.summary.leave_out(Reason::NoWord, call.name());
        return;
    };
    log.summary.see(function.name());
    if *injected {
        log.summary.leave_out(Reason::Injected, function.name());
        return;
    }
    let asked = Asked { process: 0, function, arguments };
    let index = log.journal.begin(*thread, asked, false);
    log.journal.end(index, result(call, outcome));
    log.details.extend(detail(call, outcome).map(|detail| (index, detail)));
}

fn as_logged(call: &Call) -> Option<(Function, [u64; 7])> {
    let given = |pointer: &OutPointer| u64::from(*pointer == OutPointer::Valid);
    Some(match call {
        Call::VirtualAlloc { address, size, kind, protect, .. } => {
            let words = (u64::from(kind.0), u64::from(protect.0));
            (Function::VirtualAlloc, [address.0, *size, words.0, words.1, 0, 0, 0])
        }
        Call::VirtualFree { address, size, kind } => {
            (Function::VirtualFree, [address.0, *size, u64::from(kind.0), 0, 0, 0, 0])
        }
        Call::VirtualProtect { address, size, protect, old } => {
            let protect = u64::from(protect.0);
            (Function::VirtualProtect, [address.0, *size, protect, given(old), 0, 0, 0])
        }
        Call::VirtualQuery { address, buffer, length } => {
            (Function::VirtualQuery, [address.0, given(buffer), *length, 0, 0, 0, 0])
        }
        Call::GetWriteWatch { address, size, flags, null, .. } => {
            let flags = u64::from(flags.0);
            let [a, b, c] = [null.addresses, null.count, null.granularity].map(|it| given(&it));
            (Function::GetWriteWatch, [flags, address.0, *size, a, b, c, 0])
        }
        Call::ResetWriteWatch { address, size } => {
            (Function::ResetWriteWatch, [address.0, *size, 0, 0, 0, 0, 0])
        }
        Call::GetMemoryLoad => (Function::GlobalMemoryStatusEx, [0; 7]),
        _ => return None,
    })
}

/// What the function returned.
fn result(call: &Call, outcome: &Outcome) -> u64 {
    let counts_failures = matches!(call, Call::GetWriteWatch { .. } | Call::ResetWriteWatch { .. });
    match outcome.value() {
        Some(Value::Address(base)) => base.0,
        Some(Value::Region(answer)) => answer.written,
        done => u64::from(done.is_some() != counts_failures),
    }
}

fn detail(call: &Call, outcome: &Outcome) -> Option<Detail> {
    if let Outcome::Refused(refusal) = outcome {
        return refusal.win32.map(Detail::Refused);
    }
    match (call, outcome.value()?) {
        (_, Value::Region(answer)) => Some(Detail::Region(answer.information)),
        (_, Value::Old(protect)) => Some(Detail::Old(*protect)),
        (Call::GetWriteWatch { capacity, .. }, Value::Pages { pages, .. }) => {
            let pages = pages.iter().map(|&Address(page)| page).collect();
            Some(Detail::Pages { capacity: *capacity, pages })
        }
        _ => None,
    }
}
