//! The time of a call on the model, and on the machine's own system (and on Wine, if the Windows
//! build is there) bare and cross-checked, side by side in one run: the recordings of a real
//! CLR, replayed in turn so that a drift of the machine falls on all alike. What is printed are
//! medians and ratios, on the wall's clock.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

#[cfg(target_os = "linux")]
use hostmem_backends::wine::WineBackend;
use hostmem_interface::Backend;
#[cfg(target_os = "linux")]
use hostmem_interface::Machine;
use hostmem_model::ModelBackend;
use hostmem_speed::measure::wall_time;
use hostmem_speed::recordings::{measure, table_of};

/// How often each is run.
const ROUNDS: usize = 11;

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
    let mut contestants: Vec<(&str, &dyn Backend)> = vec![("model", &model)];
    #[cfg(windows)]
    contestants.push(("win32", &win32));
    #[cfg(target_os = "linux")]
    contestants.push(("linux", &linux));
    #[cfg(target_os = "linux")]
    contestants.extend(wine.iter().map(|it| ("wine", it as &dyn Backend)));
    let backends: Vec<&dyn Backend> = contestants.iter().map(|it| it.1).collect();
    // On the wall: what Wine does is done by other processes.
    let timed = measure(|run| wall_time(run), ROUNDS, &backends);
    for ((name, _), timed) in contestants.iter().zip(&timed) {
        println!("{}", table_of(&format!("`{name}`"), timed));
    }
}
