//! The time of a call on the model and on the machine's own system, bare and cross-checked, side
//! by side in one run: the recordings of a real CLR, replayed in turn so that a drift of the
//! machine falls on all alike. What is printed are medians and ratios, on the wall's clock.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use hostmem_interface::Backend;
use hostmem_model::ModelBackend;
use hostmem_speed::measure::wall_time;
use hostmem_speed::recordings::{measure, system, table_of};

/// How often each is run.
const ROUNDS: usize = 11;

fn main() {
    let system = system();
    let model: &dyn Backend = &ModelBackend;
    let backends: Vec<&dyn Backend> =
        std::iter::once(model).chain(system.iter().map(|it| &**it)).collect();
    // On the wall: calls are made by several threads.
    let timed = measure(|run| wall_time(run), ROUNDS, &backends);
    for (backend, timed) in backends.iter().zip(&timed) {
        println!("{}", table_of(&format!("`{}`", backend.name()), timed));
    }
}
