//! What `IHostMemoryManager` and Win32 virtual memory mean: the law, rule by rule, as a pure
//! decision, and a manager that obeys it.
//!
//! Map, in reading order:
//!
//! * [`rule`]: the table of every rule with its level and source;
//! * [`state`], made of [`space`] (allocations; [`page`] and [`pages`] their page states,
//!   [`index`] where they lie), [`contents`], [`heaps`] (`bytes` goes over both)
//!   and [`pressure`];
//! * [`rules`]: one file for each call, [`rules::decide`] gives a [`verdict`];
//! * [`effect`]: what an answer changes, applied in one place;
//! * [`judge`]: compares a subject's outcome with the verdict and follows it;
//! * [`actor`], with [`placement`], and [`simulator`]: the model acting alone.
//!
//! Deliberately not here: I/O, clocks, randomness, pointers, unsafe code, and any
//! knowledge of a particular backend.

pub mod actor;
mod bytes;
pub mod contents;
pub mod effect;
pub mod heaps;
pub mod index;
pub mod judge;
pub mod page;
pub mod pages;
pub mod placement;
pub mod pressure;
pub mod rule;
pub mod rules;
pub mod simulator;
pub mod space;
pub mod state;
pub mod verdict;

pub use judge::{Divergence, Judge, Judgement};
pub use rule::{RULES, Rule, RuleId};
pub use simulator::{ModelBackend, Simulator};
pub use state::State;
