//! Heaps, memory load, notifications and address-space notices.

use hostmem_interface::{MallocType, MemoryAvailable, MemoryLoad, Refusal, Win32Error};

use super::*;

fn create(kind: u32) -> Call {
    Call::CreateMalloc { kind: MallocType(kind) }
}

fn give_back(heap: u32, address: u64) -> Call {
    Call::Free { malloc: MallocId(heap), address: Address(address) }
}

fn debug(heap: u32, size: u64) -> Call {
    let (malloc, critical) = (MallocId(heap), CriticalLevel::TASK);
    Call::DebugAlloc { malloc, size, critical, file: "a.cpp".into(), line: 1 }
}

fn base_of(world: &mut World, call: &Call) -> u64 {
    match world.0.act(call) {
        Reply::Outcome { outcome, .. } => outcome.address().expect("a block").0,
        other => panic!("{other:?}"),
    }
}

/// Heaps are made of known bits; others are open.
#[test]
fn heaps_are_made() {
    let open = |kind| (create(kind), format!("HM-02 {BAD} | HM-02 refused | HM-02 a new heap"));
    let world = World::new();
    for kind in 0..4 {
        world.rows(&[(create(kind), "HM-01 a new heap")]);
    }
    for (call, right) in [open(4), open(7), open(0x8000_0001)] {
        world.rows(&[(call, &right)]);
    }
    let mut world = World::after(&[create(0), create(2)]);
    assert_eq!(world.gets(&create(0)), "heap 2");
    assert_eq!(world.0.state.heaps.count(), 3);
    assert_eq!(world.0.state.heaps.kind(MallocId(1)), Some(MallocType::EXECUTABLE));
    assert_eq!(world.0.state.heaps.kind(MallocId(3)), None);
}

/// A block belongs to its heap, to its last byte, until it is freed.
#[test]
fn blocks() {
    let mut world = World::after(&[create(0), create(2)]);
    world.rows(&[
        (block(0, 17), "HM-03 a block of 17 bytes, aligned to 16"),
        (debug(0, 0), "HM-08 a block of 0 bytes, aligned to 16"),
    ]);
    let (one, two) = (base_of(&mut world, &block(0, 17)), base_of(&mut world, &debug(1, 300)));
    assert_eq!((one % 16, two), (0, one + 32), "the next multiple of 16");
    assert_eq!(world.0.state.heaps.block(Address(one)).expect("live").size, 17);
    assert!(world.0.state.heaps.block(Address(one + 1)).is_none());
    let not_ours = "HM-06 refused: ERROR_INVALID_ADDRESS (HOST_E_INVALIDOPERATION)";
    let av = |kind: &str, at: u64| format!("fault: STATUS_ACCESS_VIOLATION on {kind} at {at:#x}");
    world.rows(&[
        (give_back(0, 0), "HM-05 ok"),
        (give_back(0, one), "HM-04 ok"),
        (give_back(1, one), not_ours),
        (give_back(0, one + 16), not_ours),
        (read(one, 17), &format!("HM-07 17 bytes at {one:#x}, as far as they were written before")),
        (write(one + 9, &[1; 8]), "HM-07 ok"),
        (write(one + 10, &[1; 8]), &format!("HM-07 {} or up to 8 bytes on", av("write", one + 10))),
        (read(one, 18), &format!("HM-07 {} or up to 18 bytes on", av("read", one))),
        (read(one + 17, 1), &format!("AF-01 {}", av("read", one + 17))),
        (execute(one), &format!("HM-09 {} | HM-09 ok", av("execute", one))),
        (execute(two + 299), "HM-09 ok"),
        (free(one, 0, RELEASE), "VF-06 refused: ERROR_INVALID_ADDRESS (HOST_E_INVALIDOPERATION)"),
    ]);
    assert_eq!(world.gets(&read(one, 18)), av("read", one + 17));
    world.does(&give_back(0, one));
    world.rows(&[
        (give_back(0, one), not_ours),
        (read(one, 1), &format!("AF-01 {}", av("read", one))),
    ]);
    assert_eq!(base_of(&mut world, &block(1, 33)), two + 304, "the gap is too small");
    assert_eq!(base_of(&mut world, &block(0, 32)), one, "the gap is large enough");
}

/// The model lacks memory where a file wants it to, and only for calls that may.
#[test]
fn lack_of_memory_where_it_is_wanted() {
    let mut world = World::after(&[create(0), alloc(P, PAGE, R, RW)]);
    let mut lacks = |call: &Call, error: Win32Error| {
        let wanted = Outcome::from(Refusal::from_win32(error));
        world.0.act_preferring(call, &|outcome: &Outcome| *outcome == wanted).1
    };
    let (space, commit) = (Win32Error::ERROR_NOT_ENOUGH_MEMORY, Win32Error::ERROR_COMMITMENT_LIMIT);
    assert!(lacks(&block(0, 1 << 30), space));
    assert!(lacks(&alloc(P, PAGE, C, RW), commit));
    assert!(!lacks(&free(P, PAGE, DECOMMIT), space), "no memory is asked for");
    assert!(!lacks(&alloc(P, PAGE, R, RW), space), "nothing but 487 is right");
    assert!(!lacks(&block(0, 1 << 30), Win32Error::ERROR_INVALID_ADDRESS));
}

