//! The smallest scenario that shows a difference, and what it shows in one sentence, both
//! without an address: names and offsets stand for them.
//!
//! Deliberately not here: shrinking itself ([`crate::reduce`]).

use hostmem_interface::scenario::{Scenario, show_step};
use hostmem_interface::{Address, Backend, Breakage};
use serde::Serialize;

use crate::run::{Ending, run_scenario};
use crate::runner::shrink::{Failure, shrink};

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

/// Shrinks a scenario that fails on `backend`; `None` if it does not fail again.
#[must_use]
pub fn minimal(name: &str, scenario: &Scenario, backend: &dyn Backend) -> Option<Minimal> {
    let first = run_scenario(scenario, "", backend, &mut |_, _| {});
    let failure = Failure::of(&first)?;
    // Each try of a hang lasts as long as the limit.
    let smallest = match first.ending {
        Ending::Broken(Breakage::Hung(_)) => {
            let steps = scenario.steps[..first.steps.min(scenario.steps.len())].to_vec();
            Scenario { steps, ..scenario.clone() }
        }
        _ => {
            let tell = &mut |_| {};
            shrink(scenario.clone(), first.steps, failure, backend, tell).reduced.scenario
        }
    };
    let mut names: Vec<(String, Address)> = Vec::new();
    let last = run_scenario(&smallest, "", backend, &mut |step, answered| {
        if let (Some(name), Some(address)) = (step.bind, answered.outcome.address()) {
            names.push((smallest.name(name).to_owned(), address));
        }
    });
    let what = match last.ending {
        Ending::Diverges(finding) => {
            format!("expected {}, observed {}", finding.expected, finding.observed)
        }
        Ending::Broken(how) => format!("it {how}"),
        _ => return None,
    };
    let steps: Vec<String> = smallest.steps.iter().map(|step| show_step(&smallest, step)).collect();
    let at = steps.get(last.steps.saturating_sub(1)).cloned().unwrap_or_default();
    Some(Minimal {
        scenario: name.to_owned(),
        step: last.steps,
        sentence: format!("{at}: {}", without_addresses(&what, &names)),
        steps,
    })
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
