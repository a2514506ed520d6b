//! Where the model itself puts things, and the machines that it can show.

use hostmem_interface::{Backend, MallocType, OpenError};
use hostmem_model::ModelBackend;
use hostmem_model::placement::{heap_place, place};

use super::*;

/// Ten granules from 0x10000 to 0xb0000.
fn small() -> World {
    World::on(Machine { highest: 11 * GRANULE - 1, ..Machine::WINDOWS_X64 })
}

fn placed(world: &World, granules: u64, top_down: bool) -> Option<u64> {
    place(&world.0.state, granules * GRANULE, top_down).map(|at| at.0 / GRANULE)
}

/// Bottom-up takes the lowest hole that is large enough, top-down the highest.
#[test]
fn lowest_and_highest() {
    let mut world = small();
    assert_eq!((placed(&world, 10, false), placed(&world, 10, true)), (Some(1), Some(1)));
    assert_eq!((placed(&world, 11, false), placed(&world, 11, true)), (None, None));
    world.does(&alloc(3 * GRANULE, GRANULE, R, RW));
    world.does(&alloc(9 * GRANULE, PAGE, R, RW));
    assert_eq!((placed(&world, 1, false), placed(&world, 1, true)), (Some(1), Some(10)));
    assert_eq!((placed(&world, 3, false), placed(&world, 2, true)), (Some(4), Some(7)));
    assert_eq!((placed(&world, 5, false), placed(&world, 5, true)), (Some(4), Some(4)));
    assert_eq!((placed(&world, 6, false), placed(&world, 6, true)), (None, None));
    assert_eq!(place(&world.0.state, PAGE, true), Some(Address(10 * GRANULE)));
}

/// Mappings are in the way from either side.
#[test]
fn mappings_are_in_the_way() {
    let mut world = small();
    world.does(&acquire(GRANULE, PAGE));
    world.does(&acquire(5 * GRANULE + PAGE, PAGE));
    world.does(&acquire(10 * GRANULE + 5 * PAGE, PAGE));
    assert_eq!((placed(&world, 1, false), placed(&world, 3, false)), (Some(2), Some(2)));
    assert_eq!((placed(&world, 4, false), placed(&world, 4, true)), (Some(6), Some(6)));
    assert_eq!((placed(&world, 1, true), placed(&world, 5, true)), (Some(9), None));
    assert_eq!(place(&world.0.state, 5 * PAGE, true), Some(Address(10 * GRANULE)));
    world.does(&alloc(7 * GRANULE, GRANULE, R, RW));
    assert_eq!((placed(&world, 2, true), placed(&world, 3, true)), (Some(8), Some(2)));
    world.does(&alloc(2 * GRANULE, 3 * GRANULE, R, RW));
    assert_eq!((placed(&world, 3, true), placed(&world, 3, false)), (None, None));
    assert_eq!(
        world.gets(&alloc(0, 3 * GRANULE, R, RW)),
        "refused: ERROR_NOT_ENOUGH_MEMORY (E_OUTOFMEMORY)"
    );
    world.does(&alloc(0, 2 * GRANULE, R | DOWN, RW));
    assert_eq!(world.seen(8 * GRANULE), (R, 0, 2 * GRANULE));
}

/// A search from the top ends with the lowest granule, not before it and not behind it.
#[test]
fn the_search_from_the_top_ends_at_the_lowest_granule() {
    let mut world = small();
    world.does(&alloc(3 * GRANULE, 8 * GRANULE, R, RW));
    world.does(&acquire(2 * GRANULE, PAGE));
    assert_eq!(placed(&world, 1, true), Some(1));
    world.does(&acquire(GRANULE, PAGE));
    assert_eq!(placed(&world, 1, true), None);
}

