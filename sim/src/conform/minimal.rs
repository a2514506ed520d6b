//! The smallest scenario that shows a difference, and what it shows in one sentence, both
//! without an address: names and offsets stand for them.
//!
//! Deliberately not here: shrinking itself ([`crate::reduce`]).

use hostmem_interface::scenario::{Scenario, show_step};
use hostmem_interface::{Address, Backend, Grain};
use serde::Serialize;

use crate::run::scenario::run_call_by_call;
use crate::run::{Ending, run_scenario};
use crate::runner::shrink::{Failure, shrink_failed};

/// How far from a name's address another is still told by it.
const NEAR: u64 = 1 << 24;
/// Numbers from here up can be nothing but addresses; smaller ones may be sizes.
const ADDRESS: u64 = 1 << 32;

/// Such a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Minimal {
    /// The file that it was shrunk from.
    pub scenario: String,
    /// The step at which it shows, counted from 1: the last.
    pub step: usize,
    /// Its steps, as a person reads them.
    pub steps: Vec<String>,
    /// What was expected and what came.
    pub sentence: String,
}

/// Shrinks a scenario that fails on `backend`; `None` if it does not fail again, or does so only
/// where calls are made many at a time.
#[must_use]
pub fn minimal(name: &str, scenario: &Scenario, backend: &dyn Backend) -> Option<Minimal> {
    let first = run_call_by_call(scenario, backend);
    let failure = Failure::of(&first)?;
    let failed = first.steps;
    let tell = &mut |_| {};
    let shrunk = shrink_failed(scenario.clone(), failed, first, failure, backend, tell);
    let (smallest, last) = (shrunk.reduced.scenario, shrunk.outcome?);
    let (what, step) = match last.ending {
        // To break it once more would tell nothing new.
        Ending::Broken(how) => (without_addresses(&format!(": it {how}"), &[]), last.steps),
        _ => differs(&smallest, backend)?,
    };
    let steps: Vec<String> = smallest.steps.iter().map(|step| show_step(&smallest, step)).collect();
    let at = match last.at_close {
        true => "when the case is closed".to_owned(),
        false => steps.get(step.saturating_sub(1)).cloned().unwrap_or_default(),
    };
    Some(Minimal { scenario: name.to_owned(), step, sentence: format!("{at}{what}"), steps })
}

/// What was expected and what came, with the names that the scenario gave to addresses, and at
/// which step. What showed only in a look at what the step left behind says so.
fn differs(smallest: &Scenario, backend: &dyn Backend) -> Option<(String, usize)> {
    let mut names: Vec<(String, Address)> = Vec::new();
    let last = run_scenario(smallest, "", backend, &mut |step, answered| {
        if let (Some(name), Some(address)) = (step.bind, answered.outcome.address()) {
            names.push((smallest.name(name).to_owned(), address));
        }
    });
    let Ending::Diverges(finding) = last.ending else { return None };
    let looked = finding.looked.map_or_else(String::new, |look| format!(", then {look}"));
    let (expected, observed) = plain(&finding.expected, &finding.observed, last.grain);
    let what = format!("{looked}: expected {expected}, observed {observed}");
    let fields = different_fields(&expected, &observed);
    let fields = fields.map_or(String::new(), |fields| format!(" (they differ in {fields})"));
    Some((without_addresses(&what, &names) + &fields, last.steps))
}

/// Both texts without the HRESULTs beside Win32 errors, of a subject that tells Win32 errors and
/// is wrong in these: it may never have said an HRESULT.
fn plain(expected: &str, observed: &str, grain: Grain) -> (String, String) {
    let (expected, observed) = (expected.to_owned(), observed.to_owned());
    let errors = (errors_alone(&expected), errors_alone(&observed));
    if grain == Grain::Win32 && errors.0 != errors.1 { errors } else { (expected, observed) }
}

/// A text without what stands in brackets behind the name or number of a refusal.
fn errors_alone(text: &str) -> String {
    let mut shown = String::new();
    for piece in text.split_inclusive(", ") {
        let end = if piece.contains("refused: ") { piece.find(" (") } else { None };
        match end.zip(piece.rfind(')')) {
            Some((open, close)) => shown.extend([&piece[..open], &piece[close + 1..]]),
            None => shown.push_str(piece),
        }
    }
    shown
}

