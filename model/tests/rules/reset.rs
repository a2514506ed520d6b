//! `MEM_RESET` and `MEM_RESET_UNDO`: which ranges, and what the pages may then show.

use hostmem_interface::Value;

use super::*;

/// Which ranges may be reset, and where the evidence permits more than one answer.
#[test]
fn ranges() {
    let world = World::after(&[alloc(P, 4 * PAGE, R, RW), alloc(P, 2 * PAGE, C, RW)]);
    let (free, past) = (0x50_0000, P + 4 * PAGE);
    let inside = |rule: &str, from: u64, to: u64| {
        format!("{rule} a page address from {from:#x} to {to:#x} | {rule} {ADDRESS}")
    };
    world.rows(&[
        (alloc(P, 2 * PAGE, RESET, NA), "VA-42 0x100000"),
        (alloc(P, 2 * PAGE, RESET, COW), &format!("VA-42 0x100000 | VA-41 {BAD}")),
        (alloc(P, 3 * PAGE, RESET, RW), &format!("VA-42b 0x100000 | VA-42b {ADDRESS}")),
        (alloc(P + 1, PAGE, RESET, RW), &inside("VA-42c", P, P + 2 * PAGE)),
        (alloc(P + PAGE, 5, RESET, RW), &inside("VA-42c", P + PAGE, P + 2 * PAGE)),
        (alloc(free, PAGE, RESET, RW), &by("VA-42d", ADDRESS)),
        (alloc(P, 4 * PAGE + 1, RESET, RW), &by("VA-42d", ADDRESS)),
        (alloc(past, PAGE, RESET, RW), &by("VA-42d", ADDRESS)),
        (alloc(0, PAGE, RESET, RW), "VA-47 refused"),
        (alloc(0, PAGE, UNDO, RW), "VA-47 refused"),
        (alloc(P, PAGE, UNDO, RW), "VA-43 0x100000 | VA-43 refused"),
        (
            alloc(P + 1, PAGE, UNDO, RW),
            "VA-43 a page address from 0x100000 to 0x102000 | VA-43 refused",
        ),
        (
            alloc(P, 3 * PAGE, UNDO, RW),
            "VA-43 a page address from 0x100000 to 0x103000 | VA-43 refused",
        ),
        (alloc(free, PAGE, UNDO, RW), &format!("VA-43 {ADDRESS} | VA-43 refused")),
        (alloc(P, 5 * PAGE, UNDO, RW), &format!("VA-43 {ADDRESS} | VA-43 refused")),
    ]);
}

fn reset_world() -> World {
    let mut world = World::after(&[alloc(P, 4 * PAGE, RC, RW), fill(P, 2 * PAGE, 7)]);
    world.does(&write(P + PAGE + 8, &[8]));
    world.does(&alloc(P, 4 * PAGE, RESET, RW));
    world
}

/// Reads, preferring bytes; whether that was lawful.
fn reads_as(world: &mut World, at: u64, bytes: &[u8]) -> bool {
    let likes = |outcome: &Outcome| *outcome == Outcome::done(Value::Bytes(bytes.to_vec()));
    world.0.act_preferring(&read(at, bytes.len() as u64), &likes).1
}

/// After a reset a page is old or zero; a zero seen once is for good, an old seen is not.
#[test]
fn uncertain_pages() {
    let mut world = reset_world();
    assert_eq!(world.seen(P), (C, RW, 4 * PAGE));
    world.rows(&[
        (read(P, 4), "VA-42e the 4 bytes written at 0x100000 before"),
        (read(P + 2 * PAGE, 4), "AF-03 the 4 bytes written at 0x102000 before"),
    ]);
    let contents = &world.0.state.contents;
    assert!(contents.is_uncertain(Address(P), 1) && contents.is_uncertain(Address(P + PAGE), 1));
    assert!(!contents.is_uncertain(Address(P + 2 * PAGE), PAGE));
    assert!(contents.is_written(Address(P), 1) && !contents.is_written(Address(P + 2 * PAGE), 1));
    assert!(contents.permit(Address(P), &[7, 7]) && contents.permit(Address(P), &[0, 0]));
    assert!(!contents.permit(Address(P), &[7, 0]) && !contents.permit(Address(P), &[8]));
    assert!(contents.permit(Address(P + PAGE - 1), &[7, 0]), "page by page");
    assert_eq!(contents.discarded(Address(P), 9), [0; 9]);
    assert_eq!(contents.likeliest(Address(P + PAGE + 7), 3), [7, 8, 7]);
    assert!(reads_as(&mut world, P, &[7]) && reads_as(&mut world, P, &[0]));
    assert!(!world.0.state.contents.permit(Address(P), &[7]));
    assert!(!world.0.state.contents.is_uncertain(Address(P), 1));
    assert!(world.0.state.contents.is_uncertain(Address(P + PAGE), 1));
}

