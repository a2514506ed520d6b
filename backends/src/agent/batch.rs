//! Calls that lie ahead, packed into one line, and its answers unpacked again.
//!
//! Deliberately not here: foreseeing anything, and asking ([`super::backend`]).

use std::collections::VecDeque;

use hostmem_interface::needs::call_needs;
use hostmem_interface::{
    Address, Call, Data, Description, Foreseen, MallocId, MemoryAvailable, Outcome, Reply, Spot,
    Value, dispatch,
};

use super::answers;
use super::calls::{self, Packed};
use super::messages;
use super::numbers::{Flat, Taker};

/// The most calls in one line.
const MOST_CALLS: usize = 4096;
/// The most bytes read in one line.
const MOST_BYTES: u64 = 4 << 20;

/// How many addresses and heaps the calls of a case have asked for so far, refused ones too.
///
/// On the wire a heap has the number of the call that made it, so that a line can name a heap
/// that it makes itself. A case counts those that were made: a refused one has no number.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// The calls that allocate.
    slots: u64,
    /// The calls of `CreateMalloc`.
    asked: u32,
    /// The wire's number of each heap that was made.
    made: Vec<u32>,
}

impl Counts {
    /// Counts a call, and whether it succeeded.
    pub(super) fn count<A>(&mut self, call: &Call<A>, succeeded: bool) {
        self.slots += u64::from(call.allocates());
        if matches!(call, Call::CreateMalloc { .. }) {
            if succeeded {
                self.made.push(self.asked);
            }
            self.asked += 1;
        }
    }

    /// The wire's number of a heap. One that was never made is no number of the wire's either.
    pub(super) fn on_the_wire(&self, heap: MallocId) -> MallocId {
        MallocId(self.made.get(heap.0 as usize).copied().unwrap_or(u32::MAX))
    }

    /// The case's number of the next heap that is made.
    pub(super) fn next_heap(&self) -> u32 {
        u32::try_from(self.made.len()).expect("fewer than 2^32 heaps in a case")
    }
}

/// A part of a long access: which bytes of it, and the call that does them.
pub(super) fn parts<A: Copy>(
    call: &Call<A>,
    at: Address,
    page: u64,
    moved: impl Fn(A, u64) -> A,
) -> Vec<Call<A>> {
    let pieces = |size| dispatch::pieces(page, at, size);
    match call {
        Call::Read { address, size } => pieces(*size)
            .map(|(offset, size)| Call::Read { address: moved(*address, offset), size })
            .collect(),
        Call::Write { address, data } => pieces(data.size())
            .map(|(offset, size)| {
                let data = slice(data, offset, size);
                Call::Write { address: moved(*address, offset), data }
            })
            .collect(),
        other => vec![other.clone()],
    }
}

fn slice(data: &Data, offset: u64, size: u64) -> Data {
    match data {
        Data::Fill { byte, .. } => Data::Fill { size, byte: *byte },
        Data::Bytes(_) => {
            let mut piece = vec![0; usize::try_from(size).expect("at most a page")];
            data.copy_to(offset, &mut piece);
            Data::Bytes(piece.into())
        }
    }
}

/// What the parts of an access came to together: the first fault, or all bytes.
pub(super) fn joined(parts: impl IntoIterator<Item = Outcome>) -> Outcome {
    let mut all: Option<Outcome> = None;
    for part in parts {
        match (&mut all, part) {
            (
                Some(Outcome::Done { value: Value::Bytes(bytes), .. }),
                Outcome::Done { value: Value::Bytes(more), .. },
            ) => bytes.extend(more),
            (None | Some(Outcome::Done { .. }), part) => all = Some(part),
            (Some(_), _) => {}
        }
        if !matches!(all, Some(Outcome::Done { .. })) {
            break;
        }
    }
    // No part: an access of no bytes.
    all.unwrap_or_else(|| Outcome::done(Value::Bytes(Vec::new())))
}

/// A line in the making.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    foreseen: &'a [Foreseen],
    /// For each foreseen call, how many of the packed ones are its parts.
    parts: Vec<usize>,
    packed: Vec<Call<Packed>>,
}

impl<'a> Batch<'a> {
    /// Packs as many of the calls as one line may have.
    pub(super) fn of(foreseen: &'a [Foreseen], who: &Description, before: &Counts) -> Self {
        let mut counts = before.clone();
        let mut batch = Batch { foreseen, parts: Vec::new(), packed: Vec::new() };
        let mut aligned = Vec::new();
        let mut bytes = 0;
        for call in foreseen {
            bytes += size(call);
            let beyond = call_needs(call).missing_from(who.capabilities).is_some();
            if beyond || batch.packed.len() >= MOST_CALLS || bytes > MOST_BYTES {
                break;
            }
            let Some(at) = place_in_page(call, &aligned) else { break };
            let parts = parts(call, at, who.machine.page, moved);
            batch.parts.push(parts.len());
            batch.packed.extend(parts.iter().map(|part| pack(part, before.slots, &counts)));
            // Nothing is foreseen behind a heap that is refused.
            counts.count(call, true);
            if call.allocates() {
                aligned.push(matches!(call, Call::VirtualAlloc { .. }));
            }
        }
        batch.foreseen = &foreseen[..batch.parts.len()];
        batch
    }

