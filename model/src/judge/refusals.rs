//! Whether a refusal is the one that the law asks for, and what else it may mean: that there is
//! no memory, or that something the case does not own is in the way.

use std::borrow::Cow;

use hostmem_interface::{
    Address, AllocationType, Call, Grain, Hresult, Outcome, Refusal, Win32Error,
};

use super::{Divergence, Fit, Judge, Judgement, UNSTATED_LIMIT};
use crate::effect::Effect;
use crate::rule::{HR_01, HR_02, RS_01, VA_27};
use crate::state::SMALL;
use crate::verdict::{No, Verdict};

impl Judge {
    /// The range of a reservation of memory that the case does not own: one that may succeed,
    /// or one that the commit limit forbids, where what is in the way may be told first.
    pub(super) fn unowned_reservation(
        &self,
        call: &Call,
        verdict: &Verdict,
    ) -> Option<(Address, Address)> {
        let lawful = verdict.readings().find_map(|reading| match &reading.effect {
            Effect::Reserve { base: Some(base), size, .. } => {
                Some((*base, base.wrapping_add(*size)))
            }
            _ => None,
        });
        let forbidden = || match (call, verdict.first.rule) {
            (Call::VirtualAlloc { address, size, kind, .. }, VA_27)
                if kind.contains(AllocationType::RESERVE) && !address.is_null() =>
            {
                let machine = self.state.machine();
                let end = address.checked_add(*size)?.0.checked_next_multiple_of(machine.page)?;
                Some((address.align_down(machine.granularity), Address(end)))
            }
            _ => None,
        };
        lawful.or_else(forbidden)
    }

    pub(super) fn lack_of_memory(&self, call: &Call, refusal: Refusal) -> Judgement {
        let asked = match call {
            Call::VirtualAlloc { size, .. }
            | Call::Alloc { size, .. }
            | Call::DebugAlloc { size, .. } => *size,
            _ => 0,
        };
        let machine = self.state.machine();
        let limit = self.subject.machine.commit_limit.unwrap_or(UNSTATED_LIMIT);
        let room = machine.end() - machine.lowest;
        let limit = limit.min(room);
        let in_use: u64 = self.state.space.iter().map(crate::space::Allocation::size).sum();
        let needs = matches!(call, Call::NeedsVirtualAddressSpace { .. });
        // What a heap takes beside its blocks is the manager's business, and may be all there is.
        let tight = match call {
            Call::VirtualAlloc { .. } => room < SMALL && self.state.heaps.count() > 0,
            _ => limit < SMALL,
        };
        if asked < SMALL.min(limit / 2) && in_use < limit / 2 && !needs && !tight {
            return Judgement::Diverges(Divergence {
                rule: RS_01,
                expected: format!("success: only {in_use:#x} bytes are in use"),
                observed: Outcome::Refused(refusal).to_string(),
            });
        }
        Judgement::OutOfMemory(refusal)
    }

    pub(super) fn fit_no(&self, no: No, refusal: &Refusal) -> Fit<'static> {
        if self.subject.grain == Grain::YesNo {
            return Fit::Yes(Cow::Borrowed(&Effect::None));
        }
        let (own, derived);
        let said: &[Win32Error] = if let Some(error) = refusal.win32 {
            own = [error];
            &own
        } else {
            derived = refusal.hresult.win32();
            &derived
        };
        let memory = |error: &Win32Error| {
            matches!(
                *error,
                Win32Error::ERROR_NOT_ENOUGH_MEMORY
                    | Win32Error::ERROR_COMMITMENT_LIMIT
                    | Win32Error::ERROR_OUTOFMEMORY
            )
        };
        let right = match no {
            No::Win32(error) => said.is_empty() || said.contains(&error),
            No::Memory(_) => said.is_empty() || said.iter().any(memory),
            No::NotOurs => said.is_empty() || said.contains(&Win32Error::ERROR_INVALID_ADDRESS),
            No::Any => true,
        };
        if right { self.fit_hresult(no, refusal) } else { Fit::No }
    }

    /// The HRESULTs that the hosting interface names (HR-01, HR-02); a Win32 subject's own
    /// error wrapped as one will do.
    pub(super) fn fit_hresult(&self, no: No, refusal: &Refusal) -> Fit<'static> {
        let wrapped =
            refusal.win32.is_some_and(|error| refusal.hresult == Hresult::from_win32(error));
        let (rule, named) = match no {
            No::Memory(_) => (HR_01, Hresult::E_OUTOFMEMORY),
            No::NotOurs => (HR_02, Hresult::HOST_E_INVALIDOPERATION),
            No::Win32(_) | No::Any => return Fit::Yes(Cow::Borrowed(&Effect::None)),
        };
        let coarse = self.subject.grain == Grain::Win32 && wrapped;
        if refusal.hresult == named || coarse {
            Fit::Yes(Cow::Borrowed(&Effect::None))
        } else {
            Fit::But(rule, format!("refused with {named}"))
        }
    }
}
