//! Windows as a host memory manager: the system's own `VirtualAlloc` family, and nothing
//! between it and the caller but a fence.
//!
//! Whatever answers the calls is the subject: Windows, or Wine. The fence keeps a case inside
//! memory that its own steps allocated: a call whose range holds a page of anybody else's is
//! answered by `foreign` and never reaches the system. Queries always do; they change nothing.
//!
//! Map, from the outside in, with the names of the Linux backend where the concern is shared:
//!
//! * `backend`: [`Win32Backend`] opens a [`Win32Manager`] for each case;
//! * `manager`: [`Win32Manager`], the interface's traits, each method handed to its file;
//! * `alloc`, `free`, `protect`, `query`, `write_watch`, `malloc`: the calls;
//! * `access`: reads, writes and execution, and what a fault means;
//! * `checkpoint`: the system's view against the record;
//! * `ledger`, `foreign`: what is the case's own, and what is said of anything else;
//! * `system`, `memory_load`, `pressure`: the system's calls;
//! * [`arena`]: another manager, with books of its own over a part of the address space;
//! * [`host`]: a real .NET runtime in this process, and who answers it.
//!
//! Deliberately not here: the law that judges these backends. In [`Win32Manager`] there is no
//! arena: `VirtualAlloc` knows no allocation inside a reservation, so the case shares the
//! process's address space, and the capability `private-arena` is absent.

mod access;
mod alloc;
pub mod arena;
mod backend;
mod checkpoint;
mod foreign;
mod free;
pub mod host;
mod ledger;
mod malloc;
mod manager;
mod memory_load;
mod pressure;
mod protect;
mod query;
mod system;
mod turn;
mod write_watch;

pub(crate) use backend::version;
pub use backend::{Win32Backend, Win32Options};
pub(crate) use ledger::regions;
pub use manager::Win32Manager;
