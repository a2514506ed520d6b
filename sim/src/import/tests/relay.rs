//! Each rule of the relay mapping.

use hostmem_interface::Capability;

use super::super::{Reason, wine_relay};
use super::{RESERVE, RESERVED, begin, end, import, log, on, steps};

#[test]
fn a_reservation_is_named_and_calls_in_it_are_offsets() {
    let log = log(&[
        RESERVE,
        ("VirtualAlloc(01bb1010,00001000,00001000,00000004)", "01bb1000"),
        ("VirtualProtect(01bb1f38,000000a0,00000040,0019f000)", "00000001"),
        ("VirtualQuery(01bb2000,0019ee50,00000030)", "00000030"),
        ("VirtualFree(01bb1000,00002000,00004000)", "00000001"),
        ("VirtualFree(01bb0000,00000000,00008000)", "00000001"),
    ]);
    assert_eq!(
        steps(&log),
        [
            RESERVED,
            "VirtualAlloc r1+0x1010 0x1000 MEM_COMMIT PAGE_READWRITE = r1+0x1000",
            "VirtualProtect r1+0x1f38 0xa0 PAGE_EXECUTE_READWRITE",
            "VirtualQuery r1+0x2000",
            "VirtualFree r1+0x1000 0x2000 MEM_DECOMMIT",
            "VirtualFree r1 0x0 MEM_RELEASE",
        ]
    );
}

#[test]
fn an_explicit_reservation_gets_a_hole_before_the_query_that_names_it() {
    let log = log(&[
        ("VirtualQuery(01bc0000,0019ee50,00000030)", "00000030"),
        RESERVE,
        ("VirtualQuery(01b00000,0019ee50,00000030)", "00000030"),
        ("VirtualQuery(01bc0000,0019ee50,00000030)", "00000030"),
        ("VirtualQuery(01bcf000,0019ee50,00000030)", "00000030"),
        ("VirtualAlloc(01bc0000,00018000,00002000,00000001)", "01bc0000"),
    ]);
    assert_eq!(
        steps(&log),
        [
            RESERVED,
            "Hole 0x20000 as h1",
            "VirtualQuery h1",
            "VirtualQuery h1+0xf000",
            "VirtualAlloc h1 0x18000 MEM_RESERVE PAGE_NOACCESS as r2 = h1",
        ]
    );
    // The first query was made before something else was placed, the second of stranger's land.
    assert_eq!(import(&log).summary.left_out(Reason::NeverReserved), 2);
}

#[test]
fn neighbours_share_a_hole_while_nothing_else_is_placed() {
    let log = log(&[
        ("VirtualQuery(01bb0000,0019ee50,00000030)", "00000030"),
        ("VirtualAlloc(01bc8000,00001000,00002000,00000001)", "01bc0000"),
        ("VirtualAlloc(01bd0000,00010000,00002000,00000001)", "01bd0000"),
        ("VirtualAlloc(01bb0000,00010000,00002000,00000001)", "01bb0000"),
        ("VirtualAlloc(00000000,00010000,00002000,00000004)", "02000000"),
        ("VirtualAlloc(01be0000,00010000,00002000,00000001)", "01be0000"),
    ]);
    assert_eq!(
        steps(&log),
        [
            "Hole 0x30000 as h1",
            "VirtualQuery h1",
            "VirtualAlloc h1+0x18000 0x1000 MEM_RESERVE PAGE_NOACCESS as r1 = h1+0x10000",
            "VirtualAlloc h1+0x20000 0x10000 MEM_RESERVE PAGE_NOACCESS as r2 = h1+0x20000",
            "VirtualAlloc h1 0x10000 MEM_RESERVE PAGE_NOACCESS as r3 = h1",
            "VirtualAlloc 0x0 0x10000 MEM_RESERVE PAGE_READWRITE as r4 = aligned 0x10000",
            "Hole 0x10000 as h2",
            "VirtualAlloc h2 0x10000 MEM_RESERVE PAGE_NOACCESS as r5 = h2",
        ]
    );
}

