//! `VirtualAlloc`: the checks in their order, reservations, commits.

use hostmem_interface::{Address, Machine};

use super::*;

/// Rows that are all refused with 87, each by its rule.
fn all_bad(world: &World, rows: &[(&str, Call)]) {
    for (rule, call) in rows {
        assert_eq!(world.says(call), by(rule, BAD), "{call:?}");
    }
}

/// Types that mean nothing, or do not go together, are refused before anything else is seen.
#[test]
fn types_are_checked_first() {
    let world = World::after(&[alloc(P, PAGE, RC, RW)]);
    let bad = u64::MAX;
    for (rule, kind) in [
        ("VA-01", 0),
        ("VA-01", DOWN),
        ("VA-01", WATCH),
        ("VA-01", R | DECOMMIT),
        ("VA-01", C | 0x4000_0000),
        ("VA-01", R | 0x4_0000),
        ("VA-40", RESET | C),
        ("VA-40", RESET | R),
        ("VA-40", RESET | DOWN),
        ("VA-40", RESET | UNDO),
        ("VA-43", UNDO | C),
        ("VA-43", UNDO | DOWN),
        ("VA-02", R | WATCH | PHYSICAL),
        ("VA-02", RC | WATCH | LARGE),
        ("VA-02", RC | PHYSICAL | LARGE),
        ("VA-44", C | WATCH),
        ("VA-45", RC | PHYSICAL),
        ("VA-45", C | PHYSICAL),
        ("VA-46", R | LARGE),
    ] {
        all_bad(&world, &[(rule, alloc(P, 1, kind, RW)), (rule, alloc(1, bad, kind, RW))]);
    }
    all_bad(
        &world,
        &[
            ("VA-45", alloc(0, PAGE, R | PHYSICAL, RO)),
            ("VA-45", alloc(0, PAGE, R | PHYSICAL, RW | NOCACHE)),
            ("VA-45", alloc(0, PAGE, R | DOWN | PHYSICAL, RX)),
            ("VA-44", alloc(P + PAGE, PAGE, C | WATCH, RW)),
        ],
    );
}

/// Address, protection, place and size follow in this order.
#[test]
fn arguments_are_checked_in_order() {
    let world = World::after(&[alloc(P, PAGE, RC, RW)]);
    let (huge, bad) = (u64::MAX, 0);
    all_bad(
        &world,
        &[
            ("VA-03", alloc(1, huge, R, bad)),
            ("VA-03", alloc(0xFFFF, PAGE, C, RW)),
            ("VA-03", alloc(PAGE, PAGE, RESET, RW)),
            ("PR-01", alloc(GRANULE, huge, R, bad)),
            ("PR-01", alloc(END, PAGE, R, RW | RO)),
            ("PR-01", alloc(0, 0, C, 0x30)),
            ("PR-04", alloc(0, PAGE, RC, RW | 0x800)),
            ("PR-02", alloc(0, PAGE, R, GUARD)),
            ("PR-02", alloc(0, PAGE, R, NA | GUARD)),
            ("PR-02b", alloc(0, PAGE, R, RW | GUARD | NOCACHE)),
            ("PR-02b", alloc(0, PAGE, R, RW | COMBINE | NOCACHE)),
            ("PR-02", alloc(0, PAGE, RC, NA | NOCACHE)),
            ("PR-02", alloc(0, PAGE, RC, NA | NOCACHE | COMBINE)),
            ("PR-02b", alloc(0, PAGE, RC, NA | COMBINE)),
            ("PR-02b", alloc(P, PAGE, C, RW | COMBINE | GUARD)),
            ("PR-02b", alloc(P, PAGE, RESET, RW | COMBINE | GUARD)),
            ("VA-31", alloc(P, PAGE, R, RW | COMBINE | GUARD)),
            ("VA-04", alloc(P, PAGE, C, NA | GUARD)),
            ("VA-31", alloc(P, PAGE, R, bad)),
            ("VA-31", alloc(P + PAGE, PAGE, R, bad)),
            ("VA-31", alloc(P + PAGE, PAGE, C, bad)),
            ("VA-31", alloc(P, GRANULE, C, bad)),
            ("VA-04", alloc(P, PAGE, C, bad)),
            ("VA-41", alloc(P, PAGE, RESET, bad)),
            ("VA-41", alloc(0x50_0000, PAGE, UNDO, RW | RO)),
            ("PR-03", alloc(0, huge, R, COW)),
            ("PR-03", alloc(0, PAGE, C, 0x80)),
            ("PR-03", alloc(0x50_0000, PAGE, R, COW)),
            ("VA-30b", alloc(P, huge, R, COW)),
            ("VA-05", alloc(END, 0, R, RW)),
            ("VA-05", alloc(huge, 1, C, RW)),
            ("VA-05", alloc(END, PAGE, C, COW)),
            ("VA-06", alloc(P, END, R, RW)),
            ("VA-06", alloc(P, huge, C, RW)),
            ("VA-06", alloc(END - PAGE, PAGE + 1, R, RW)),
            ("VA-06", alloc(0, END + 1, R, RW)),
            ("VA-08", alloc(0, 0, R, RW)),
            ("VA-08", alloc(P, 0, C, RW)),
            ("VA-08", alloc(P, 0, RESET, RW)),
            ("VA-30b", alloc(P, 0, R, COW)),
            ("VA-30b", alloc(P, PAGE, R, COW)),
            ("VA-30b", alloc(P + PAGE, 1, RC, 0x80)),
        ],
    );
}