/// A heap takes a mebibyte or what it needs from the top, and fills it from the bottom.
#[test]
fn heaps_take_ranges() {
    let world = World::new();
    let none = std::collections::BTreeSet::new();
    let mib = 1 << 20;
    let first = |size| heap_place(&world.0.state, &none, size);
    let top = Address(END - mib);
    assert_eq!(first(0), Some((top, Some((top, mib)))));
    assert_eq!(first(mib), Some((top, Some((top, mib)))));
    let more = Address(END - mib - GRANULE);
    assert_eq!(first(mib + 1), Some((more, Some((more, mib + PAGE)))));
    assert_eq!(first(u64::MAX), None);
    let mut world = World::new();
    world.does(&Call::CreateMalloc { kind: MallocType(0) });
    assert_eq!(world.gets(&block(0, mib - 16)), top.to_string());
    assert_eq!(world.gets(&block(0, 17)), Address(top.0 - mib).to_string());
    let second = top.0 - mib;
    for (size, at) in [
        (16, second + 32),
        (0, second + 48),
        (1, second + 64),
        (mib - 79, END - 2 * mib - mib),
        (mib - 80, second + 80),
        (16, END - 3 * mib + mib - 64),
        (48, END - 3 * mib + mib - 48),
        (16, END - 16),
    ] {
        assert_eq!(world.gets(&block(0, size)), Address(at).to_string(), "{size}");
    }
    assert_eq!(world.gets(&block(0, 1 << 50)), "refused: ERROR_NOT_ENOUGH_MEMORY (E_OUTOFMEMORY)");
    assert_eq!(world.seen(top.0), (C, RW, mib));
    let taken = format!("VA-15 {ADDRESS} | VA-17 {top}");
    world.rows(&[(alloc(top.0, PAGE, R, RW), taken.split(" | VA-06").next().unwrap_or(""))]);
}

/// Where there is no room for a mebibyte, a heap takes what it needs.
#[test]
fn heaps_fit_into_small_spaces() {
    let mut world = small();
    world.does(&Call::CreateMalloc { kind: MallocType(0) });
    world.does(&alloc(GRANULE, 8 * GRANULE, R, RW));
    assert_eq!(world.gets(&block(0, 100)), Address(10 * GRANULE).to_string());
    assert_eq!(world.gets(&block(0, GRANULE)), Address(9 * GRANULE).to_string());
    assert_eq!(world.gets(&block(0, 100)), Address(10 * GRANULE + 112).to_string());
    assert_eq!(
        world.gets(&block(0, PAGE)),
        "refused: ERROR_NOT_ENOUGH_MEMORY (E_OUTOFMEMORY)",
        "a range begins with a granule"
    );
}

/// The backend shows any machine of fewer than 2^32 granules.
#[test]
fn machines() {
    let open = |highest| ModelBackend.open(&Machine { highest, ..Machine::WINDOWS_X64 });
    assert_eq!(ModelBackend.name(), "model");
    let subject = open(GRANULE * u64::from(u32::MAX) - 1).expect("just small enough");
    assert_eq!((&*subject.description().name, subject.checkpoint()), ("model", Ok(())));
    assert!(matches!(open(GRANULE * (1 << 32) - 1), Err(OpenError::Machine(_))));
    let whole = Machine { highest: 16 * GRANULE - 1, ..Machine::WINDOWS_X64 };
    assert!(ModelBackend.open(&whole).is_ok());
    for wrong in [
        Machine { page: 3 * PAGE, ..whole },
        Machine { granularity: 3 * GRANULE, ..whole },
        Machine { page: 2 * GRANULE, ..whole },
        Machine { lowest: whole.highest, ..whole },
        Machine { highest: u64::MAX, ..whole },
        Machine { highest: 16 * GRANULE, ..whole },
    ] {
        assert!(matches!(ModelBackend.open(&wrong), Err(OpenError::Machine(_))), "{wrong:?}");
    }
    assert!(format!("{:?}", hostmem_model::Simulator::new(Machine::WINDOWS_X64)).contains("page"));
}
