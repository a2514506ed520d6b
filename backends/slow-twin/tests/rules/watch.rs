//! Section 11: write watch.

use hostmem_interface::{OutPointer, WatchPointers};

use crate::support::{BOTH, COMMIT, DECOMMIT, NA, PAGE, RELEASE, RESERVE, RO, RW, Twin, WATCH};

fn watched(twin: &Twin, pages: u64) -> u64 {
    twin.some(pages * PAGE, BOTH | WATCH, RW)
}

#[test]
fn errors_in_their_order() {
    let twin = Twin::new(); // WW-02
    let p = watched(&twin, 1);
    let null = OutPointer::Null;
    let fine = WatchPointers::default();
    let addresses = WatchPointers { addresses: null, ..fine };
    let count = WatchPointers { count: null, ..fine };
    let granularity = WatchPointers { granularity: null, ..fine };
    assert_eq!(twin.watch(p, PAGE, 2, 8, fine), Err(87));
    assert_eq!(twin.watch(p, PAGE, 2, 8, count), Err(87));
    assert_eq!(twin.watch(p, PAGE, 0, 0, addresses), Err(87));
    assert_eq!(twin.watch(p, PAGE, 0, 8, addresses), Err(998));
    assert_eq!(twin.watch(p, PAGE, 0, 0, count), Err(998));
    assert_eq!(twin.watch(p, PAGE, 0, 8, granularity), Err(998));
}

#[test]
fn the_range_lies_in_one_watched_allocation() {
    let twin = Twin::new(); // WW-03, WW-04
    let plain = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.alloc(0x20_0000, 0x1_0000, BOTH | WATCH, RW), Ok(0x20_0000));
    assert_eq!(twin.alloc(0x21_0000, 0x1_0000, BOTH | WATCH, RW), Ok(0x21_0000));
    let wrong = [
        (0x20_0000, 0),
        (0x20_0000, u64::MAX),
        (0x20_0000, 0x1_0001),
        (0x21_0000, 0x1_0001),
        (plain, PAGE),
        (0, PAGE),
        (0x5000_0000, PAGE),
    ];
    for (address, size) in wrong {
        assert_eq!(twin.written(address, size), Err(87), "{address:#x}");
        assert_eq!(twin.clear(address, size), Err(87), "{address:#x}");
    }
}

#[test]
fn written_pages_ascending_and_both_of_a_straddling_write() {
    let twin = Twin::new(); // WW-01, WW-07, WW-08
    let p = watched(&twin, 16);
    assert_eq!(twin.poke(p + 0x4008, &[1]), Ok(()));
    assert_eq!(twin.poke(p + 0x1FFE, &[1; 4]), Ok(()));
    assert_eq!(twin.written(p, 0x1_0000), Ok(vec![p + 0x1000, p + 0x2000, p + 0x4000]));
    assert_eq!(twin.written(p + 0x1800, 0x10), Ok(vec![p + 0x1000]));
}

#[test]
fn a_reset_clears_what_it_reported() {
    let twin = Twin::new(); // WW-06
    let p = watched(&twin, 4);
    for page in 0..4 {
        assert_eq!(twin.poke(p + page * PAGE, &[1]), Ok(()));
    }
    let fine = WatchPointers::default();
    assert_eq!(twin.watch(p + PAGE, 3 * PAGE, 1, 1, fine), Ok(vec![p + PAGE]));
    assert_eq!(twin.written(p, 4 * PAGE), Ok(vec![p, p + 2 * PAGE, p + 3 * PAGE]));
    assert_eq!(twin.clear(p + 2 * PAGE, 2 * PAGE), Ok(()));
    assert_eq!(twin.written(p, 4 * PAGE), Ok(vec![p]));
}

#[test]
fn only_writes_that_happen_mark() {
    let twin = Twin::new(); // WW-09, WW-10, WW-11
    let p = twin.some(4 * PAGE, RESERVE | WATCH, NA);
    assert_eq!(twin.alloc(p, 2 * PAGE, COMMIT, NA), Ok(p));
    assert_eq!(twin.protect(p, 2 * PAGE, RO), Ok(NA));
    assert_eq!(twin.peek(p), Ok(0));
    assert!(twin.poke(p, &[1]).is_err());
    assert!(twin.poke(p + 3 * PAGE, &[1]).is_err());
    assert_eq!(twin.protect(p, PAGE, RW), Ok(RO));
    assert!(twin.poke(p + 0xFFF, &[1, 1]).is_err());
    assert_eq!(twin.written(p, 4 * PAGE), Ok(vec![])); // WW-05: uncommitted pages are fine
    assert_eq!(twin.poke(p, &[0]), Ok(()));
    assert_eq!(twin.written(p, 4 * PAGE), Ok(vec![p]));
}

#[test]
fn a_mark_survives_decommit_and_not_release() {
    let twin = Twin::new(); // WW-12, VQ-05
    let p = watched(&twin, 2);
    assert_eq!(twin.poke(p, &[1]), Ok(()));
    assert_eq!(twin.seen(p).2, 2 * PAGE);
    assert_eq!(twin.free(p, 0, DECOMMIT), Ok(()));
    assert_eq!(twin.written(p, 2 * PAGE), Ok(vec![p]));
    assert_eq!(twin.seen(p).2, 2 * PAGE);
    assert_eq!(twin.alloc(p, PAGE, COMMIT, RW), Ok(p));
    assert_eq!((twin.peek(p), twin.written(p, PAGE)), (Ok(0), Ok(vec![p])));
    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
    assert_eq!(twin.alloc(p, 2 * PAGE, BOTH | WATCH, RW), Ok(p));
    assert_eq!(twin.written(p, 2 * PAGE), Ok(vec![]));
}