/// A reservation begins at its granule and ends with the page of its last byte.
#[test]
fn reservations_are_rounded() {
    let world = World::new();
    for (off, size, rounded) in [
        (0, 1, 0x1000),
        (0x8000, 1, 0x9000),
        (0x10, 0x1000, 0x2000),
        (0xFFFF, 0x3000, 0x13000),
        (0x1010, 0x7000, 0x9000),
        (0x1010, 0xC000, 0xE000),
        (0x4080, 0x1000, 0x6000),
    ] {
        for kind in [R, RC] {
            let mut world = World::new();
            let call = alloc(P + off, size, kind, RW);
            assert_eq!(world.says(&call), "VA-10 0x100000");
            assert_eq!(world.gets(&call), "0x100000");
            let (state, protect) = if kind == R { (R, 0) } else { (C, RW) };
            assert_eq!(world.seen(P), (state, protect, rounded));
        }
    }
    let any = |size: &str| format!("the base of {size} free bytes, aligned to the granularity");
    world.rows(&[
        (alloc(P, PAGE, R, RW), "VA-17 0x100000"),
        (alloc(P, GRANULE, RC, GUARD | RO), "VA-17 0x100000"),
        (alloc(P, PAGE, R | DOWN, RW), "VA-51 0x100000"),
        (alloc(P + 1, PAGE, RC | DOWN, RW), "VA-51 0x100000"),
        (alloc(P, PAGE, R | PHYSICAL, RW), "VA-45b 0x100000"),
        (alloc(P, PAGE, R | WATCH, RW), "VA-17 0x100000"),
        (alloc(0, 1, R, RW), &by("VA-12", &any("0x1000"))),
        (alloc(0, 0xFFFC, RC, RW), &by("VA-12", &any("0x10000"))),
        (alloc(0, PAGE + 1, C, RW), &by("VA-09", &any("0x2000"))),
        (alloc(0, PAGE, C | DOWN, RW), &by("VA-09", &any("0x1000"))),
        (alloc(0, PAGE, R | DOWN, RW), &by("VA-50", &any("0x1000"))),
        (alloc(0, PAGE, R | DOWN | PHYSICAL, RW), &by("VA-45b", &any("0x1000"))),
    ]);
}

