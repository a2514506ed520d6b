//! A scenario's steps rewritten for a case in which some of its names are not bound, because
//! what they stand for was refused, and others are bound already.
//!
//! Deliberately not here: carrying steps out ([`super::trial`]).

use hostmem_interface::scenario::{Action, Name, Place, Position, Scenario, Step};
use hostmem_interface::{AllocationType, Call, CriticalLevel};

use crate::reduce::names::{each_name, used};

/// Once through a scenario.
#[derive(Debug)]
pub struct Pass<'s> {
    /// The scenario.
    pub scenario: &'s Scenario,
    /// The name in the case of each name of the scenario, if it was bound.
    names: Vec<Option<Name>>,
}

impl<'s> Pass<'s> {
    /// At the first step.
    #[must_use]
    pub fn new(scenario: &'s Scenario) -> Self {
        Self { scenario, names: vec![None; scenario.names.len()] }
    }

    /// A step as the case writes it, with `next` for what it makes; `None` if it uses what was
    /// never made. It overlaps no other.
    #[must_use]
    pub fn rewritten(&self, step: &Step, next: Name) -> Option<Step> {
        let position = Position::default();
        let mut rewritten = Step { with: None, position, ..step.clone() };
        let known = |name: Name| self.names.get(name.0 as usize).copied().flatten();
        if used(&rewritten).into_iter().any(|name| known(name).is_none()) {
            return None;
        }
        each_name(&mut rewritten, &mut |name| {
            *name = if step.bind == Some(*name) { next } else { known(*name).unwrap_or(*name) };
        });
        let makes = step.bind.is_some() || makes(&step.action);
        rewritten.bind = makes.then_some(next);
        Some(rewritten)
    }

    /// What a step of the scenario made is called so in the case.
    pub fn bound(&mut self, step: &Step, name: Name) {
        if let Some(Name(own)) = step.bind {
            self.names[own as usize] = Some(name);
        }
    }
}

/// Whether a step may make something that has to be given back. It is named, so that it can.
fn makes(action: &Action) -> bool {
    match action {
        Action::Call(Call::VirtualAlloc { address, kind, .. }) => {
            *address == Place::NULL || kind.contains(AllocationType::RESERVE)
        }
        Action::Call(call) => {
            matches!(call, Call::CreateMalloc { .. } | Call::Alloc { .. } | Call::DebugAlloc { .. })
        }
        _ => false,
    }
}

/// Whether the interface lets a step fail for want of memory.
#[must_use]
pub const fn may_fail(step: &Step) -> bool {
    matches!(
        step.action,
        Action::Call(
            Call::VirtualAlloc { .. }
                | Call::CreateMalloc { .. }
                | Call::Alloc { .. }
                | Call::DebugAlloc { .. }
                | Call::NeedsVirtualAddressSpace { .. }
        )
    )
}

/// Has a step made at a level, if it is a call that has one.
pub const fn set_level(step: &mut Step, level: CriticalLevel) {
    if let Action::Call(
        Call::VirtualAlloc { critical, .. }
        | Call::Alloc { critical, .. }
        | Call::DebugAlloc { critical, .. },
    ) = &mut step.action
    {
        *critical = level;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostmem_interface::scenario::read;

    const TEXT: &str = r#"{"format": "hostmem/1", "about": "x", "steps": [
        {"call": "VirtualAlloc", "address": null, "size": 1, "type": "MEM_RESERVE",
         "protect": "PAGE_NOACCESS", "bind": "p", "expect": {"address": "p"}},
        {"call": "VirtualAlloc", "address": "p+1", "size": 1, "type": "MEM_COMMIT",
         "protect": "PAGE_READWRITE"},
        {"call": "VirtualFree", "address": "p", "size": 0, "type": "MEM_RELEASE"}]}"#;

    #[test]
    fn a_step_needs_what_it_names_and_names_what_it_makes() {
        let scenario = read(TEXT.as_bytes()).unwrap();
        let mut pass = Pass::new(&scenario);
        let [first, second, third] = &scenario.steps[..] else { panic!("three steps") };
        assert_eq!(pass.rewritten(second, Name(7)), None);
        let made = pass.rewritten(first, Name(7)).unwrap();
        assert_eq!(made.bind, Some(Name(7)));
        assert_eq!(used(&Step { bind: None, ..made }), [Name(7)], "its expectation is renamed");
        pass.bound(first, Name(7));
        let commit = pass.rewritten(second, Name(8)).unwrap();
        assert_eq!((commit.bind, used(&commit)), (None, vec![Name(7)]));
        assert!(may_fail(first) && may_fail(second) && !may_fail(third));
    }

    #[test]
    fn only_calls_that_have_a_level_get_one() {
        let scenario = read(TEXT.as_bytes()).unwrap();
        let mut steps = scenario.steps.clone();
        steps.iter_mut().for_each(|step| set_level(step, CriticalLevel::PROCESS));
        let level = |step: &Step| match &step.action {
            Action::Call(call) => call.critical(),
            _ => None,
        };
        assert_eq!(level(&steps[0]), Some(CriticalLevel::PROCESS));
        assert_eq!(level(&steps[2]), None);
    }
}