/// However often the old contents are seen, the system may still discard them.
#[test]
fn seen_old_twice_settles_nothing() {
    let mut world = reset_world();
    for _ in 0..3 {
        assert!(reads_as(&mut world, P, &[7]));
        assert!(world.0.state.contents.is_uncertain(Address(P), 1));
    }
    assert!(reads_as(&mut world, P, &[0]), "discarded at last");
    assert!(!world.0.state.contents.permit(Address(P), &[7]));
}

/// A write ends the system's freedom; the rest of the page stays in doubt until it is read.
#[test]
fn a_write_settles_what_it_writes() {
    let mut world = reset_world();
    world.does(&write(P + 8, &[9]));
    let contents = &world.0.state.contents;
    assert!(
        contents.permit(Address(P + 7), &[7, 9, 7]) && contents.permit(Address(P + 7), &[0, 9, 0])
    );
    assert!(reads_as(&mut world, P + 8, &[9]), "which settles nothing");
    assert!(reads_as(&mut world, P, &[7]));
    assert!(!world.0.state.contents.permit(Address(P), &[0]), "seen old after a write: for good");
    world.does(&fill(P + PAGE, PAGE, 3));
    assert!(!world.0.state.contents.is_uncertain(Address(P + PAGE), PAGE));
}

/// An undone reset leaves what was; a decommit, zero; a second reset, doubt again.
#[test]
fn doubt_ends() {
    let mut world = reset_world();
    world.does(&alloc(P, PAGE, UNDO, RW));
    assert!(!world.0.state.contents.is_uncertain(Address(P), PAGE));
    assert!(world.0.state.contents.is_uncertain(Address(P + PAGE), PAGE));
    assert_eq!(world.gets(&read(P, 9)), "9 bytes of 07");
    world.does(&alloc(P + 2 * PAGE, PAGE, UNDO, RW));
    world.does(&free(P + PAGE, PAGE, DECOMMIT));
    world.does(&alloc(P + PAGE, PAGE, C, RW));
    assert!(!world.0.state.contents.is_uncertain(Address(P + PAGE), PAGE));
    assert_eq!(world.gets(&read(P + PAGE, 9)), "9 bytes of 00");
    world.does(&alloc(P, PAGE, RESET, RW));
    world.does(&alloc(P, PAGE, RESET, RW));
    assert!(world.0.state.contents.permit(Address(P), &[0]));
    world.does(&write(P, &[0]));
    world.does(&alloc(P, PAGE, UNDO, RW));
    assert!(world.0.state.contents.permit(Address(P), &[0, 7]));
    assert!(world.0.state.contents.permit(Address(P), &[0, 0]), "nothing was undone");
}

/// Which pages hold something, and which are uncertain, is told by their addresses.
#[test]
fn written_and_uncertain_pages_are_told() {
    let mut actions = vec![alloc(P, 8 * PAGE, RC, RW)];
    actions.extend([1, 3, 4, 6].map(|page| write(P + page * PAGE + 9, &[7])));
    actions.extend([4, 6].map(|page| alloc(P + page * PAGE, PAGE, RESET, RW)));
    let world = World::after(&actions);
    let contents = &world.0.state.contents;
    let written = |from: u64, pages: u64| -> Vec<u64> {
        let found = contents.written_in(Address(P + from * PAGE), pages * PAGE);
        found.map(|at| (at.0 - P) / PAGE).collect()
    };
    assert_eq!(written(0, 8), [1, 3, 4, 6]);
    assert_eq!(written(2, 2), [3]);
    assert!(written(7, 1).is_empty());
    let uncertain = |from: u64, pages: u64| {
        contents.first_uncertain(Address(P + from * PAGE), pages * PAGE).map(|at| (at.0 - P) / PAGE)
    };
    assert_eq!([uncertain(0, 8), uncertain(5, 3), uncertain(0, 4)], [Some(4), Some(6), None]);
}