/// Memory that is taken cannot be reserved, nor can the rest of its last granule.
#[test]
fn reservations_do_not_overlap() {
    let world = World::after(&[alloc(P, 3 * PAGE, R, RW), alloc(P + 2 * GRANULE, PAGE, RC, RW)]);
    let (taken, tail) = (by("VA-15", ADDRESS), by("VA-16", ADDRESS));
    world.rows(&[
        (alloc(P, PAGE, R, RW), &taken),
        (alloc(P + 3 * PAGE - 1, PAGE, RC, RW), &taken),
        (alloc(P + 3 * PAGE, PAGE, R, RW), &tail),
        (alloc(P + GRANULE - 1, 1, R, RW), &tail),
        (alloc(P + GRANULE, GRANULE, R, RW), "VA-17 0x110000"),
        (alloc(P + GRANULE, GRANULE + 1, R, RW), &taken),
        (alloc(P - GRANULE, GRANULE, R, RW), "VA-17 0xf0000"),
        (alloc(P - GRANULE, GRANULE + 1, R, RW), &taken),
        (alloc(P - 1, PAGE, R, RW), &taken),
    ]);
}

/// Whether the last granule of user space can be had is not certain.
#[test]
fn the_last_granule_may_be_refused() {
    let last = END - GRANULE;
    let readings =
        |rule: &str, base: &str| format!("{rule} {base} | VA-06 {BAD} | VA-15 {ADDRESS}");
    World::new().rows(&[
        (alloc(last - GRANULE, GRANULE, R, RW), "VA-17 0x7ffffffd0000"),
        (alloc(last - GRANULE, GRANULE + 1, R, RW), &readings("VA-10", "0x7ffffffd0000")),
        (alloc(last, PAGE, R, RW), &readings("VA-17", "0x7ffffffe0000")),
    ]);
}

/// Something that the runtime mapped may be in the way, or not.
#[test]
fn a_mapping_may_be_in_the_way() {
    let mut world = World::after(&[acquire(P, PAGE)]);
    let either = format!("VA-15 {ADDRESS} | VA-17 0x100000");
    world.rows(&[
        (alloc(P, PAGE, R, RW), &either),
        (alloc(P + GRANULE, PAGE, R, RW), "VA-17 0x110000"),
        (alloc(P - GRANULE, GRANULE, R, RW), "VA-17 0xf0000"),
        (alloc(P - GRANULE, GRANULE + PAGE, R, RW), &format!("VA-15 {ADDRESS} | VA-17 0xf0000")),
    ]);
    world.does(&let_go(P));
    world.rows(&[(alloc(P, PAGE, R, RW), "VA-17 0x100000")]);
}

/// A mapping in the way and the commit limit may be told in either order.
#[test]
fn a_mapping_may_be_in_the_way_of_what_is_beyond_the_limit() {
    let machine = Machine { commit_limit: Some(PAGE), ..Machine::WINDOWS_X64 };
    let mut world = World::on(machine);
    world.does(&acquire(P, PAGE));
    let over = "VA-27 refused for lack of memory (ERROR_COMMITMENT_LIMIT)";
    let last = END - GRANULE;
    world.rows(&[
        (alloc(P, 2 * PAGE, RC, RW), &format!("VA-15 {ADDRESS} | {over}")),
        (alloc(P, PAGE, RC, RW), &format!("VA-15 {ADDRESS} | VA-17 0x100000")),
        (alloc(P + GRANULE, 2 * PAGE, RC, RW), over),
        (alloc(last, 2 * PAGE, RC, RW), &format!("{over} | VA-06 {BAD} | VA-15 {ADDRESS}")),
    ]);
}