#[test]
fn strangers_do_not_share_a_hole_and_their_holes_do_not_overlap_in_time() {
    let log = log(&[
        ("VirtualQuery(05000000,0019ee50,00000030)", "00000030"),
        ("VirtualAlloc(01bc0000,00010000,00002000,00000001)", "01bc0000"),
        ("VirtualQuery(05000000,0019ee50,00000030)", "00000030"),
        ("VirtualAlloc(05000000,00010000,00002000,00000001)", "05000000"),
    ]);
    assert_eq!(
        steps(&log),
        [
            "Hole 0x10000 as h1",
            "VirtualAlloc h1 0x10000 MEM_RESERVE PAGE_NOACCESS as r1 = h1",
            "Hole 0x10000 as h2",
            "VirtualQuery h2",
            "VirtualAlloc h2 0x10000 MEM_RESERVE PAGE_NOACCESS as r2 = h2",
        ]
    );
}

#[test]
fn each_lifetime_of_an_address_has_a_hole_of_its_own() {
    let explicit = ("VirtualAlloc(01bc0000,00010000,00002000,00000001)", "01bc0000");
    let query = ("VirtualQuery(01bc0000,0019ee50,00000030)", "00000030");
    let release = ("VirtualFree(01bc0000,00000000,00008000)", "00000001");
    let log = log(&[explicit, release, query, RESERVE, query, explicit, query]);
    assert_eq!(
        steps(&log),
        [
            "Hole 0x10000 as h1",
            "VirtualAlloc h1 0x10000 MEM_RESERVE PAGE_NOACCESS as r1 = h1",
            "VirtualFree r1 0x0 MEM_RELEASE",
            "VirtualAlloc 0x0 0x10000 MEM_RESERVE PAGE_READWRITE as r2 = aligned 0x10000",
            "Hole 0x10000 as h2",
            "VirtualQuery h2",
            "VirtualAlloc h2 0x10000 MEM_RESERVE PAGE_NOACCESS as r3 = h2",
            "VirtualQuery r3",
        ]
    );
    assert_eq!(import(&log).summary.left_out(Reason::Released), 1);
}

#[test]
fn a_release_in_flight_goes_before_the_reservation_that_took_its_place() {
    let release = "VirtualFree(01bb0000,00000000,00008000)";
    let log = [
        on("0024", RESERVE.0, RESERVE.1),
        begin("0024", release),
        begin("0028", RESERVE.0),
        end("0028", RESERVE.0, "01bb0000"),
        on("0028", "VirtualAlloc(01bb0000,00001000,00001000,00000004)", "01bb0000"),
        end("0024", release, "00000001"),
    ]
    .concat();
    assert_eq!(
        steps(&log),
        [
            RESERVED,
            "VirtualFree r1 0x0 MEM_RELEASE",
            "VirtualAlloc 0x0 0x10000 MEM_RESERVE PAGE_READWRITE as r2 = aligned 0x10000 on 1",
            "VirtualAlloc r2 0x1000 MEM_COMMIT PAGE_READWRITE = r2 on 1",
        ]
    );
    assert_eq!(import(&log).summary.lost, 0);
}

#[test]
fn a_reservation_whose_release_is_missing_gives_way() {
    let explicit = ("VirtualAlloc(01bb0000,00010000,00002000,00000001)", "01bb0000");
    let log = log(&[explicit, explicit, ("VirtualQuery(01bb0000,0019ee50,00000030)", "00000030")]);
    assert_eq!(
        steps(&log),
        [
            "Hole 0x10000 as h1",
            "VirtualAlloc h1 0x10000 MEM_RESERVE PAGE_NOACCESS as r1 = h1",
            "Hole 0x10000 as h2",
            "VirtualAlloc h2 0x10000 MEM_RESERVE PAGE_NOACCESS as r2 = h2",
            "VirtualQuery r2",
        ]
    );
    assert_eq!(import(&log).summary.lost, 1);
}

