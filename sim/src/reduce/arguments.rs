//! Plainer steps: no expectation that is not needed, short data, common flags, and sizes and
//! offsets that are small and lie on page or granularity boundaries.

use hostmem_interface::scenario::{Action, Place, Step, SymbolicCall};
use hostmem_interface::{AllocationType, Call, CriticalLevel, Data, Hresult, Protection};

use crate::reduce::Reduction;

const PAGE: u64 = 0x1000;
const GRANULARITY: u64 = 0x1_0000;

/// One way to make a step plainer; `None` if it does not apply.
type Plainer = fn(&Step) -> Vec<Step>;

/// Every way, the coarsest first.
const WAYS: &[Plainer] = &[unexpecting, plain_numbers, plain_words, plain_data, plain_harness];

impl Reduction<'_> {
    /// Tries every way on every step.
    pub(super) fn plain_arguments(&mut self) {
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

/// Without a remark, and without an expectation where the law alone says the same.
fn unexpecting(step: &Step) -> Vec<Step> {
    let plain = Step { note: None, ..step.clone() };
    let free = Step { expect: None, ..plain.clone() };
    [free, plain].into_iter().filter(|plainer| plainer != step).collect()
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
        let plainer = plainer_sizes(Unit::Pages, size);
        plainer.into_iter().for_each(|size| add(Some(Action::Hole { size })));
    }
    if let Action::Call(call) = &step.action {
        if let Some((unit, size)) = size_of(call) {
            let plainer = plainer_sizes(unit, size);
            plainer.into_iter().for_each(|size| add(Some(Action::Call(with_size(call, size)))));
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

/// Sizes plainer than `size`, the plainest first: of memory in pages one page, then other
/// whole numbers of pages; of bytes the smallest.
fn plainer_sizes(unit: Unit, size: u64) -> Vec<u64> {
    let halves = [size / 2, size & !(GRANULARITY - 1), size & !(PAGE - 1)];
    let candidates: Vec<u64> = match unit {
        Unit::Bytes => [1, 8, PAGE].into_iter().chain(halves).collect(),
        Unit::Pages => {
            let round = [PAGE, 2 * PAGE, 3 * PAGE, GRANULARITY, 2 * GRANULARITY];
            let up = size.checked_next_multiple_of(PAGE).unwrap_or(0);
            let halves = halves.map(|half| half & !(PAGE - 1));
            round.into_iter().chain(halves).chain([up]).collect()
        }
    };
    // What counts is how plain it is, or the passes would go round in circles.
    let rank = |size: u64| (unit == Unit::Pages && !size.is_multiple_of(PAGE), size);
    candidates.into_iter().filter(|one| *one > 0 && rank(*one) < rank(size)).collect()
}

/// Offsets nearer to the name, or rounder.
fn smaller_offsets(offset: u64) -> impl Iterator<Item = u64> {
    let round = [0, PAGE, 2 * PAGE, GRANULARITY];
    let rounded = [offset & !(GRANULARITY - 1), offset & !(PAGE - 1), (offset / 2) & !(PAGE - 1)];
    round.into_iter().chain(rounded).filter(move |it| *it < offset)
}

/// The commonest flags, and the default critical level.
fn plain_words(step: &Step) -> Vec<Step> {
    let Action::Call(call) = &step.action else { return Vec::new() };
    let candidates = match call {
        Call::VirtualAlloc { .. } => plain_allocations(call),
        Call::VirtualProtect { address, size, protect, old } => plain_protections(*protect)
            .map(|protect| Call::VirtualProtect {
                address: *address,
                size: *size,
                protect,
                old: *old,
            })
            .collect(),
        Call::Alloc { malloc, size, .. } | Call::DebugAlloc { malloc, size, .. } => {
            let critical = CriticalLevel::TASK;
            vec![Call::Alloc { malloc: *malloc, size: *size, critical }]
        }
        _ => Vec::new(),
    };
    let plainer = candidates.into_iter().filter(|plain| plain != call);
    plainer.map(|call| Step { action: Action::Call(call), ..step.clone() }).collect()
}

fn plain_allocations(call: &SymbolicCall) -> Vec<SymbolicCall> {
    let Call::VirtualAlloc { address, size, kind, protect, critical } = call else {
        return Vec::new();
    };
    let like = |kind, protect, critical| Call::VirtualAlloc {
        address: *address,
        size: *size,
        kind,
        protect,
        critical,
    };
    let plain = kind.without(AllocationType::WRITE_WATCH | AllocationType::TOP_DOWN);
    let protections = plain_protections(*protect).map(|protect| like(*kind, protect, *critical));
    [like(*kind, *protect, CriticalLevel::TASK), like(plain, *protect, *critical)]
        .into_iter()
        .chain(protections)
        .collect()
}

/// The commonest protection, or at least no modifiers.
fn plain_protections(protect: Protection) -> impl Iterator<Item = Protection> {
    let modifiers = Protection::GUARD | Protection::NOCACHE | Protection::WRITECOMBINE;
    [Protection::READWRITE, protect.without(modifiers)].into_iter()
}

/// The harness's own steps: a walk from end to end, one refusal, at any critical level.
fn plain_harness(step: &Step) -> Vec<Step> {
    let candidates = match &step.action {
        Action::Walk { from, to } => vec![
            Action::Walk { from: None, to: None },
            Action::Walk { from: None, to: *to },
            Action::Walk { from: *from, to: None },
        ],
        Action::FailNext { method, count, hresult, critical_at_most } => {
            let like = |count, hresult, critical_at_most| Action::FailNext {
                method: method.clone(),
                count,
                hresult,
                critical_at_most,
            };
            vec![
                like(1, *hresult, *critical_at_most),
                like(*count, *hresult, None),
                like(*count, Hresult::E_OUTOFMEMORY, *critical_at_most),
            ]
        }
        Action::Call(_) | Action::Hole { .. } => Vec::new(),
    };
    let plainer = candidates.into_iter().filter(|plain| *plain != step.action);
    plainer.map(|action| Step { action, ..step.clone() }).collect()
}

/// A single byte instead of many, or fewer of them.
fn plain_data(step: &Step) -> Vec<Step> {
    let Action::Call(Call::Write { address, data }) = &step.action else { return Vec::new() };
    let one = Data::Bytes([0xFF].into());
    let mut plainer = vec![one.clone()];
    if data.size() > 1 {
        plainer.push(Data::Fill { size: data.size() / 2, byte: 0xFF });
        plainer.push(Data::Fill { size: data.size(), byte: 0xFF });
    }
    plainer
        .into_iter()
        .filter(|plain| plain != data && *data != one && data.size() > 0)
        .map(|data| Step {
            action: Action::Call(Call::Write { address: *address, data }),
            ..step.clone()
        })
        .collect()
}

/// What a size counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Memory that comes in pages.
    Pages,
    /// Bytes.
    Bytes,
}

/// The size argument that may be changed freely.
fn size_of(call: &SymbolicCall) -> Option<(Unit, u64)> {
    let unit = match call {
        Call::Write { .. } => return None,
        Call::Alloc { .. } | Call::DebugAlloc { .. } | Call::Read { .. } => Unit::Bytes,
        _ => Unit::Pages,
    };
    call.size().map(|size| (unit, size))
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

pub(super) fn with_place(call: &SymbolicCall, new: Place) -> SymbolicCall {
    let renamed = call.resolve(|_| Ok::<_, std::convert::Infallible>(new), |heap| Ok(*heap));
    let Ok(renamed) = renamed;
    renamed
}
