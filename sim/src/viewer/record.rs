//! A recording as bytes: a header in JSON, and behind it one section after the other.
//!
//! The bytes begin with the length of the header (four bytes, little-endian) and the header,
//! whose `sections` name each section with its length, in order. Sections hold one byte, or
//! one number a step; numbers are LEB128, and those of a column that runs on are written as
//! the difference from the step before, with the sign in the lowest bit (zigzag).
//!
//! What a side looks like is written as patches: what is in a range of pages from a step on.
//! From time to time the whole side is written, so that any step can be shown without going
//! through all before it: as soon as the patches since the last time amount to twice the runs
//! that there are now. So whole sides take at most half the room that patches take, and no
//! step is further from one than drawing it costs.
//!
//! Deliberately not here: what is recorded ([`super::recorder`]), and packing
//! ([`super::html`]).

use std::collections::BTreeMap;

use hostmem_model::RuleId;
use serde_json::{Value, json};

use super::strip::{Look, Patch, Run, Strip};

/// The version of the record.
pub const FORMAT: &str = "hostmem-view/1";
/// Patches of fewer runs than this are gone through from the beginning.
const FEW: usize = 64;
/// The most threads that are told apart: the last lane is that of all others.
const LANES: usize = 64;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// It succeeded.
    Done = 0,
    /// It was refused.
    Refused = 1,
    /// The access faulted.
    Faulted = 2,
    /// The harness itself answered.
    Harness = 3,
    /// It is the first difference.
    Diverges = 4,
    /// The subject broke at it.
    Broken = 5,
    /// The case could not go on.
    Skipped = 6,
    /// It overlapped the step at which the case ended, and was not judged.
    Unjudged = 7,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Row {
    /// The thread that the scenario names.
    pub thread: u32,
    /// How it ended.
    pub kind: Kind,
    /// Whether it overlapped the step before it.
    pub overlaps: bool,
    /// The method's name.
    pub method: &'static str,
    /// The rule that decided.
    pub rule: Option<RuleId>,
    /// The call, as a person reads it.
    pub call: String,
    /// What came of it, as a person reads it.
    pub outcome: String,
    /// The first page that it is about, and how many; none if that is not in user space.
    pub place: Option<(u64, u64)>,
    /// Pages that reservations span, pages committed, live reservations, and the pages of the
    /// largest free block, by the law, after the step.
    pub sums: [u64; 4],
}

/// Numbers, one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Vec<u8>);

impl Numbers {
    /// Adds one.
    pub fn push(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    /// Adds how much `number` is more than `before`, which may be less.
    pub fn push_from(&mut self, before: u64, number: u64) {
        let more = number.wrapping_sub(before).cast_signed();
        self.push(((more << 1) ^ (more >> 63)).cast_unsigned());
    }
}

/// A number of a short table.
fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("there are fewer methods and lanes")
}

/// A column of numbers that run on.
#[derive(Clone, Debug, Default)]
struct Running {
    bytes: Numbers,
    last: u64,
}

impl Running {
    fn push(&mut self, number: u64) {
        self.bytes.push_from(self.last, number);
        self.last = number;
    }
}

/// Texts, one a step.
#[derive(Clone, Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    lengths: Numbers,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.bytes.extend(text.as_bytes());
        self.lengths.push(text.len() as u64);
    }
}

