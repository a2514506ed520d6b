//! An expectation of a scenario compared with what came.
//!
//! An expectation narrows what the law permits; here it is only compared. Errors are
//! compared at the finest grain that the subject reports: Win32 code, else HRESULT, else
//! yes or no.

use crate::scenario::{BytesExpectation, Expectation, Expected, FaultExpectation, Outputs, Place};
use crate::{
    Address, Fault, Grain, Hresult, MemoryAvailable, Outcome, QueryAnswer, Refusal, Value,
    Win32Error,
};

/// Gives the absolute address of a place; `None` for a name that is not bound yet.
pub type Resolve<'a> = &'a dyn Fn(Place) -> Option<Address>;

/// Whether an outcome is what the expectation says.
#[must_use]
pub fn outcome_fits(
    expected: &Expected,
    outcome: &Outcome,
    grain: Grain,
    resolve: Resolve<'_>,
) -> bool {
    match (expected, outcome) {
        (Expected::Done(outputs), Outcome::Done { value, .. }) => {
            outputs_fit(outputs, value, resolve)
        }
        (Expected::Fails, Outcome::Refused(_) | Outcome::Faulted(_)) => true,
        (Expected::Error { win32, hresult }, Outcome::Refused(refusal)) => {
            grain == Grain::YesNo
                || (win32_fits(win32, refusal) && hresult_fits(hresult, refusal, grain))
        }
        (Expected::Fault(faults), Outcome::Faulted(seen)) => {
            faults.iter().any(|fault| fault_fits(fault, seen, resolve))
        }
        _ => false,
    }
}

/// Whether the notifications are those that the expectation names.
#[must_use]
pub fn notified_fits(expectation: &Expectation, notified: &[MemoryAvailable]) -> bool {
    expectation.notified.as_ref().is_none_or(|expected| expected == notified)
}

fn win32_fits(expected: &[Win32Error], refusal: &Refusal) -> bool {
    let said = match refusal.win32 {
        Some(error) => vec![error],
        None => refusal.hresult.win32(),
    };
    // A bare HRESULT that stands for no Win32 error says no more than "failed".
    expected.is_empty() || said.is_empty() || said.iter().any(|error| expected.contains(error))
}

fn hresult_fits(expected: &[Hresult], refusal: &Refusal, grain: Grain) -> bool {
    if expected.is_empty() || expected.contains(&refusal.hresult) {
        return true;
    }
    // A Win32 subject's HRESULT is only its error wrapped: compare what they stand for.
    let wrapped = refusal.win32.filter(|error| refusal.hresult == Hresult::from_win32(*error));
    grain == Grain::Win32
        && wrapped.is_some_and(|error| expected.iter().any(|code| code.win32().contains(&error)))
}

fn fault_fits(expected: &FaultExpectation, seen: &Fault, resolve: Resolve<'_>) -> bool {
    expected.status == seen.status
        && expected.access.is_none_or(|access| access == seen.access)
        && expected.at.is_none_or(|at| resolve(at) == Some(seen.at))
}

fn outputs_fit(outputs: &Outputs, value: &Value, resolve: Resolve<'_>) -> bool {
    match value {
        Value::Address(address) => {
            place_fits(outputs.address, *address, resolve)
                && outputs.aligned.is_none_or(|unit| unit != 0 && address.0.is_multiple_of(unit))
        }
        Value::Old(old) => outputs.old.is_none_or(|expected| expected == *old),
        Value::Region(answer) => region_fits(outputs, answer, resolve),
        Value::Load(load) => {
            outputs.load.is_none_or(|expected| expected == load.load)
                && outputs.available.is_none_or(|expected| expected == load.available)
        }
        Value::Bytes(bytes) => outputs.bytes.as_ref().is_none_or(|expected| match expected {
            BytesExpectation::Bytes(alternatives) => alternatives.contains(bytes),
            BytesExpectation::Fill(fill) => bytes.iter().all(|byte| byte == fill),
        }),
        Value::Pages { pages, granularity } => {
            let all = |expected: &Vec<Place>| {
                expected.len() == pages.len()
                    && expected
                        .iter()
                        .zip(pages)
                        .all(|(place, page)| resolve(*place) == Some(*page))
            };
            outputs.pages.as_ref().is_none_or(all)
                && outputs.granularity.is_none_or(|expected| expected == *granularity)
        }
        Value::Nothing | Value::Malloc(_) => true,
    }
}

