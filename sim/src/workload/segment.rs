//! A segment of the garbage collector: memory that grows upward by commits and shrinks by
//! decommits from its end.
//!
//! Figures from gc.cpp of coreclr 1.0, the last open source that can be hosted:
//! `make_heap_segment`, `grow_heap_segment`, `decommit_heap_segment_pages`.
//!
//! Deliberately not here: when a segment grows or shrinks ([`super::gc_seg`],
//! [`super::gc_loh`]).

use hostmem_interface::Protection;

use super::held::Held;
use crate::intent::realise::MOST_COMMITTED;
use crate::random::Draw;
use crate::script::Script;
use crate::view::View;

/// The unit of all of the collector's sizes.
pub const PAGE: u64 = 0x1000;
/// `grow_heap_segment` commits at least 16 pages.
pub const GROWTH: u64 = 16 * PAGE;
/// `make_heap_segment` commits two pages where background collection is built in.
pub const FIRST: u64 = 2 * PAGE;
/// `decommit_heap_segment_pages` leaves less than this alone …
const SLACK: u64 = 100 * PAGE;
/// … and otherwise keeps this much.
const KEPT: u64 = 32 * PAGE;

/// A segment, or one of several in a reservation.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// The reservation.
    pub held: Held,
    /// Where in it.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Bytes that objects take, from its beginning.
    pub used: u64,
}

impl Segment {
    /// A segment that is a reservation of its own.
    #[must_use]
    pub const fn whole(held: Held) -> Self {
        Self { held, offset: 0, size: held.size, used: FIRST }
    }

    /// How many bytes are committed from its beginning; `None` if it does not exist.
    #[must_use]
    pub fn committed(&self, view: &View<'_>) -> Option<u64> {
        self.held.committed(view, self.offset, self.offset + self.size)
    }

    /// `make_heap_segment`: the first commit.
    pub fn open(&self, script: &mut Script<'_>) {
        script.commit(self.held.at(self.offset), FIRST, Protection::READWRITE);
    }

    /// `grow_heap_segment`, as often as `need` more bytes take: at least 64 KiB at a time, and
    /// never beyond the reservation. Says whether there was room.
    pub fn grow(&mut self, script: &mut Script<'_>, draw: &mut Draw, need: u64) -> bool {
        let Some(mut committed) = self.committed(script.view()) else { return false };
        if committed == 0 {
            self.open(script);
            return true;
        }
        let end = self.used + need;
        let room = script.view().state.space.committed() + need <= MOST_COMMITTED;
        if end > self.size || !room {
            return false;
        }
        let first = committed;
        while committed < end {
            // The mutator asks for one quantum at a time: hence steps of 64 KiB.
            let size = GROWTH.min(self.size - committed);
            script.commit(self.held.at(self.offset + committed), size, Protection::READWRITE);
            committed += size;
        }
        self.used = end;
        self.touch(script, draw, first, committed);
        true
    }

    /// One object that takes one commit: its size rounded up to pages, 64 KiB at least.
    pub fn grow_at_once(&mut self, script: &mut Script<'_>, draw: &mut Draw, need: u64) -> bool {
        let Some(committed) = self.committed(script.view()) else { return false };
        if committed == 0 {
            self.open(script);
            return true;
        }
        let end = self.used + need;
        let room = script.view().state.space.committed() + need <= MOST_COMMITTED;
        if end > self.size || !room {
            return false;
        }
        if end > committed {
            let least = (end - committed).next_multiple_of(PAGE).max(GROWTH);
            let size = least.min(self.size - committed);
            script.commit(self.held.at(self.offset + committed), size, Protection::READWRITE);
        }
        self.touch(script, draw, self.used, end);
        self.used = end;
        true
    }

    /// Writes a few words, and reads one, in a range that is committed by then.
    fn touch(&self, script: &mut Script<'_>, draw: &mut Draw, from: u64, to: u64) {
        if to < from + 8 {
            return;
        }
        let word = |draw: &mut Draw| (from + draw.below(to - from - 7)) & !7;
        for _ in 0..draw.below(3) {
            let offset = word(draw).max(from);
            script.write(self.held.at(self.offset + offset), &draw.bytes(8));
        }
        if draw.chance(1, 4) {
            script.read(self.held.at(self.offset + word(draw).max(from)), 8);
        }
    }

    /// `decommit_heap_segment_pages`: gives the slack behind the objects back, if it is worth
    /// it. At most one decommit.
    pub fn trim(&self, script: &mut Script<'_>, extra: u64) {
        let Some(committed) = self.committed(script.view()) else { return };
        let used = self.used.next_multiple_of(PAGE).max(FIRST);
        let slack = committed.saturating_sub(used);
        if slack < SLACK.max(extra + 2 * PAGE) {
            return;
        }
        let kept = KEPT.max(extra).min(slack);
        if kept < slack {
            script.decommit(self.held.at(self.offset + used + kept), slack - kept);
        }
    }

    /// Empties it but for its first two pages: what happens to a segment that is kept for
    /// later (`RetainVM`).
    pub fn park(&mut self, script: &mut Script<'_>) {
        let committed = self.committed(script.view()).unwrap_or(0);
        if committed > FIRST {
            script.decommit(self.held.at(self.offset + FIRST), committed - FIRST);
        }
        self.used = FIRST;
    }
}
