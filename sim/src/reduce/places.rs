//! Plainer places: a null address instead of a hole, one name for what is one address, offsets
//! drawn towards the beginning of the allocation, and a reservation and its commit in one call.

use hostmem_interface::scenario::{Action, Name, Place, Scenario, Step};
use hostmem_interface::{AllocationType, Call};

use crate::reduce::Reduction;
use crate::reduce::arguments::with_place;
use crate::reduce::names::used;

const PAGE: u64 = 0x1000;
const GRANULARITY: u64 = 0x1_0000;
/// Up to so many steps, other names are tried for each place: each try is a run.
const FEW: usize = 64;

impl Reduction<'_> {
    /// Tries every way to make places plainer.
    pub(super) fn plain_places(&mut self) {
        self.null_addresses();
        self.merge_commits();
        self.draw_together();
        if self.best.steps.len() <= FEW {
            self.rename_places();
        }
    }

    /// A null address where an explicit one is not what matters.
    fn null_addresses(&mut self) {
        for at in 0..self.best.steps.len() {
            let Action::Call(call @ Call::VirtualAlloc { address, kind, .. }) =
                &self.best.steps[at].action
            else {
                continue;
            };
            if *address != Place::NULL && kind.contains(AllocationType::RESERVE) {
                let action = Action::Call(with_place(call, Place::NULL));
                self.try_action(at, action);
            }
        }
    }

    /// `MEM_RESERVE` and the next commit of the same allocation, made one call.
    fn merge_commits(&mut self) {
        for at in 0..self.best.steps.len() {
            let Some(candidate) = merged(&self.best, at) else { continue };
            self.try_candidate(candidate);
        }
    }

    /// Takes the same whole number of granules or pages off every offset from a name.
    fn draw_together(&mut self) {
        let bound: Vec<Name> = self.best.steps.iter().filter_map(|step| step.bind).collect();
        for name in bound {
            for unit in [GRANULARITY, PAGE] {
                let offsets = self.best.steps.iter().filter_map(|step| offset_of(step, name));
                let least = offsets.filter(|offset| *offset != 0).min().unwrap_or(0);
                let shift = least & !(unit - 1);
                if shift == 0 || shift > u64::MAX / 2 {
                    continue;
                }
                let mut candidate = self.best.clone();
                for step in &mut candidate.steps {
                    shift_down(step, name, shift);
                }
                self.try_candidate(candidate);
            }
        }
    }

    /// Names that happen to denote the same address: tries, for each place, the names that were
    /// bound later than its own, so that the life of the earlier one can be dropped.
    fn rename_places(&mut self) {
        for at in 0..self.best.steps.len() {
            let Some((own, offset)) = relative(&self.best.steps[at]) else { continue };
            let bound = self.best.steps[..at].iter().rev().filter_map(|step| step.bind);
            let later: Vec<Name> = bound.take_while(|name| *name != own).collect();
            for name in later {
                let Action::Call(call) = &self.best.steps[at].action else { break };
                let place = Place::Relative { name, offset };
                let action = Action::Call(with_place(call, place));
                if self.try_action(at, action) {
                    break;
                }
            }
        }
    }

    fn try_action(&mut self, at: usize, action: Action) -> bool {
        let mut candidate = self.best.clone();
        candidate.steps[at].action = action;
        self.try_candidate(candidate)
    }
}

/// The name and offset of a call's address.
fn relative(step: &Step) -> Option<(Name, u64)> {
    let Action::Call(call) = &step.action else { return None };
    match call.address()? {
        Place::Relative { name, offset } => Some((*name, *offset)),
        Place::Absolute(_) => None,
    }
}

fn offset_of(step: &Step, wanted: Name) -> Option<u64> {
    relative(step).filter(|(name, _)| *name == wanted).map(|(_, offset)| offset)
}

fn shift_down(step: &mut Step, name: Name, shift: u64) {
    let Some(offset) = offset_of(step, name).filter(|offset| *offset >= shift) else { return };
    if let Action::Call(call) = &step.action {
        let place = Place::Relative { name, offset: offset - shift };
        step.action = Action::Call(with_place(call, place));
    }
}

/// The scenario with the reservation of step `at` committing at once what the next commit of
/// its memory would have, and without that.
fn merged(scenario: &Scenario, at: usize) -> Option<Scenario> {
    // A merge before this one may have taken steps away.
    let reserving = scenario.steps.get(at)?;
    let name = reserving.bind?;
    let Action::Call(Call::VirtualAlloc { address, size, kind, critical, .. }) = &reserving.action
    else {
        return None;
    };
    if !kind.contains(AllocationType::RESERVE) || kind.contains(AllocationType::COMMIT) {
        return None;
    }
    let (later, protect) =
        scenario.steps.iter().enumerate().skip(at + 1).find_map(|(later, step)| {
            match &step.action {
                Action::Call(Call::VirtualAlloc {
                    kind: AllocationType::COMMIT, protect, ..
                }) if step.bind.is_none() && used(step).contains(&name) => Some((later, *protect)),
                _ => None,
            }
        })?;
    let both = AllocationType(kind.0 | AllocationType::COMMIT.0);
    let call = Call::VirtualAlloc {
        address: *address,
        size: *size,
        kind: both,
        protect,
        critical: *critical,
    };
    let mut merged = scenario.clone();
    merged.steps[at].action = Action::Call(call);
    merged.steps.remove(later);
    Some(merged)
}