/// The different ones of something, in the order in which they came.
#[derive(Clone, Debug)]
struct Table<T>(BTreeMap<T, usize>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Copy> Table<T> {
    fn number(&mut self, one: T) -> usize {
        let next = self.0.len();
        *self.0.entry(one).or_insert(next)
    }

    fn list(&self) -> Vec<T> {
        let mut list: Vec<(usize, T)> = self.0.iter().map(|(one, at)| (*at, *one)).collect();
        list.sort_by_key(|(at, _)| *at);
        list.into_iter().map(|(_, one)| one).collect()
    }
}

/// What one side looked like after each step.
#[derive(Clone, Debug, Default)]
struct Side {
    patches: Vec<u8>,
    lengths: Numbers,
    wholes: Vec<u8>,
    whole_lengths: Numbers,
    whole_at: Running,
    since: usize,
}

/// A recording, as it grows.
#[derive(Clone, Debug, Default)]
pub struct Record {
    steps: usize,
    lanes: Vec<u8>,
    kinds: Vec<u8>,
    methods: Vec<u8>,
    rules: Numbers,
    calls: Texts,
    outcomes: Texts,
    places: Numbers,
    last_place: u64,
    sums: [Running; 4],
    sides: Vec<Side>,
    threads: Table<u32>,
    method_names: Table<&'static str>,
    rule_ids: Table<RuleId>,
    looks: Table<Look>,
}

impl Record {
    /// An empty recording with that many sides.
    #[must_use]
    pub fn new(sides: usize) -> Self {
        Self { sides: vec![Side::default(); sides], ..Self::default() }
    }

    /// How many steps it has.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.steps
    }

    /// Adds a step. For each side: what it changed, and how everything looks now.
    pub fn push(&mut self, row: &Row, sides: &[(&[Patch], &Strip)]) {
        self.steps += 1;
        let lane = self.threads.number(row.thread).min(LANES - 1);
        self.lanes.push(byte(lane));
        self.kinds.push(row.kind as u8 | u8::from(row.overlaps) << 4);
        self.methods.push(byte(self.method_names.number(row.method)));
        self.rules.push(row.rule.map_or(0, |rule| self.rule_ids.number(rule) as u64 + 1));
        self.calls.push(&row.call);
        self.outcomes.push(&row.outcome);
        let (first, pages) = row.place.unwrap_or((self.last_place, 0));
        self.places.push_from(self.last_place, first);
        self.places.push(pages);
        self.last_place = first;
        for (column, sum) in self.sums.iter_mut().zip(row.sums) {
            column.push(sum);
        }
        for (at, (patches, strip)) in sides.iter().enumerate() {
            self.push_side(at, patches, strip);
        }
    }

    fn push_side(&mut self, at: usize, patches: &[Patch], strip: &Strip) {
        let mut bytes = Numbers::default();
        for patch in patches {
            bytes.push(patch.pages.start);
            bytes.push(patch.pages.end - patch.pages.start);
            bytes.push(patch.runs.len() as u64);
            self.push_runs(patch.pages.start, patch.runs.iter(), &mut bytes);
        }
        let runs: usize = patches.iter().map(|patch| patch.runs.len() + 1).sum();
        let side = &mut self.sides[at];
        side.lengths.push(bytes.0.len() as u64);
        side.patches.extend(bytes.0);
        side.since += runs;
        if side.since <= FEW.max(2 * strip.len()) {
            return;
        }
        side.since = 0;
        let mut whole = Numbers::default();
        whole.push(strip.len() as u64);
        self.push_runs(0, strip.iter(), &mut whole);
        let (steps, side) = (self.steps, &mut self.sides[at]);
        side.whole_at.push(steps as u64);
        side.whole_lengths.push(whole.0.len() as u64);
        side.wholes.extend(whole.0);
    }

    fn push_runs<'r>(
        &mut self,
        from: u64,
        runs: impl Iterator<Item = &'r Run>,
        into: &mut Numbers,
    ) {
        let mut behind = from;
        for run in runs {
            into.push(run.start - behind);
            into.push(run.end - run.start);
            into.push(self.looks.number(run.look) as u64);
            into.push_from(run.base, run.start);
            behind = run.end;
        }
    }

    /// The bytes. `about` is an object; its members come before those of the record's own.
    #[must_use]
    pub fn finish(self, about: Value) -> Vec<u8> {
        let rule = |id: RuleId| {
            let rule = id.rule();
            json!([rule.id, rule.level.name(), rule.sentence, rule.source])
        };
        let look =
            |it: Look| json!([it.state, it.protect, it.allocation_protect, it.kind, it.marks]);
        let rules: Vec<Value> = self.rule_ids.list().into_iter().map(rule).collect();
        let looks: Vec<Value> = self.looks.list().into_iter().map(look).collect();
        let mut header = about;
        header["steps"] = json!(self.steps);
        let threads: Vec<u32> = self.threads.list().into_iter().take(LANES).collect();
        header["threads"] = json!(threads);
        header["methods"] = json!(self.method_names.list());
        header["rules"] = json!(rules);
        header["looks"] = json!(looks);
        let sections = self.sections();
        let lengths: Vec<Value> =
            sections.iter().map(|(name, bytes)| json!([name, bytes.len()])).collect();
        header["sections"] = json!(lengths);
        let header = header.to_string();
        let length = u32::try_from(header.len()).expect("a header of some kilobytes");
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        for (_, section) in sections {
            bytes.extend(section);
        }
        bytes
    }

    fn sections(self) -> Vec<(String, Vec<u8>)> {
        let mut sections: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |name: &str, bytes: Vec<u8>| sections.push((name.to_owned(), bytes));
        add("lanes", self.lanes);
        add("kinds", self.kinds);
        add("methods", self.methods);
        add("rules", self.rules.0);
        add("calls", self.calls.bytes);
        add("callLengths", self.calls.lengths.0);
        add("outcomes", self.outcomes.bytes);
        add("outcomeLengths", self.outcomes.lengths.0);
        add("places", self.places.0);
        for (name, sum) in ["spanned", "committed", "live", "largest"].into_iter().zip(self.sums) {
            add(name, sum.bytes.0);
        }
        for (at, side) in self.sides.into_iter().enumerate() {
            add(&format!("patches{at}"), side.patches);
            add(&format!("patchLengths{at}"), side.lengths.0);
            add(&format!("wholes{at}"), side.wholes);
            add(&format!("wholeLengths{at}"), side.whole_lengths.0);
            add(&format!("wholeAt{at}"), side.whole_at.bytes.0);
        }
        sections
    }
}
