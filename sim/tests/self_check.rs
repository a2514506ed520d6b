//! A file is held against the law, not against what the model would choose: what it expects may
//! be any lawful answer, and nothing else.

use hostmem::run::scenario::self_check;
use hostmem_interface::scenario::read;

const RESERVE: &str = r#"{ "call": "VirtualAlloc", "address": null, "size": "0x10000",
    "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_READWRITE", "bind": "p""#;
const HEAP: &str = r#"{ "call": "CreateMalloc", "kind": "MALLOC_THREADSAFE", "bind": "heap" }"#;
const BLOCK: &str = r#"{ "call": "Alloc", "malloc": "heap", "size": 64, "bind": "b""#;

/// Whether steps with these expectations contradict the law: as they are, and behind a walk, which
/// the quick look leaves to the proper one.
fn contradicts(steps: &[&str]) -> [bool; 2] {
    let walk = r#"{ "call": "Walk", "from": "0x20000", "to": "0x30000" },"#;
    ["", walk].map(|before| {
        let steps = steps.join(",\n");
        let text = format!(
            r#"{{ "format": "hostmem/1", "about": "A choice", "rules": ["VA-12"], "steps": [{before} {steps}] }}"#
        );
        let scenario = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        self_check(&scenario, "").is_some()
    })
}

#[track_caller]
fn lawful(steps: &[&str]) {
    assert_eq!(contradicts(steps), [false; 2], "{steps:#?}");
}

#[track_caller]
fn unlawful(steps: &[&str]) {
    assert_eq!(contradicts(steps), [true; 2], "{steps:#?}");
}

