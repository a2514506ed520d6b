//! What the runtime tells the manager: its callbacks, and the ranges that it maps by itself.
//!
//! The ranges only show in queries: memory that the runtime maps lies outside the arena by
//! construction, and nobody here could grant or take it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::{MemoryAvailable, MemoryNotificationCallback, Refusal, Win32Error};

use super::ledger::PAGE;
use super::manager::refuse;
use super::pressure::Listener;

/// The notices of one manager.
pub(super) struct Notices {
    /// Whether memory pressure is listened to once there is somebody to tell.
    listens: bool,
    /// Shared with the listener; kept for as long as the manager lives, as the interface says.
    callbacks: Arc<Mutex<Callbacks>>,
    listener: Mutex<Option<Listener>>,
    /// Foreign mappings by base; a size of zero is unknown.
    foreign: Mutex<BTreeMap<u64, u64>>,
}

type Callbacks = Vec<Arc<dyn MemoryNotificationCallback>>;

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("foreign", &self.foreign).finish_non_exhaustive()
    }
}

impl Notices {
    pub(super) fn new(listens: bool) -> Self {
        Self {
            listens,
            callbacks: Arc::default(),
            listener: Mutex::default(),
            foreign: Mutex::default(),
        }
    }

    pub(super) fn register(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        let mut listener = lock(&self.listener);
        if self.listens && listener.is_none() {
            let callbacks = Arc::clone(&self.callbacks);
            let started = Listener::start(move |available| tell(&callbacks, available));
            // The machine could listen when it was asked: it lacks descriptors or threads now.
            let lacking = |_| refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
            *listener = Some(started.map_err(lacking)?);
        }
        lock(&self.callbacks).push(callback);
        Ok(())
    }

    /// Listens to another trigger than the kernel's, as soon as there is somebody to tell.
    #[cfg(test)]
    pub(super) fn listen_to(&self, trigger: std::os::fd::OwnedFd) {
        let callbacks = Arc::clone(&self.callbacks);
        let started = Listener::on(trigger, move |available| tell(&callbacks, available));
        *lock(&self.listener) = Some(started.expect("a thread and a descriptor"));
    }

    pub(super) fn acquired(&self, at: u64, size: u64) {
        // News of a part of what is known already takes nothing back.
        let mut foreign = lock(&self.foreign);
        let known = foreign.entry(at).or_insert(size);
        *known = size.max(*known);
    }

    /// The announced mapping that holds `page` or is the next one behind it, in whole pages.
    pub(super) fn next_mapping(&self, page: u64) -> Option<Range<u64>> {
        let whole = |(base, size): (&u64, &u64)| {
            let end = base.checked_add(*size)?.checked_next_multiple_of(PAGE)?;
            let start = base & !(PAGE - 1);
            (*size > 0 && end > page).then_some(start..end)
        };
        let foreign = lock(&self.foreign);
        foreign.iter().filter_map(whole).min_by_key(|mapping| mapping.start)
    }

    pub(super) fn released(&self, at: u64) {
        lock(&self.foreign).remove(&at);
    }
}

/// Tells everybody, with the lock released: a callback may call the manager.
fn tell(callbacks: &Mutex<Callbacks>, available: MemoryAvailable) {
    let all = lock(callbacks).clone();
    all.iter().for_each(|callback| callback.on_memory_notification(available));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<MemoryAvailable>>);

    impl MemoryNotificationCallback for Heard {
        fn on_memory_notification(&self, available: MemoryAvailable) {
            lock(&self.0).push(available);
        }
    }

    #[test]
    fn every_registered_callback_is_told() {
        let notices = Notices::new(false);
        let (one, two) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
        notices.register(one.clone()).unwrap();
        notices.register(two.clone()).unwrap();
        tell(&notices.callbacks, MemoryAvailable::LOW);
        assert_eq!(*lock(&one.0), [MemoryAvailable::LOW]);
        assert_eq!(*lock(&two.0), [MemoryAvailable::LOW]);
    }
}
