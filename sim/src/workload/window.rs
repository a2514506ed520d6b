//! Reservations near the runtime's own code: `ClrVirtualAllocWithinRange` of
//! utilcode/util.cpp.
//!
//! It asks `VirtualQuery` block by block, from a hint upward, for a free range that is large
//! enough, and reserves there by address; at the end of the window it starts again from the
//! beginning, and in the end takes any address. Hence storms of queries, and explicit
//! reservations.
//!
//! The real window is the 2 GiB around clr.dll. This one is a hole found at the beginning,
//! so that a case never names memory of the process around it.

use hostmem_interface::{AllocationType, Protection};

use super::held::Held;
use crate::script::Script;

/// Bytes of the window.
const WINDOW: u64 = 256 << 20;
/// The unit of the search.
const GRANULE: u64 = 0x1_0000;
/// The most queries of one search; a longer one goes on with any address.
const MOST_QUERIES: u32 = 48;

/// A window and where its next search begins.
#[derive(Debug)]
pub struct Window {
    hole: Option<Held>,
    hint: u64,
}

impl Default for Window {
    /// The first search begins an eighth into the window (`InitCodeAllocHint`).
    fn default() -> Self {
        Self { hole: None, hint: WINDOW / 8 }
    }
}

impl Window {
    /// Finds the window, if that is still to do; says whether it was.
    pub fn open(&mut self, script: &mut Script<'_>) -> bool {
        if self.hole.is_some_and(|hole| hole.base(script.view()).is_some()) {
            return false;
        }
        self.hole = Some(Held { name: script.hole(WINDOW), size: WINDOW });
        true
    }

    /// The next search begins at the beginning: an unload resets the hint
    /// (`EEJitManager::Unload`).
    pub const fn rewind(&mut self) {
        self.hint = 0;
    }

    /// Searches, and reserves what was found.
    pub fn reserve(&mut self, script: &mut Script<'_>, size: u64) -> Held {
        match self.search(script, size) {
            Some((hole, offset)) => {
                self.hint = offset + size.next_multiple_of(GRANULE);
                let place = hole.at(offset);
                let (kind, protect) = (AllocationType::RESERVE, Protection::NOACCESS);
                if let Some(name) = script.alloc(place, size, kind, protect) {
                    return Held { name, size };
                }
                anywhere(script, size)
            }
            None => anywhere(script, size),
        }
    }

    /// From the hint to the end of the window, then from its beginning to the hint.
    fn search(&self, script: &mut Script<'_>, size: u64) -> Option<(Held, u64)> {
        let hole = self.hole?;
        let base = hole.base(script.view())?;
        let space = &script.view().state.space;
        let (mut offset, mut end) = (self.hint, WINDOW);
        for _ in 0..MOST_QUERIES {
            if offset + size > end {
                if end < WINDOW {
                    return None;
                }
                (offset, end) = (0, self.hint.min(WINDOW - 1));
                if size > end {
                    return None;
                }
            }
            let at = base.wrapping_add(offset);
            script.query(hole.at(offset));
            let taken = space.owner_of_granule(at);
            if taken.is_none() && !space.overlaps(at, size) {
                return Some((hole, offset));
            }
            let behind = taken.and_then(|found| found.end().offset_from(base)).unwrap_or(0);
            offset = behind.max(offset + GRANULE).next_multiple_of(GRANULE);
        }
        None
    }
}

fn anywhere(script: &mut Script<'_>, size: u64) -> Held {
    let name = script.reserve(size, AllocationType::RESERVE, Protection::NOACCESS);
    Held { name, size }
}
