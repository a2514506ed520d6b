//! The backend: machines shown as asked for, and calls from many threads.

use std::sync::Arc;
use std::thread;

use hostmem_interface::{
    Backend, Call, Capabilities, Machine, MemoryAvailable, OpenError, Outcome, Reply, Value,
};
use hostmem_slow_twin::SlowTwinBackend;

use crate::support::{BOTH, COMMIT, PAGE, RELEASE, RESERVE, RW, Twin};

#[test]
fn a_subject_shows_the_machine_asked_for() {
    let machine = Machine {
        page: 0x4000,
        granularity: 0x8000,
        lowest: 0x4000,
        highest: 0xF_FFFF,
        physical: Some(1 << 20),
        commit_limit: Some(1 << 16),
    };
    let subject = SlowTwinBackend.open(&machine).expect("a machine in order");
    assert_eq!(subject.description().machine, machine);
    assert_eq!(subject.description().capabilities, Capabilities::ALL);
    assert_eq!(SlowTwinBackend.name(), subject.description().name);
}

#[test]
fn units_and_limits_are_those_of_the_machine() {
    let twin = Twin::on(Machine {
        page: 0x4000,
        granularity: 0x8000,
        lowest: 0x4000,
        highest: 0xF_FFFF,
        ..Machine::WINDOWS_X64
    });
    assert_eq!(twin.alloc(0, 1, BOTH, RW), Ok(0x8000));
    assert_eq!(twin.seen(0x8000).2, 0x4000);
    assert_eq!(twin.alloc(0x2_C001, 1, RESERVE, RW), Ok(0x2_8000));
    assert_eq!(twin.seen(0x2_8000).2, 0x8000);
    assert_eq!(twin.alloc(0x4000, 1, RESERVE, RW), Err(87)); // its granule starts below
    assert_eq!(twin.alloc(0x3FFF, 1, COMMIT, RW), Err(87));
    assert_eq!(twin.alloc(0x10_0000, 1, RESERVE, RW), Err(87));
    assert_eq!(twin.query(0x2_8000).end().0, 0x3_0000);
    assert_eq!(twin.query(0x3_0000).end().0, 0x10_0000);
}

#[test]
fn a_machine_that_cannot_be_is_not_opened() {
    let fine = Machine::WINDOWS_X64;
    let wrong = [
        Machine { page: 0, ..fine },
        Machine { page: 0x1800, ..fine },
        Machine { page: 8, ..fine },
        Machine { granularity: 0x800, ..fine },
        Machine { highest: u64::MAX, ..fine },
        Machine { highest: 0x1000, ..fine },
        Machine { lowest: 0x1_0001, ..fine },
        Machine { highest: 0x7FFF_FFFF, lowest: 0x7FFF_F001, ..fine },
    ];
    for machine in wrong {
        let opened = SlowTwinBackend.open(&machine);
        assert!(matches!(opened, Err(OpenError::Machine(_))), "{machine:?}");
    }
}

#[test]
fn notifications_travel_with_the_call_that_caused_them() {
    let subject = SlowTwinBackend.open(&Machine::WINDOWS_X64).expect("a machine in order");
    let _registered = subject.call(&Call::RegisterMemoryNotificationCallback);
    let reply = subject.call(&Call::SetMemoryLoad { load: 99, available: 0 });
    let notified = vec![MemoryAvailable::LOW];
    assert_eq!(reply, Reply::Outcome { outcome: Outcome::done(Value::Nothing), notified });
}

#[test]
fn subjects_share_nothing() {
    let (one, other) = (Twin::new(), Twin::new());
    let p = one.some(PAGE, BOTH, RW);
    assert_eq!(other.free(p, 0, RELEASE), Err(487));
}

#[test]
fn many_threads_may_call() {
    let twin = Arc::new(Twin::new());
    let workers: Vec<_> = (1..5_u8)
        .map(|id| {
            let twin = Arc::clone(&twin);
            thread::spawn(move || {
                for _ in 0..50 {
                    let p = twin.some(3 * PAGE, BOTH, RW);
                    assert_eq!(twin.poke(p + PAGE, &[id]), Ok(()));
                    assert_eq!(twin.peek(p + PAGE), Ok(id));
                    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("no worker failed");
    }
}
