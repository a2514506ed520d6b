//! The tables beside the heap: cards, bricks, and the mark array, in one reservation that is
//! replaced by a larger one when the heap grows beyond it.
//!
//! gc.cpp `make_card_table`, `grow_brick_card_tables`, `commit_mark_array_by_range`,
//! `decommit_mark_array_by_seg`, `update_card_table_bundle`: one commit of an odd size for
//! the tables, later a slice of the mark array for each segment, rounded outward, so that
//! neighbours overlap by a page; written pages are looked for and forgotten in pairs.

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, CriticalLevel, Protection};

use super::Workload;
use super::gc_seg::collection_level;
use super::held::Held;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("probe", 10),
    Knob::weight("write", 10),
    Knob::weight("mark", 6),
    Knob::weight("unmark", 3),
    Knob::weight("regrow", 2),
    Knob::quantity("heap-mib", 128, 8192),
];

const PAGE: u64 = 0x1000;
const RW: Protection = Protection::READWRITE;
/// Bytes of heap that a byte of cards or bricks covers, 64 bits.
const CARDS: u64 = 2048;
/// Bytes of heap that a byte of the mark array covers.
const MARKS: u64 = 128;
/// The header of the table.
const HEADER: u64 = 0x168;
/// Written pages are asked for in batches.
const BATCH: u64 = 100;
/// The most slices that a new table takes over.
const SEGMENTS: u64 = 8;
/// The heap grows up to this.
const MOST: u64 = 32 << 30;

/// One bookkeeping block.
#[derive(Clone, Copy, Debug)]
struct Table {
    held: Held,
    /// Bytes of heap that it covers.
    covered: u64,
    /// Bytes committed at its beginning.
    committed: u64,
}

/// The current table and those that wait for their last reader.
#[derive(Debug)]
struct Tables {
    weights: [u32; 5],
    heap: u64,
    /// Whether a table could not be made; then it is tried without write watch.
    refused: bool,
    current: Option<Table>,
    old: Vec<Table>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Tables {
        weights: ["probe", "write", "mark", "unmark", "regrow"].map(|name| swarm.get(name)),
        heap: u64::from(swarm.get("heap-mib")) << 20,
        refused: false,
        current: None,
        old: Vec::new(),
    })
}

impl Workload for Tables {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = collection_level(draw);
        let Some(table) = self.current.filter(|table| table.held.find(view).is_some()) else {
            script.level = CriticalLevel::PROCESS;
            self.refused = self.current.is_some();
            self.make(&mut script);
            return script.steps();
        };
        match draw.weighted(&self.weights) {
            0 => probe(&mut script, draw, &table),
            1 => write(&mut script, draw, &table),
            2 => mark(&mut script, draw, &table),
            3 => unmark(&mut script, draw, &table),
            _ => self.regrow(&mut script, table),
        }
        script.steps()
    }
}

impl Tables {
    /// `make_card_table`: cards, bricks, card bundles; the mark array at the end.
    fn make(&mut self, script: &mut Script<'_>) {
        let heap = self.heap;
        let committed = HEADER + 2 * (heap / CARDS) + heap / (8 << 20) * 4;
        let size = (committed + heap / MARKS).next_multiple_of(0x1_0000);
        let watch = AllocationType::RESERVE | AllocationType::WRITE_WATCH;
        let kind = if self.refused { AllocationType::RESERVE } else { watch };
        let held = Held { name: script.reserve(size, kind, RW), size };
        script.commit(held.at(0), committed, RW);
        self.current = Some(Table { held, covered: heap, committed });
    }

    /// `grow_brick_card_tables`: at least twice the span; the slices of the mark array that
    /// segments have are committed again, and the old table goes later.
    fn regrow(&mut self, script: &mut Script<'_>, table: Table) {
        if self.old.len() >= 2 || self.heap >= MOST {
            for old in self.old.drain(..) {
                if old.held.find(script.view()).is_some() {
                    script.release(old.held.at(0));
                }
            }
            self.heap = self.heap.min(MOST / 4);
        }
        self.old.push(table);
        self.heap *= 2;
        self.make(script);
        let Some(new) = self.current else { return };
        for number in 0..SEGMENTS.min(table.segments()) {
            let (start, size) = table.slice(number);
            let first = start & !(PAGE - 1);
            if table.held.committed(script.view(), first, start + size).unwrap_or(0) > 0 {
                new.mark(script, number);
            }
        }
    }
}

/// Pages of a table that were written, from behind its header on; then forgotten.
fn probe(script: &mut Script<'_>, draw: &mut Draw, table: &Table) {
    let start = if draw.chance(1, 2) { 0x40 } else { 0 };
    let size = draw.between(1, table.committed - start);
    script.get_watch(table.held.at(start), size, BATCH);
    script.reset_watch(table.held.at(start), size);
}

/// The write barrier sets cards.
fn write(script: &mut Script<'_>, draw: &mut Draw, table: &Table) {
    if table.held.committed(script.view(), 0, table.committed).unwrap_or(0) < table.committed {
        script.commit(table.held.at(0), table.committed, RW);
        return;
    }
    for _ in 0..draw.between(1, 4) {
        let offset = draw.below(table.committed - 4) & !3;
        script.write(table.held.at(offset), &[0xFF; 4]);
    }
}

impl Table {
    /// Bytes of a segment, as far as the table covers one.
    fn segment(&self) -> u64 {
        (256 << 20).min(self.covered)
    }

    /// How many segments it covers.
    fn segments(&self) -> u64 {
        self.covered / self.segment()
    }

    /// The slice of the mark array for a segment: its first byte and its size.
    fn slice(&self, number: u64) -> (u64, u64) {
        let bytes = self.segment() / MARKS;
        let start = self.committed + number * bytes;
        (start, bytes.min(self.held.size - start))
    }

    /// Commits a slice with its pages rounded outward; gives what was committed.
    fn mark(&self, script: &mut Script<'_>, number: u64) -> (u64, u64) {
        let (start, size) = self.slice(number);
        let first = start & !(PAGE - 1);
        let end = (start + size).next_multiple_of(PAGE).min(self.held.size);
        script.commit(self.held.at(first), end - first, RW);
        (first, end)
    }
}

/// A background collection begins: the slice of a segment.
fn mark(script: &mut Script<'_>, draw: &mut Draw, table: &Table) {
    let (first, end) = table.mark(script, draw.below(table.segments()));
    script.write(table.held.at(first + (draw.below(end - first) & !7)), &draw.bytes(8));
}

/// Decommitted with its pages rounded inward.
fn unmark(script: &mut Script<'_>, draw: &mut Draw, table: &Table) {
    let (start, size) = table.slice(draw.below(table.segments()));
    let first = start.next_multiple_of(PAGE);
    let end = (start + size) & !(PAGE - 1);
    if first < end {
        script.decommit(table.held.at(first), end - first);
    } else {
        script.query(table.held.at(start));
    }
}
