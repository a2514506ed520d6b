//! Notifications: the listener's thread tells the callback, which may call the manager.
//!
//! The trigger is a socket with urgent data, which looks to `poll` as the kernel's does: real
//! pressure would have to starve the machine that runs the tests.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Weak};

use hostmem_interface::{
    Address, AllocationType, CriticalLevel, FreeType, HostMemoryManager as _, MallocType,
    MemoryAvailable, MemoryNotificationCallback, OutPointer, Protection,
};

use super::super::manager::LinuxManager;
use super::super::pressure::Listener;
use super::Case;

/// Takes the urgent byte away, calls everything, and tells the test.
struct Collector {
    manager: Weak<LinuxManager>,
    trigger: TcpStream,
    told: Mutex<Sender<MemoryAvailable>>,
}

impl MemoryNotificationCallback for Collector {
    fn on_memory_notification(&self, available: MemoryAvailable) {
        let mut byte = 0_u8;
        // SAFETY: one writable byte.
        unsafe {
            libc::recv(self.trigger.as_raw_fd(), (&raw mut byte).cast(), 1, libc::MSG_OOB);
        }
        if let Some(manager) = self.manager.upgrade() {
            manager.get_memory_load().unwrap();
            let kind = AllocationType::RESERVE | AllocationType::COMMIT;
            let (null, level) = (Address::NULL, CriticalLevel::TASK);
            let rw = Protection::READWRITE;
            let base = manager.virtual_alloc(null, 4096, kind, rw, level).unwrap();
            manager.virtual_protect(base, 1, Protection::READONLY, OutPointer::Valid).unwrap();
            manager.virtual_query(base, OutPointer::Valid, 48).unwrap();
            manager.virtual_free(base, 0, FreeType::RELEASE).unwrap();
            let heap = manager.create_malloc(MallocType::THREADSAFE).unwrap();
            heap.free(heap.alloc(8, level).unwrap()).unwrap();
            manager.acquired_virtual_address_space(Address(0x10000), 1).unwrap();
            manager.released_virtual_address_space(Address(0x10000)).unwrap();
        }
        let told = self.told.lock().unwrap().send(available);
        told.expect("the test waits");
    }
}

/// A connection, and the end of it that the other end's urgent data shows at.
fn urgent() -> (TcpStream, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    (near, server.accept().unwrap().0)
}

fn stall(near: &TcpStream) {
    // SAFETY: one readable byte.
    let sent = unsafe { libc::send(near.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
}

fn listening(trigger: &TcpStream) -> (Arc<LinuxManager>, Receiver<MemoryAvailable>) {
    let manager = Arc::new(Case::new().0);
    let (sender, told) = channel();
    let collector = Collector {
        manager: Arc::downgrade(&manager),
        trigger: trigger.try_clone().unwrap(),
        told: Mutex::new(sender),
    };
    manager.register_memory_notification_callback(Arc::new(collector)).unwrap();
    let trigger = trigger.try_clone().unwrap().into();
    manager.callbacks.listen_by(|tell| Listener::on(trigger, tell));
    (manager, told)
}

#[test]
fn a_stall_is_low_a_quiet_window_ends_it_and_the_callback_may_call_the_manager() {
    let (near, far) = urgent();
    let (manager, told) = listening(&far);
    for _ in 0..2 {
        stall(&near);
        assert_eq!(told.recv(), Ok(MemoryAvailable::LOW));
        let end = told.recv().unwrap();
        assert!(
            [MemoryAvailable::NEUTRAL, MemoryAvailable::HIGH].contains(&end),
            "the shortage is over: {end}"
        );
    }
    drop(manager);
    assert!(told.try_recv().is_err(), "only changes are told, and nothing after the end");
}

/// The kernel's own trigger, where there is one.
#[test]
#[allow(clippy::print_stderr, reason = "a test that is skipped says so, and why")]
fn the_kernel_s_trigger_can_be_listened_to() {
    use hostmem_interface::{Capability, Host as _, Machine};
    let manager = super::super::LinuxBackend::listening().manager(&Machine::WINDOWS_X64).unwrap();
    let description = manager.description();
    if !description.capabilities.has(Capability::Notifications) {
        let why = description.absent.iter().find(|it| it.0 == Capability::Notifications);
        eprintln!("not on this kernel: {}", why.map_or("no reason", |it| &it.1));
        return;
    }
    struct Deaf;
    impl MemoryNotificationCallback for Deaf {
        fn on_memory_notification(&self, _: MemoryAvailable) {}
    }
    manager.register_memory_notification_callback(Arc::new(Deaf)).unwrap();
}
