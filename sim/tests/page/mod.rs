//! Reads the record of a page again, in the plainest way: the other half of
//! `hostmem::viewer::record`, written from its description.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt::Write as _;
use std::io::Read as _;

use base64::Engine as _;
use hostmem::viewer::strip::{Look, Run};
use serde_json::Value;

/// A page's record.
pub(crate) struct Recorded {
    page_size: usize,
    about: Value,
    sections: Vec<(String, Vec<u8>)>,
}

struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            number |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }
}

impl Recorded {
    /// The record of a page.
    pub(crate) fn of_page(html: &str) -> Self {
        let behind = html.split("id=\"record\">").nth(1).expect("a record");
        let text = behind.split('<').next().expect("its end");
        let packed = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).expect("zlib");
        let length = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
        let about: Value = serde_json::from_slice(&bytes[4..4 + length]).expect("JSON");
        let mut at = 4 + length;
        let mut sections = Vec::new();
        for section in about["sections"].as_array().expect("a list") {
            let length = usize::try_from(section[1].as_u64().expect("a length")).expect("small");
            let name = section[0].as_str().expect("a name").to_owned();
            sections.push((name, bytes[at..at + length].to_vec()));
            at += length;
        }
        assert_eq!(at, bytes.len(), "nothing is left over");
        Self { page_size: html.len(), about, sections }
    }

    /// Bytes of the page.
    pub(crate) const fn page_size(&self) -> usize {
        self.page_size
    }

    /// The header.
    pub(crate) const fn about(&self) -> &Value {
        &self.about
    }

    /// How many steps.
    pub(crate) fn steps(&self) -> usize {
        usize::try_from(self.about["steps"].as_u64().expect("a number")).expect("small")
    }

    /// How many sides.
    pub(crate) fn sides(&self) -> usize {
        self.about["sides"].as_array().expect("a list").len()
    }

    /// A section.
    pub(crate) fn section(&self, name: &str) -> &[u8] {
        &self.sections.iter().find(|(known, _)| known == name).expect("a section").1
    }

    fn numbers(&self, name: &str) -> Vec<u64> {
        let bytes = self.section(name);
        let mut reader = Bytes { bytes, at: 0 };
        let mut numbers = Vec::new();
        while reader.at < bytes.len() {
            numbers.push(reader.number());
        }
        numbers
    }

    /// How often a side is written whole.
    pub(crate) fn wholes(&self, side: usize) -> usize {
        self.numbers(&format!("wholeLengths{side}")).len()
    }

    fn runs(&self, reader: &mut Bytes<'_>, count: u64, from: u64) -> Vec<Run> {
        let mut behind = from;
        let mut runs = Vec::new();
        for _ in 0..count {
            let start = behind + reader.number();
            behind = start + reader.number();
            let look = &self.about["looks"][usize::try_from(reader.number()).expect("small")];
            let field =
                |at: usize| u32::try_from(look[at].as_u64().expect("a number")).expect("32 bits");
            let look = Look {
                state: field(0),
                protect: field(1),
                allocation_protect: field(2),
                kind: field(3),
                marks: field(4),
            };
            let base = start.wrapping_sub(reader.signed().cast_unsigned());
            runs.push(Run { start, end: behind, base, look });
        }
        runs
    }

    /// A side after a step, by all patches up to there.
    pub(crate) fn patched(&self, side: usize, step: usize) -> Vec<Run> {
        self.apply(side, 0, step, Vec::new()).0
    }

    /// The same, from the last whole on.
    pub(crate) fn sought(&self, side: usize, step: usize) -> Vec<Run> {
        let (from, runs) = self.whole_before(side, step);
        self.apply(side, from, step, runs).0
    }

    /// The most runs that are on show at any step, and the most that are put in place to come
    /// to one.
    pub(crate) fn furthest(&self, side: usize) -> (usize, usize) {
        let (mut most, mut furthest) = (0, 0);
        for step in (0..=self.steps()).step_by(97) {
            let (from, whole) = self.whole_before(side, step);
            let begun = whole.len();
            let (runs, put) = self.apply(side, from, step, whole);
            most = most.max(runs.len());
            furthest = furthest.max(begun + put);
        }
        (most, furthest)
    }

    fn whole_before(&self, side: usize, step: usize) -> (usize, Vec<Run>) {
        let bytes = self.section(&format!("wholeAt{side}"));
        let mut reader = Bytes { bytes, at: 0 };
        let lengths = self.numbers(&format!("wholeLengths{side}"));
        let (mut at, mut offset, mut found) = (0_i64, 0, (0, Vec::new()));
        for length in lengths {
            at += reader.signed();
            let whole_step = usize::try_from(at).expect("a step");
            if whole_step > step {
                break;
            }
            let bytes = self.section(&format!("wholes{side}"));
            let mut reader = Bytes { bytes, at: offset };
            let count = reader.number();
            found = (whole_step, self.runs(&mut reader, count, 0));
            offset += usize::try_from(length).expect("small");
        }
        found
    }

    fn apply(&self, side: usize, from: usize, to: usize, mut runs: Vec<Run>) -> (Vec<Run>, usize) {
        let lengths = self.numbers(&format!("patchLengths{side}"));
        let sum = |lengths: &[u64]| usize::try_from(lengths.iter().sum::<u64>()).expect("small");
        let bytes = self.section(&format!("patches{side}"));
        let mut reader = Bytes { bytes, at: sum(&lengths[..from]) };
        let end = sum(&lengths[..to]);
        let mut put = 0;
        while reader.at < end {
            let start = reader.number();
            let behind = start + reader.number();
            let count = reader.number();
            let fresh = self.runs(&mut reader, count, start);
            put += fresh.len();
            let mut next: Vec<Run> = Vec::new();
            for run in runs {
                if run.start < start {
                    next.push(Run { end: run.end.min(start), ..run });
                }
                if run.end > behind {
                    next.push(Run { start: run.start.max(behind), ..run });
                }
            }
            next.extend(fresh);
            next.sort_by_key(|run| run.start);
            runs = joined(next);
        }
        (runs, put)
    }
}

