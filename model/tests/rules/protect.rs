//! `VirtualProtect`: the checks in their order, the old value, the rule of a success.

use super::*;

/// Malformed values, the pointer, the range, and the state, in this order.
#[test]
fn checks_in_order() {
    let world = World::after(&[alloc(P, 3 * PAGE, RC, RW), free(P + PAGE, PAGE, DECOMMIT)]);
    let (nowhere, end) = (0x50_0000, P + 3 * PAGE);
    let either = |rule: &str| format!("{rule} {NULL} | VP-05b {BAD}");
    let misplaced = |rule: &str| format!("VP-05b {BAD} | {rule} {ADDRESS}");
    world.rows(&[
        (protect_null(nowhere, 0, 0), &by("VP-01", BAD)),
        (protect(P, PAGE, RW | RO), &by("VP-01", BAD)),
        (protect(P, PAGE, GUARD), &by("VP-01", BAD)),
        (protect(P, PAGE, RW | 0x800), &by("VP-01", BAD)),
        (protect_null(P, PAGE, RW), &by("VP-02", NULL)),
        (protect_null(nowhere, 0, RW), &by("VP-03", NULL)),
        (protect_null(P, 0, RW), &by("VP-03", NULL)),
        (protect_null(P, PAGE + 1, RW), &by("VP-03", NULL)),
        (protect_null(P, 3 * PAGE + 1, RW), &by("VP-03", NULL)),
        (protect_null(END, PAGE, RW), &by("VP-03", NULL)),
        (protect_null(P, PAGE, NA | GUARD), &either("VP-03")),
        (protect_null(nowhere, PAGE, COW), &by("VP-03", NULL)),
        (protect(END, 0, NA | GUARD), &by("VP-04", BAD)),
        (protect(P, u64::MAX, RW), &by("VP-04", BAD)),
        (protect(nowhere, END - nowhere + 1, RW), &by("VP-04", BAD)),
        (protect(nowhere, END - nowhere, RW), &by("VP-06", ADDRESS)),
        (protect(P, 0, NA | GUARD), &by("VP-05", BAD)),
        (protect(nowhere, 0, RW), &by("VP-05", BAD)),
        (protect(nowhere, 1, RW | GUARD | NOCACHE), &misplaced("VP-06")),
        (protect(P, 3 * PAGE + 1, NA | GUARD), &misplaced("VP-07")),
        (protect(P + PAGE, 1, NA | GUARD), &misplaced("VP-08")),
        (protect(P + PAGE, 1, NA | GUARD | COW), &by("VP-01", BAD)),
        (protect(P, 1, NA | COMBINE), &by("VP-05b", BAD)),
        (protect(0, 1, RW), &by("VP-06", ADDRESS)),
        (protect(end, 1, COW), &by("VP-06", ADDRESS)),
        (protect(P, 3 * PAGE + 1, COW), &by("VP-07", ADDRESS)),
        (protect(P, 3 * PAGE + 1, COW | GUARD), &by("VP-07", ADDRESS)),
        (protect(P, 2 * PAGE, COW), &by("VP-11b", BAD)),
        (protect(P, 1, 0x80), &by("VP-11", BAD)),
        (protect(P, PAGE + 1, RW), &by("VP-08", ADDRESS)),
        (protect(P + PAGE, 1, RW), &by("VP-08", ADDRESS)),
        (protect(P + 2 * PAGE, PAGE, RO), "VP-10 old PAGE_READWRITE"),
    ]);
}

/// The old value is the first page's; the rule tells of guards, caching, and several pages.
#[test]
fn the_old_value_and_its_rule() {
    let mut world = World::after(&[
        alloc(P, 3 * PAGE, RC, RW),
        protect(P + PAGE, PAGE, RX | GUARD),
        alloc(P + GRANULE, 2 * PAGE, RC, RO | NOCACHE),
        alloc(P + 2 * GRANULE, PAGE, RC, RW | COMBINE),
    ]);
    let nocache = P + GRANULE;
    world.rows(&[
        (protect(P, 1, RO), "VP-10 old PAGE_READWRITE"),
        (protect(P + 0xFFF, 2, RO), "VP-09 old PAGE_READWRITE"),
        (protect(P + PAGE, 1, RO), "GP-04 old PAGE_EXECUTE_READ|PAGE_GUARD"),
        (protect(P, 1, RO | GUARD), "GP-04 old PAGE_READWRITE"),
        (protect(P, 1, RO | NOCACHE), "PR-05 old PAGE_READWRITE"),
        (protect(P, 1, RO | COMBINE), "VP-10 old PAGE_READWRITE"),
        (protect(nocache, 1, RW), "PR-05 old PAGE_READONLY|PAGE_NOCACHE"),
        (protect(nocache, 2 * PAGE, RW | NOCACHE), "PR-05 old PAGE_READONLY|PAGE_NOCACHE"),
        (protect(P + 2 * GRANULE, 1, RO), "PR-06 old PAGE_READWRITE|PAGE_WRITECOMBINE"),
    ]);
    world.does(&protect(P + 0xFFF, 2, NA));
    assert_eq!(world.seen(P), (C, NA, 2 * PAGE));
    assert_eq!(world.seen(P + 2 * PAGE), (C, RW, PAGE));
    world.does(&protect(nocache, 1, RWX));
    assert_eq!(world.seen(nocache), (C, RWX | NOCACHE, PAGE));
    assert_eq!(world.seen(nocache + PAGE), (C, RO | NOCACHE, PAGE));
    world.does(&protect(P, 1, RW | NOCACHE));
    assert_eq!(world.seen(P), (C, RW, PAGE));
}
