//! Memory load and notifications of a simulated machine.
//!
//! Promise: a notification is due exactly when the class of the available memory changes,
//! and [`Load::set`] hands it to its caller, who delivers it after letting go of the lock:
//! a callback may call the manager.
//!
//! The classes are those of Windows' resource notifications: low at or below about 32 MiB a
//! 4 GiB of physical memory, at most 64 MiB; high from three times that.
//!
//! Deliberately not here: any effect of the manager's own commits on the load.

use std::fmt;
use std::sync::Arc;

use hostmem_interface::{MemoryAvailable, MemoryLoad, MemoryNotificationCallback, Refusal};

use crate::refusals::{INVALID_PARAMETER, ensure};

/// What a machine has that does not say, in bytes.
const PHYSICAL: u64 = 16 << 30;
/// The most that can still count as low, in bytes.
const MOST_LOW: u64 = 64 << 20;

/// The simulated machine's memory, and who wants to hear of it.
pub(crate) struct Load {
    physical: u64,
    now: MemoryLoad,
    callback: Option<Arc<dyn MemoryNotificationCallback>>,
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("physical", &self.physical)
            .field("now", &self.now)
            .field("registered", &self.callback.is_some())
            .finish()
    }
}

/// A notification and who gets it.
pub(crate) struct Notification {
    class: MemoryAvailable,
    callback: Arc<dyn MemoryNotificationCallback>,
}

impl Notification {
    /// Calls back. No lock may be held.
    pub(crate) fn deliver(self) {
        self.callback.on_memory_notification(self.class);
    }
}

impl Load {
    /// A machine with nothing in use.
    pub(crate) fn new(physical: Option<u64>) -> Self {
        let physical = physical.unwrap_or(PHYSICAL);
        let now = MemoryLoad { load: 0, available: physical };
        Self { physical, now, callback: None }
    }

    /// `GetMemoryLoad`.
    pub(crate) fn get(&self) -> MemoryLoad {
        self.now
    }

    /// `RegisterMemoryNotificationCallback`: kept until another one is, so that each change is
    /// told once (NT-02); told nothing yet.
    pub(crate) fn register(&mut self, callback: Arc<dyn MemoryNotificationCallback>) {
        self.callback = Some(callback);
    }

    /// Moves the machine; a notification is due if the class changed.
    pub(crate) fn set(&mut self, load: MemoryLoad) -> Result<Option<Notification>, Refusal> {
        ensure(load.load <= 100, INVALID_PARAMETER)?;
        let before = self.class();
        self.now = load;
        let class = self.class();
        let due = self.callback.clone().filter(|_| class != before);
        Ok(due.map(|callback| Notification { class, callback }))
    }

    fn class(&self) -> MemoryAvailable {
        let low = (self.physical / 128).min(MOST_LOW);
        if self.now.available <= low {
            MemoryAvailable::LOW
        } else if self.now.available >= 3 * low {
            MemoryAvailable::HIGH
        } else {
            MemoryAvailable::NEUTRAL
        }
    }
}
