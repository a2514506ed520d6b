//! The one canonical text of a scenario: fixed order of members, one step a line, sizes in
//! hexadecimal, defaults left out. Reading it back gives the same scenario, except for the
//! positions of steps.
//!
//! Deliberately not here: what the format cannot say. A refusal without codes is written as
//! `"fails"`, and of faults with different places only the first one's place is written.

use std::io;

use super::show::{null_pointers, show_hex, show_number, show_place, show_word};
use super::table::{self, Word};
use super::{
    Action, BytesExpectation, Expectation, Expected, FaultExpectation, Level, Name, Outputs, Place,
    Scenario, Step, SymbolicCall,
};
use crate::{Address, Call, CriticalLevel, Data, Hresult, MemoryBasicInformation, OutPointer};

/// The canonical text of a scenario.
#[must_use]
pub fn write(scenario: &Scenario) -> String {
    let mut bytes = Vec::new();
    write_to(scenario, &mut bytes).expect("a Vec takes everything");
    String::from_utf8(bytes).expect("made of strings")
}

/// Writes the canonical text of a scenario, a step at a time.
///
/// # Errors
/// Those of `out`, which ought to be buffered.
pub fn write_to(scenario: &Scenario, out: &mut impl io::Write) -> io::Result<()> {
    out.write_all(b"{\n")?;
    for (name, value) in header(scenario) {
        writeln!(out, "  \"{name}\": {value},")?;
    }
    out.write_all(b"  \"steps\": [\n")?;
    let last = scenario.steps.len().saturating_sub(1);
    for (index, step) in scenario.steps.iter().enumerate() {
        let mut line = Members { scenario, list: Vec::with_capacity(8) };
        line.step(step);
        let comma = if index == last { "" } else { "," };
        writeln!(out, "    {}{comma}", line.object())?;
    }
    out.write_all(b"  ]\n}\n")
}

