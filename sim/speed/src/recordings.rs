//! The recordings of a real CLR, on a backend bare and cross-checked.
//!
//! *Bare* is the same calls on a subject alone, by the same threads one after the other: names are
//! resolved, answers are thrown away.
//! *Cross-checked* is all that `check` does with its steps: every answer is judged, checkpoints
//! look around at their usual places, the record grows. What is done once for a file, whatever
//! the subject, is in neither: it is read, and held against the law.

use hostmem::files::builtin;
use hostmem::run::Ending;
use hostmem::run::callee::{Callee, Issued, with_threads_of};
use hostmem::run::scenario::{run_held, self_check};
use hostmem_interface::scenario::{Action, Place, Scenario, Step, SymbolicCall};
use hostmem_interface::{Address, Backend, Call, MallocId, Outcome, Reply, Value};

use crate::Effort;
use crate::measure::{median, process_time};
use crate::table::{Cell, Table};

/// What tells how many nanoseconds something takes.
pub type Clock = fn(&mut dyn FnMut()) -> f64;

/// How many times as many rounds as are wanted there are at most, where some do not count.
const ROOM: usize = 3;

/// The table of the machine's own system.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let rounds = if effort == Effort::Full { 11 } else { 3 };
    let system = system();
    let systems: Vec<&dyn Backend> = system.iter().map(|it| &**it).collect();
    // All threads count: the subject works on those that a recording names.
    let timed = measure(|run| process_time(run), rounds, &systems);
    table_of("this machine's own system", timed.first().map_or(&[], Vec::as_slice))
}

/// What was measured at one recording.
#[derive(Clone, Debug)]
pub struct Timed {
    /// The recording.
    pub name: String,
    /// How many steps it has.
    pub steps: usize,
    /// Nanoseconds bare and cross-checked, round by round.
    pub samples: Vec<[f64; 2]>,
    /// Why the last round that does not count does not.
    pub failed: Option<String>,
}

/// Times every recording on every backend, which take turns; for each backend, its times.
#[must_use]
pub fn measure(clock: Clock, rounds: usize, backends: &[&dyn Backend]) -> Vec<Vec<Timed>> {
    let mut all = vec![Vec::new(); backends.len()];
    for (name, scenario) in recordings() {
        let short = name.trim_start_matches("scenarios/clr/").to_owned();
        let steps = scenario.steps.len();
        let none = Timed { name: short, steps, samples: Vec::new(), failed: None };
        let mut timed = vec![none; backends.len()];
        for turn in 0..ROOM * rounds {
            for (backend, timed) in backends.iter().zip(&mut timed) {
                // Where nothing has ever come of it, nothing will.
                let hopeless = turn >= rounds && timed.samples.is_empty();
                if timed.samples.len() < rounds && !hopeless {
                    match pair(clock, &scenario, *backend) {
                        Ok(times) => timed.samples.push(times),
                        Err(why) => timed.failed = Some(why),
                    }
                }
            }
        }
        all.iter_mut().zip(timed).for_each(|(all, timed)| all.push(timed));
    }
    all
}

/// The times of one backend as a table.
#[must_use]
pub fn table_of(backend: &str, timed: &[Timed]) -> Table {
    let note = format!(
        "Nanoseconds a step on {backend}, bare and cross-checked with the default checkpoints: \
         medians over rounds in which both take turns, and the median of the ratios of a round."
    );
    let columns = ["steps", "bare", "cross-checked", "ratio"];
    let mut table = Table::new("The recordings, cross-checked", &note, &columns);
    let mut sums = [0.0; 2];
    for Timed { name, steps, samples, failed } in timed {
        let steps = *steps as f64;
        if samples.is_empty() {
            let why = failed.clone().unwrap_or_default();
            table.row(name, vec![Cell::Number(steps), Cell::Text(why), Cell::Empty, Cell::Empty]);
            continue;
        }
        let of = |of: fn(&[f64; 2]) -> f64| median(&samples.iter().map(of).collect::<Vec<_>>());
        let (bare, checked) = (of(|it| it[0]), of(|it| it[1]));
        sums = [sums[0] + bare, sums[1] + checked];
        let cells = vec![
            Cell::Number(steps),
            Cell::Number(bare / steps),
            Cell::Number(checked / steps),
            Cell::Ratio(of(|it| it[1] / it[0])),
        ];
        table.row(name, cells);
    }
    let sum = vec![Cell::Empty, Cell::Empty, Cell::Empty, Cell::Ratio(sums[1] / sums[0])];
    table.row("all of them, time by time", sum);
    table
}

/// The machine's own system.
#[cfg(target_os = "linux")]
#[must_use]
pub fn system() -> Option<Box<dyn Backend>> {
    Some(Box::new(hostmem_backends::linux::LinuxBackend::default()))
}

