//! The callback may call the manager, and is never called while it runs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex, OnceLock};

use hostmem_interface::{
    Address, AllocationType, CriticalLevel, FreeType, HostMemoryManager as _, Machine,
    MemoryAvailable, MemoryLoad, MemoryLoadControl as _, MemoryNotificationCallback, OutPointer,
    Protection,
};
use hostmem_model::Simulator;

const LOW: MemoryLoad = MemoryLoad { load: 99, available: 1 << 20 };
const PLENTY: MemoryLoad = MemoryLoad { load: 10, available: 8 << 30 };

/// Does what a runtime does when memory is short, and more.
#[derive(Default)]
struct Collector {
    manager: OnceLock<Simulator>,
    heard: Mutex<Vec<&'static str>>,
}

impl Collector {
    fn note(&self, what: &'static str) {
        self.heard.lock().unwrap().push(what);
    }
}

impl MemoryNotificationCallback for Collector {
    fn on_memory_notification(&self, available: MemoryAvailable) {
        let manager = self.manager.get().unwrap();
        if available == MemoryAvailable::HIGH {
            self.note("high");
            return;
        }
        self.note("low begins");
        assert_eq!(manager.get_memory_load(), Ok(LOW));
        let kind = AllocationType::RESERVE | AllocationType::COMMIT;
        let (null, level) = (Address::NULL, CriticalLevel::TASK);
        let base = manager.virtual_alloc(null, 4096, kind, Protection::READWRITE, level).unwrap();
        manager.virtual_query(base, OutPointer::Valid, 48).unwrap();
        manager.virtual_free(base, 0, FreeType::RELEASE).unwrap();
        let heap = manager.create_malloc(hostmem_interface::MallocType::THREADSAFE).unwrap();
        heap.free(heap.alloc(8, level).unwrap()).unwrap();
        // The change that this causes is told when this notification is over.
        manager.set_memory_load(PLENTY).unwrap();
        self.note("low ends");
    }
}

#[test]
fn the_callback_may_call_the_manager_and_is_told_of_one_change_at_a_time() {
    let manager = Simulator::new(Machine::WINDOWS_X64);
    let collector = Arc::new(Collector::default());
    assert!(collector.manager.set(manager.clone()).is_ok());
    manager.register_memory_notification_callback(collector.clone()).unwrap();
    manager.set_memory_load(LOW).unwrap();
    assert_eq!(*collector.heard.lock().unwrap(), ["low begins", "low ends", "high"]);
    manager.set_memory_load(PLENTY).unwrap();
    assert_eq!(collector.heard.lock().unwrap().len(), 3, "nothing has changed");
}

/// Registers another callback from within one.
struct Successor(Simulator, Arc<Collector>);

impl MemoryNotificationCallback for Successor {
    fn on_memory_notification(&self, _: MemoryAvailable) {
        self.0.register_memory_notification_callback(self.1.clone()).unwrap();
    }
}

#[test]
fn a_callback_may_be_replaced_from_within() {
    let manager = Simulator::new(Machine::WINDOWS_X64);
    let collector = Arc::new(Collector::default());
    assert!(collector.manager.set(manager.clone()).is_ok());
    let first = Arc::new(Successor(manager.clone(), collector.clone()));
    manager.register_memory_notification_callback(first).unwrap();
    manager.set_memory_load(LOW).unwrap();
    assert!(collector.heard.lock().unwrap().is_empty());
    manager.set_memory_load(PLENTY).unwrap();
    assert_eq!(*collector.heard.lock().unwrap(), ["high"]);
}

#[test]
fn blocks_that_are_not_freed_are_told_with_file_and_line() {
    use hostmem_interface::Host as _;
    let manager = Simulator::new(Machine::WINDOWS_X64);
    let heap = manager.create_malloc(hostmem_interface::MallocType::THREADSAFE).unwrap();
    let named = heap.debug_alloc(10, CriticalLevel::TASK, "gc.cpp", 77).unwrap();
    let plain = heap.alloc(3, CriticalLevel::TASK).unwrap();
    let mut leaks = manager.leaks();
    leaks.sort();
    assert_eq!(leaks, ["heap 0: 10 bytes from gc.cpp:77", "heap 0: 3 bytes from an unnamed place"]);
    heap.free(named).unwrap();
    assert!(heap.free(named).is_err());
    heap.free(plain).unwrap();
    assert!(manager.leaks().is_empty());
}
