//! Each rule of the strace mapping.

use super::super::{Import, Reason, strace};
use super::replay;

const RESERVE: &str = "1 mmap(NULL, 32768, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, \
 -1, 0) = 0x7f0000001000";
const RESERVED: &str = "VirtualAlloc 0x0 0x8000 MEM_RESERVE PAGE_NOACCESS as r1 = aligned 0x10000";

fn import(lines: &[&str]) -> Import {
    strace((lines.join("\n") + "\n").as_bytes(), "a.txt").unwrap()
}

fn steps(lines: &[&str]) -> Vec<String> {
    replay::steps(&import(lines).scenario)
}

#[test]
fn reserve_commit_protect_decommit_release() {
    let lines = [
        RESERVE,
        "1 mprotect(0x7f0000002000, 8192, PROT_READ|PROT_WRITE) = 0",
        "1 mprotect(0x7f0000002000, 4096, PROT_READ|PROT_EXEC) = 0",
        "1 mprotect(0x7f0000001000, 32768, PROT_NONE) = 0",
        "1 mmap(0x7f0000002000, 4096, PROT_NONE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, \
         -1, 0) = 0x7f0000002000",
        "1 mprotect(0x7f0000002000, 4096, PROT_READ) = 0",
        "1 munmap(0x7f0000001000, 32768) = 0",
    ];
    assert_eq!(
        steps(&lines),
        [
            RESERVED,
            "VirtualAlloc r1+0x1000 0x2000 MEM_COMMIT PAGE_READWRITE = r1+0x1000",
            "VirtualProtect r1+0x1000 0x1000 PAGE_EXECUTE_READ",
            "VirtualProtect r1+0x1000 0x2000 PAGE_NOACCESS",
            "VirtualFree r1+0x1000 0x1000 MEM_DECOMMIT",
            "VirtualAlloc r1+0x1000 0x1000 MEM_COMMIT PAGE_READONLY = r1+0x1000",
            "VirtualFree r1 0x0 MEM_RELEASE",
        ]
    );
}

#[test]
fn memory_with_a_protection_is_committed_at_once_and_a_hint_is_no_address() {
    let lines = [
        "mmap(0x1000, 5000, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, \
         -1, 0) = 0x7f0000000000",
        "mmap(0x7f0000001000, 4096, PROT_READ, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, \
         -1, 0) = 0x7f0000001000",
        "madvise(0x7f0000000000, 4096, MADV_FREE) = 0",
        "madvise(0x7f0000000000, 8192, MADV_DONTNEED) = 0",
        "madvise(0x7f0000000000, 8192, MADV_DONTNEED) = 0",
    ];
    assert_eq!(
        steps(&lines),
        [
            "VirtualAlloc 0x0 0x1388 MEM_COMMIT|MEM_RESERVE PAGE_READWRITE as r1 = aligned 0x10000",
            "VirtualFree r1+0x1000 0x1000 MEM_DECOMMIT",
            "VirtualAlloc r1+0x1000 0x1000 MEM_COMMIT PAGE_READONLY = r1+0x1000",
            "VirtualAlloc r1 0x1000 MEM_RESET PAGE_READWRITE = r1",
            "VirtualFree r1 0x2000 MEM_DECOMMIT",
        ]
    );
    assert_eq!(import(&lines).summary.left_out(Reason::NoEffect), 1);
}

#[test]
fn a_reservation_lasts_until_its_last_page_is_unmapped() {
    let lines = [
        RESERVE,
        "1 munmap(0x7f0000001000, 4096) = 0",
        "1 mmap(0x7f0000002000, 4096, PROT_READ, MAP_PRIVATE|MAP_FIXED, 3, 0) = 0x7f0000002000",
        "1 mprotect(0x7f0000001000, 4096, PROT_READ) = 0",
        "1 mprotect(0x7f0000002000, 8192, PROT_READ) = 0",
        // Linux gives the head to somebody else.
        "1 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000",
        "1 mprotect(0x7f0000001000, 4096, PROT_READ) = 0",
        "1 mprotect(0x7f0000004000, 4096, PROT_READ) = 0",
        "1 munmap(0x7f0000003000, 8192) = 0",
        "1 munmap(0x7f0000005000, 16384) = 0",
    ];
    assert_eq!(
        steps(&lines),
        [
            RESERVED,
            "VirtualAlloc 0x0 0x1000 MEM_RESERVE PAGE_NOACCESS as r2 = aligned 0x10000",
            "VirtualAlloc r2 0x1000 MEM_COMMIT PAGE_READONLY = r2",
            "VirtualAlloc r1+0x3000 0x1000 MEM_COMMIT PAGE_READONLY = r1+0x3000",
            "VirtualFree r1+0x3000 0x1000 MEM_DECOMMIT",
            "VirtualFree r1 0x0 MEM_RELEASE",
        ]
    );
    let summary = import(&lines).summary;
    assert_eq!(summary.left_out(Reason::PartlyUnmapped), 1);
    assert_eq!(summary.left_out(Reason::Released), 1);
    assert_eq!(summary.left_out(Reason::AgainstTheLaw), 1);
    assert_eq!((summary.left_out(Reason::NoWord), summary.lost), (1, 0));
}