#[test]
fn calls_go_by_their_returns_and_those_without_one_are_left_out() {
    let (one, two) = ("VirtualAlloc(01bb0000,00001000,00001000,00000004)", "01bb0000");
    let log = [
        on("0024", RESERVE.0, RESERVE.1),
        begin("0028", one),
        on("002c", "GlobalMemoryStatusEx(0019f000)", "00000001"),
        end("0028", one, two),
        begin("0024", "VirtualQuery(01bb0000,0019ee50,00000030)"),
    ]
    .concat();
    assert_eq!(
        steps(&log),
        [
            RESERVED,
            "GetMemoryLoad on 1",
            "VirtualAlloc r1 0x1000 MEM_COMMIT PAGE_READWRITE = r1 on 2",
        ]
    );
    assert_eq!(import(&log).summary.left_out(Reason::NoReturn), 1);
}

#[test]
fn failures_are_repeated_without_expectation_unless_they_would_take_away() {
    let log = log(&[
        RESERVE,
        ("VirtualFree(01bb2000,00000000,00004000)", "00000000"),
        ("VirtualAlloc(01bb0000,00020000,00001000,00000004)", "00000000"),
        ("VirtualAlloc(01bb0000,00010000,00002000,00000004)", "00000000"),
        ("VirtualAlloc(00000000,00010000,00002000,00000004)", "00000000"),
        ("VirtualFree(01bb0000,00000000,00008000)", "00000000"),
        ("VirtualAlloc(77000000,00010000,00002000,00000004)", "00000000"),
    ]);
    assert_eq!(
        steps(&log),
        [
            RESERVED,
            "VirtualFree r1+0x2000 0x0 MEM_DECOMMIT ?",
            "VirtualAlloc r1 0x20000 MEM_COMMIT PAGE_READWRITE ?",
            "VirtualAlloc r1 0x10000 MEM_RESERVE PAGE_READWRITE ?",
            "VirtualAlloc 0x0 0x10000 MEM_RESERVE PAGE_READWRITE ?",
        ]
    );
    let summary = import(&log).summary;
    assert_eq!((summary.failed, summary.left_out(Reason::FailedTakingAway)), (4, 1));
    assert_eq!(summary.left_out(Reason::NeverReserved), 1);
}

#[test]
fn what_the_law_refuses_is_left_out_although_it_was_granted() {
    let log = log(&[
        RESERVE,
        ("VirtualProtect(01bb0000,00001000,00000002,0019f000)", "00000001"),
        ("VirtualAlloc(01bb0000,00001000,00001000,00000008)", "01bb0000"),
        ("VirtualAlloc(00000000,00001000,00201000,00000004)", "02000000"),
        ("GetWriteWatch(00000000,01bb0000,00001000,0019f000,0019f008,0019f010)", "00000000"),
        ("VirtualFree(01bb1000,00000000,00008000)", "00000001"),
    ]);
    assert_eq!(steps(&log), [RESERVED]);
    assert_eq!(import(&log).summary.left_out(Reason::AgainstTheLaw), 5);
}

