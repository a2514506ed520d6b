//! Plainer steps: no threads, no expectations that are not needed, short data, and sizes and
//! offsets that are small and lie on page or granularity boundaries.

use hostmem_interface::scenario::{Action, Name, Place, Step, SymbolicCall};
use hostmem_interface::{AllocationType, Call, CriticalLevel, Data, Protection};

use crate::reduce::Reduction;

const PAGE: u64 = 0x1000;
const GRANULARITY: u64 = 0x1_0000;

/// One way to make a step plainer; `None` if it does not apply.
type Plainer = fn(&Step) -> Vec<Step>;

/// Every way, the coarsest first.
const WAYS: &[Plainer] = &[sequential, plain_numbers, plain_words, plain_data];

impl Reduction<'_> {
    /// Names that happen to denote the same address: tries, for each place, the names that were
    /// bound later than its own, so that the life of the earlier one can be dropped.
    fn rename_places(&mut self) {
        for at in 0..self.best.steps.len() {
            let Action::Call(call) = &self.best.steps[at].action else { continue };
            let Some(Place::Relative { name: own, offset }) = call.address().copied() else {
                continue;
            };
            let bound = self.best.steps[..at].iter().rev().filter_map(|step| step.bind);
            let later: Vec<Name> = bound.take_while(|name| *name != own).collect();
            for name in later {
                let mut candidate = self.best.clone();
                let place = Place::Relative { name, offset };
                if let Action::Call(call) = &self.best.steps[at].action {
                    candidate.steps[at].action = Action::Call(with_place(call, place));
                }
                if self.try_candidate(candidate) {
                    break;
                }
            }
        }
    }

    /// Tries every way on every step.
    pub(super) fn simplify_arguments(&mut self) {
        self.rename_places();
        for way in WAYS {
            for at in 0..self.best.steps.len() {
                for plainer in way(&self.best.steps[at]) {
                    let mut candidate = self.best.clone();
                    candidate.steps[at] = plainer;
                    if self.try_candidate(candidate) {
                        break;
                    }
                }
            }
        }
    }
}

/// On the first thread, overlapping nothing, without a remark.
fn sequential(step: &Step) -> Vec<Step> {
    let alone = Step { with: None, ..step.clone() };
    let first = Step { thread: 0, with: None, note: None, ..step.clone() };
    [first, alone].into_iter().filter(|plainer| plainer != step).collect()
}

/// Sizes and offsets, each replaced by something smaller or rounder.
fn plain_numbers(step: &Step) -> Vec<Step> {
    let mut plainer = Vec::new();
    let mut add = |action: Option<Action>| {
        if let Some(action) = action.filter(|action| *action != step.action) {
            plainer.push(Step { action, ..step.clone() });
        }
    };
    if let Action::Hole { size } = step.action {
        smaller(size).for_each(|size| add(Some(Action::Hole { size })));
    }
    if let Action::Call(call) = &step.action {
        if let Some(size) = size_of(call) {
            smaller(size).for_each(|size| add(Some(Action::Call(with_size(call, size)))));
        }
        if let Some(Place::Relative { name, offset }) = call.address() {
            for offset in smaller_offsets(*offset) {
                let place = Place::Relative { name: *name, offset };
                add(Some(Action::Call(with_place(call, place))));
            }
        }
    }
    plainer
}

/// Sizes below `size`, the smallest first.
fn smaller(size: u64) -> impl Iterator<Item = u64> {
    let round = [1, PAGE, 2 * PAGE, 3 * PAGE, GRANULARITY, 2 * GRANULARITY];
    let rounded = [size / 2, size & !(GRANULARITY - 1), size & !(PAGE - 1)];
    round.into_iter().chain(rounded).filter(move |it| *it < size && *it > 0)
}

/// Offsets nearer to the name, or rounder.
fn smaller_offsets(offset: u64) -> impl Iterator<Item = u64> {
    let round = [0, PAGE, 2 * PAGE, GRANULARITY];
    let rounded = [offset & !(GRANULARITY - 1), offset & !(PAGE - 1), (offset / 2) & !(PAGE - 1)];
    round.into_iter().chain(rounded).filter(move |it| *it < offset)
}

/// The commonest flags, and the default critical level.
fn plain_words(step: &Step) -> Vec<Step> {
    let Action::Call(Call::VirtualAlloc { address, size, kind, protect, critical }) = &step.action
    else {
        return Vec::new();
    };
    let call = |kind, protect, critical| {
        let call = Call::VirtualAlloc { address: *address, size: *size, kind, protect, critical };
        Step { action: Action::Call(call), ..step.clone() }
    };
    let without_watch = kind.without(AllocationType::WRITE_WATCH | AllocationType::TOP_DOWN);
    let candidates = [
        call(*kind, *protect, CriticalLevel::TASK),
        call(without_watch, *protect, *critical),
        call(*kind, Protection::READWRITE, *critical),
    ];
    candidates.into_iter().filter(|plainer| plainer != step).collect()
}

/// A single byte instead of many.
fn plain_data(step: &Step) -> Vec<Step> {
    let Action::Call(Call::Write { address, data }) = &step.action else { return Vec::new() };
    let candidates = [Data::Bytes([0xFF].into()), Data::Fill { size: data.size(), byte: 0xFF }];
    candidates
        .into_iter()
        .filter(|plain| plain != data && plain.size() <= data.size())
        .map(|data| Step {
            action: Action::Call(Call::Write { address: *address, data }),
            ..step.clone()
        })
        .collect()
}

/// The size argument that may be changed freely.
const fn size_of(call: &SymbolicCall) -> Option<u64> {
    match call {
        Call::VirtualAlloc { size, .. }
        | Call::VirtualFree { size, .. }
        | Call::VirtualProtect { size, .. }
        | Call::Alloc { size, .. }
        | Call::DebugAlloc { size, .. }
        | Call::Read { size, .. }
        | Call::GetWriteWatch { size, .. }
        | Call::ResetWriteWatch { size, .. } => Some(*size),
        _ => None,
    }
}

fn with_size(call: &SymbolicCall, new: u64) -> SymbolicCall {
    let mut call = call.clone();
    if let Call::VirtualAlloc { size, .. }
    | Call::VirtualFree { size, .. }
    | Call::VirtualProtect { size, .. }
    | Call::Alloc { size, .. }
    | Call::DebugAlloc { size, .. }
    | Call::Read { size, .. }
    | Call::GetWriteWatch { size, .. }
    | Call::ResetWriteWatch { size, .. } = &mut call
    {
        *size = new;
    }
    call
}

fn with_place(call: &SymbolicCall, new: Place) -> SymbolicCall {
    let renamed = call.resolve(|_| Ok::<_, std::convert::Infallible>(new), |heap| Ok(*heap));
    let Ok(renamed) = renamed;
    renamed
}
