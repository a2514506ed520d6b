//! A real .NET runtime in this process, every memory request of which is answered by us.
//!
//! The runtime takes its memory from `KERNEL32.dll` through the import tables of `coreclr.dll`
//! and `clrjit.dll`. The slots of the functions that matter are made to point here before the
//! code of these modules runs; what the runtime looks up by name is answered in the same way.
//! Each request becomes a [`Request`], which a [`Seat`] answers: it may pass the request on to
//! the system, or answer by itself.
//!
//! Map, from the outside in:
//!
//! * [`seat`]: [`Seat`] and [`Request`], the safe face;
//! * [`runtime`]: loads the runtime and has it execute a program;
//! * `watcher`, `imports`: which modules are patched when, and how;
//! * `hooks`, `views`: the functions that stand in for the system's; `ending`: those that end
//!   the process; `lookups`: what is looked up by name; `table`: all names.
//!
//! Deliberately not here: any opinion on an answer, and what a program's memory holds. Thread
//! stacks, images and the C library's heap come from below these functions and are the
//! system's, as they are under every host.

mod ending;
mod hooks;
mod imports;
mod lookups;
pub mod runtime;
pub mod seat;
mod table;
mod views;
mod watcher;

pub use runtime::{HostError, Program, Runtime};
pub use seat::{Asked, Request, Seat};
