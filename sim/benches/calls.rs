//! Calls per second on the model, and on the machine's own system (and on Wine, if the Windows
//! build is there) bare and cross-checked, side by side in one run: the recordings of a real
//! CLR, replayed in turn so that a drift of the machine falls on all alike. What is printed are
//! medians and ratios.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use std::time::{Duration, Instant};

use hostmem::files::builtin;
use hostmem::run::{Ending, run_scenario};
#[cfg(target_os = "linux")]
use hostmem_backends::wine::WineBackend;
#[cfg(target_os = "linux")]
use hostmem_interface::Machine;
use hostmem_interface::scenario::{Action, Place, Scenario};
use hostmem_interface::{Address, Backend, Call, MallocId, Outcome, Reply, Subject, Value};
use hostmem_model::ModelBackend;

/// How often each is run.
const ROUNDS: usize = 11;

/// What is timed: a name, and how one scenario is run.
type Contestant<'a> = (&'a str, Box<dyn Fn(&Scenario) -> Duration + 'a>);

fn main() {
    let model = ModelBackend;
    #[cfg(target_os = "linux")]
    let linux = hostmem_backends::linux::LinuxBackend::default();
    #[cfg(target_os = "linux")]
    let wine = WineBackend::new(None, WineBackend::LIMITS)
        .ok()
        .filter(|it| it.open(&Machine::default()).is_ok());
    #[cfg(windows)]
    let win32 = hostmem_backends::win32::Win32Backend::default();
    let mut contestants: Vec<Contestant<'_>> = vec![
        ("model, acting alone", Box::new(|scenario| bare(scenario, &model))),
        ("model, cross-checked", Box::new(|scenario| checked(scenario, &model))),
    ];
    #[cfg(windows)]
    {
        contestants.push(("win32, bare", Box::new(|scenario| bare(scenario, &win32))));
        contestants.push(("win32, cross-checked", Box::new(|scenario| checked(scenario, &win32))));
    }
    #[cfg(target_os = "linux")]
    {
        contestants.push(("linux, bare", Box::new(|scenario| bare(scenario, &linux))));
        contestants.push(("linux, cross-checked", Box::new(|scenario| checked(scenario, &linux))));
    }
    #[cfg(target_os = "linux")]
    if let Some(wine) = &wine {
        contestants.push(("wine, bare", Box::new(|scenario| bare(scenario, wine))));
        contestants.push(("wine, cross-checked", Box::new(|scenario| checked(scenario, wine))));
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    let recordings = recordings(&[]);
    #[cfg(windows)]
    let recordings = recordings(&[&win32]);
    #[cfg(target_os = "linux")]
    let recordings = recordings(&wine.iter().map(|it| it as &dyn Backend).collect::<Vec<_>>());
    println!("median of {ROUNDS} interleaved rounds, calls per second; last column: time");
    println!("cross-checked by time bare, per backend\n");
    for (name, scenario) in &recordings {
        println!("{name} ({} steps)", scenario.steps.len());
        let mut times: Vec<Vec<Duration>> = contestants.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            for (at, (_, run)) in contestants.iter().enumerate() {
                times[at].push(run(scenario));
            }
        }
        let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
        for (at, (name, _)) in contestants.iter().enumerate() {
            let rate = scenario.steps.len() as f64 / medians[at].as_secs_f64();
            let ratio = if at % 2 == 1 {
                let ratio = medians[at].as_secs_f64() / medians[at - 1].as_secs_f64();
                format!("{ratio:8.2}")
            } else {
                String::new()
            };
            println!("  {name:<22} {rate:>12.0}{ratio}");
        }
    }
}

/// The recordings to which these backends agree: others differ from the law in some.
fn recordings(backends: &[&dyn Backend]) -> Vec<(String, Scenario)> {
    let all = builtin::all().into_iter().filter_map(|file| file.read().ok());
    let agrees = |scenario: &Scenario| {
        let run = |backend: &&dyn Backend| run_scenario(scenario, "", *backend, &mut |_, _| {});
        backends.iter().all(|backend| run(backend).ending == Ending::Agrees)
    };
    all.filter(|named| named.name.contains("/clr/") && agrees(&named.scenario))
        .map(|named| (named.name.clone(), named.scenario))
        .collect()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The whole cross-check: law, subject, comparison, checkpoints, record.
fn checked(scenario: &Scenario, backend: &dyn Backend) -> Duration {
    let start = Instant::now();
    let outcome = run_scenario(scenario, "", backend, &mut |_, _| {});
    let time = start.elapsed();
    assert_eq!(outcome.ending, Ending::Agrees, "a benchmark of what does not agree is void");
    time
}

/// The same calls on a subject alone: names are resolved, answers are thrown away.
fn bare(scenario: &Scenario, backend: &dyn Backend) -> Duration {
    let start = Instant::now();
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
    start.elapsed()
}

fn call_once(
    subject: &dyn Subject,
    call: &hostmem_interface::scenario::SymbolicCall,
    bound: &[Address],
) -> Option<Address> {
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
