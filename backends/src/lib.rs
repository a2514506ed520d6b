//! Real subjects behind hostmem's interface: each acts by itself, with real memory.
//!
//! Map: [`linux`] is this machine's kernel; [`com`] speaks COM in both directions; [`child`]
//! keeps a subject in another process on a time limit, and [`wire`] is how it is spoken to.
//!
//! Deliberately not here: the model. No subject can import the law that judges it, and
//! `tests/tidy.rs` keeps the manifest that way.
#![allow(unsafe_code, reason = "backends act on real memory; nothing else in hostmem may")]

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod linux;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod agent;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod child;
#[cfg(target_pointer_width = "64")]
pub mod com;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod process;
pub mod wire;
