//! The *shape* of a shrunk case: what is left when its numbers are taken away. Which calls in
//! which order, on which names, with which flags, and which of them overlap; sizes, offsets
//! and the plain protections are numbers.
//!
//! Two failures by the same rule in the same shape are taken for one.
//!
//! Deliberately not here: the folding ([`crate::report::fold`]).

use std::fmt::Write as _;

use hostmem_interface::scenario::{Action, Place, Scenario, Step};
use hostmem_interface::{Call, Protection};
use sha2::{Digest as _, Sha256};

/// How many digits of a shape's hash stand in file names.
const DIGITS: usize = 8;

/// The shape of a scenario, as the digits that stand in file names.
#[must_use]
pub fn of(scenario: &Scenario) -> String {
    let shape: String = scenario.steps.iter().map(step_shape).collect();
    let mut digits = String::new();
    for byte in Sha256::digest(shape.as_bytes()) {
        write!(digits, "{byte:02x}").expect("a String takes everything");
    }
    digits.truncate(DIGITS);
    digits
}

fn step_shape(step: &Step) -> String {
    let mut shape = String::new();
    if let Some(group) = step.with {
        write!(shape, "{group}:").expect("a String takes everything");
    }
    let flags = match &step.action {
        Action::Call(Call::VirtualAlloc { kind, protect, .. }) => [kind.0, modifiers(*protect)],
        Action::Call(Call::VirtualProtect { protect, .. }) => [modifiers(*protect), 0],
        Action::Call(Call::VirtualFree { kind, .. }) => [kind.0, 0],
        Action::Call(Call::CreateMalloc { kind }) => [kind.0, 0],
        Action::Call(Call::GetWriteWatch { flags, .. }) => [flags.0, 0],
        _ => [0, 0],
    };
    let place = match &step.action {
        Action::Call(call) => call.address().copied(),
        _ => None,
    };
    let name = match place {
        Some(Place::Relative { name, .. }) => format!("#{}", name.0),
        Some(Place::NULL) => "null".to_owned(),
        Some(Place::Absolute(_)) => "number".to_owned(),
        None => String::new(),
    };
    writeln!(shape, "{}({name} {:x} {:x})", step.action.name(), flags[0], flags[1])
        .expect("a String takes everything");
    shape
}

/// What is not a plain protection.
fn modifiers(protect: Protection) -> u32 {
    protect.0 & !0xFF
}

#[cfg(test)]
mod tests {
    use hostmem_interface::scenario::read;

    use super::*;

    fn scenario(size: &str, protect: &str) -> Scenario {
        let step = format!(
            r#"{{"call":"VirtualAlloc","address":null,"size":"{size}","type":"MEM_RESERVE",
                "protect":"{protect}","bind":"p"}}"#
        );
        let text = format!(r#"{{"format":"hostmem/1","about":"a","steps":[{step}]}}"#);
        read(text.as_bytes()).expect("a scenario")
    }

    #[test]
    fn numbers_are_no_part_of_a_shape_and_flags_are() {
        let plain = of(&scenario("0x1000", "PAGE_READWRITE"));
        assert_eq!(plain, of(&scenario("0x20000", "PAGE_READONLY")));
        assert_ne!(plain, of(&scenario("0x1000", "PAGE_READWRITE|PAGE_GUARD")));
        assert_eq!(plain.len(), DIGITS);
    }
}
