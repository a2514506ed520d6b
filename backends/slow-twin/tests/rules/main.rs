//! The rules, one small test each, asked through the public traits.
//!
//! A file for each section of the rules; the ids stand beside the tests. After every test the
//! twin looks whether its tables agree ([`support::Twin`]).

mod access;
mod alloc;
mod backend;
mod commit;
mod free;
mod guard;
mod heap;
mod load;
mod notice;
mod protect;
mod protections;
mod query;
mod reset;
mod support;
mod watch;
