//! A naive replay: a toy memory manager that places bottom-up and knows the few laws that an
//! imported scenario can break.
//!
//! It is no model. It only finds names used before they are bound or after their reservation
//! is gone, holes that something else took, and ranges outside what they name.

use std::collections::BTreeMap;
use std::ops::Range;

use hostmem_interface::scenario::{Action, Expected, Name, Place, Scenario, Step, SymbolicCall};
use hostmem_interface::{AllocationType, Call, FreeType};
use rangemap::RangeSet;

const GRANULE: u64 = 0x1_0000;

#[derive(Default)]
struct Toy {
    /// Reservations by base: end and committed pages.
    blocks: BTreeMap<u64, (u64, RangeSet<u64>)>,
    names: BTreeMap<Name, u64>,
    /// Where a reservation at no address goes: a scenario must not depend on it.
    top_down: bool,
}

/// Replays a scenario with placement from either end.
pub(super) fn replay(scenario: &Scenario) {
    for top_down in [false, true] {
        let mut toy = Toy { top_down, ..Toy::default() };
        for (at, step) in scenario.steps.iter().enumerate() {
            toy.step(step).unwrap_or_else(|why| {
                panic!("step {}, {} (top-down: {top_down}): {why}", at + 1, text(scenario, step))
            });
        }
    }
}

impl Toy {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let (answer, expects) = match &step.action {
            Action::Hole { size } => (self.free(*size).map(Some), true),
            Action::Call(call) => (self.call(call)?, step.expect.is_some()),
            other => return Err(format!("an import has no {other:?}")),
        };
        let address = match answer {
            Ok(address) => address,
            Err(why) if expects => return Err(format!("refused: {why}")),
            Err(_) => return Ok(()),
        };
        if let Some(name) = step.bind {
            let address = address.ok_or("binds nothing")?;
            if self.names.insert(name, address).is_some() {
                return Err("bound twice".to_owned());
            }
        }
        if let Some(Expected::Done(outputs)) = step.expect.as_ref().map(|all| &all.outcome) {
            if let Some(place) = outputs.address {
                let expected = self.address(place)?;
                if address != Some(expected) {
                    return Err(format!("{address:x?} instead of {expected:x}"));
                }
            }
            if outputs.aligned.is_some_and(|unit| address.is_none_or(|at| at % unit != 0)) {
                return Err("not aligned".to_owned());
            }
        }
        Ok(())
    }

    /// `Err`: the scenario is wrong. `Ok(Err)`: the law refuses the call.
    fn call(&mut self, call: &SymbolicCall) -> Result<Result<Option<u64>, String>, String> {
        let address = match call.address() {
            None | Some(&Place::NULL) => None,
            Some(&place) => Some(self.address(place)?),
        };
        Ok(match (call, address) {
            (Call::VirtualAlloc { size, kind, .. }, _) => {
                self.allocate(address, *size, *kind).map(Some)
            }
            (Call::VirtualFree { size, kind, .. }, Some(address)) => {
                self.release(address, *size, *kind).map(|()| None)
            }
            (Call::VirtualProtect { size, .. }, Some(address)) => self
                .owner(address, *size)
                .and_then(|(base, range)| match self.blocks[&base].1.get(&range.start) {
                    Some(run) if range.end <= run.end => Ok(None),
                    _ => Err("not committed".to_owned()),
                }),
            (
                Call::GetWriteWatch { size, .. } | Call::ResetWriteWatch { size, .. },
                Some(address),
            ) => self.owner(address, *size).map(|_| None),
            // What the program wrote, where a report of write watch told of it.
            (Call::Write { data, .. }, Some(address)) => {
                self.owner(address, data.size()).map(|_| None)
            }
            (Call::VirtualQuery { .. }, Some(_)) | (Call::GetMemoryLoad, _) => Ok(None),
            (other, _) => return Err(format!("an import has no {other:?}")),
        })
    }

    fn release(&mut self, address: u64, size: u64, kind: FreeType) -> Result<(), String> {
        let (base, page) = self.owner(address, 1)?;
        let whole = size == 0 && base == page.start;
        if kind == FreeType::RELEASE {
            whole.then(|| drop(self.blocks.remove(&base))).ok_or_else(|| "not the base".to_owned())
        } else if whole {
            let (end, committed) = self.blocks.get_mut(&base).unwrap();
            committed.remove(base..*end);
            Ok(())
        } else {
            let (base, range) = self.owner(address, size)?;
            self.blocks.get_mut(&base).unwrap().1.remove(range);
            Ok(())
        }
    }

    fn allocate(
        &mut self,
        address: Option<u64>,
        size: u64,
        kind: AllocationType,
    ) -> Result<u64, String> {
        if let Some(address) = address.filter(|_| !kind.contains(AllocationType::RESERVE)) {
            let (base, range) = self.owner(address, size)?;
            if kind.contains(AllocationType::COMMIT) {
                self.blocks.get_mut(&base).unwrap().1.insert(range.clone());
            }
            return Ok(range.start);
        }
        let address = address.map_or_else(|| self.free(size), Ok)?;
        let range = address & !(GRANULE - 1)..pages(address, size)?.end;
        if self.blocks.iter().any(|(&base, (end, _))| base < range.end && range.start < *end) {
            return Err(format!("{range:x?} is taken"));
        }
        let mut committed = RangeSet::new();
        if kind.contains(AllocationType::COMMIT) {
            committed.insert(range.clone());
        }
        self.blocks.insert(range.start, (range.end, committed));
        Ok(range.start)
    }

    fn address(&self, place: Place) -> Result<u64, String> {
        match place {
            Place::Absolute(address) => Err(format!("{address} is no name")),
            Place::Relative { name, offset } => {
                let base = self.names.get(&name).ok_or("used before it is bound")?;
                Ok(base.wrapping_add(offset))
            }
        }
    }

    /// The reservation that holds every page of a range, and these pages.
    fn owner(&self, address: u64, size: u64) -> Result<(u64, Range<u64>), String> {
        let range = pages(address, size)?;
        let found = self.blocks.range(..=range.start).next_back();
        match found {
            Some((&base, (end, _))) if range.end <= *end => Ok((base, range)),
            _ => Err(format!("{range:x?} is of no one reservation")),
        }
    }

    /// A free place for `size` bytes, in whole granules.
    fn free(&self, size: u64) -> Result<u64, String> {
        let size = pages(0, size)?.end.next_multiple_of(GRANULE);
        let mut gaps = Vec::new();
        let mut from = GRANULE;
        for (&base, (end, _)) in &self.blocks {
            gaps.push(from..base);
            from = end.next_multiple_of(GRANULE);
        }
        gaps.push(from..0x7FFF_FFFF_0000);
        let fits = |gap: &&Range<u64>| gap.start + size <= gap.end;
        if self.top_down {
            gaps.iter().rev().find(fits).map(|gap| gap.end - size)
        } else {
            gaps.iter().find(fits).map(|gap| gap.start)
        }
        .map(|at| at & !(GRANULE - 1))
        .ok_or_else(|| "no room".to_owned())
    }
}