/// A commit says what it did: first memory, the same again, another protection, a guard.
#[test]
fn commits_inside_an_allocation() {
    let mut world = World::after(&[alloc(P, 4 * PAGE, R, NA), alloc(P + GRANULE, PAGE, RC, RW)]);
    world.rows(&[
        (alloc(P, 1, C, RW), "VA-13 0x100000"),
        (alloc(P + PAGE + 1, 2 * PAGE, C, RO | GUARD), "VA-13 0x101000"),
        (alloc(P + 0xFFF, 2, C, RW), "VA-13 0x100000"),
        (alloc(P, PAGE, C | DOWN, RW), "VA-51 0x100000"),
        (alloc(P, 4 * PAGE + 1, C, RW), &by("VA-21", ADDRESS)),
        (alloc(P + 3 * PAGE, PAGE + 1, C, COW), &by("VA-30b", ADDRESS)),
        (alloc(P, PAGE, C, COW), &by("VA-30", BAD)),
        (alloc(P, PAGE, C, 0x80), &by("VA-30", BAD)),
        (alloc(P + 4 * PAGE, PAGE, C, RW), &by("VA-16", ADDRESS)),
        (alloc(P + 2 * GRANULE, PAGE, C, RW), &by("VA-20", ADDRESS)),
        (alloc(P + 4 * PAGE, PAGE, C, COW), &by("VA-30b", ADDRESS)),
        (alloc(P - 1, PAGE, C, COW), &by("VA-30b", ADDRESS)),
    ]);
    world.does(&alloc(P + PAGE, PAGE, C, RW));
    world.rows(&[
        (alloc(P + PAGE, PAGE, C, RW), "VA-22 0x101000"),
        (alloc(P + PAGE, PAGE, C, RO), "VA-23 0x101000"),
        (alloc(P + PAGE, PAGE, C, RW | GUARD), "VA-24 0x101000"),
        (alloc(P, 2 * PAGE, C, RW), "VA-23 0x100000"),
        (alloc(P + 2 * PAGE, PAGE, C, RW), "VA-13 0x102000"),
        (alloc(P + PAGE, PAGE, C | DOWN, RW), "VA-51 0x101000"),
    ]);
    assert_eq!((world.seen(P), world.seen(P + PAGE)), ((R, 0, PAGE), (C, RW, PAGE)));
    world.does(&alloc(P, 3 * PAGE, C, RX | GUARD));
    assert_eq!(world.seen(P), (C, RX | GUARD, 3 * PAGE));
    world.does(&alloc(P + PAGE, PAGE, C, NA));
    assert_eq!((world.seen(P + PAGE), world.seen(P).2), ((C, NA, PAGE), PAGE));
}

/// The commit limit is exact, for a reservation and for a commit, and nothing is committed.
#[test]
fn the_commit_limit_is_exact() {
    let machine = Machine { commit_limit: Some(4 * PAGE), ..Machine::WINDOWS_X64 };
    let mut world = World::on(machine);
    let over = "VA-27 refused for lack of memory (ERROR_COMMITMENT_LIMIT)";
    world.rows(&[
        (alloc(P, 4 * PAGE, RC, RW), "VA-17 0x100000"),
        (alloc(P, 4 * PAGE + 1, RC, RW), over),
        (alloc(0, 5 * PAGE, C, RW), over),
        (alloc(P, GRANULE, R, RW), "VA-17 0x100000"),
    ]);
    world.does(&alloc(P, GRANULE, R, RW));
    world.does(&alloc(P, 2 * PAGE, C, RW));
    world.rows(&[
        (alloc(P + PAGE, 3 * PAGE, C, RW), "VA-23 0x101000"),
        (alloc(P + PAGE, 4 * PAGE, C, RW), over),
        (alloc(P + 2 * PAGE, 2 * PAGE, C, RW), "VA-13 0x102000"),
        (alloc(P + 2 * PAGE, 3 * PAGE, C, RW), over),
        (alloc(0, 3 * PAGE, RC, RW), over),
        (
            alloc(0, 3 * PAGE, R, RW),
            "VA-12 the base of 0x3000 free bytes, aligned to the granularity",
        ),
    ]);
    assert_eq!(world.0.state.space.committed(), 2 * PAGE);
    assert!(world.0.state.may_commit(2 * PAGE) && !world.0.state.may_commit(2 * PAGE + 1));
    assert!(!world.0.state.may_commit(u64::MAX));
}

