//! Runs one case: a list of steps on one subject, judged step by step.
//!
//! Map, in reading order:
//!
//! * [`callee`]: who is called: a subject on its threads, or the model itself when a file is
//!   held against the law;
//! * [`case`]: the state of a running case, and what one step does;
//! * [`injection`], [`code`]: refusals in front of the subject, and what may be run;
//! * [`group`], [`possible`]: steps that overlap in time, and the states that they may leave;
//! * [`checkpoint`]: what is looked at beyond the answers: queries and contents;
//! * [`scenario`]: a whole scenario: self-check, then the subject, elsewhere if need be;
//!   [`rehearsal`]: the quick part of that self-check; [`wish`]: what a file expects, where the
//!   law leaves a choice;
//! * [`watched`]: the same, and somebody looks on, at the law's state and at the subject;
//! * [`generated`], [`overlap`]: a case that a generator makes up as it goes, on one thread or
//!   on several;
//! * [`foresight`]: which calls come next, for subjects that are slow to reach;
//! * [`needs`]: which capabilities a step asks for;
//! * [`coverage`]: which rule decided how often;
//! * [`digest`]: the record of a case that is equal on every machine.
//!
//! Deliberately not here: which backends there are, files, and reports.

pub mod callee;
pub mod case;
pub mod checkpoint;
pub mod code;
pub mod coverage;
pub mod digest;
mod foresight;
pub mod generated;
pub mod group;
pub mod injection;
pub mod needs;
pub mod overlap;
pub mod possible;
mod rehearsal;
pub mod scenario;
pub mod watched;
mod wish;

pub use case::{Case, Ending, Finding};
pub use coverage::Coverage;
pub use generated::{Generated, Growing, Length, run_generated};
pub use scenario::{Outcome, run_scenario};
