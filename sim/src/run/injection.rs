//! Refusals in front of the subject: `FailNext`.
//!
//! Deliberately not here: sweeps that make every call fail ([`crate::fail_each`]).

use hostmem_interface::{Call, CriticalLevel, Hresult, Refusal};

use crate::run::case::Case;

/// A pending `FailNext`.
#[derive(Clone, Debug)]
pub(super) struct Injection {
    pub(super) method: String,
    pub(super) left: u64,
    pub(super) hresult: Hresult,
    pub(super) critical_at_most: Option<CriticalLevel>,
}

impl Case<'_> {
    /// The refusal that an injection has for a call, if one is pending.
    pub(super) fn injected<A, M>(&mut self, call: &Call<A, M>) -> Option<Refusal> {
        let matches = |injection: &Injection| {
            let level = match (injection.critical_at_most, call.critical()) {
                (Some(most), Some(level)) => level <= most,
                _ => true,
            };
            injection.left > 0 && injection.method == call.name() && level
        };
        let injection = self.injections.iter_mut().find(|injection| matches(injection))?;
        injection.left -= 1;
        Some(Refusal::from_hresult(injection.hresult))
    }
}