    /// How many calls were packed.
    pub(super) const fn len(&self) -> usize {
        self.foreseen.len()
    }

    /// The line's arrays.
    pub(super) fn arrays(&self) -> Vec<Flat> {
        self.packed.iter().map(calls::write).collect()
    }

    /// The calls with the addresses that their predecessors returned, each with its reply.
    ///
    /// # Errors
    /// Why the answers cannot be those of the calls.
    pub(super) fn replies(
        &self,
        reply: &messages::Reply<Vec<Flat>>,
        who: &Description,
        counts: &mut Counts,
    ) -> Result<VecDeque<(Call, Reply)>, String> {
        let answers = reply.outcome.as_deref().unwrap_or_default();
        if answers.len() != self.packed.len() {
            let (came, asked) = (answers.len(), self.packed.len());
            return Err(format!("{came} answers to {asked} calls"));
        }
        let mut notified = notifications(&reply.notified, answers.len())?;
        let mut bases: Vec<Address> = Vec::new();
        let mut replies = VecDeque::new();
        let mut first = 0;
        for (call, &parts) in self.foreseen.iter().zip(&self.parts) {
            let range = first..first + parts;
            first = range.end;
            let outcomes: Result<Vec<Outcome>, String> = range
                .clone()
                .map(|at| {
                    answers::read(&self.packed[at], &answers[at], who, counts.next_heap())
                        .map_err(|why| format!("the answer to {}: {why}", call.name()))
                })
                .collect();
            let outcome = joined_for(call, outcomes?);
            let notified = range.flat_map(|at| std::mem::take(&mut notified[at])).collect();
            replies.push_back((
                resolved(call, &bases),
                Reply::Outcome { outcome: outcome.clone(), notified },
            ));
            counts.count(call, outcome.is_done());
            if call.allocates() {
                bases.push(outcome.address().unwrap_or(Address::NULL));
            }
        }
        Ok(replies)
    }
}

/// An access of no bytes has no parts, and succeeds.
pub(super) fn joined_for<A>(call: &Call<A>, outcomes: Vec<Outcome>) -> Outcome {
    match call {
        Call::Write { .. } if outcomes.is_empty() => Outcome::ok(),
        _ => joined(outcomes),
    }
}

/// The notifications of each call of a line.
pub(super) fn notifications(
    flat: &Flat,
    calls: usize,
) -> Result<Vec<Vec<MemoryAvailable>>, String> {
    let mut each = vec![Vec::new(); calls];
    let mut from = Taker::new(flat);
    while !from.is_empty() {
        let call = from.u64("the index of a call")?;
        let which = from.u32("a notification")?;
        let inbox = usize::try_from(call).ok().and_then(|at| each.get_mut(at));
        inbox
            .ok_or(format!("a notification during call {call} of {calls}"))?
            .push(MemoryAvailable(which));
    }
    Ok(each)
}

/// How many bytes a call reads.
fn size(call: &Foreseen) -> u64 {
    if let Call::Read { size, .. } = call { *size } else { 0 }
}

/// Where in its page a call's address lies, which decides how an access is split; `None` if
/// that is not known yet.
fn place_in_page(call: &Foreseen, aligned: &[bool]) -> Option<Address> {
    let access = matches!(call, Call::Read { .. } | Call::Write { .. });
    match call.address() {
        Some(Spot::Known(address)) => Some(*address),
        Some(Spot::Ahead { allocation, offset }) if access => {
            aligned.get(*allocation).copied().unwrap_or(false).then_some(Address(*offset))
        }
        _ => Some(Address::NULL),
    }
}

fn moved(spot: Spot, by: u64) -> Spot {
    match spot {
        Spot::Known(address) => Spot::Known(address.wrapping_add(by)),
        Spot::Ahead { allocation, offset } => {
            Spot::Ahead { allocation, offset: offset.wrapping_add(by) }
        }
    }
}

/// Slots ahead are counted from those that there are `before` the line.
fn pack(call: &Foreseen, before: u64, counts: &Counts) -> Call<Packed> {
    let place = |spot: &Spot| {
        Ok::<_, std::convert::Infallible>(match *spot {
            Spot::Known(address) => Packed::absolute(address.0),
            Spot::Ahead { allocation, offset } => {
                let slot = before + allocation as u64;
                Packed { slot: i64::try_from(slot).expect("fewer than 2^63 calls"), offset }
            }
        })
    };
    let Ok(packed) = call.resolve(place, |heap| Ok(counts.on_the_wire(*heap)));
    packed
}

fn resolved(call: &Foreseen, bases: &[Address]) -> Call {
    let place = |spot: &Spot| {
        Ok::<_, std::convert::Infallible>(match *spot {
            Spot::Known(address) => address,
            Spot::Ahead { allocation, offset } => bases[allocation].wrapping_add(offset),
        })
    };
    let Ok(call) = call.resolve(place, |heap| Ok(*heap));
    call
}