fn region_fits(outputs: &Outputs, answer: &QueryAnswer, resolve: Resolve<'_>) -> bool {
    let region = &answer.information;
    answer.written > 0
        && place_fits(outputs.base_address, region.base_address, resolve)
        && place_fits(outputs.allocation_base, region.allocation_base, resolve)
        && outputs.allocation_protect.is_none_or(|it| it == region.allocation_protect)
        && outputs.region_size.is_none_or(|it| it == region.region_size)
        && outputs.region_size_at_least.is_none_or(|it| region.region_size >= it)
        && outputs.state.is_none_or(|it| it == region.state)
        && outputs.protect.is_none_or(|it| it == region.protect)
        && outputs.kind.is_none_or(|it| it == region.kind)
}

fn place_fits(expected: Option<Place>, seen: Address, resolve: Resolve<'_>) -> bool {
    expected.is_none_or(|place| resolve(place) == Some(seen))
}

/// The expectation in words.
#[must_use]
pub fn describe(expectation: &Expectation, resolve: Resolve<'_>) -> String {
    let mut words = match &expectation.outcome {
        Expected::Done(outputs) => describe_outputs(outputs, resolve),
        Expected::Fails => "a failure".to_owned(),
        Expected::Error { win32, hresult } => {
            let one_of = |names: Vec<String>| names.join(" or ");
            let win32 = one_of(win32.iter().map(ToString::to_string).collect());
            let hresult = one_of(hresult.iter().map(ToString::to_string).collect());
            let both = if win32.is_empty() || hresult.is_empty() { "" } else { " and " };
            format!("refused: {win32}{both}{hresult}")
        }
        Expected::Fault(faults) => {
            let names: Vec<String> = faults.iter().map(|it| describe_fault(it, resolve)).collect();
            format!("fault: {}", names.join(" or "))
        }
    };
    if let Some(notified) = &expectation.notified {
        let names: Vec<String> = notified.iter().map(ToString::to_string).collect();
        words.push_str(&format!(", notified [{}]", names.join(", ")));
    }
    words
}

fn describe_fault(fault: &FaultExpectation, resolve: Resolve<'_>) -> String {
    let mut words = fault.status.to_string();
    if let Some(access) = fault.access {
        words.push_str(&format!(" on {access}"));
    }
    if let Some(at) = fault.at.and_then(resolve) {
        words.push_str(&format!(" at {at}"));
    }
    words
}

fn describe_outputs(outputs: &Outputs, resolve: Resolve<'_>) -> String {
    let mut words = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(if name.is_empty() { value } else { format!("{name} {value}") });
        }
    };
    let place = |place: Option<Place>| {
        place.map(|it| resolve(it).map_or_else(|| "unbound".to_owned(), |at| at.to_string()))
    };
    let hex = |number: Option<u64>| number.map(|it| format!("{it:#x}"));
    add("", place(outputs.address));
    add("aligned to", hex(outputs.aligned));
    add("old", outputs.old.map(|it| it.to_string()));
    add("BaseAddress", place(outputs.base_address));
    add("AllocationBase", place(outputs.allocation_base));
    add("AllocationProtect", outputs.allocation_protect.map(|it| it.to_string()));
    add("RegionSize", hex(outputs.region_size));
    add("RegionSize at least", hex(outputs.region_size_at_least));
    add("State", outputs.state.map(|it| it.to_string()));
    add("Protect", outputs.protect.map(|it| it.to_string()));
    add("Type", outputs.kind.map(|it| it.to_string()));
    add("load", outputs.load.map(|it| it.to_string()));
    add("available", outputs.available.map(|it| it.to_string()));
    add("granularity", outputs.granularity.map(|it| format!("{it:#x}")));
    add("", outputs.bytes.as_ref().map(describe_bytes));
    add(
        "pages",
        outputs.pages.as_ref().map(|pages| {
            let pages: Vec<String> = pages.iter().filter_map(|it| place(Some(*it))).collect();
            format!("[{}]", pages.join(", "))
        }),
    );
    add("contiguous:", outputs.contiguous.map(|it| it.to_string()));
    add("no two free regions in a row:", outputs.no_adjacent_free.map(|it| it.to_string()));
    if words.is_empty() { "ok".to_owned() } else { words.join(", ") }
}

fn describe_bytes(bytes: &BytesExpectation) -> String {
    match bytes {
        BytesExpectation::Fill(byte) => format!("all bytes {byte:02x}"),
        BytesExpectation::Bytes(alternatives) => {
            let shown = |bytes: &Vec<u8>| Value::Bytes(bytes.clone()).to_string();
            alternatives.iter().map(shown).collect::<Vec<_>>().join(" or ")
        }
    }
}