/// The pages with a byte of the range; an empty or endless one is refused by every call.
fn pages(address: u64, size: u64) -> Result<Range<u64>, String> {
    let end = address.checked_add(size).filter(|end| size > 0 && *end <= 0x7FFF_FFFF_0000);
    end.map(|end| address & !0xFFF..(end + 0xFFF) & !0xFFF).ok_or_else(|| "no range".to_owned())
}

/// A step as short text: for messages, and for tests to compare with.
pub(super) fn text(scenario: &Scenario, step: &Step) -> String {
    let place = |place: &Place| match place {
        Place::Absolute(address) => address.to_string(),
        Place::Relative { name, offset: 0 } => scenario.name(*name).to_owned(),
        Place::Relative { name, offset } => format!("{}+{offset:#x}", scenario.name(*name)),
    };
    let mut text = match &step.action {
        Action::Hole { size } => format!("Hole {size:#x}"),
        Action::Call(call) => {
            let name = call.name();
            let at = call.address().map_or(String::new(), |at| format!(" {}", place(at)));
            match call {
                Call::VirtualAlloc { size, kind, protect, .. } => {
                    format!("{name}{at} {size:#x} {kind} {protect}")
                }
                Call::VirtualFree { size, kind, .. } => format!("{name}{at} {size:#x} {kind}"),
                Call::VirtualProtect { size, protect, .. } => {
                    format!("{name}{at} {size:#x} {protect}")
                }
                Call::GetWriteWatch { size, .. } | Call::ResetWriteWatch { size, .. } => {
                    format!("{name}{at} {size:#x}")
                }
                _ => format!("{name}{at}"),
            }
        }
        other => format!("{other:?}"),
    };
    if let Some(name) = step.bind {
        text.push_str(&format!(" as {}", scenario.name(name)));
    }
    text.push_str(&match step.expect.as_ref().map(|all| &all.outcome) {
        None => " ?".to_owned(),
        Some(Expected::Done(outputs)) => match (outputs.address, outputs.aligned) {
            (Some(address), _) => format!(" = {}", place(&address)),
            (None, Some(unit)) => format!(" = aligned {unit:#x}"),
            (None, None) => String::new(),
        },
        Some(other) => format!(" = {other:?}"),
    });
    if step.thread > 0 {
        text.push_str(&format!(" on {}", step.thread));
    }
    text
}

/// Every step as short text, after a replay.
pub(super) fn steps(scenario: &Scenario) -> Vec<String> {
    replay(scenario);
    scenario.steps.iter().map(|step| text(scenario, step)).collect()
}
