//! Real subjects behind hostmem's interface: each acts by itself, with real memory.
//!
//! Map: [`linux`] and `win32` are this machine's system; [`com`] speaks COM in both
//! directions; [`child`] keeps a subject in another process on a time limit, and [`wire`] is
//! how it is spoken to; [`agent`] speaks to adapters in any language, and `wine` to the Windows
//! build that way.
//!
//! Deliberately not here: the model. No subject can import the law that judges it, and
//! `tests/tidy.rs` keeps the manifest that way.
#![allow(unsafe_code, reason = "backends act on real memory; nothing else in hostmem may")]

#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
mod arguments;
#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
mod blocks;
#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
mod callbacks;
#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
mod ledger;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod linux;

#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
pub mod agent;
#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
pub mod child;
#[cfg(target_pointer_width = "64")]
pub mod com;
#[cfg(target_pointer_width = "64")]
mod magic;
#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
mod process;
#[cfg(all(any(target_os = "linux", windows), target_pointer_width = "64"))]
mod touch;
#[cfg(all(windows, target_pointer_width = "64"))]
pub mod win32;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod wine;
pub mod wire;