fn header(scenario: &Scenario) -> Vec<(&'static str, String)> {
    let mut list = vec![("format", quote(super::read::FORMAT)), ("about", quote(&scenario.about))];
    if !scenario.rules.is_empty() {
        list.push(("rules", array(scenario.rules.iter().map(|rule| quote(rule)))));
    }
    if scenario.level != Level::Must {
        list.push(("level", quote(scenario.level.name())));
    }
    if let Some(source) = &scenario.source {
        list.push(("source", quote(source)));
    }
    let mut needs = scenario.needs.iter().map(|one| quote(one.name())).peekable();
    if needs.peek().is_some() {
        list.push(("needs", array(needs)));
    }
    let it = &scenario.machine;
    let values = [it.page, it.granularity, it.lowest, it.highest, it.physical, it.commit_limit];
    let asked: Vec<_> = super::read::MACHINE
        .iter()
        .zip(values)
        .filter_map(|(name, value)| Some(format!("\"{name}\": {}", size(value?))))
        .collect();
    if !asked.is_empty() {
        list.push(("machine", format!("{{ {} }}", asked.join(", "))));
    }
    list
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

fn array(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// One value alone, several as a list.
fn alternatives(values: impl Iterator<Item = String>) -> String {
    let mut values: Vec<_> = values.collect();
    if values.len() == 1 { values.remove(0) } else { array(values.into_iter()) }
}

/// Bytes: a bare number up to 9, else hexadecimal in quotes.
fn size(bytes: u64) -> String {
    if bytes <= 9 { bytes.to_string() } else { quote(&show_number(bytes)) }
}

/// A count: decimal, in quotes where a JSON reader with floating point would lose digits.
fn count(number: u64) -> String {
    if number <= 1 << 53 { number.to_string() } else { quote(&number.to_string()) }
}

/// The members of an object, as they are written.
struct Members<'s> {
    scenario: &'s Scenario,
    list: Vec<(&'static str, String)>,
}

impl Members<'_> {
    fn object(&self) -> String {
        if self.list.is_empty() {
            return "{}".to_owned();
        }
        let members: Vec<_> =
            self.list.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{ {} }}", members.join(", "))
    }

    fn put(&mut self, name: &'static str, value: String) {
        self.list.push((name, value));
    }

    fn address(&self, place: Place) -> String {
        match place {
            Place::NULL => "null".to_owned(),
            Place::Absolute(Address(number)) => size(number),
            Place::Relative { .. } => quote(&show_place(self.scenario, place)),
        }
    }

    fn place(&mut self, name: &'static str, place: Place) {
        self.put(name, self.address(place));
    }

    fn name(&mut self, member: &'static str, name: Name) {
        self.put(member, quote(self.scenario.name(name)));
    }

    fn size(&mut self, name: &'static str, bytes: u64) {
        self.put(name, size(bytes));
    }

    fn count(&mut self, name: &'static str, number: u64) {
        self.put(name, count(number));
    }

    fn word(&mut self, name: &'static str, word: &Word, value: u32) {
        self.put(name, quote(&show_word(word, value)));
    }

    fn pointer(&mut self, name: &'static str, pointer: OutPointer) {
        if pointer == OutPointer::Null {
            self.put(name, quote("null"));
        }
    }

    fn step(&mut self, step: &Step) {
        self.put("call", quote(step.action.name()));
        match &step.action {
            Action::Call(call) => self.call(call),
            Action::Hole { size } => self.size("size", *size),
            Action::Walk { from, to } => {
                from.iter().for_each(|&from| self.place("from", from));
                to.iter().for_each(|&to| self.place("to", to));
            }
            Action::FailNext { method, count, hresult, critical_at_most } => {
                self.put("method", quote(method));
                if *count != 1 {
                    self.count("count", *count);
                }
                if *hresult != Hresult::E_OUTOFMEMORY {
                    self.word("hresult", &table::HRESULT, hresult.0);
                }
                if let Some(level) = critical_at_most {
                    self.word("critical_at_most", &table::CRITICAL, level.0);
                }
            }
        }
        if let Some(name) = step.bind {
            self.name("bind", name);
        }
        if step.thread != 0 {
            self.count("thread", step.thread.into());
        }
        if let Some(with) = step.with {
            self.count("with", with);
        }
        if let Some(note) = &step.note {
            self.put("note", quote(note));
        }
        if let Some(expect) = &step.expect {
            let text = self.expectation(expect);
            self.put("expect", text);
        }
    }

    fn critical(&mut self, level: CriticalLevel) {
        if level != CriticalLevel::TASK {
            self.word("critical", &table::CRITICAL, level.0);
        }
    }

    fn call(&mut self, call: &SymbolicCall) {
        if let Some(&malloc) = call.malloc() {
            self.name("malloc", malloc);
        }
        if let Some(&address) = call.address() {
            self.place("address", address);
        }
        match call {
            Call::CreateMalloc { kind } => self.word("kind", &table::MALLOC, kind.0),
            Call::VirtualAlloc { size, kind, protect, critical, .. } => {
                self.size("size", *size);
                self.word("type", &table::ALLOCATION, kind.0);
                self.word("protect", &table::PROTECTION, protect.0);
                self.critical(*critical);
            }
            Call::VirtualFree { size, kind, .. } => {
                self.size("size", *size);
                self.word("type", &table::FREE, kind.0);
            }
            Call::VirtualQuery { buffer, length, .. } => {
                if *length != MemoryBasicInformation::SIZE {
                    self.count("length", *length);
                }
                self.pointer("buffer", *buffer);
            }
            Call::VirtualProtect { size, protect, old, .. } => {
                self.size("size", *size);
                self.word("protect", &table::PROTECTION, protect.0);
                self.pointer("old", *old);
            }
            Call::SetMemoryLoad { load, available } => {
                self.count("load", (*load).into());
                self.size("available", *available);
            }
            _ => self.other_call(call),
        }
    }

    fn other_call(&mut self, call: &SymbolicCall) {
        match call {
            Call::Alloc { size, critical, .. } => {
                self.size("size", *size);
                self.critical(*critical);
            }
            Call::DebugAlloc { size, critical, file, line, .. } => {
                self.size("size", *size);
                self.critical(*critical);
                self.put("file", quote(file));
                self.put("line", line.to_string());
            }
            Call::NeedsVirtualAddressSpace { size, .. }
            | Call::AcquiredVirtualAddressSpace { size, .. }
            | Call::Read { size, .. }
            | Call::ResetWriteWatch { size, .. } => self.size("size", *size),
            Call::Write { data: Data::Bytes(bytes), .. } => {
                self.put("bytes", quote(&show_hex(bytes)));
            }
            Call::Write { data: Data::Fill { size, byte }, .. } => {
                self.size("size", *size);
                self.count("fill", (*byte).into());
            }
            Call::GetWriteWatch { size, flags, capacity, null, .. } => {
                self.size("size", *size);
                if flags.0 != 0 {
                    self.word("flags", &table::WATCH, flags.0);
                }
                self.count("capacity", *capacity);
                let null: Vec<_> = null_pointers(*null).map(quote).collect();
                if !null.is_empty() {
                    self.put("null", array(null.into_iter()));
                }
            }
            _ => {}
        }
    }

    fn expectation(&self, expect: &Expectation) -> String {
        let mut members = Members { scenario: self.scenario, list: Vec::new() };
        match &expect.outcome {
            Expected::Done(outputs) => members.outputs(outputs),
            Expected::Fails => return quote("fails"),
            Expected::Error { win32, hresult } => {
                let codes = |word: &'static Word, codes: Vec<u32>| {
                    alternatives(codes.into_iter().map(|code| quote(&show_word(word, code))))
                };
                if win32.is_empty() && hresult.is_empty() {
                    return quote("fails");
                }
                if !win32.is_empty() {
                    let list = win32.iter().map(|code| code.0).collect();
                    members.put("error", codes(&table::ERROR, list));
                }
                if !hresult.is_empty() {
                    let list = hresult.iter().map(|code| code.0).collect();
                    members.put("hresult", codes(&table::HRESULT, list));
                }
            }
            Expected::Fault(faults) => members.faults(faults),
        }
        match &expect.notified {
            Some(list) => {
                let names = list.iter().map(|one| quote(&show_word(&table::AVAILABLE, one.0)));
                members.put("notified", array(names));
            }
            None if members.list.is_empty() => return quote("ok"),
            None => {}
        }
        members.object()
    }

    fn faults(&mut self, faults: &[FaultExpectation]) {
        let status = faults.iter().map(|fault| quote(&show_word(&table::STATUS, fault.status.0)));
        self.put("fault", alternatives(status));
        let Some(first) = faults.first() else { return };
        if let Some(access) = first.access {
            self.put("access", quote(&access.to_string()));
        }
        if let Some(at) = first.at {
            self.place("at", at);
        }
    }

    fn outputs(&mut self, it: &Outputs) {
        it.address.iter().for_each(|&at| self.place("address", at));
        it.aligned.iter().for_each(|&unit| self.size("aligned", unit));
        it.old.iter().for_each(|word| self.word("old", &table::PROTECTION, word.0));
        it.base_address.iter().for_each(|&at| self.place("BaseAddress", at));
        it.allocation_base.iter().for_each(|&at| self.place("AllocationBase", at));
        if let Some(word) = it.allocation_protect {
            self.word("AllocationProtect", &table::PROTECTION, word.0);
        }
        it.region_size.iter().for_each(|&bytes| self.size("RegionSize", bytes));
        it.region_size_at_least.iter().for_each(|&bytes| self.size("RegionSizeAtLeast", bytes));
        it.state.iter().for_each(|word| self.word("State", &table::STATE, word.0));
        it.protect.iter().for_each(|word| self.word("Protect", &table::PROTECTION, word.0));
        it.kind.iter().for_each(|word| self.word("Type", &table::TYPE, word.0));
        it.load.iter().for_each(|&load| self.count("load", load.into()));
        it.available.iter().for_each(|&bytes| self.size("available", bytes));
        match &it.bytes {
            Some(BytesExpectation::Bytes(list)) => {
                let digits = list.iter().map(|bytes| quote(&show_hex(bytes)));
                self.put("bytes", alternatives(digits));
            }
            Some(BytesExpectation::Fill(byte)) => self.count("fill", (*byte).into()),
            None => {}
        }
        if let Some(pages) = &it.pages {
            let text = array(pages.iter().map(|&page| self.address(page)));
            self.put("pages", text);
        }
        it.granularity.iter().for_each(|&unit| self.size("granularity", unit.into()));
        it.contiguous.iter().for_each(|is| self.put("contiguous", is.to_string()));
        it.no_adjacent_free.iter().for_each(|is| self.put("no_adjacent_free", is.to_string()));
    }
}
