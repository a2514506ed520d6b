//! `VirtualFree`: the checks in their order, decommit, release.

use super::*;

const NOT_OURS: &str = "refused: ERROR_INVALID_ADDRESS (HOST_E_INVALIDOPERATION)";

/// Wrong types and sizes win over wrong addresses, which win over wrong ranges.
#[test]
fn checks_in_order() {
    let world = World::after(&[alloc(P, 3 * PAGE, R, RW), alloc(P + GRANULE, PAGE, RC, RW)]);
    let (nowhere, end) = (0x50_0000, P + 3 * PAGE);
    world.rows(&[
        (free(P, PAGE, RELEASE), &by("VF-01", BAD)),
        (free(P, 3 * PAGE, RELEASE | DECOMMIT), &by("VF-01", BAD)),
        (free(nowhere, 1, RELEASE), &by("VF-03", BAD)),
        (free(P, 0, 0), &by("VF-02", BAD)),
        (free(P, 0, RELEASE | DECOMMIT), &by("VF-02", BAD)),
        (free(P, 0, 0x1_0000), &by("VF-02", BAD)),
        (free(P, 1, DECOMMIT | 1), &by("VF-02", BAD)),
        (free(nowhere, 0, DECOMMIT | 2), &by("VF-03", BAD)),
        (free(END, 0, RELEASE), &by("VF-04", BAD)),
        (free(END, 0, DECOMMIT), &by("VF-04", BAD)),
        (free(P, END, DECOMMIT), &by("VF-04", BAD)),
        (free(P, u64::MAX, DECOMMIT), &by("VF-04", BAD)),
        (free(nowhere, END - nowhere + 1, DECOMMIT), &by("VF-04", BAD)),
        (free(nowhere, END - nowhere, DECOMMIT), &by("VF-06", NOT_OURS)),
        (free(0, 0, RELEASE), &by("VF-05", NOT_OURS)),
        (free(0xFFFF, 1, DECOMMIT), &by("VF-05", NOT_OURS)),
        (free(GRANULE, 1, DECOMMIT), &by("VF-06", NOT_OURS)),
        (free(end, 0, RELEASE), &by("VF-06", NOT_OURS)),
        (free(P, 3 * PAGE + 1, DECOMMIT), &by("VF-07", BAD)),
        (free(end - 1, 2, DECOMMIT), &by("VF-07", BAD)),
        (free(P + PAGE, 0, DECOMMIT), &by("VF-08", ADDRESS)),
        (free(P + PAGE, 0, RELEASE), &by("VF-09", ADDRESS)),
        (free(P + 0xFFF, 0, DECOMMIT), "VF-12 ok"),
        (free(P + 0xFFF, 0, RELEASE), "VF-14 ok"),
        (free(P, 3 * PAGE, DECOMMIT), "VF-11 ok"),
        (free(P + GRANULE, PAGE, DECOMMIT), "VF-10 ok"),
    ]);
}

/// The touched pages lose memory, protection and contents; the allocation stays.
#[test]
fn decommit_takes_the_touched_pages() {
    let mut world = World::after(&[alloc(P, 4 * PAGE, RC, RO), protect(P, 4 * PAGE, RW)]);
    world.does(&fill(P, 4 * PAGE, 7));
    world.does(&free(P + 0x1FFF, 2, DECOMMIT));
    assert_eq!(world.seen(P), (C, RW, PAGE));
    assert_eq!(world.seen(P + PAGE), (R, 0, 2 * PAGE));
    assert_eq!(world.seen(P + 3 * PAGE), (C, RW, PAGE));
    assert_eq!(world.0.state.space.committed(), 2 * PAGE);
    world.does(&alloc(P, 4 * PAGE, C, RW));
    assert_eq!(world.gets(&read(P + PAGE - 1, 2)), "0700");
    assert_eq!(world.gets(&read(P + 3 * PAGE - 1, 2)), "0007");
    world.does(&free(P, 0, DECOMMIT));
    assert_eq!(world.seen(P), (R, 0, 4 * PAGE));
    world.does(&alloc(P, 4 * PAGE, C, RW));
    assert_eq!(world.gets(&read(P, 9)), "9 bytes of 00");
}

/// A release frees everything, whatever the pages are, and the place can be had again, zero.
#[test]
fn release_frees_all() {
    let mut world = World::after(&[alloc(P, 3 * PAGE, R, RO), alloc(P + PAGE, PAGE, C, RW)]);
    world.does(&fill(P + PAGE, PAGE, 7));
    world.does(&free(P + 5, 0, RELEASE));
    assert_eq!((world.seen(P).0, world.0.state.space.committed()), (0x1_0000, 0));
    assert!(world.0.state.space.is_empty());
    world.does(&alloc(P, 3 * PAGE, RC, RW));
    assert_eq!(world.gets(&read(P + PAGE, 9)), "9 bytes of 00");
}