/// A size without a hole is refused with 8, however much is free in all.
#[test]
fn no_hole_is_lack_of_memory() {
    let machine = Machine { highest: 8 * GRANULE - 1, ..Machine::WINDOWS_X64 };
    let mut world = World::on(machine);
    let none = "VA-07 refused for lack of memory (ERROR_NOT_ENOUGH_MEMORY)";
    world.rows(&[
        (
            alloc(0, 7 * GRANULE, R, RW),
            "VA-12 the base of 0x70000 free bytes, aligned to the granularity",
        ),
        (alloc(0, 7 * GRANULE + 1, R, RW), &format!("{none} | VA-06 {BAD}")),
    ]);
    // All of user space, which is there but in use, is not more than user space.
    world.does(&alloc(GRANULE, PAGE, R, RW));
    world.rows(&[(alloc(0, 7 * GRANULE, R, RW), none)]);
    world.does(&free(GRANULE, 0, RELEASE));
    world.does(&alloc(4 * GRANULE, PAGE, R, RW));
    world.rows(&[
        (
            alloc(0, 3 * GRANULE, C, RW),
            "VA-09 the base of 0x30000 free bytes, aligned to the granularity",
        ),
        (alloc(0, 3 * GRANULE + 1, R | DOWN, RW), none),
    ]);
}

/// What write watch and large pages without their partners come to is not settled.
#[test]
fn unsettled_types_permit_every_reading() {
    let world = World::after(&[alloc(P, PAGE, R, RW)]);
    let any = "the base of 0x1000 free bytes, aligned to the granularity";
    let large = format!("VA-46 refused: ERROR_PRIVILEGE_NOT_HELD | VA-46 {BAD}");
    let null_reset = format!("VA-47 refused | VA-41 {BAD}");
    world.rows(&[
        // A reset ignores its protection, copy-on-write too.
        (alloc(0, PAGE, RESET, COW), &null_reset),
        (alloc(0, PAGE, UNDO, COW), &null_reset),
        (alloc(0, PAGE, C | WATCH, RW), &format!("VA-44 {BAD} | VA-09 {any}")),
        (alloc(0, PAGE, RC | LARGE, RW), &format!("{large} | VA-12 {any}")),
        (alloc(0, PAGE, C | LARGE, RW), &format!("{large} | VA-09 {any}")),
        (alloc(P, PAGE, RC | LARGE, RW), &format!("{large} | VA-15 {ADDRESS}")),
        (alloc(P, PAGE, C | LARGE, RW), &format!("{large} | VA-13 0x100000")),
    ]);
}

/// What was asked for stays with the allocation; physical reservations hold no memory.
#[test]
fn terms_stay_with_the_allocation() {
    let mut world = World::after(&[
        alloc(P, PAGE, R | WATCH, RO | GUARD),
        alloc(P + GRANULE, 2 * PAGE, R | PHYSICAL, RW),
    ]);
    let terms = |world: &World, at| world.0.state.space.find(Address(at)).expect("it").terms();
    assert!(terms(&world, P).watched && !terms(&world, P).physical);
    assert!(!terms(&world, P + GRANULE).watched && terms(&world, P + GRANULE).physical);
    assert_eq!(terms(&world, P).protect.0, RO | GUARD);
    let both = format!("VA-45b {ADDRESS} | VA-45b {BAD}");
    world.rows(&[
        (alloc(P + GRANULE, PAGE, C, RW), &both),
        (alloc(P + GRANULE, 3 * PAGE, C, RW), &by("VA-21", ADDRESS)),
    ]);
    world.does(&alloc(P, PAGE, C, RW));
    assert_eq!(terms(&world, P).protect.0, RO | GUARD);
}
