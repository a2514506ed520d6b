//! The law held against everything that is not the law: scenarios, an independent twin, and
//! tables of what each call must answer. Mutation testing measures these tests alone
//! (`MUTANTS.md`).
//!
//! Map: [`driver`] replays scenarios and looks states over; [`scenarios`] the repository's
//! files; [`twin`] random calls; [`simulator`] the model behind the traits, [`callbacks`] what
//! its notifications may do; [`rules`] one table for each call; [`granules`] and [`runs`] the
//! two data structures below, against plain ones.

mod callbacks;
mod driver;
mod granules;
mod rules;
mod runs;
mod scenarios;
mod simulator;
mod twin;
