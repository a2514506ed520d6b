//! The machine's physical memory: how much is in use, and which class of notification that
//! falls in (NT-02).
//!
//! Deliberately not here: real figures, which only a backend knows.

use hostmem_interface::{Machine, MemoryAvailable, MemoryLoad};

/// Physical memory of a simulated machine that states none.
const DEFAULT_PHYSICAL: u64 = 16 << 30;
/// Memory is low at 1/128 of physical memory: 32 MiB for each 4 GiB.
const LOW_SHARE: u64 = 128;
/// And never above this many bytes.
const LOW_AT_MOST: u64 = 64 << 20;

/// The simulated machine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    physical: u64,
    load: MemoryLoad,
    /// Whether a callback is registered.
    pub registered: bool,
}

impl Pressure {
    /// An idle machine.
    #[must_use]
    pub fn new(machine: &Machine) -> Self {
        let physical = machine.physical.unwrap_or(DEFAULT_PHYSICAL);
        Self { physical, load: MemoryLoad { load: 0, available: physical }, registered: false }
    }

    /// What `GetMemoryLoad` tells.
    #[must_use]
    pub const fn load(&self) -> MemoryLoad {
        self.load
    }

    /// The class that an amount of available memory falls in.
    #[must_use]
    pub fn class(&self, available: u64) -> MemoryAvailable {
        let low = (self.physical / LOW_SHARE).min(LOW_AT_MOST);
        if available <= low {
            MemoryAvailable::LOW
        } else if available >= 3 * low {
            MemoryAvailable::HIGH
        } else {
            MemoryAvailable::NEUTRAL
        }
    }

    /// The notification that setting this load delivers.
    #[must_use]
    pub fn notification(&self, load: MemoryLoad) -> Option<MemoryAvailable> {
        let new = self.class(load.available);
        (self.registered && new != self.class(self.load.available)).then_some(new)
    }

    pub(crate) fn set(&mut self, load: MemoryLoad) {
        self.load = load;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_comes_when_the_class_changes_and_only_then() {
        let machine = Machine { physical: Some(4 << 30), ..Machine::WINDOWS_X64 };
        let mut pressure = Pressure::new(&machine);
        let at = |mib: u64| MemoryLoad { load: 50, available: mib << 20 };
        assert_eq!(pressure.notification(at(32)), None, "nobody is registered");
        pressure.registered = true;
        assert_eq!(pressure.notification(at(96)), None, "high before and after");
        assert_eq!(pressure.notification(at(95)), Some(MemoryAvailable::NEUTRAL));
        assert_eq!(pressure.notification(at(32)), Some(MemoryAvailable::LOW));
        pressure.set(at(10));
        assert_eq!(pressure.notification(at(32)), None);
    }
}
