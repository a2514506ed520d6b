//! Whole logs, small and handwritten, against what must become of them.

mod damage;
mod random;
mod recordings;
mod relay;
mod replay;
mod strace;

use super::{Import, wine_relay};

/// A call and its return directly behind it, on a thread.
fn on(thread: &str, call: &str, result: &str) -> String {
    format!("{}{}", begin(thread, call), end(thread, call, result))
}

/// The line of a call.
fn begin(thread: &str, call: &str) -> String {
    format!("1.000:0020:{thread}:Call KERNEL32.{call} ret=015b1f7e\n")
}

/// The line of its return.
fn end(thread: &str, call: &str, result: &str) -> String {
    let (name, _) = call.split_once('(').unwrap();
    format!("1.000:0020:{thread}:Ret  KERNEL32.{name}() retval={result} ret=015b1f7e\n")
}

/// Calls of one thread, one after the other: (call, result).
fn log(calls: &[(&str, &str)]) -> String {
    calls.iter().map(|(call, result)| on("0024", call, result)).collect()
}

fn import(log: &str) -> Import {
    wine_relay(log.as_bytes(), "a.txt").unwrap()
}

/// The steps that a relay log becomes, after a naive replay.
fn steps(log: &str) -> Vec<String> {
    replay::steps(&import(log).scenario)
}

const RESERVE: (&str, &str) = ("VirtualAlloc(00000000,00010000,00002000,00000004)", "01bb0000");
const RESERVED: &str =
    "VirtualAlloc 0x0 0x10000 MEM_RESERVE PAGE_READWRITE as r1 = aligned 0x10000";
