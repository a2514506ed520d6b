//! Logs that are empty, foreign, cut off or torn: what a stranger is told.

use super::super::{strace, wine_relay};
use super::{RESERVE, begin, end, import, log, on};

fn refusal(log: &str) -> String {
    wine_relay(log.as_bytes(), "a.txt").unwrap_err().to_string()
}

#[test]
fn an_empty_log_and_a_foreign_one_say_how_to_record() {
    let empty = refusal("");
    assert!(empty.starts_with("the log is empty: record one with `WINEDEBUG=+relay"), "{empty}");
    let foreign = refusal("Hello, World!\n\0\x7fELF\n");
    assert!(foreign.starts_with("none of the 2 lines is a call of a Wine relay"), "{foreign}");
    assert!(foreign.contains("RelayInclude"), "{foreign}");
    let binary = wine_relay(&[0xFF, 0xFE, 0, 10, 0x80][..], "a").unwrap_err().to_string();
    assert!(binary.starts_with("none of the 2 lines"), "{binary}");
}

#[test]
fn a_last_line_that_was_cut_off_is_told_and_forgiven() {
    let whole = log(&[RESERVE, ("VirtualQuery(01bb0000,0019ee50,00000030)", "00000030")]);
    for cut in 1..75 {
        let log = &whole[..whole.len() - cut];
        let import = import(log);
        assert_eq!(import.summary.seen(), 2, "cut {cut}");
    }
    let middle = import(&whole[..whole.len() - 20]).summary;
    assert_eq!(middle.cut_off, Some(4));
    assert!(middle.to_string().ends_with("cut off in the middle of line 4"), "{middle}");
}

#[test]
fn a_torn_line_in_the_middle_is_an_error_with_its_number() {
    let torn = "1.000:0020:0024:Call KERNEL32.VirtualAlloc(00000000,000\n";
    let message = refusal(&(log(&[RESERVE]) + torn + &log(&[RESERVE])));
    assert_eq!(
        message,
        "line 3: damaged: found `1.000:0020:0024:Call KERNEL32.VirtualAlloc(00000000,000`, \
         expected `Call MODULE.Function(arguments) ret=address`"
    );
}

#[test]
fn two_halves_in_one_line_are_an_error() {
    let half = "1.000:0020:0024:Call KERNEL32.VirtualAlloc(00000000,000";
    let message = refusal(&(half.to_owned() + &begin("0028", RESERVE.0)));
    assert!(message.starts_with("line 1: damaged: found `1.000"), "{message}");
    assert!(message.contains("hexadecimal arguments"), "{message}");
    let message =
        refusal(&format!("{}{half}{}", log(&[RESERVE]), end("0024", RESERVE.0, RESERVE.1)));
    assert!(message.starts_with("line 3: damaged"), "{message}");
}

#[test]
fn a_return_without_its_call_is_an_error() {
    let message = refusal(&(log(&[RESERVE]) + &end("0028", RESERVE.0, RESERVE.1)));
    assert!(
        message.starts_with("line 3: KERNEL32.VirtualAlloc returns on thread 0028, but the log"),
        "{message}"
    );
}

#[test]
fn other_output_in_between_is_skipped_and_counted() {
    let reserve = on("0024", RESERVE.0, RESERVE.1);
    let log = format!(
        "Hello\n{}fixme:font:x 3\nno end of line{}0024:Call PE DLL (proc=1)\n",
        reserve,
        begin("0024", RESERVE.0)
    );
    let summary = import(&log).summary;
    assert_eq!((summary.lines, summary.other_lines, summary.seen()), (6, 3, 2));
}

#[test]
fn a_log_of_nothing_that_can_be_replayed_says_why() {
    let message = refusal(&log(&[("VirtualQuery(01bb0000,0019ee50,00000030)", "00000030")]));
    assert!(message.starts_with("nothing of this log can be replayed: kept 0 of 1"), "{message}");
    assert!(message.contains("never saw reserved"), "{message}");
}

#[test]
fn strace_logs_are_refused_alike() {
    let refusal = |log: &str| strace(log.as_bytes(), "a").unwrap_err().to_string();
    assert!(refusal("").contains("strace -f -e trace=memory"));
    assert!(refusal("Hello\n").starts_with("none of the 1 lines is a system call"));
    let map = "1 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000\n";
    let torn = format!("{map}1 mprotect(0x7f0000000000, 40\n{map}");
    assert!(refusal(&torn).starts_with("line 2: damaged: found `1 mprotect(0x7f"));
    let lone = format!("{map}2 <... mprotect resumed>) = 0\n");
    assert!(refusal(&lone).starts_with("line 2: mprotect returns on thread 2, but"));
    let cut = strace(&torn.as_bytes()[..map.len() + 20], "a").unwrap();
    assert_eq!(cut.summary.cut_off, Some(2));
}
