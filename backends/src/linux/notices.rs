//! What the runtime tells the manager: its callback, and the ranges that it maps by itself.
//!
//! Deliberately not here: a use for the ranges. They lie outside the arena by construction.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hostmem_interface::MemoryNotificationCallback;

/// The notices taken so far.
#[derive(Default)]
pub(super) struct Notices {
    /// Kept for as long as the manager lives, as the interface demands.
    callbacks: Vec<Arc<dyn MemoryNotificationCallback>>,
    /// Foreign mappings by base; a size of zero is unknown.
    foreign: BTreeMap<u64, u64>,
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices")
            .field("callbacks", &self.callbacks.len())
            .field("foreign", &self.foreign)
            .finish()
    }
}

impl Notices {
    pub(super) fn register(&mut self, callback: Arc<dyn MemoryNotificationCallback>) {
        self.callbacks.push(callback);
    }

    pub(super) fn acquired(&mut self, at: u64, size: u64) {
        self.foreign.insert(at, size);
    }

    pub(super) fn released(&mut self, at: u64) {
        self.foreign.remove(&at);
    }
}