/// The machine's own system.
#[cfg(windows)]
#[must_use]
pub fn system() -> Option<Box<dyn Backend>> {
    Some(Box::new(hostmem_backends::win32::Win32Backend::default()))
}

/// None that can be checked.
#[cfg(not(any(target_os = "linux", windows)))]
#[must_use]
pub fn system() -> Option<Box<dyn Backend>> {
    None
}

/// The recordings of a real CLR, with their names.
#[must_use]
pub fn recordings() -> Vec<(String, Scenario)> {
    let all = builtin::all().into_iter().filter_map(|file| file.read().ok());
    let all = all.filter(|named| named.name.contains("/clr/"));
    all.map(|named| (named.name.clone(), named.scenario)).collect()
}

/// The times of a scenario bare and cross-checked, one after the other, by that clock.
///
/// # Errors
/// Why the two cannot be compared: the backend does not agree; or something else in the process
/// had taken a place that the scenario needs, so that one of the two ended early or began anew.
pub fn pair(clock: Clock, scenario: &Scenario, backend: &dyn Backend) -> Result<[f64; 2], String> {
    if self_check(scenario, "").is_some() {
        return Err("it contradicts the law".to_owned());
    }
    let (mut alone, mut judged) = (Ok(0), Ok(0));
    let times = [
        clock(&mut || alone = bare(scenario, backend)),
        clock(&mut || judged = checked(scenario, backend)),
    ];
    let (alone, judged) = (alone?, judged?);
    if alone == judged {
        Ok(times)
    } else {
        Err(format!("{alone} steps were granted bare and {judged} cross-checked"))
    }
}

/// The whole cross-check: subject, model, comparison, checkpoints, record. How many steps were
/// granted, those of attempts before the one that counts too.
fn checked(scenario: &Scenario, backend: &dyn Backend) -> Result<u64, String> {
    let mut granted = 0;
    let outcome = run_held(scenario, "", backend, &mut |step, answered| {
        granted += u64::from(is_made(&step.action) && is_granted(&answered.outcome));
    });
    match outcome.ending {
        Ending::Agrees => Ok(granted),
        Ending::Diverges(finding) => Err(format!("differs by {}", finding.rule)),
        Ending::Taken(why) | Ending::Skipped(why) | Ending::Unreadable(why) => Err(why),
        Ending::Broken(how) => Err(how.to_string()),
    }
}

/// Whether a step is a call of the subject's, and not the harness's own doing.
const fn is_made(action: &Action) -> bool {
    matches!(action, Action::Call(_) | Action::Hole { .. })
}

const fn is_granted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}

/// The same calls on a subject alone, each by its thread: names are resolved, answers are thrown
/// away. How many steps were granted.
fn bare(scenario: &Scenario, backend: &dyn Backend) -> Result<u64, String> {
    let machine = scenario.machine.machine();
    let subject = backend.open(&machine).map_err(|error| format!("{error:?}"))?;
    let mut bound: Vec<Address> = vec![Address::NULL; scenario.names.len()];
    with_threads_of(&*subject, &scenario.steps, |callee| {
        let mut granted = 0;
        for step in &scenario.steps {
            let reply = match &step.action {
                Action::Call(call) => callee.call(&issued(step, &resolved(call, &bound))),
                Action::Hole { size } => hole(callee, step, *size),
                Action::Walk { .. } | Action::FailNext { .. } => continue,
            };
            let Reply::Outcome { outcome, .. } = reply else { return Err(format!("{reply:?}")) };
            granted += u64::from(is_granted(&outcome));
            if let (Some(name), Some(made)) = (step.bind, address(&outcome)) {
                bound[name.0 as usize] = made;
            }
        }
        Ok(granted)
    })
}

fn issued<'a>(step: &Step, call: &'a Call) -> Issued<'a> {
    Issued::of(step, call, &|_: &Outcome| true)
}

fn resolved(call: &SymbolicCall, bound: &[Address]) -> Call {
    let place = |place: &Place| {
        Ok::<_, std::convert::Infallible>(match place {
            Place::Absolute(address) => *address,
            Place::Relative { name, offset } => bound[name.0 as usize].wrapping_add(*offset),
        })
    };
    let Ok(call) = call.resolve(place, |_| Ok(MallocId(0)));
    call
}

fn hole(callee: &mut dyn Callee, step: &Step, size: u64) -> Reply {
    let reply = callee.call(&issued(step, &Call::reserve_hole(size)));
    if let Reply::Outcome { outcome, .. } = &reply
        && let Some(base) = address(outcome)
    {
        callee.call(&issued(step, &Call::release(base)));
    }
    reply
}

fn address(outcome: &Outcome) -> Option<Address> {
    match outcome {
        Outcome::Done { value: Value::Address(address), .. } => Some(*address),
        _ => None,
    }
}
