//! The recordings of a real CLR, on a backend bare and cross-checked.
//!
//! *Bare* is the same calls on a subject alone: names are resolved, answers are thrown away.
//! *Cross-checked* is all that `check` does with a recording: the file is held against the law,
//! every answer is judged, checkpoints look around at their usual places, the record grows.

use hostmem::files::builtin;
use hostmem::run::{Ending, run_scenario};
use hostmem_interface::scenario::{Action, Place, Scenario, SymbolicCall};
use hostmem_interface::{Address, Backend, Call, MallocId, Outcome, Reply, Subject, Value};

use crate::Effort;
use crate::measure::{median, time};
use crate::table::{Cell, Table};

/// The table of the machine's own system.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let rounds = if effort == Effort::Full { 11 } else { 3 };
    let mut table = Table::new(
        "The recordings, cross-checked",
        "Nanoseconds a step on this machine's own system, bare and cross-checked with the \
         default checkpoints: medians over rounds in which both take turns, and the median of \
         the ratios of a round.",
        &["steps", "bare", "cross-checked", "ratio"],
    );
    let Some(system) = system() else { return table };
    let (mut all, mut bare_sum) = (0.0, 0.0);
    for (name, scenario) in recordings(&[&*system]) {
        let mut samples: Vec<[f64; 2]> = Vec::new();
        for _ in 0..rounds {
            samples.extend(pair(|run| time(run), &scenario, &*system));
        }
        let of = |at: usize| median(&samples.iter().map(|it| it[at]).collect::<Vec<_>>());
        let ratio = median(&samples.iter().map(|it| it[1] / it[0]).collect::<Vec<_>>());
        let steps = scenario.steps.len() as f64;
        bare_sum += of(0);
        all += of(1);
        let cells = vec![
            Cell::Number(steps),
            Cell::Number(of(0) / steps),
            Cell::Number(of(1) / steps),
            Cell::Ratio(ratio),
        ];
        table.row(name.trim_start_matches("scenarios/clr/"), cells);
    }
    let sum = vec![Cell::Empty, Cell::Empty, Cell::Empty, Cell::Ratio(all / bare_sum)];
    table.row("all of them, time by time", sum);
    table
}

#[cfg(target_os = "linux")]
fn system() -> Option<Box<dyn Backend>> {
    Some(Box::new(hostmem_backends::linux::LinuxBackend::default()))
}

#[cfg(windows)]
fn system() -> Option<Box<dyn Backend>> {
    Some(Box::new(hostmem_backends::win32::Win32Backend::default()))
}

#[cfg(not(any(target_os = "linux", windows)))]
fn system() -> Option<Box<dyn Backend>> {
    None
}

/// The recordings to which these backends agree: others differ from the law in some.
#[must_use]
pub fn recordings(backends: &[&dyn Backend]) -> Vec<(String, Scenario)> {
    let all = builtin::all().into_iter().filter_map(|file| file.read().ok());
    let agrees = |scenario: &Scenario| {
        let run = |backend: &&dyn Backend| run_scenario(scenario, "", *backend, &mut |_, _| {});
        backends.iter().all(|backend| run(backend).ending == Ending::Agrees)
    };
    all.filter(|named| named.name.contains("/clr/") && agrees(&named.scenario))
        .map(|named| (named.name.clone(), named.scenario))
        .collect()
}

/// The times of a scenario bare and cross-checked, one after the other, by that clock; `None` if
/// something else in the process had taken a place that the scenario needs, and it ended early.
///
/// # Panics
/// If the backend does not agree: a benchmark of that is void.
pub fn pair(
    clock: fn(&mut dyn FnMut()) -> f64,
    scenario: &Scenario,
    backend: &dyn Backend,
) -> Option<[f64; 2]> {
    let mut ending = None;
    let bare = clock(&mut || bare(scenario, backend));
    let checked = clock(&mut || ending = Some(checked(scenario, backend)));
    match ending? {
        Ending::Agrees => Some([bare, checked]),
        Ending::Taken(_) => None,
        other => panic!("a benchmark of what does not agree is void: {other:?}"),
    }
}

/// The whole cross-check: law, subject, comparison, checkpoints, record.
fn checked(scenario: &Scenario, backend: &dyn Backend) -> Ending {
    run_scenario(scenario, "", backend, &mut |_, _| {}).ending
}

/// The same calls on a subject alone: names are resolved, answers are thrown away.
///
/// # Panics
/// If there is no subject.
fn bare(scenario: &Scenario, backend: &dyn Backend) {
    let machine = scenario.machine.machine();
    let subject = backend.open(&machine).expect("a subject");
    let mut bound: Vec<Address> = vec![Address::NULL; scenario.names.len()];
    for step in &scenario.steps {
        let made = match &step.action {
            Action::Call(call) => call_once(&*subject, call, &bound),
            Action::Hole { size } => hole(&*subject, *size),
            Action::Walk { .. } | Action::FailNext { .. } => None,
        };
        if let (Some(name), Some(made)) = (step.bind, made) {
            bound[name.0 as usize] = made;
        }
    }
}

fn call_once(subject: &dyn Subject, call: &SymbolicCall, bound: &[Address]) -> Option<Address> {
    let place = |place: &Place| {
        Ok::<_, std::convert::Infallible>(match place {
            Place::Absolute(address) => *address,
            Place::Relative { name, offset } => bound[name.0 as usize].wrapping_add(*offset),
        })
    };
    let Ok(call) = call.resolve(place, |_| Ok(MallocId(0)));
    address(&subject.call(&call))
}

fn hole(subject: &dyn Subject, size: u64) -> Option<Address> {
    let reserve = Call::reserve_hole(size);
    let base = address(&subject.call(&reserve))?;
    subject.call(&Call::release(base));
    Some(base)
}

fn address(reply: &Reply) -> Option<Address> {
    match reply {
        Reply::Outcome {
            outcome: Outcome::Done { value: Value::Address(address), .. }, ..
        } => Some(*address),
        _ => None,
    }
}
