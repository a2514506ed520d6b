//! Memory load and notifications.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use hostmem_interface::{
    HostMemoryManager, Machine, MemoryAvailable, MemoryLoad, MemoryLoadControl,
    MemoryNotificationCallback,
};
use hostmem_slow_twin::SlowTwin;

use crate::support::code;

/// Notes what it is told, with what the manager says at that moment.
struct Listener {
    manager: Weak<SlowTwin>,
    heard: Mutex<Vec<(MemoryAvailable, u64)>>,
}

impl Listener {
    fn on(manager: &Arc<SlowTwin>) -> Arc<Self> {
        let listener = Arc::new(Self { manager: Arc::downgrade(manager), heard: Mutex::default() });
        let registered = manager.register_memory_notification_callback(
            Arc::clone(&listener) as Arc<dyn MemoryNotificationCallback>
        );
        assert_eq!(registered, Ok(()));
        listener
    }

    fn heard(&self) -> Vec<(MemoryAvailable, u64)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MemoryNotificationCallback for Listener {
    fn on_memory_notification(&self, available: MemoryAvailable) {
        let manager = self.manager.upgrade().expect("it calls us");
        let now = manager.get_memory_load().expect("always known").available;
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push((available, now));
    }
}

fn twin(physical: Option<u64>) -> Arc<SlowTwin> {
    let machine = Machine { physical, ..Machine::WINDOWS_X64 };
    Arc::new(SlowTwin::new(machine).expect("a machine in order"))
}

fn set(twin: &SlowTwin, available: u64) {
    assert_eq!(twin.set_memory_load(MemoryLoad { load: 50, available }), Ok(()));
}

#[test]
fn a_fresh_machine_has_everything_available() {
    let load = twin(Some(1 << 30)).get_memory_load();
    assert_eq!(load, Ok(MemoryLoad { load: 0, available: 1 << 30 }));
    let load = twin(None).get_memory_load();
    assert_eq!(load, Ok(MemoryLoad { load: 0, available: 16 << 30 }));
}

#[test]
fn what_is_set_is_told() {
    let twin = twin(None);
    set(&twin, 5);
    assert_eq!(twin.get_memory_load(), Ok(MemoryLoad { load: 50, available: 5 }));
    let refused = twin.set_memory_load(MemoryLoad { load: 101, available: 6 });
    assert_eq!(refused.map_err(code), Err(87));
    assert_eq!(twin.get_memory_load(), Ok(MemoryLoad { load: 50, available: 5 }));
}

#[test]
fn a_change_of_class_is_told_once_and_the_callback_may_ask_back() {
    let twin = twin(Some(1 << 30));
    let listener = Listener::on(&twin);
    let low = 8 << 20; // 1 GiB / 128
    assert!(listener.heard().is_empty());
    for available in [3 * low, 3 * low - 1, low + 1, low, 0, 3 * low] {
        set(&twin, available);
    }
    let expected = [
        (MemoryAvailable::NEUTRAL, 3 * low - 1),
        (MemoryAvailable::LOW, low),
        (MemoryAvailable::HIGH, 3 * low),
    ];
    assert_eq!(listener.heard(), expected);
}

#[test]
fn low_is_at_most_64_mib() {
    let twin = twin(Some(1 << 40));
    let listener = Listener::on(&twin);
    set(&twin, 192 << 20);
    assert!(listener.heard().is_empty());
    set(&twin, 64 << 20);
    assert_eq!(listener.heard(), [(MemoryAvailable::LOW, 64 << 20)]);
}