#[test]
fn write_watch_reset_and_top_down_are_needed_where_they_are_used() {
    let log = log(&[
        ("VirtualAlloc(00000000,00010000,00302000,00000004)", "01bb0000"),
        ("VirtualAlloc(01bb0000,00002000,00001000,00000004)", "01bb0000"),
        ("GetWriteWatch(00000000,01bb0040,00000fc0,0019f000,0019f008,0019f010)", "00000000"),
        ("ResetWriteWatch(01bb0040,00000fc0)", "00000000"),
        ("VirtualAlloc(01bb0000,00001000,00080000,00000004)", "01bb0000"),
        ("VirtualAlloc(01bb0010,00001000,00080000,00000004)", "01bb0000"),
    ]);
    assert_eq!(
        steps(&log),
        [
            "VirtualAlloc 0x0 0x10000 MEM_RESERVE|MEM_TOP_DOWN|MEM_WRITE_WATCH PAGE_READWRITE \
             as r1 = aligned 0x10000",
            "VirtualAlloc r1 0x2000 MEM_COMMIT PAGE_READWRITE = r1",
            "GetWriteWatch r1+0x40 0xfc0",
            "ResetWriteWatch r1+0x40 0xfc0",
            "VirtualAlloc r1 0x1000 MEM_RESET PAGE_READWRITE = r1",
            "VirtualAlloc r1+0x10 0x1000 MEM_RESET PAGE_READWRITE ?",
        ]
    );
    let needs: Vec<_> = import(&log).scenario.needs.iter().collect();
    assert_eq!(needs, [Capability::WriteWatch, Capability::TopDown, Capability::Reset]);
}

#[test]
fn the_forms_with_a_process_count_for_the_own_one() {
    let log = log(&[
        ("VirtualAllocEx(ffffffffffffffff,00000000,00010000,00002000,00000004)", "01bb0000"),
        ("VirtualAllocExNuma(ffffffff,01bb0000,00001000,00001000,00000004,00000000)", "01bb0000"),
        ("VirtualProtectEx(ffffffff,01bb0000,00001000,00000002,0019f000)", "00000001"),
        ("VirtualQueryEx(ffffffff,01bb0000,0019f000,00000030)", "00000030"),
        ("VirtualFreeEx(00000048,01bb0000,00000000,00008000)", "00000001"),
        ("VirtualFreeEx(ffffffff,01bb0000,00000000,00008000)", "00000001"),
        ("GlobalMemoryStatus(0019f000)", "00000000"),
    ]);
    assert_eq!(steps(&log).len(), 6);
    let import = import(&log);
    assert_eq!(import.summary.left_out(Reason::OtherProcess), 1);
    assert!(import.scenario.steps[5].expect.is_some(), "it returns nothing");
}

#[test]
fn of_several_processes_the_one_that_allocates_most_is_imported() {
    let other = on("0010", "VirtualQuery(01bb0000,0019ee50,00000030)", "00000030");
    let log = other.repeat(3).replace(":0020:", ":0008:") + &log(&[RESERVE]);
    assert_eq!(steps(&log), [RESERVED]);
    assert_eq!(import(&log).summary.left_out(Reason::OtherProcess), 3);
}

#[test]
fn a_request_that_is_handed_on_counts_once() {
    let inner = on("0024", RESERVE.0, RESERVE.1).replace("KERNEL32", "kernelbase");
    let log = [begin("0024", RESERVE.0), inner, end("0024", RESERVE.0, RESERVE.1)].concat();
    assert_eq!(steps(&log), [RESERVED]);
    assert_eq!(import(&log).summary.left_out(Reason::Inside), 1);
}

#[test]
fn the_scenario_tells_program_and_runtime() {
    let loaded = |path: &str| {
        let path = path.replace('\\', "\\\\");
        format!("1.000:0020:0024:trace:loaddll:build_module Loaded L\"{path}\" at 14: native\n")
    };
    let log = [
        loaded("C:\\dotnet\\dotnet.exe"),
        loaded("C:\\windows\\kernel32.dll"),
        loaded("C:\\dotnet\\3.1.23\\coreclr.dll"),
        log(&[RESERVE]),
    ]
    .concat();
    let scenario = wine_relay(log.as_bytes(), "hello.txt").unwrap().scenario;
    assert!(scenario.about.contains("dotnet.exe"), "{}", scenario.about);
    let expected = "Wine relay log hello.txt of C:\\dotnet\\dotnet.exe with \
                    C:\\dotnet\\3.1.23\\coreclr.dll";
    assert_eq!(scenario.source.as_deref(), Some(expected));
}
