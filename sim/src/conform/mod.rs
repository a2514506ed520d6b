//! The law as a matrix: rules by implementations, in the five verdict words.
//!
//! Every scenario that ships (recordings apart) is run on every implementation. What came of
//! the scenarios that prove a rule makes up its cell. Whatever is not *agrees* says why in one
//! sentence, with the smallest scenario that shows it.
//!
//! Map, in reading order:
//!
//! * [`trial`]: one scenario on one implementation, with the readings that it took;
//! * [`matrix`]: from trials to cells;
//! * [`hangs`]: what is not run any more because it hung too often;
//! * [`minimal`]: the smallest scenario of a cell, without an address in it;
//! * [`smallest`]: that of every cell, once for each cause;
//! * [`views`]: pages that show the scenarios of the cells step by step;
//! * [`report`]: the formats;
//! * [`diff`]: what changed between two reports.
//!
//! Deliberately not here: differences that are known ([`crate::known`]), and any address or
//! time. Two reports on the same implementations are equal, byte for byte.

pub mod diff;
pub mod hangs;
pub mod matrix;
pub mod minimal;
pub mod report;
pub mod smallest;
pub mod trial;
pub mod views;

pub use matrix::{Cell, Matrix};
