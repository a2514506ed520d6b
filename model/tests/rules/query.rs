//! `VirtualQuery`: bad arguments, owned regions and the rule that says most, free memory.

use super::*;

fn with(address: u64, buffer: OutPointer, length: u64) -> Call {
    Call::VirtualQuery { address: Address(address), buffer, length }
}

/// Addresses first, then the buffer, then its length.
#[test]
fn bad_arguments() {
    let world = World::after(&[alloc(P, PAGE, R, RW)]);
    let (valid, null) = (OutPointer::Valid, OutPointer::Null);
    let nothing = "VQ-07 ok, nothing written";
    let short = "VQ-08 refused: ERROR_BAD_LENGTH";
    world.rows(&[
        (with(END, valid, 48), &format!("VQ-07 {BAD} | {nothing}")),
        (with(END, valid, 49), &format!("VQ-07 {BAD} | {nothing}")),
        (with(END, valid, 47), &format!("VQ-09 {BAD} | {nothing}")),
        (with(u64::MAX, null, 48), &format!("VQ-09 {BAD} | {nothing}")),
        (with(P, null, 48), &by("VQ-10", NULL)),
        (with(P, null, 0), &format!("VQ-10 {NULL} | {short}")),
        (with(P, valid, 47), short),
        (with(0, valid, 0), short),
    ]);
    assert!(world.says(&with(P, valid, 4096)).starts_with("VQ-03 "));
    assert!(world.says(&with(END - 1, valid, 48)).starts_with("VQ-06 "));
}

/// The region in words.
fn region(rule: &str, base: u64, of: (u64, &str), size: u64, state: &str, protect: &str) -> String {
    format!(
        "{rule} BaseAddress {base:#x}, AllocationBase {:#x}, AllocationProtect {}, RegionSize \
         {size:#x}, State {state}, Protect {protect}, Type MEM_PRIVATE",
        of.0, of.1
    )
}

/// Each owned page shows the run that begins with it.
#[test]
fn owned_regions() {
    let mut world = World::after(&[
        alloc(P, 4 * PAGE, R, RO | GUARD),
        alloc(P + GRANULE, PAGE, RC, RW),
        alloc(P + 2 * GRANULE, 2 * PAGE, RC, RW | NOCACHE),
        alloc(P + 3 * GRANULE, PAGE, RC, RW | COMBINE),
        alloc(P + 4 * GRANULE, PAGE, R, RW),
    ]);
    let of = (P, "PAGE_READONLY|PAGE_GUARD");
    let (reserve, commit) = ("MEM_RESERVE", "MEM_COMMIT");
    let two = P + 2 * GRANULE;
    world.rows(&[
        (query(P), &region("VQ-03", P, of, 4 * PAGE, reserve, "0")),
        (query(P + 0x1001), &region("VQ-02", P + PAGE, of, 3 * PAGE, reserve, "0")),
        (
            query(P + GRANULE),
            &region(
                "VQ-01",
                P + GRANULE,
                (P + GRANULE, "PAGE_READWRITE"),
                PAGE,
                commit,
                "PAGE_READWRITE",
            ),
        ),
        (
            query(two + PAGE),
            &region(
                "PR-05",
                two + PAGE,
                (two, "PAGE_READWRITE|PAGE_NOCACHE"),
                PAGE,
                commit,
                "PAGE_READWRITE|PAGE_NOCACHE",
            ),
        ),
        (
            query(P + 3 * GRANULE),
            &region(
                "PR-06",
                P + 3 * GRANULE,
                (P + 3 * GRANULE, "PAGE_READWRITE|PAGE_WRITECOMBINE"),
                PAGE,
                commit,
                "PAGE_READWRITE|PAGE_WRITECOMBINE",
            ),
        ),
    ]);
    world.does(&alloc(P + PAGE, PAGE, C, RW));
    world.does(&alloc(P + 2 * PAGE, PAGE, C, RX | GUARD));
    world.does(&alloc(P + 3 * PAGE, PAGE, C, RWX));
    world.rows(&[
        (query(P), &region("VQ-05", P, of, PAGE, reserve, "0")),
        (query(P + PAGE), &region("VQ-05", P + PAGE, of, PAGE, commit, "PAGE_READWRITE")),
        (
            query(P + 2 * PAGE),
            &region("GP-01", P + 2 * PAGE, of, PAGE, commit, "PAGE_EXECUTE_READ|PAGE_GUARD"),
        ),
        (
            query(P + 3 * PAGE),
            &region("VQ-04", P + 3 * PAGE, of, PAGE, commit, "PAGE_EXECUTE_READWRITE"),
        ),
    ]);
}

/// Free memory lies between its owned neighbours, and says so.
#[test]
fn free_memory() {
    let mut world = World::after(&[alloc(P, PAGE, R, RW), alloc(P + GRANULE, PAGE, R, RW)]);
    let free = |rule: &str, at: u64, start: u64, end: u64| {
        format!("{rule} a region at {at:#x} inside {start:#x} to {end:#x}, free or foreign")
    };
    world.rows(&[
        (query(0), &free("VQ-11", 0, 0, P)),
        (query(0xFFFF), &free("VQ-11", 0xFFFF, 0, P)),
        (query(GRANULE), &free("VQ-06", GRANULE, 0, P)),
        (query(P + PAGE), &free("VQ-06", P + PAGE, P + PAGE, P + GRANULE)),
        (query(P + 2 * GRANULE), &free("VQ-06", P + 2 * GRANULE, P + GRANULE + PAGE, END)),
    ]);
    assert_eq!(world.seen(P + PAGE), (0x1_0000, NA, GRANULE - PAGE));
    world.does(&acquire(P + 4 * PAGE + 1, PAGE));
    world.rows(&[
        (query(P + 4 * PAGE), &free("AS-04", P + 4 * PAGE, P + PAGE, P + GRANULE)),
        (query(P + 6 * PAGE - 1), &free("AS-04", P + 6 * PAGE - 1, P + PAGE, P + GRANULE)),
        (query(P + 4 * PAGE - 1), &free("VQ-06", P + 4 * PAGE - 1, P + PAGE, P + GRANULE)),
        (query(P + 6 * PAGE), &free("VQ-06", P + 6 * PAGE, P + PAGE, P + GRANULE)),
    ]);
    assert_eq!(world.seen(P + PAGE), (0x1_0000, NA, 3 * PAGE));
    assert_eq!(world.seen(P + 5 * PAGE), (C, RW, PAGE));
    let mapped = world.gets(&query(P + 4 * PAGE));
    assert!(mapped.ends_with("Type MEM_MAPPED") && mapped.contains("AllocationBase 0x104000"));
    assert_eq!(world.seen(P + 6 * PAGE), (0x1_0000, NA, 10 * PAGE));
}