/// Runs without two neighbours that could be one.
pub(crate) fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        match out.last_mut() {
            Some(last)
                if last.end == run.start && last.base == run.base && last.look == run.look =>
            {
                last.end = run.end;
            }
            _ => out.push(run),
        }
    }
    out
}

/// A scenario of that many steps in which hundreds of reservations come and go, on three
/// threads; always the same.
pub(crate) fn many_steps(count: usize) -> String {
    let mut text =
        String::from("{ \"format\": \"hostmem/1\", \"about\": \"many steps\", \"steps\": [\n");
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).expect("small")
    };
    let mut live: Vec<(usize, usize)> = Vec::new();
    for step in 0..count {
        let end = if step + 1 == count { "] }\n" } else { ",\n" };
        let what = if live.is_empty() { 0 } else { draw(10) };
        let line = match what {
            0 | 1 if live.len() < 500 => {
                let granules = 1 + draw(8);
                live.push((step, granules));
                format!(
                    "\"call\": \"VirtualAlloc\", \"address\": null, \"size\": \"{:#x}\", \
                     \"type\": \"MEM_RESERVE\", \"protect\": \"PAGE_READWRITE\", \"bind\": \"p{step}\"",
                    granules << 16
                )
            }
            0..=2 => {
                let (name, _) = live.swap_remove(draw(live.len()));
                format!(
                    "\"call\": \"VirtualFree\", \"address\": \"p{name}\", \"size\": 0, \
                     \"type\": \"MEM_RELEASE\""
                )
            }
            what => {
                let (name, granules) = live[draw(live.len())];
                let place =
                    format!("\"p{name}+{:#x}\", \"size\": \"0x1000\"", draw(granules * 16) << 12);
                let protect = ["READWRITE", "READONLY", "EXECUTE_READ", "READWRITE|PAGE_GUARD"];
                let protect = protect[draw(4)];
                let thread = draw(3);
                match what {
                    3 => format!(
                        "\"call\": \"VirtualFree\", \"address\": {place}, \"type\": \"MEM_DECOMMIT\""
                    ),
                    4 => format!(
                        "\"call\": \"VirtualProtect\", \"address\": {place}, \"protect\": \"PAGE_READONLY\""
                    ),
                    _ => format!(
                        "\"call\": \"VirtualAlloc\", \"address\": {place}, \"type\": \"MEM_COMMIT\", \
                         \"protect\": \"PAGE_{protect}\", \"thread\": {thread}"
                    ),
                }
            }
        };
        write!(text, "{{ {line} }}{end}").expect("a String takes everything");
    }
    text
}