/// The memory of heaps may count against a limit of commit: with one, a commit in the upper
/// half of the limit may be refused, and under a limit below 64 MiB any.
#[test]
fn heaps_may_count_against_the_commit_limit() {
    const PART: u64 = 8 << 20;
    const ELSEWHERE: u64 = P + 16 * PART;
    let limited = |limit| Machine { commit_limit: Some(limit), ..Machine::WINDOWS_X64 };
    let mut world = World::on(limited(8 * PART));
    let commit = |parts: u64| alloc(P, parts * PART, C, RW);
    world.does(&alloc(P, 9 * PART, R, RW));
    world.rows(&[(commit(5), "VA-13 0x100000")]);
    world.does(&create(0));
    let lack = "refused for lack of memory (ERROR_COMMITMENT_LIMIT)";
    let either = |success: &str| format!("{success} | VA-27 {lack}");
    world.rows(&[
        (commit(4), "VA-13 0x100000"),
        (commit(5), &either("VA-13 0x100000")),
        (commit(9), &by("VA-27", lack)),
        (alloc(ELSEWHERE, 5 * PART, RC, RW), &either("VA-17 0x8100000")),
        (alloc(ELSEWHERE, 5 * PART, R, RW), "VA-17 0x8100000"),
        (
            alloc(0, 5 * PART, RC, RW),
            &either("VA-12 the base of 0x2800000 free bytes, aligned to the granularity"),
        ),
    ]);
    world.does(&commit(5));
    world.rows(&[(commit(5), "VA-22 0x100000"), (commit(8), &either("VA-23 0x100000"))]);

    let mut small = World::on(limited(8 * PART - PAGE));
    small.does(&alloc(P, PART, R, RW));
    small.rows(&[(alloc(P, PAGE, C, RW), "VA-13 0x100000")]);
    small.does(&create(0));
    small.rows(&[(alloc(P, PAGE, C, RW), &either("VA-13 0x100000"))]);
}

/// What was written or seen in a block binds, and nothing else does.
#[test]
fn block_contents() {
    let mut world = World::after(&[create(0)]);
    let at = base_of(&mut world, &block(0, 600));
    world.does(&write(at + 254, &[1, 2, 3, 4]));
    assert_eq!(world.gets(&read(at + 253, 6)), "000102030400");
    let heaps = &world.0.state.heaps;
    assert!(heaps.permit(Address(at + 254), &[1, 2, 3, 4]));
    assert!(!heaps.permit(Address(at + 255), &[9]));
    assert!(!heaps.permit(Address(at + 253), &[9]), "seen as zero");
    assert!(heaps.permit(Address(at + 300), &[9]), "never seen");
    assert!(!heaps.permit(Address(at - 1), &[0]));
    assert_eq!(heaps.holding(Address(at + 599)).expect("the block").0, Address(at));
    assert!(heaps.holding(Address(at + 600)).is_none());
    assert!(heaps.overlap(Address(at + 599), 1) && !heaps.overlap(Address(at + 600), 9));
    assert!(heaps.overlap(Address(at - 8), 9) && !heaps.overlap(Address(at - 8), 8));
    assert!(heaps.overlap(Address(at), 0) && !heaps.overlap(Address(at + 600), 0));
    assert_eq!(heaps.blocks().count(), 1);
    assert_eq!(heaps.blocks_from(Address(at)).count(), 1);
    assert_eq!(heaps.blocks_from(Address(at + 1)).count(), 0);
    let apart = World::after(&[alloc(P, PAGE, RC, RW), create(0), block(0, 600)]);
    let far = apart.0.state.heaps.blocks().next().expect("the block").0;
    assert!(far > Address(P) && !apart.0.state.meets_block(Address(P), PAGE));
    assert!(apart.0.state.meets_block(Address(far.0 - 1), 2));
    assert!(!apart.0.state.meets_block(Address(far.0 - 1), 1));
    world.does(&give_back(0, at));
    assert_eq!(base_of(&mut world, &block(0, 600)), at);
    assert!(world.0.state.heaps.permit(Address(at + 254), &[9]), "a new block holds anything");
    world.does(&fill(at, 10, 5));
    let heaps = &world.0.state.heaps;
    assert!(heaps.permit(Address(at), &[5; 10]) && !heaps.permit(Address(at), &[6]));
    assert!(heaps.permit(Address(at + 10), &[6]), "only what was filled is known");
    world.does(&fill(at, 600, 6));
    assert_eq!(world.gets(&read(at, 600)), "600 bytes of 06");
}

