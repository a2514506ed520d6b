//! Reads, writes and executions: permissions, guards, straddling, contents.

use hostmem_interface::MallocType;
use hostmem_model::effect::Effect;

use super::*;

const AV: &str = "fault: STATUS_ACCESS_VIOLATION on";
const TRAP: &str = "fault: STATUS_GUARD_PAGE_VIOLATION on";

/// Who may do what, protection by protection; an execution needs `ret` at the address.
#[test]
fn permissions() {
    for (protect, can) in [(NA, ""), (RO, "r"), (RW, "rw"), (X, "rx"), (RX, "rx"), (RWX, "rwx")] {
        let world = World::after(&[alloc(P, PAGE, RC, protect)]);
        let wanted = |kind: char, rule: &str, yes: &str, word: &str| {
            if can.contains(kind) {
                yes.to_owned()
            } else {
                format!("{rule} {AV} {word} at {P:#x}")
            }
        };
        world.rows(&[
            (
                read(P, 1),
                &wanted('r', "AF-03", "AF-03 the 1 bytes written at 0x100000 before", "read"),
            ),
            (write(P, &[1]), &wanted('w', "AF-03", "AF-03 ok", "write")),
            (execute(P), &wanted('x', "AF-02", "AF-02 ok", "execute")),
        ]);
    }
}

/// Memory that is not there: free, reserved, reserved under a guard, decommitted under one.
#[test]
fn memory_that_is_not_there() {
    let mut world =
        World::after(&[alloc(P, 2 * PAGE, R, RW), alloc(P + GRANULE, 2 * PAGE, R, RW | GUARD)]);
    let at = |rule: &str, kind: &str, at: u64| format!("{rule} {AV} {kind} at {at:#x}");
    world.rows(&[
        (read(0, 1), &at("AF-01", "read", 0)),
        (write(END, &[1]), &at("AF-01", "write", END)),
        (execute(P + 2 * PAGE), &at("AF-02", "execute", P + 2 * PAGE)),
        (read(P + 5, 4), &at("AF-03", "read", P + 5)),
        (write(P, &[1]), &at("AF-03", "write", P)),
        (execute(P), &at("AF-02", "execute", P)),
        (read(P + GRANULE, 1), &at("GP-06", "read", P + GRANULE)),
        (execute(P + GRANULE), &at("GP-06", "execute", P + GRANULE)),
    ]);
    world.does(&alloc(P + GRANULE, PAGE, C, RW));
    world.rows(&[
        (read(P + GRANULE + PAGE, 1), &at("GP-07", "read", P + GRANULE + PAGE)),
        (read(P + GRANULE, 1), "AF-03 the 1 bytes written at 0x110000 before"),
    ]);
}

/// An access over a page boundary reports the second page's base, and nothing of it shows.
#[test]
fn straddling_accesses() {
    let mut world = World::after(&[alloc(P, 3 * PAGE, R, RW), alloc(P, PAGE, C, RW)]);
    let second = format!("AF-04 {AV} write at {:#x}", P + PAGE);
    world.rows(&[
        (write(P + PAGE - 1, &[1, 2]), &second),
        (write(P + PAGE - 7, &[1; 8]), &second),
        (write(P + PAGE - 8, &[1; 8]), "AF-03 ok"),
        (read(P + PAGE - 1, 4), &format!("AF-04 {AV} read at {:#x}", P + PAGE)),
        (read(P + PAGE - 1, 3), &format!("AF-03 {AV} read at {:#x}", P + PAGE)),
        (read(P + 5, 0), "AF-03 the 0 bytes written at 0x100005 before"),
    ]);
    assert_eq!(world.gets(&write(P + PAGE - 1, &[1, 2])), format!("{AV} write at {:#x}", P + PAGE));
    assert_eq!(world.gets(&read(P + PAGE - 1, 1)), "00");
    // A longer one is done page by page, and its first page shows.
    assert_eq!(world.gets(&fill(P, 2 * PAGE, 9)), format!("{AV} write at {:#x}", P + PAGE));
    assert_eq!(world.gets(&read(P, PAGE)), "4096 bytes of 09");
}

/// An access that begins in pages may end in the heap block behind them, and not behind that.
#[test]
fn accesses_across_pages_and_a_block() {
    let mut world = World::after(&[alloc(P, GRANULE, RC, RW)]);
    let behind = P + GRANULE;
    world.0.state.apply(&Effect::CreateMalloc(MallocType(0)));
    let (malloc, address) = (MallocId(0), Some(Address(behind)));
    world.0.state.apply(&Effect::Alloc { malloc, size: 2, address });
    world.rows(&[
        (read(behind - 2, 2), "AF-03 the 2 bytes written at 0x10fffe before"),
        (write(behind - 2, &[1, 2, 3, 4]), "HM-07 ok"),
        (read(behind - 2, 4), "HM-07 4 bytes at 0x10fffe, as far as they were written before"),
        (
            write(behind - 1, &[1, 2, 3, 4]),
            &format!("HM-07 {AV} write at 0x10ffff or up to 4 bytes on"),
        ),
    ]);
    world.does(&write(behind - 2, &[1, 2, 3, 4]));
    assert_eq!(world.gets(&read(behind - 2, 4)), "01020304");
    assert!(!world.0.state.permits_bytes(Address(behind - 2), &[1, 2, 3, 5]));
}

