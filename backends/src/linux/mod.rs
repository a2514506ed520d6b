//! Linux as a host memory manager: Win32's virtual memory over `mmap` and `mprotect`.
//!
//! Real memory throughout: what is committed is mapped, what is protected faults, and a read
//! returns what the kernel has there. Each case lives in an arena of its own, one large
//! inaccessible mapping, and no address outside it is ever passed to the kernel. A second
//! mapping like it holds the blocks of the heaps.
//!
//! Map, from the outside in:
//!
//! * `backend`: [`LinuxBackend`] opens a [`LinuxManager`] for each case;
//! * `manager`: [`LinuxManager`], the interface's traits, each method handed to its file;
//! * `alloc`, `free`, `protect`, `query`, `write_watch`, `malloc`, `announced`:
//!   the calls, checks in documented order and the change last;
//! * `access`: reads, writes and execution, and what a fault means;
//! * `checkpoint`: the kernel's view against the ledger;
//! * the crate's `ledger`, `protection`: what was promised; `commit_charge`, `mapping_budget`: how
//!   much more may be;
//! * `mapping`, `watch`, `kernel_view`, `memory_load`, `pressure`: the
//!   kernel;
//! * `bare`: [`BareLinux`], the kernel's calls alone, for benchmarks.
//!
//! Deliberately not here: the law that judges this backend. It was written from the same
//! rules by somebody else, and this crate cannot import it.

mod access;
mod alloc;
mod announced;
mod backend;
mod bare;
mod checkpoint;
mod commit_charge;
mod free;
mod kernel_view;
mod malloc;
mod manager;
mod mapping;
mod mapping_budget;
mod memory_load;
mod pressure;
mod protect;
mod protection;
mod query;
#[cfg(test)]
mod tests;
mod watch;
mod write_watch;

pub use backend::{LinuxBackend, LinuxOptions};
pub use bare::{Anywhere, BareLinux};
pub use manager::LinuxManager;