/// Which fields differ between two regions, if that is what they are.
fn different_fields(expected: &str, observed: &str) -> Option<String> {
    let fields = |text: &str| -> Vec<String> { text.split(", ").map(str::to_owned).collect() };
    let (expected, observed) = (fields(expected), fields(observed));
    let name = |field: &String| field.split(' ').next().unwrap_or_default().to_owned();
    let alike = expected.len() > 2 && expected.iter().map(name).eq(observed.iter().map(name));
    let pairs = expected.iter().zip(&observed).filter(|(a, b)| a != b);
    let different: Vec<String> = pairs.map(|(field, _)| name(field)).collect();
    (alike && !different.is_empty()).then(|| different.join(" and "))
}

/// A text with names in the place of addresses.
fn without_addresses(text: &str, names: &[(String, Address)]) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let digits = rest[at + 2..].find(|c: char| !c.is_ascii_hexdigit());
        let end = digits.map_or(rest.len(), |length| at + 2 + length);
        shown.push_str(&rest[..at]);
        // The size of memory that is not the case's own depends on where things lie.
        let size = shown.ends_with("RegionSize ") && end - at > 10;
        let number = &rest[at..end];
        shown.push_str(&if size { "over 4 GiB".to_owned() } else { named(number, names) });
        rest = &rest[end..];
    }
    shown + rest
}

fn named(number: &str, names: &[(String, Address)]) -> String {
    let Ok(value) = u64::from_str_radix(&number[2..], 16) else { return number.to_owned() };
    let near = names.iter().rev().find_map(|(name, base)| {
        let offset = Address(value).offset_from(*base)?;
        (offset < NEAR && base.0 >= ADDRESS || offset == 0).then(|| match offset {
            0 => name.clone(),
            _ => format!("{name}+{offset:#x}"),
        })
    });
    match near {
        Some(name) => name,
        None if value >= ADDRESS => "an address".to_owned(),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_of_a_region_is_pointed_at() {
        let region = |size, state| format!("BaseAddress 0x1000, RegionSize {size}, State {state}");
        let different = |a: &str, b: &str| different_fields(a, b);
        let right = region("0x1000", "MEM_COMMIT");
        assert_eq!(
            different(&right, &region("0x2000", "MEM_COMMIT")).as_deref(),
            Some("RegionSize")
        );
        let both = different(&right, &region("0x2000", "MEM_RESERVE"));
        assert_eq!(both.as_deref(), Some("RegionSize and State"));
        assert_eq!(different(&right, &right), None);
        assert_eq!(different(&right, "refused: ERROR_INVALID_ADDRESS"), None);
    }

    #[test]
    fn an_hresult_that_nobody_sent_is_not_told() {
        let told = |expected: &str, observed: &str, grain| plain(expected, observed, grain);
        let (expected, observed) = ("refused: ERROR_BAD_LENGTH", "refused: 5 (0x80070005)");
        let both = told(expected, observed, Grain::Win32);
        assert_eq!(both, (expected.to_owned(), "refused: 5".to_owned()));
        assert_eq!(told(expected, observed, Grain::Hresult).1, observed);
        let (expected, observed) = ("refused: 487 (A), or ok", "refused: 487 (B)");
        let wrong = told(expected, observed, Grain::Win32);
        assert_eq!(wrong, ("refused: 487, or ok".to_owned(), "refused: 487".to_owned()));
        let only = told("refused: 487 (A)", observed, Grain::Win32);
        assert_eq!(only.1, observed, "it is the HRESULT that is wrong");
    }

    #[test]
    fn addresses_are_told_by_names() {
        let names = [("p".to_owned(), Address(0x7f12_3456_0000))];
        let text = "BaseAddress 0x7f1234561000, RegionSize 0x3000, at 0x7fffffff0000";
        assert_eq!(without_addresses("RegionSize 0x7f1234561000", &names), "RegionSize over 4 GiB");
        assert_eq!(
            without_addresses(text, &names),
            "BaseAddress p+0x1000, RegionSize 0x3000, at an address"
        );
        assert_eq!(without_addresses("nothing 0x", &names), "nothing 0x");
    }
}
