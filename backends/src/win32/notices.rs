//! What the runtime tells the manager: its callbacks, which are told of memory pressure.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::{MemoryAvailable, MemoryNotificationCallback, Refusal, Win32Error};

use super::pressure::Listener;

type Callbacks = Vec<Arc<dyn MemoryNotificationCallback>>;

/// The notices of one manager.
pub(super) struct Notices {
    /// Whether memory pressure is listened to once there is somebody to tell.
    listens: bool,
    /// Shared with the listener; kept for as long as the manager lives, as the interface says.
    callbacks: Arc<Mutex<Callbacks>>,
    listener: Mutex<Option<Listener>>,
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("listens", &self.listens).finish_non_exhaustive()
    }
}

impl Notices {
    pub(super) fn new(listens: bool) -> Self {
        Self { listens, callbacks: Arc::default(), listener: Mutex::default() }
    }

    pub(super) fn register(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
    ) -> Result<(), Refusal> {
        let mut listener = lock(&self.listener);
        if self.listens && listener.is_none() {
            let callbacks = Arc::clone(&self.callbacks);
            let started = Listener::start(move |available| tell(&callbacks, available));
            let lacking = |_| Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
            *listener = Some(started.map_err(lacking)?);
        }
        lock(&self.callbacks).push(callback);
        Ok(())
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
