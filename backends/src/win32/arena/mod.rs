//! A manager over address space of its own: hostmem's books, and the system's memory.
//!
//! One reservation (or two, see below) is taken from the system once; every allocation lies in
//! it. Where something lies, what a page is and what a query shows comes from a ledger; the
//! system only commits, decommits and protects what it is told to. So the manager can stand
//! between a runtime and the system as a host does: see [`super::host`].
//!
//! Write watch is the system's, which records writes to what was reserved with it, and that
//! has a price for every page. [`Watched::All`] reserves the whole arena so. [`Watched::Apart`]
//! keeps a part of it for watched reservations, and the rest is as fast as plain memory; but
//! there a watched reservation at an explicit address in the plain part is refused, which no
//! runtime asks for.
//!
//! Map: [`manager`] has the interface's traits; [`zones`] the address space; [`calls`]
//! allocates, frees, protects and queries; [`watch`] tells of writes.
//!
//! Deliberately not here: heaps, running code, and the law that judges this backend.

mod calls;
mod manager;
mod watch;
mod zones;

pub use manager::{ArenaBackend, ArenaManager, ArenaOptions, Watched};
