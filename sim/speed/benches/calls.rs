//! Calls per second on the model, and on the machine's own system (and on Wine, if the Windows
//! build is there) bare and cross-checked, side by side in one run: the recordings of a real
//! CLR, replayed in turn so that a drift of the machine falls on all alike. What is printed are
//! medians and ratios.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

#[cfg(target_os = "linux")]
use hostmem_backends::wine::WineBackend;
use hostmem_interface::Backend;
#[cfg(target_os = "linux")]
use hostmem_interface::Machine;
use hostmem_model::ModelBackend;
use hostmem_speed::measure::{median, wall_time};
use hostmem_speed::recordings::{pair, recordings};

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
    // The model and Linux agree to all of them.
    let choosy: Vec<&dyn Backend> = contestants.iter().skip(1).map(|it| it.1).collect();
    println!("median of {ROUNDS} interleaved rounds, calls per second; last column: time");
    println!("cross-checked by time bare, per backend\n");
    for (name, scenario) in &recordings(&choosy) {
        println!("{name} ({} steps)", scenario.steps.len());
        let mut times: Vec<[Vec<f64>; 2]> = vec![<[Vec<f64>; 2]>::default(); contestants.len()];
        for _ in 0..ROUNDS {
            for ((_, backend), times) in contestants.iter().zip(&mut times) {
                // On the wall: what Wine does is done by other processes.
                if let Some([bare, checked]) = pair(|run| wall_time(run), scenario, *backend) {
                    times[0].push(bare);
                    times[1].push(checked);
                }
            }
        }
        for ((name, _), times) in contestants.iter().zip(&times) {
            let [bare, checked] = [0, 1].map(|at| median(&times[at]));
            let rate = |time: f64| scenario.steps.len() as f64 / time * 1e9;
            println!("  {:<22} {:>12.0}", format!("{name}, bare"), rate(bare));
            let what = format!("{name}, cross-checked");
            println!("  {what:<22} {:>12.0}{:8.2}", rate(checked), checked / bare);
        }
    }
}
