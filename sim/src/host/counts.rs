//! How often the runtime asked for what.
//!
//! Deliberately not here: who asked.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hostmem_interface::AllocationType;
use hostmem_interface::{Call, FreeType};

/// What is counted apart, as it is told.
const KINDS: [&str; 15] = [
    "reserve",
    "commit",
    "reset",
    "decommit",
    "release",
    "protect",
    "query",
    "get write watch",
    "reset write watch",
    "memory load",
    "notification",
    "view needed",
    "view mapped",
    "view unmapped",
    "other",
];

/// Counts of requests. Callable from any thread.
#[derive(Debug, Default)]
pub struct Counts {
    kinds: [AtomicU64; KINDS.len()],
    all: AtomicU64,
}

impl Counts {
    /// Counts a request; which one it is, from 1.
    pub fn count(&self, call: &Call) -> u64 {
        self.kinds[kind(call)].fetch_add(1, Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many there were.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// The counts that are not zero, in one line: `410 commit, 19 query`.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = String::new();
        for (count, name) in self.kinds.iter().zip(KINDS) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let comma = if line.is_empty() { "" } else { ", " };
                write!(line, "{comma}{count} {name}").expect("a string takes all");
            }
        }
        line
    }
}

fn kind(call: &Call) -> usize {
    match call {
        Call::VirtualAlloc { kind, address, .. } => {
            if kind.contains(AllocationType::RESERVE) || address.is_null() {
                0
            } else if kind.contains(AllocationType::COMMIT) {
                1
            } else {
                2
            }
        }
        Call::VirtualFree { kind: FreeType::DECOMMIT, .. } => 3,
        Call::VirtualFree { .. } => 4,
        Call::VirtualProtect { .. } => 5,
        Call::VirtualQuery { .. } => 6,
        Call::GetWriteWatch { .. } => 7,
        Call::ResetWriteWatch { .. } => 8,
        Call::GetMemoryLoad => 9,
        Call::RegisterMemoryNotificationCallback => 10,
        Call::NeedsVirtualAddressSpace { .. } => 11,
        Call::AcquiredVirtualAddressSpace { .. } => 12,
        Call::ReleasedVirtualAddressSpace { .. } => 13,
        _ => 14,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_numbered() {
        let counts = Counts::default();
        assert_eq!(counts.count(&Call::reserve_hole(1)), 1);
        assert_eq!(counts.count(&Call::GetMemoryLoad), 2);
        assert_eq!(counts.count(&Call::reserve_hole(1)), 3);
        assert_eq!((counts.line().as_str(), counts.all()), ("2 reserve, 1 memory load", 3));
    }
}
