//! The callbacks of one manager, and the listener that tells them of memory pressure.
//!
//! Shared by the backends on a real machine. Deliberately not here: how pressure is found out,
//! which is the listener's business.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostmem_interface::{MemoryAvailable, MemoryNotificationCallback, Refusal, Win32Error};

type Registered = Vec<Arc<dyn MemoryNotificationCallback>>;

/// What a listener calls with every change.
pub(crate) type Tell = Box<dyn Fn(MemoryAvailable) + Send>;

/// The callbacks of one manager; `L` listens for as long as it lives.
pub(crate) struct Callbacks<L> {
    /// Whether memory pressure is listened to once there is somebody to tell.
    listens: bool,
    /// Shared with the listener; kept for as long as the manager lives, as the interface says.
    registered: Arc<Mutex<Registered>>,
    listener: Mutex<Option<L>>,
}

impl<L> fmt::Debug for Callbacks<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").field("listens", &self.listens).finish_non_exhaustive()
    }
}

impl<L> Callbacks<L> {
    pub(crate) fn new(listens: bool) -> Self {
        Self { listens, registered: Arc::default(), listener: Mutex::new(None) }
    }

    /// Keeps a callback, and has `start` begin to listen if nobody does yet.
    ///
    /// # Errors
    /// Out of memory if that fails: the machine could listen when it was asked, and lacks
    /// descriptors or threads now.
    pub(crate) fn register(
        &self,
        callback: Arc<dyn MemoryNotificationCallback>,
        start: impl FnOnce(Tell) -> io::Result<L>,
    ) -> Result<(), Refusal> {
        let mut listener = lock(&self.listener);
        if self.listens && listener.is_none() {
            let lacking = |_| Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
            *listener = Some(start(self.tell()).map_err(lacking)?);
        }
        lock(&self.registered).push(callback);
        Ok(())
    }

    /// Listens in another way than a machine does.
    #[cfg(test)]
    pub(crate) fn listen_by(&self, start: impl FnOnce(Tell) -> io::Result<L>) {
        *lock(&self.listener) = Some(start(self.tell()).expect("a thread and a descriptor"));
    }

    /// Tells everybody, with the lock released: a callback may call the manager.
    fn tell(&self) -> Tell {
        let registered = Arc::clone(&self.registered);
        Box::new(move |available| {
            let all = lock(&registered).clone();
            all.iter().for_each(|callback| callback.on_memory_notification(available));
        })
    }
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
        let callbacks: Callbacks<()> = Callbacks::new(false);
        let (one, two) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
        let nobody = |_| panic!("it does not listen");
        callbacks.register(one.clone(), nobody).unwrap();
        callbacks.register(two.clone(), nobody).unwrap();
        callbacks.tell()(MemoryAvailable::LOW);
        assert_eq!(*lock(&one.0), [MemoryAvailable::LOW]);
        assert_eq!(*lock(&two.0), [MemoryAvailable::LOW]);
    }
}
