//! Write watch: bad arguments, ranges, reports, marks.

use super::*;

fn with_null(addresses: bool, count: bool, granularity: bool, call: Call) -> Call {
    let pointer = |null| if null { OutPointer::Null } else { OutPointer::Valid };
    let null = WatchPointers {
        addresses: pointer(addresses),
        count: pointer(count),
        granularity: pointer(granularity),
    };
    match call {
        Call::GetWriteWatch { address, size, flags, capacity, .. } => {
            Call::GetWriteWatch { address, size, flags, capacity, null }
        }
        other => other,
    }
}

fn world() -> World {
    World::after(&[
        alloc(P, 4 * PAGE, RC | WATCH, RW),
        alloc(P + GRANULE, PAGE, RC, RW),
        alloc(P + 2 * GRANULE, GRANULE, RC | WATCH, RW),
        alloc(P + 3 * GRANULE, GRANULE, RC | WATCH, RW),
    ])
}

/// Flags, capacity, pointers and range, and what is open if several are wrong.
#[test]
fn bad_arguments() {
    let world = world();
    let (bad, null) = (by("WW-02", BAD), by("WW-02", NULL));
    let good = watch(P, PAGE, 0, 8);
    world.rows(&[
        (watch(P, PAGE, 2, 8), &bad),
        (watch(P, PAGE, 3, 8), &bad),
        (watch(P, PAGE, 0, 0), &bad),
        (with_null(true, false, false, watch(P, PAGE, 0, 0)), &bad),
        (with_null(true, false, false, good.clone()), &null),
        (with_null(false, true, false, good.clone()), &null),
        (with_null(false, false, true, good), &null),
        (with_null(false, true, false, watch(P, PAGE, 0, 0)), &format!("{null} | WW-02 {BAD}")),
        (with_null(true, false, false, watch(P, 0, 0, 1)), &format!("{null} | WW-03 {BAD}")),
        (with_null(false, false, true, watch(0, 1, 0, 1)), &format!("{null} | WW-04b {BAD}")),
    ]);
}

/// The range lies inside one watched allocation.
#[test]
fn ranges() {
    let world = world();
    let two = P + 2 * GRANULE;
    for (rule, at, size) in [
        ("WW-03", P, 0),
        ("WW-03", P, u64::MAX),
        ("WW-03", P, END - P + 1),
        ("WW-04", P, END - P),
        ("WW-04b", 0, 1),
        ("WW-04", P, 4 * PAGE + 1),
        ("WW-04b", P + 4 * PAGE, 1),
        ("WW-04", P + GRANULE, PAGE),
        ("WW-04b", two + PAGE, GRANULE),
    ] {
        world.rows(&[(watch(at, size, 0, 9), &by(rule, BAD)), (clear(at, size), &by(rule, BAD))]);
    }
}

/// Which rule reports, and what it reports.
#[test]
fn reports() {
    let mut world = world();
    world.does(&free(P + 3 * PAGE, PAGE, DECOMMIT));
    let none = "0 written pages, granularity 0x1000";
    world.rows(&[
        (watch(P, 3 * PAGE, 0, 9), &by("WW-01", none)),
        (watch(P, 4 * PAGE, 0, 9), &by("WW-05", none)),
        (watch(P, 4 * PAGE, 1, 9), &by("WW-06", none)),
        (watch(P + 1, PAGE, 1, 9), &by("WW-07", none)),
        (watch(P, 1, 0, 9), &by("WW-07", none)),
        (clear(P, PAGE), "WW-06 ok"),
        (clear(P, 1), "WW-07 ok"),
        (clear(P + 1, PAGE), "WW-07 ok"),
    ]);
    world.does(&write(P + PAGE - 1, &[1, 2]));
    world.does(&write(P + 2 * PAGE + 5, &[1]));
    let three = "3 written pages 0x100000 0x101000 0x102000, granularity 0x1000";
    world.rows(&[
        (watch(P, 4 * PAGE, 0, u64::MAX), &by("WW-05", three)),
        (watch(P, 3 * PAGE, 0, 2), "WW-01 2 written pages 0x100000 0x101000, granularity 0x1000"),
        (watch(P + PAGE, PAGE, 0, 2), "WW-01 1 written pages 0x101000, granularity 0x1000"),
    ]);
}

/// A report with the reset flag clears what it reports, `ResetWriteWatch` its range.
#[test]
fn marks_go() {
    let mut world = world();
    world.does(&fill(P, 4 * PAGE, 1));
    world.does(&watch(P, 4 * PAGE, 0, 9));
    assert_eq!(world.marked(P, 4 * PAGE).len(), 4);
    world.does(&watch(P, 4 * PAGE, 1, 1));
    assert_eq!(world.marked(P, 4 * PAGE), [P + PAGE, P + 2 * PAGE, P + 3 * PAGE]);
    world.does(&clear(P + 2 * PAGE, PAGE));
    assert_eq!(world.marked(P, 4 * PAGE), [P + PAGE, P + 3 * PAGE]);
    world.does(&free(P, 0, DECOMMIT));
    assert_eq!(world.marked(P, 4 * PAGE), [P + PAGE, P + 3 * PAGE]);
    world.does(&clear(P + 0x1FFF, 2));
    assert_eq!(world.marked(P, 4 * PAGE), [P + 3 * PAGE]);
    world.does(&free(P, 0, RELEASE));
    world.does(&alloc(P, 4 * PAGE, RC | WATCH, RW));
    assert!(world.marked(P, 4 * PAGE).is_empty());
    // A write over two allocations marks in each.
    let border = P + 3 * GRANULE;
    world.does(&write(border - 4, &[1; 8]));
    assert_eq!(world.marked(border - GRANULE, GRANULE), [border - PAGE]);
    assert_eq!(world.marked(border, GRANULE), [border]);
    world.does(&fill(border, 1, 1));
    world.does(&fill(border + PAGE - 1, 1, 1));
    assert_eq!(world.marked(border, GRANULE), [border]);
    world.does(&fill(P + GRANULE, PAGE, 1));
    assert!(world.marked(P + GRANULE, PAGE).is_empty());
}
