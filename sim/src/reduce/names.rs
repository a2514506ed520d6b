//! Which names a step uses, and a scenario with only the names that it needs.

use std::sync::Arc;

use hostmem_interface::scenario::{Action, Expected, Name, Outputs, Place, Scenario, Step};

/// Every name that a step mentions, its own binding apart.
#[must_use]
pub fn used(step: &Step) -> Vec<Name> {
    let mut names = Vec::new();
    let mut copy = step.clone();
    each_name(&mut copy, &mut |name| names.push(*name));
    if let Some(own) = step.bind {
        names.retain(|name| *name != own);
    }
    names
}

/// The scenario with its names numbered in order of binding, unused ones gone.
#[must_use]
pub fn compact(scenario: &Scenario) -> Scenario {
    let mut compacted = scenario.clone();
    let bound: Vec<Name> = scenario.steps.iter().filter_map(|step| step.bind).collect();
    let position = |name: Name| bound.iter().position(|known| *known == name);
    let number =
        |name: Name| position(name).and_then(|at| u32::try_from(at).ok()).map_or(name, Name);
    for step in &mut compacted.steps {
        step.bind = step.bind.map(number);
        each_name(step, &mut |name| *name = number(*name));
    }
    compacted.names =
        bound.iter().map(|name| Arc::clone(&scenario.names[name.0 as usize])).collect();
    compacted
}

/// Shows every name in the arguments and the expectation of a step.
pub(crate) fn each_name(step: &mut Step, visit: &mut dyn FnMut(&mut Name)) {
    let mut place = |place: &mut Place| {
        if let Place::Relative { name, .. } = place {
            visit(name);
        }
    };
    match &mut step.action {
        Action::Call(call) => {
            let places = std::cell::RefCell::new(&mut place);
            let renamed = call.resolve(
                |old| {
                    let mut new = *old;
                    (places.borrow_mut())(&mut new);
                    Ok::<_, std::convert::Infallible>(new)
                },
                |old| {
                    let mut new = Place::Relative { name: *old, offset: 0 };
                    (places.borrow_mut())(&mut new);
                    Ok(match new {
                        Place::Relative { name, .. } => name,
                        Place::Absolute(_) => *old,
                    })
                },
            );
            let Ok(renamed) = renamed;
            *call = renamed;
        }
        Action::Walk { from, to } => from.iter_mut().chain(to).for_each(&mut place),
        Action::Hole { .. } | Action::FailNext { .. } => {}
    }
    if let Some(expectation) = &mut step.expect {
        match &mut expectation.outcome {
            Expected::Done(outputs) => each_output(outputs, &mut place),
            Expected::Fault(faults) => {
                faults.iter_mut().filter_map(|fault| fault.at.as_mut()).for_each(&mut place);
            }
            Expected::Fails | Expected::Error { .. } => {}
        }
    }
}

fn each_output(outputs: &mut Outputs, place: &mut dyn FnMut(&mut Place)) {
    let Outputs { address, base_address, allocation_base, pages, .. } = outputs;
    let single = [address, base_address, allocation_base];
    single.into_iter().flatten().for_each(&mut *place);
    pages.iter_mut().flatten().for_each(place);
}