/// The first access fires the guard of its page and disarms it; permission comes first or not.
#[test]
fn guards_fire_once() {
    let mut world = World::after(&[
        alloc(P, 3 * PAGE, RC, RW | GUARD),
        alloc(P + GRANULE, PAGE, RC, RO | GUARD),
        alloc(P + 2 * GRANULE, 2 * PAGE, RC | WATCH, RW | GUARD),
    ]);
    let (ro, watched) = (P + GRANULE, P + 2 * GRANULE);
    world.rows(&[
        (read(P + 3, 1), &format!("GP-02 {TRAP} read at {:#x}", P + 3)),
        (write(P, &[1]), &format!("GP-02 {TRAP} write at {P:#x}")),
        (execute(P), &format!("GP-05 {AV} execute at {P:#x} | GP-05 {TRAP} execute at {P:#x}")),
        (write(ro, &[1]), &format!("GP-05 {AV} write at {ro:#x} | GP-05 {TRAP} write at {ro:#x}")),
        (write(watched, &[1]), &format!("GP-09 {TRAP} write at {watched:#x}")),
    ]);
    assert_eq!(
        world.gets(&write(P + PAGE - 1, &[5, 6])),
        format!("{TRAP} write at {:#x}", P + PAGE - 1)
    );
    assert_eq!(world.seen(P), (C, RW, PAGE));
    assert_eq!(
        world.gets(&write(P + PAGE - 1, &[5, 6])),
        format!("{TRAP} write at {:#x}", P + PAGE)
    );
    assert_eq!(world.seen(P), (C, RW, 2 * PAGE));
    assert_eq!(world.gets(&read(P + PAGE - 1, 2)), "0000");
    world.does(&write(P + PAGE - 1, &[5, 6]));
    assert_eq!(world.gets(&read(P + PAGE - 1, 2)), "0506");
    // What was written before the guard fired counts, and marks; the rest does not.
    world.does(&protect(watched, PAGE, RW));
    assert_eq!(
        world.gets(&fill(watched, 2 * PAGE, 3)),
        format!("{TRAP} write at {:#x}", watched + PAGE)
    );
    assert_eq!(world.marked(watched, 2 * PAGE), [watched]);
    assert_eq!(world.gets(&read(watched + PAGE, 9)), "9 bytes of 00");
    assert_eq!(world.gets(&write(ro, &[1])), format!("{AV} write at {ro:#x}"));
    assert_eq!(world.seen(ro), (C, RO | GUARD, PAGE));
    let likes_trap = |outcome: &Outcome| outcome.to_string().starts_with(TRAP);
    assert!(world.0.act_preferring(&write(ro, &[1]), &likes_trap).1);
    assert_eq!(world.seen(ro), (C, RO, PAGE));
}

/// Only `ret` is ever run, and the complaint names what stood there.
#[test]
fn only_ret_is_run() {
    let mut world = World::after(&[alloc(P, PAGE, RC, RWX), write(P, &[0xC3])]);
    assert_eq!(world.gets(&execute(P)), "ok");
    let complaint = world.gets(&execute(P + 1));
    assert!(complaint.contains("00, and only c3"), "{complaint}");
}

/// Bytes come back as written, over pages, fills and partial fills included.
#[test]
fn contents_come_back() {
    let mut world = World::after(&[alloc(P, 4 * PAGE, RC, RW)]);
    world.does(&fill(P + 0x800, 2 * PAGE, 1));
    world.does(&write(P + PAGE - 1, &[7, 8, 9]));
    assert_eq!(world.gets(&read(P + 0x7FF, 3)), "000101");
    assert_eq!(world.gets(&read(P + PAGE - 2, 5)), "0107080901");
    assert_eq!(world.gets(&read(P + 2 * PAGE + 0x7FE, 4)), "01010000");
    world.does(&fill(P + PAGE, PAGE, 4));
    assert_eq!(world.gets(&read(P + PAGE, PAGE)), "4096 bytes of 04");
    world.does(&fill(P + PAGE + 9, 20, 4));
    world.does(&fill(P + PAGE + 9, 20, 5));
    assert_eq!(world.gets(&read(P + PAGE + 8, 2)), "0405");
    assert_eq!(world.gets(&read(P + PAGE + 28, 2)), "0504");
    let written: Vec<u64> = world.0.state.contents.written_pages().map(|at| at.0).collect();
    assert_eq!(written, [P, P + PAGE, P + 2 * PAGE]);
    assert!(!world.0.state.contents.is_written(Address(P + 3 * PAGE), PAGE));
}

/// Whether nothing but a fault is lawful is asked of every reading.
#[test]
fn only_faults() {
    let world = World::after(&[alloc(P, PAGE, RC, RW), alloc(P + GRANULE, PAGE, R, RW)]);
    let only = |call: &Call| decide(&world.0.state, call).permits_only_faults();
    assert!(only(&read(P + GRANULE, 1)) && only(&execute(P)) && only(&write(P - 1, &[1])));
    assert!(!only(&read(P, 1)) && !only(&alloc(P, 0, R, RW)) && !only(&query(P)));
}
