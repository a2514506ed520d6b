//! What a step expects, for whoever may choose among lawful answers.
//!
//! The model chooses in its own way where the law leaves a choice. A file may expect another
//! choice that is as lawful, and does not contradict the law then: where memory lies, say, or
//! what a new heap block holds. So an answer of the model's is offered in a version that has
//! what the file states, and the law decides about it.
//!
//! Deliberately not here: whether a version is lawful ([`hostmem_model::actor`]).

use hostmem_interface::scenario::fits::outcome_fits;
use hostmem_interface::scenario::{
    BytesExpectation, Expected, FaultExpectation, Name, Outputs, Place, Step,
};
use hostmem_interface::{
    Address, Fault, Grain, Hresult, MemoryBasicInformation, MemoryLoad, Outcome, QueryAnswer,
    Refusal, Value, Win32Error,
};
use hostmem_model::actor::Preference;

use crate::run::case::address_in;
use crate::view::Binding;

/// What a step expects.
pub(super) struct Wish<'a> {
    /// `None`: whatever the law permits.
    pub(super) expected: Option<&'a Expected>,
    /// How the subject says no.
    pub(super) grain: Grain,
    /// What the names of the scenario are bound to.
    pub(super) bound: &'a [Option<Binding>],
    /// The name that the step binds, if what is expected of it may use that.
    pub(super) bind: Option<Name>,
}

impl Preference for Wish<'_> {
    fn likes(&self, outcome: &Outcome) -> bool {
        let resolve = |place| self.resolve(outcome, place);
        self.expected.is_none_or(|it| outcome_fits(it, outcome, self.grain, &resolve))
    }

    fn instead_of(&self, outcome: &Outcome) -> Vec<Outcome> {
        match (self.expected, outcome) {
            (Some(Expected::Done(outputs)), Outcome::Done { code, value }) => {
                let version = |value| Outcome::Done { code: *code, value };
                self.values(outputs, outcome, value).into_iter().map(version).collect()
            }
            (Some(Expected::Error { win32, hresult }), Outcome::Refused(_)) => {
                refusals(win32, hresult).into_iter().map(Outcome::Refused).collect()
            }
            (Some(Expected::Fault(faults)), Outcome::Faulted(own)) => {
                let version = |fault: &FaultExpectation| {
                    let at = fault.at.and_then(|at| self.resolve(outcome, at)).unwrap_or(own.at);
                    let access = fault.access.unwrap_or(own.access);
                    Outcome::Faulted(Fault { status: fault.status, access, at })
                };
                faults.iter().map(version).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl<'a> Wish<'a> {
    /// What a step expects of a subject that says no like that.
    pub(super) fn of(step: &'a Step, grain: Grain, bound: &'a [Option<Binding>]) -> Self {
        let expected = step.expect.as_ref().map(|it| &it.outcome);
        Self { expected, grain, bound, bind: step.bind }
    }

    fn resolve(&self, outcome: &Outcome, place: Place) -> Option<Address> {
        address_in(self.bound, self.bind, outcome.address(), place)
    }

    fn values(&self, outputs: &Outputs, outcome: &Outcome, own: &Value) -> Vec<Value> {
        let place = |place: Option<Place>| place.and_then(|it| self.resolve(outcome, it));
        match own {
            Value::Address(own) => {
                let stated = place(outputs.address);
                let unit = outputs.aligned.filter(|_| stated.is_none()).filter(|unit| *unit != 0);
                let up = unit.and_then(|unit| own.0.checked_next_multiple_of(unit)).map(Address);
                let down = unit.map(|unit| Address(own.0 - own.0 % unit));
                [stated, up, down].into_iter().flatten().map(Value::Address).collect()
            }
            Value::Region(QueryAnswer { written, information: own }) => {
                let least = outputs.region_size_at_least.unwrap_or(0);
                let information = MemoryBasicInformation {
                    base_address: place(outputs.base_address).unwrap_or(own.base_address),
                    allocation_base: place(outputs.allocation_base).unwrap_or(own.allocation_base),
                    allocation_protect: outputs
                        .allocation_protect
                        .unwrap_or(own.allocation_protect),
                    region_size: outputs.region_size.unwrap_or(own.region_size).max(least),
                    state: outputs.state.unwrap_or(own.state),
                    protect: outputs.protect.unwrap_or(own.protect),
                    kind: outputs.kind.unwrap_or(own.kind),
                };
                vec![Value::Region(QueryAnswer { written: *written, information })]
            }
            Value::Load(own) => vec![Value::Load(MemoryLoad {
                load: outputs.load.unwrap_or(own.load),
                available: outputs.available.unwrap_or(own.available),
            })],
            Value::Bytes(own) => match &outputs.bytes {
                Some(BytesExpectation::Bytes(all)) => {
                    all.iter().cloned().map(Value::Bytes).collect()
                }
                Some(BytesExpectation::Fill(byte)) => vec![Value::Bytes(vec![*byte; own.len()])],
                None => Vec::new(),
            },
            Value::Nothing | Value::Old(_) | Value::Pages { .. } | Value::Malloc(_) => Vec::new(),
        }
    }
}

/// Every refusal with one of these errors and one of these HRESULTs; an empty list says nothing.
fn refusals(win32: &[Win32Error], hresult: &[Hresult]) -> Vec<Refusal> {
    if hresult.is_empty() {
        return win32.iter().copied().map(Refusal::from_win32).collect();
    }
    let errors: Vec<_> = match win32 {
        [] => vec![None],
        errors => errors.iter().copied().map(Some).collect(),
    };
    let with = |hresult: &Hresult| {
        let hresult = *hresult;
        errors.iter().map(move |win32| Refusal { hresult, win32: *win32 }).collect::<Vec<_>>()
    };
    hresult.iter().flat_map(with).collect()
}
