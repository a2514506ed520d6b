//! COM in both directions: a manager of ours for a C++ host, and a C++ manager for us.
//!
//! Map:
//!
//! * [`interfaces`], [`layout`]: IIDs, slots, signatures and bytes, from mscoree.idl and winnt.h;
//! * [`export`], `export_watch`: a [`hostmem_interface::Host`] as an `IHostMemoryManager`;
//! * `import`, `import_access`, `import_watch`: any `IHostMemoryManager` as a
//!   [`hostmem_interface::Host`], called through its vtable, with a `touch_ledger` of the
//!   memory that may be touched;
//! * `worker`: the process that loads a shared library and answers for its manager;
//! * `backend`: `ComBackend`, `com:PATH`, which keeps that process on a time limit.
//!
//! The last three need Linux or Windows, where there is a way of touching memory.
//!
//! Deliberately not here: registration, class factories, apartments and marshalling. The
//! interfaces are declared local: in-process only, free-threaded, raw virtual calls.
#![allow(non_snake_case, reason = "methods are called as in mscoree.idl")]
#![allow(non_camel_case_types, reason = "interfaces are called as in mscoree.idl")]
#![allow(unreachable_pub, reason = "the macros of windows-core make their own items public")]

#[cfg(any(target_os = "linux", windows))]
pub mod backend;
pub mod export;
mod export_watch;
#[cfg(any(target_os = "linux", windows))]
mod import;
#[cfg(any(target_os = "linux", windows))]
mod import_access;
#[cfg(any(target_os = "linux", windows))]
mod import_watch;
pub mod interfaces;
pub mod layout;
#[cfg(any(target_os = "linux", windows))]
mod touch_ledger;
#[cfg(any(target_os = "linux", windows))]
pub mod worker;

#[cfg(any(target_os = "linux", windows))]
pub use backend::{ComBackend, WORKER_ARGUMENT, WorkerCommand};

pub use export::ComManager;
