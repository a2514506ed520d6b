//! Tests a memory manager of your own against the law of Win32 virtual memory, in five lines.
//!
//! # The five lines
//!
//! Your manager implements [`HostMemoryManager`] and [`Host`] of `hostmem-interface`, a small
//! crate; this one is a `[dev-dependencies]` entry. Then, in a file of `tests/`:
//!
//! ```
//! # use hostmem_model::simulator::Simulator as MyManager;
//! hostmem_proptest::conformance! { my_manager, |machine| MyManager::new(*machine) }
//! # fn main() { my_manager::tested().scenarios("protect").unwrap(); }
//! ```
//!
//! `cargo test` replays the scenarios and the recordings of a real CLR that ship with hostmem,
//! runs seeded random work of three kinds, and lets proptest draw lists of intents. Every
//! answer is judged by the model; the first that the law does not permit fails the test with
//! the rule, its sentence, what was expected and what came.
//!
//! # How little a manager must do
//!
//! What it can do are values, the capabilities of its [`Description`]; what it lacks is
//! skipped, with the reason. `VirtualAlloc`, `VirtualFree` and `VirtualProtect` are enough to
//! begin with, and [`ManagerOnly`] makes a [`Host`] of them:
//!
//! ```
//! use hostmem_interface::{
//!     Address, AllocationType, CriticalLevel, FreeType, HostMemoryManager, OutPointer,
//!     Protection, Refusal, Win32Error,
//! };
//! use hostmem_proptest::{Conformance, Description, HostBackend, Machine, ManagerOnly, site};
//!
//! /// A manager that refuses everything.
//! struct Refuser;
//!
//! const NO: Refusal = Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
//!
//! impl HostMemoryManager for Refuser {
//!     fn virtual_alloc(
//!         &self, _: Address, _: u64, _: AllocationType, _: Protection, _: CriticalLevel,
//!     ) -> Result<Address, Refusal> {
//!         Err(NO)
//!     }
//!     fn virtual_free(&self, _: Address, _: u64, _: FreeType) -> Result<(), Refusal> {
//!         Err(NO)
//!     }
//!     fn virtual_protect(
//!         &self, _: Address, _: u64, _: Protection, _: OutPointer,
//!     ) -> Result<Protection, Refusal> {
//!         Err(NO)
//!     }
//! }
//!
//! let make = |_: &Machine| ManagerOnly::new(Refuser, Description::new("refuser"));
//! let folder = std::env::temp_dir().join("hostmem-doctest");
//! let tests = Conformance::new(HostBackend::new("refuser", make), site(&folder));
//! let failed = tests.scenarios("free").unwrap_err();
//! assert!(failed.to_string().contains("diverges"), "{failed}");
//! ```
//!
//! Then add `virtual_query` and [`Capability::Query`], a [`MemoryAccess`] and
//! [`Capability::Contents`], and so on, and less is skipped each time. The crate
//! `hostmem-example-manager` (`tests/example-manager`) is a whole manager written so.
//!
//! # What a failure leaves behind
//!
//! The shrunk case is written as a scenario, `hostmem-regressions/NAME/RULE.….json` beside
//! your `Cargo.toml`, and the message ends with the command that replays it:
//! `cargo test -p PACKAGE NAME::regressions`. Commit the file: it is a test of its own, it says
//! what broke in calls that anyone can read, and unlike a seed it keeps its meaning when a
//! generator changes. The `hostmem` command replays it on any other manager.
//!
//! # More of it
//!
//! `HOSTMEM_CASES` (48), `HOSTMEM_OPS` (300) and `HOSTMEM_SEED` (1) in the environment say how
//! much random work each test does; `PROPTEST_CASES` does for the state machine.
//! Rules have a level by the strength of their evidence, *must*, *should* or *may*; the last
//! are told and do not fail, which `HOSTMEM_LEVEL=may` (or `must`) changes, and
//! [`Conformance::failing_from`]. Without such variables every run does the same work, so that
//! a colleague's failure is yours.
//!
//! # Your own properties
//!
//! * [`intents`], [`hostile_intents`] and [`intents_of`] are strategies for operations that
//!   mean something in every state; [`calls`] for concrete calls in a given one;
//! * [`Reference`] is the model as a `ReferenceStateMachine`, [`Judged`] your manager with the
//!   judge that follows it, and [`Conforms`] a `StateMachineTest` of any [`Tested`] one;
//! * [`Conformance`] has each test of the macro as a method that returns what came of it.
//!
//! ```
//! use hostmem_model::ModelBackend;
//! use hostmem_proptest::{Judged, intents_of};
//! use proptest::prelude::*;
//!
//! let reservations = intents_of("reserve=3,commit=5,release=2,query=1").unwrap();
//! let lists = prop::collection::vec(reservations, 1..40);
//! proptest!(ProptestConfig::with_cases(32), |(intents in lists)| {
//!     let mut judged = Judged::open(&ModelBackend).expect("the model opens");
//!     for intent in &intents {
//!         prop_assert!(judged.carry_out(intent).is_continue());
//!     }
//! });
//! ```
//!
//! A manager that kills its process (a stray write, not a panic, which is caught) also ends
//! the test run. Behind a COM interface in a library it can be tested in a process of its own:
//! `hostmem check --backend com:PATH`.
//!
//! Map, in reading order: [`macros`] the macro; [`conformance`](mod@conformance) its tests as
//! methods; [`failure`] what is told and kept; [`host`] managers as backends; [`strategy`] and
//! [`reference`](mod@reference) for proptest; [`machine`] a manager under test.
//!
//! Deliberately not here: the law (`hostmem-model`), and how cases are run, judged and shrunk
//! (`hostmem`).

pub mod conformance;
pub mod failure;
pub mod host;
pub mod machine;
pub mod macros;
pub mod reference;
pub mod strategy;

pub use conformance::{Conformance, Site, settle, site};
pub use failure::{Failed, Failure, Tally};
pub use host::HostBackend;
pub use hostmem_interface::scenario::Level;
pub use hostmem_interface::{
    Capability, Description, Host, HostMemoryManager, Machine, ManagerOnly, MemoryAccess,
};
pub use machine::{Conforms, Judged, Tested};
pub use proptest_state_machine::prop_state_machine;
pub use reference::Reference;
pub use strategy::{Calls, Intents, calls, hostile_intents, intents, intents_of};