fn with(step: &str, expect: &str) -> String {
    format!(r#"{step}, "expect": {expect} }}"#)
}

#[test]
fn memory_may_lie_wherever_there_is_room() {
    lawful(&[&with(RESERVE, r#"{ "address": "0x123450000" }"#)]);
    lawful(&[&with(RESERVE, r#"{ "aligned": "0x40000000" }"#)]);
    unlawful(&[&with(RESERVE, r#"{ "address": "0x123451000" }"#)]);
    unlawful(&[&with(RESERVE, r#"{ "address": "0x7fffffff0000" }"#)]);
    let there = with(RESERVE, r#"{ "address": "0x123450000" }"#);
    let again = there.replace(r#""bind": "p""#, r#""bind": "q""#);
    unlawful(&[&there, &again]);
    // What follows is about the place that was expected.
    let query = r#"{ "call": "VirtualQuery", "address": "0x123451000", "expect":
        { "AllocationBase": "p", "RegionSize": "0xf000", "State": "MEM_COMMIT" } }"#;
    lawful(&[&there, query]);
    unlawful(&[&with(RESERVE, r#""ok""#), query]);
}

#[test]
fn a_block_may_lie_anywhere_and_hold_anything() {
    let place = |at: &str| with(BLOCK, &format!(r#"{{ "address": "{at}" }}"#));
    let read = r#"{ "call": "Read", "address": "b", "size": 2, "expect": { "bytes": "5a5b" } }"#;
    lawful(&[HEAP, &place("0x123456780"), read]);
    unlawful(&[HEAP, &place("0x123456788")]);
    // What was seen once stays.
    let zeros = r#"{ "call": "Read", "address": "b", "size": 2, "expect": { "bytes": "0000" } }"#;
    unlawful(&[HEAP, &with(BLOCK, r#""ok""#), read, zeros]);
    // New pages are zero, whoever would like them otherwise.
    let page = read.replace(r#""b""#, r#""p""#);
    unlawful(&[&with(RESERVE, r#""ok""#), &page]);
}

#[test]
fn a_refusal_may_be_any_failing_hresult_that_says_nothing_else() {
    let free = r#"{ "call": "VirtualFree", "address": "p", "size": 1, "type": "MEM_RELEASE""#;
    let p = with(RESERVE, r#""ok""#);
    lawful(&[&p, &with(free, r#"{ "hresult": "E_FAIL" }"#)]);
    lawful(&[&p, &with(free, r#"{ "hresult": ["E_OUTOFMEMORY", "E_FAIL"] }"#)]);
    lawful(&[&p, &with(free, r#"{ "error": 87, "hresult": "E_FAIL" }"#)]);
    unlawful(&[&p, &with(free, r#"{ "hresult": "E_OUTOFMEMORY" }"#)]);
    unlawful(&[&p, &with(free, r#"{ "error": 487, "hresult": "E_FAIL" }"#)]);
    unlawful(&[&p, &with(free, r#"{ "error": 487 }"#)]);
}

#[test]
fn a_reset_page_may_be_gone_while_its_neighbour_is_not() {
    let write = |at: &str| format!(r#"{{ "call": "Write", "address": "{at}", "bytes": "11" }}"#);
    let reset = r#"{ "call": "VirtualAlloc", "address": "p", "size": "0x2000",
        "type": "MEM_RESET", "protect": "PAGE_READWRITE", "expect": "ok" }"#;
    let read = |bytes: &str| {
        format!(
            r#"{{ "call": "Read", "address": "p+0xfff", "size": 2,
                "expect": {{ "bytes": "{bytes}" }} }}"#
        )
    };
    let p = with(RESERVE, r#""ok""#);
    let (one, two) = (write("p+0xfff"), write("p+0x1000"));
    for bytes in ["1111", "1100", "0011", "0000"] {
        lawful(&[&p, &one, &two, reset, &read(bytes)]);
    }
    unlawful(&[&p, &one, &two, reset, &read("1122")]);
    unlawful(&[&p, &one, &two, reset, &read("1100"), &read("1111")]);
}

#[test]
fn what_nobody_owns_may_be_anything_but_the_callers() {
    let query = r#"{ "call": "VirtualQuery", "address": "0x123450000""#;
    lawful(&[&with(
        query,
        r#"{ "State": "MEM_COMMIT", "Type": "MEM_IMAGE",
        "AllocationBase": "0x123440000", "BaseAddress": "0x123450000", "RegionSize": "0x3000" }"#,
    )]);
    unlawful(&[
        &with(RESERVE, r#"{ "address": "0x123460000" }"#),
        &with(query, r#"{ "State": "MEM_COMMIT", "RegionSize": "0x20000" }"#),
    ]);
}

/// Which of two that overlap came first, a later step may tell in either way.
#[test]
fn a_later_step_may_expect_any_order() {
    let write = |byte: &str, thread: u32| {
        format!(
            r#"{{ "call": "Write", "address": "p", "bytes": "{byte}", "with": 7, "thread": {thread} }}"#
        )
    };
    let read = |byte: &str| {
        format!(
            r#"{{ "call": "Read", "address": "p", "size": 1, "expect": {{ "bytes": "{byte}" }} }}"#
        )
    };
    let p = with(RESERVE, r#""ok""#);
    for byte in ["22", "33"] {
        lawful(&[&p, &write("22", 1), &write("33", 2), &read(byte)]);
    }
    unlawful(&[&p, &read("22"), &write("22", 1), &write("33", 2)]);
}

/// Of two that want one place, either may be served first; what one thread does keeps its order.
#[test]
fn a_refusal_in_a_group_is_explained_by_an_order() {
    let hole = r#"{ "call": "Hole", "size": "0x10000", "bind": "h" }"#;
    let reserve = |thread: u32, expect: &str| {
        format!(
            r#"{{ "call": "VirtualAlloc", "address": "h", "size": "0x10000", "type": "MEM_RESERVE",
            "protect": "PAGE_READWRITE", "thread": {thread}, "with": 1, "expect": {expect} }}"#
        )
    };
    let (fails, ok) = (r#""fails""#, r#""ok""#);
    let either = r#"{ "error": ["ERROR_INVALID_ADDRESS", "ERROR_NOT_ENOUGH_MEMORY"] }"#;
    lawful(&[hole, &reserve(1, fails), &reserve(2, ok)]);
    lawful(&[hole, &reserve(1, either), &reserve(2, ok)]);
    lawful(&[hole, &reserve(1, ok), &reserve(1, either)]);
    unlawful(&[hole, &reserve(1, ok), &reserve(2, ok)]);
    let exact = r#"{ "error": "ERROR_INVALID_ADDRESS" }"#;
    unlawful(&[hole, &reserve(1, exact), &reserve(1, ok)]);
    let query = r#"{ "call": "VirtualQuery", "address": "h", "thread": 3, "with": 1 }"#;
    unlawful(&[hole, &reserve(1, exact), query, &reserve(1, ok)]);
}

/// Steps of one thread alone are no group: a later one may use a name that an earlier one binds.
#[test]
fn one_thread_does_not_overlap_itself() {
    let reserve = with(RESERVE, r#""ok", "with": 1"#);
    let release = r#"{ "call": "VirtualFree", "address": "p", "size": 0, "type": "MEM_RELEASE",
        "with": 1, "expect": "ok" }"#;
    let again = release.replace(r#""ok""#, r#"{ "error": "ERROR_INVALID_ADDRESS" }"#);
    lawful(&[&reserve, release, &again]);
    unlawful(&[&reserve, &again, release]);
}

/// What a `Hole` expects is about its reservation.
#[test]
fn a_hole_is_judged_as_a_reservation() {
    let hole = |size: &str, expect: &str| {
        format!(r#"{{ "call": "Hole", "size": {size}, "bind": "h", "expect": {expect} }}"#)
    };
    let refused = r#"{ "error": "ERROR_INVALID_PARAMETER" }"#;
    lawful(&[&hole("4096", r#""ok""#)]);
    lawful(&[&hole("0", refused)]);
    lawful(&[&hole("0", r#""fails""#)]);
    unlawful(&[&hole("4096", refused)]);
    unlawful(&[&hole("0", r#""ok""#)]);
}
