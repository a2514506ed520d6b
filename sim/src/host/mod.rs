//! A real .NET program on memory that hostmem answers for: what `hostmem host` does.
//!
//! The runtime's requests come one by one, from many threads, while its program runs
//! (`hostmem_backends::win32::host`). Each is counted, may be refused by a [`pressure`] script,
//! is answered by the system or by hostmem's own manager, judged by a [`court`], and kept for a
//! [`recording`].
//!
//! Map: [`program`] finds the runtime and what a program brings along; [`counts`], [`pressure`],
//! [`court`] and [`recording`] are the stations of a request, in this order; `session` is all of
//! them together in a process on Windows; [`report`] tells of it.
//!
//! Deliberately not here: how the runtime is made to ask us, and anything that touches memory.

pub mod counts;
pub mod court;
pub mod pressure;
pub mod program;
pub mod recording;
pub mod report;
#[cfg(windows)]
pub mod session;
