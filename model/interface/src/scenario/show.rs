//! Addresses and steps as a person reads them in a trace.
//!
//! Deliberately not here: JSON ([`super::write`](mod@super::write)), and what came of a step.

use std::fmt::Write as _;

use super::table::{self, Word};
use super::{Action, Place, Scenario, Step, SymbolicCall};
use crate::{Call, CriticalLevel, Data, OutPointer, WatchPointers};

/// A number: up to 9 decimal, else hexadecimal.
pub(super) fn show_number(number: u64) -> String {
    if number <= 9 { number.to_string() } else { format!("{number:#x}") }
}

/// A word by its names, with a number for what has none.
pub(super) fn show_word(word: &Word, value: u32) -> String {
    if !word.set {
        return match word.names.iter().find(|(_, known)| *known == value) {
            Some((name, _)) => (*name).to_owned(),
            None => show_number(value.into()),
        };
    }
    let mut rest = value;
    let mut parts = Vec::new();
    for &(name, bits) in word.names {
        if rest & bits == bits {
            parts.push(name.to_owned());
            rest &= !bits;
        }
    }
    if rest != 0 || parts.is_empty() {
        parts.push(show_number(rest.into()));
    }
    parts.join("|")
}

/// An address with its name: `null`, `0x10000`, `p`, `p+0x1000`, `p-1`.
#[must_use]
pub fn show_place(scenario: &Scenario, place: Place) -> String {
    match place {
        Place::NULL => "null".to_owned(),
        Place::Absolute(address) => show_number(address.0),
        Place::Relative { name, offset: 0 } => scenario.name(name).to_owned(),
        Place::Relative { name, offset } if offset <= u64::MAX / 2 => {
            format!("{}+{}", scenario.name(name), show_number(offset))
        }
        Place::Relative { name, offset } => {
            format!("{}-{}", scenario.name(name), show_number(offset.wrapping_neg()))
        }
    }
}

/// Bytes as hex digits, in memory order.
pub(super) fn show_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

/// A step as one line: `p = VirtualAlloc(null, 0x20000, MEM_RESERVE, PAGE_NOACCESS)`.
///
/// Arguments stand in the order of the format; those with their default value are left out.
#[must_use]
pub fn show_step(scenario: &Scenario, step: &Step) -> String {
    let mut text = match step.thread {
        0 => String::new(),
        thread => format!("[thread {thread}] "),
    };
    if let Some(name) = step.bind {
        text.push_str(scenario.name(name));
        text.push_str(" = ");
    }
    text.push_str(step.action.name());
    text.push('(');
    text.push_str(&arguments(scenario, &step.action).join(", "));
    text.push(')');
    text
}

fn arguments(scenario: &Scenario, action: &Action) -> Vec<String> {
    match action {
        Action::Call(call) => call_arguments(scenario, call),
        Action::Hole { size } => vec![show_number(*size)],
        Action::Walk { from: None, to: None } => Vec::new(),
        Action::Walk { from, to } => {
            let end = |end: &Option<Place>| match end {
                Some(place) => show_place(scenario, *place),
                None => String::new(),
            };
            vec![format!("{}..{}", end(from), end(to))]
        }
        Action::FailNext { method, count, hresult, critical_at_most } => {
            let mut list = vec![format!("{count} {method}"), format!("{hresult}")];
            if let Some(level) = critical_at_most {
                list.push(format!("up to {level}"));
            }
            list
        }
    }
}

fn call_arguments(scenario: &Scenario, call: &SymbolicCall) -> Vec<String> {
    let mut list = Vec::new();
    if let Some(malloc) = call.malloc() {
        list.push(scenario.name(*malloc).to_owned());
    }
    if let Some(address) = call.address() {
        list.push(show_place(scenario, *address));
    }
    let null = |pointer, name: &str| match pointer {
        OutPointer::Valid => None,
        OutPointer::Null => Some(format!("null {name}")),
    };
    match call {
        Call::CreateMalloc { kind } => list.push(show_word(&table::MALLOC, kind.0)),
        Call::VirtualAlloc { size, kind, protect, .. } => {
            list.push(show_number(*size));
            list.push(show_word(&table::ALLOCATION, kind.0));
            list.push(show_word(&table::PROTECTION, protect.0));
        }
        Call::VirtualFree { size, kind, .. } => {
            list.push(show_number(*size));
            list.push(show_word(&table::FREE, kind.0));
        }
        Call::VirtualQuery { buffer, length, .. } => {
            list.extend((*length != 48).then(|| format!("{length} bytes")));
            list.extend(null(*buffer, "buffer"));
        }
        Call::VirtualProtect { size, protect, old, .. } => {
            list.push(show_number(*size));
            list.push(show_word(&table::PROTECTION, protect.0));
            list.extend(null(*old, "old"));
        }
        Call::NeedsVirtualAddressSpace { size, .. }
        | Call::AcquiredVirtualAddressSpace { size, .. }
        | Call::Alloc { size, .. }
        | Call::Read { size, .. }
        | Call::ResetWriteWatch { size, .. } => list.push(show_number(*size)),
        Call::DebugAlloc { size, file, line, .. } => {
            list.push(show_number(*size));
            list.push(format!("{file}:{line}"));
        }
        Call::Write { data: Data::Bytes(bytes), .. } if bytes.len() <= 32 => {
            list.push(show_hex(bytes));
        }
        Call::Write { data: Data::Bytes(bytes), .. } => list.push(format!("{} bytes", bytes.len())),
        Call::Write { data: Data::Fill { size, byte }, .. } => {
            list.push(format!("{} bytes of {byte:02x}", show_number(*size)));
        }
        Call::GetWriteWatch { size, flags, capacity, null, .. } => {
            list.push(show_number(*size));
            list.extend((flags.0 != 0).then(|| show_word(&table::WATCH, flags.0)));
            list.push(format!("{capacity} pages"));
            list.extend(null_pointers(*null).map(|name| format!("null {name}")));
        }
        Call::SetMemoryLoad { load, available } => {
            list.push(format!("{load} %"));
            list.push(format!("{} bytes available", show_number(*available)));
        }
        _ => {}
    }
    let level = call.critical().filter(|level| *level != CriticalLevel::TASK);
    list.extend(level.map(|level| level.to_string()));
    list
}

/// The names of the null ones.
pub(super) fn null_pointers(null: WatchPointers) -> impl Iterator<Item = &'static str> {
    table::POINTERS
        .into_iter()
        .zip([null.addresses, null.count, null.granularity])
        .filter_map(|(name, pointer)| (pointer == OutPointer::Null).then_some(name))
}