#[test]
fn torn_calls_are_joined_and_an_unmapping_in_flight_goes_first() {
    let lines = [
        RESERVE,
        "1 mprotect(0x7f0000001000, 4096, PROT_READ <unfinished ...>",
        "2 mprotect(0x7f0000002000, 4096, PROT_READ) = 0",
        "1 <... mprotect resumed>)           = 0",
        "1 munmap(0x7f0000001000, 32768 <unfinished ...>",
        "2 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000",
        "1 <... munmap resumed>) = 0",
        "2 mprotect(0x7f0000001000, 4096, PROT_READ <unfinished ...>",
        "2 +++ exited with 0 +++",
    ];
    assert_eq!(
        steps(&lines),
        [
            RESERVED,
            "VirtualAlloc r1+0x1000 0x1000 MEM_COMMIT PAGE_READONLY = r1+0x1000 on 1",
            "VirtualAlloc r1 0x1000 MEM_COMMIT PAGE_READONLY = r1",
            "VirtualFree r1 0x0 MEM_RELEASE",
            "VirtualAlloc 0x0 0x1000 MEM_RESERVE PAGE_NOACCESS as r2 = aligned 0x10000 on 1",
        ]
    );
    let summary = import(&lines).summary;
    assert_eq!((summary.left_out(Reason::NoReturn), summary.lost), (1, 0));
}

#[test]
fn what_win32_has_no_word_for_is_counted() {
    let lines = [
        RESERVE,
        "1 brk(NULL) = 0x1000",
        "1 mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3, 0) = 0x7f0000100000",
        "1 mprotect(0x7f0000100000, 4096, PROT_NONE) = 0",
        "1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, \
         -1, 0) = -1 ENOMEM (Cannot allocate memory)",
        "--- SIGRT_1 {si_signo=SIGRT_1} ---",
        "hello(1)",
    ];
    assert_eq!(steps(&lines), [RESERVED]);
    let summary = import(&lines).summary;
    assert_eq!(summary.left_out(Reason::NoWord), 2);
    assert_eq!(summary.left_out(Reason::NeverReserved), 1);
    assert_eq!(summary.left_out(Reason::FailedOnLinux), 1);
    assert_eq!((summary.seen(), summary.other_lines), (5, 2));
}

/// An unmapping in flight takes away what was there before, whoever that belonged to, and not
/// what another thread has been given meanwhile.
#[test]
fn an_unmapping_in_flight_does_not_reach_what_came_after_it() {
    let file_first = [
        "1 mmap(NULL, 32768, PROT_READ, MAP_SHARED, 3, 0) = 0x7f0000001000",
        "1 munmap(0x7f0000001000, 32768 <unfinished ...>",
        "2 mmap(NULL, 32768, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000",
        "1 <... munmap resumed>) = 0",
        "2 mprotect(0x7f0000001000, 4096, PROT_READ) = 0",
        "2 munmap(0x7f0000001000, 32768) = 0",
    ];
    let told = [
        RESERVED,
        "VirtualAlloc r1 0x1000 MEM_COMMIT PAGE_READONLY = r1",
        "VirtualFree r1 0x0 MEM_RELEASE",
    ];
    assert_eq!(steps(&file_first), told);
    // Of two mappings in flight neither gives the other's place away.
    let two = [
        "3 mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000010000",
        "3 mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000020000",
        "1 mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>",
        "4 munmap(0x7f0000020000, 8192 <unfinished ...>",
        "2 mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000020000",
        "4 <... munmap resumed>) = 0",
        "3 munmap(0x7f0000010000, 8192) = 0",
        "1 <... mmap resumed>) = 0x7f0000010000",
        "1 munmap(0x7f0000010000, 8192) = 0",
    ];
    let summary = import(&two).summary;
    assert_eq!((summary.seen(), summary.kept(), summary.lost), (7, 7, 0));
}

/// On a terminal strace names threads while there are several, and writes its news into lines.
#[test]
fn a_log_of_the_terminal_is_read_like_one_of_a_file() {
    let lines = [
        "mmap(NULL, 32768, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0strace: Process 12 attached",
        " <unfinished ...>",
        "[pid 12] madvise(0x7f0000001000, 4096, MADV_DONTNEED) = -1 ENOMEM (Cannot allocate memory)",
        "[pid 11] <... mmap resumed>)            = 0x7f0000001000",
        "[pid 11] munmap(0x7f0000001000, 32768 <unfinished ...>",
        "[pid 12] +++ exited with 0 +++",
        "<... munmap resumed>)                   = 0",
        "+++ exited with 0 +++",
    ];
    assert_eq!(steps(&lines), [RESERVED, "VirtualFree r1 0x0 MEM_RELEASE on 1"]);
    let lone = [
        "[pid 1] mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x1000",
        "[pid 1] <... munmap resumed>) = 0",
    ];
    assert!(strace(lone.join("\n").as_bytes(), "a.txt").is_err(), "nobody had begun it");
}

/// What a call says beside what counts is no damage.
#[test]
fn paths_directions_and_a_detached_tracer_are_no_damage() {
    let lines = [
        RESERVE,
        "1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</tmp/a, b, c.so>, 0) = 0x7f0000100000",
        "1 mprotect(0x7f0000001000, 4096, PROT_READ|PROT_GROWSDOWN) = 0",
        "1 munmap(0x7f0000001000, 32768 <detached ...>",
    ];
    assert_eq!(steps(&lines), [RESERVED, "VirtualAlloc r1 0x1000 MEM_COMMIT PAGE_READONLY = r1"]);
    let summary = import(&lines).summary;
    assert_eq!((summary.left_out(Reason::NoWord), summary.left_out(Reason::NoReturn)), (1, 1));
}