/// The load that was set is told; more than 100 percent is refused.
#[test]
fn memory_load() {
    let set = |load, available| Call::SetMemoryLoad { load, available };
    let machine = Machine { physical: Some(1 << 30), ..Machine::WINDOWS_X64 };
    let mut world = World::on(machine);
    world.rows(&[
        (Call::GetMemoryLoad, "ML-01 a load from 0 to 100 %"),
        (set(100, 5), "ML-02 ok"),
        (set(101, 5), &by("ML-02", BAD)),
        (Call::RegisterMemoryNotificationCallback, "NT-01 ok"),
    ]);
    assert_eq!(world.gets(&Call::GetMemoryLoad), "load 0 %, 1073741824 bytes available");
    world.does(&set(42, 77));
    assert_eq!(world.gets(&Call::GetMemoryLoad), "load 42 %, 77 bytes available");
    assert_eq!(World::new().gets(&Call::GetMemoryLoad), "load 0 %, 17179869184 bytes available");
}

/// Low up to 1/128 of physical memory or 64 MiB, high from three times that, told on change.
#[test]
fn notifications() {
    let low = MemoryAvailable::LOW;
    for (physical, edge) in [(Some(1 << 30), 8 << 20), (Some(64 << 30), 64 << 20), (None, 64 << 20)]
    {
        let mut world = World::on(Machine { physical, ..Machine::WINDOWS_X64 });
        let class = |world: &World, available| world.0.state.pressure.class(available);
        assert_eq!(class(&world, 0), low);
        assert_eq!((class(&world, edge), class(&world, edge + 1)), (low, MemoryAvailable::NEUTRAL));
        assert_eq!(class(&world, 3 * edge - 1), MemoryAvailable::NEUTRAL);
        assert_eq!(class(&world, 3 * edge), MemoryAvailable::HIGH);
        let to = |available| Call::SetMemoryLoad { load: 1, available };
        let mut told = |call: &Call| match world.0.act(call) {
            Reply::Outcome { notified, .. } => notified,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(&to(edge)), []);
        assert_eq!(told(&Call::RegisterMemoryNotificationCallback), []);
        assert_eq!((told(&to(1)), told(&to(3 * edge))), (vec![], vec![MemoryAvailable::HIGH]));
        assert_eq!(told(&to(2 * edge)), [MemoryAvailable::NEUTRAL]);
        assert_eq!((told(&to(0)), told(&to(2))), (vec![low], vec![]));
        let load = MemoryLoad { load: 1, available: 3 * edge };
        assert_eq!(world.0.state.pressure.notification(load), Some(MemoryAvailable::HIGH));
    }
}

/// Notices are taken note of: what lies in free memory of user space, and only once.
#[test]
fn notices() {
    let mut world = World::after(&[alloc(P, PAGE, R, RW)]);
    let needs = |at, size| Call::NeedsVirtualAddressSpace { address: Address(at), size };
    let lacks = "AS-01 ok | AS-01 refused for lack of memory (ERROR_NOT_ENOUGH_MEMORY)";
    world.rows(&[
        (needs(0, 0), lacks),
        (needs(P, u64::MAX), lacks),
        (acquire(0, 0), "AS-02 ok"),
        (let_go(5), "AS-03 ok"),
    ]);
    let known = |world: &World| {
        world.0.state.foreign().map(|(from, to)| (from.0, to.0)).collect::<Vec<_>>()
    };
    let far = 0x20_0000;
    for lie in [
        acquire(0, PAGE),
        acquire(far, 0),
        acquire(far, u64::MAX),
        acquire(END - PAGE, PAGE + 1),
        acquire(0x8000, 0x9000),
        acquire(P, PAGE),
        acquire(P + 5, 1),
        acquire(P - PAGE, PAGE + 1),
    ] {
        world.does(&lie);
        assert_eq!(known(&world), [], "{lie:?}");
    }
    world.does(&acquire(far + 5, PAGE));
    assert_eq!(known(&world), [(far, far + 2 * PAGE)]);
    world.does(&acquire(far + PAGE, PAGE));
    world.does(&acquire(far - PAGE, PAGE + 1));
    assert_eq!(known(&world).len(), 1, "nothing on top of another");
    world.does(&acquire(P + PAGE, PAGE));
    world.does(&acquire(END - PAGE, PAGE));
    world.does(&acquire(P - PAGE, PAGE));
    assert_eq!(known(&world).len(), 4);
    world.does(&let_go(far + 1));
    assert_eq!(known(&world).len(), 4);
    world.does(&let_go(far));
    assert_eq!(known(&world).len(), 3);
    let seen = world.0.state.foreign_overlapping(Address(P), Address(P + PAGE));
    assert_eq!(seen, None);
    let wide = world.0.state.foreign_overlapping(Address(P), Address(P + PAGE + 1));
    assert_eq!(wide, Some((Address(P + PAGE), Address(P + 2 * PAGE))));
    let both = world.0.state.foreign_overlapping(Address(P - 1), Address(END));
    assert_eq!(both, Some((Address(P - PAGE), Address(P))));
}

/// A notice about a range that the heaps took does not make the model forget it.
#[test]
fn a_heap_keeps_its_range() {
    let mut world = World::after(&[create(0)]);
    let one = base_of(&mut world, &block(0, 8));
    world.does(&let_go(one));
    let two = base_of(&mut world, &block(0, 8));
    assert_eq!(two, one + 16);
    assert!(world.gets(&query(one)).ends_with("Type MEM_PRIVATE"));
}
