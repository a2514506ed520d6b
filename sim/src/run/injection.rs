//! Refusals in front of the subject: `FailNext`.
//!
//! Deliberately not here: sweeps that make every call fail ([`crate::fail_each`]).

use std::sync::Arc;

use hostmem_interface::scenario::Action;
use hostmem_interface::{Call, CriticalLevel, Hresult, Refusal};

/// A pending `FailNext`.
#[derive(Clone, Debug)]
struct Injection {
    method: Arc<str>,
    left: u64,
    hresult: Hresult,
    critical_at_most: Option<CriticalLevel>,
}

/// What is pending, in the order in which it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Injections(Vec<Injection>);

impl Injections {
    /// Takes a `FailNext` in; any other action is none.
    pub(crate) fn add(&mut self, action: &Action) {
        if let Action::FailNext { method, count, hresult, critical_at_most } = action {
            self.0.push(Injection {
                method: Arc::clone(method),
                left: *count,
                hresult: *hresult,
                critical_at_most: *critical_at_most,
            });
        }
    }

    /// The refusal that is pending for a call, if any; it is used up.
    pub(crate) fn take<A, M>(&mut self, call: &Call<A, M>) -> Option<Refusal> {
        let matches = |injection: &Injection| {
            let level = match (injection.critical_at_most, call.critical()) {
                (Some(most), Some(level)) => level <= most,
                _ => true,
            };
            injection.left > 0 && *injection.method == *call.name() && level
        };
        let injection = self.0.iter_mut().find(|injection| matches(injection))?;
        injection.left -= 1;
        Some(Refusal::from_hresult(injection.hresult))
    }
}
