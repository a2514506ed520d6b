//! What both C programs have in common: how an address is said, what is permitted, and the
//! frame around the steps.
//!
//! Deliberately not here: which function carries out which call.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{AccessKind, Data, Fault, MemoryBasicInformation, RegionState};
use hostmem_model::rule::{AF_03, RuleId, ZF_01, ZF_02};
use hostmem_model::verdict::{Answer, No};

use super::Story;
use super::rehearsal::{Act, Line, Rehearsal, Rehearsed, Where};
use super::sections;

/// What both runtimes share.
const CORE: &str = include_str!("core.c");
/// Bytes that a line of an array holds.
const BYTES_A_LINE: usize = 12;
/// The most runs of bytes that a program compares with.
const MOST_RUNS: usize = 4096;

/// A program on its way.
#[derive(Debug, Default)]
pub struct Program {
    used: BTreeSet<&'static str>,
    body: String,
}

/// What stands around the steps of a program.
pub struct Frame<'a> {
    /// How it is compiled, and the headers.
    pub head: &'a str,
    /// Its runtime beside the common one.
    pub runtime: &'a str,
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frame")
    }
}

impl Program {
    /// One more line of `main`.
    pub fn line(&mut self, text: &str) {
        writeln!(self.body, "    {text}").expect("a String takes everything");
    }

    /// A call of a function of the runtime, in a section of that name or another.
    pub fn call(&mut self, section: &'static str, text: &str) {
        self.used.insert(section);
        self.line(text);
    }

    /// The beginning of a step.
    pub fn begin(&mut self, line: &Line) {
        let number =
            line.number.map_or_else(|| "    ".to_owned(), |number| format!("{number:>2}  "));
        self.body.push('\n');
        self.line(&format!("begin({});", quoted(&format!("{number}{}", line.text))));
    }

    /// What the law permits, and the judgement; `None` if this language has no word for it.
    pub fn judge(&mut self, step: &Rehearsed) -> Option<()> {
        for reading in step.verdict.readings() {
            self.permit(step, &reading.answer)?;
        }
        let rule = step.verdict.first.rule;
        let Some(bytes) = step.bytes.as_ref().filter(|_| rule == AF_03) else {
            self.line(&judge(rule));
            return Some(());
        };
        // What was read is wrong by another rule than that it could not be read.
        let zero = bytes.iter().all(|byte| *byte == 0);
        self.line("if (got.kind == DONE)");
        self.line(&format!("    {}", judge(if zero { ZF_01 } else { ZF_02 })));
        self.line("else");
        self.line(&format!("    {}", judge(rule)));
        Some(())
    }

    fn permit(&mut self, step: &Rehearsed, answer: &Answer) -> Option<()> {
        match answer {
            Answer::Refused(no) => self.permit_no(*no),
            Answer::Nothing | Answer::Load(_) => self.call("ok", "or_ok();"),
            Answer::Address(at) => {
                let at = address(&step.near(*at));
                self.call("address", &format!("or_address({at});"));
            }
            Answer::AddressIn(from, to) => {
                let (from, to) = (address(&step.near(*from)), address(&step.near(*to)));
                self.call("address_in", &format!("or_address_in({from}, {to});"));
            }
            Answer::AnyBase { .. } => self.call("aligned", "or_aligned(0x10000);"),
            Answer::Old(old) => self.call("old", &format!("or_old({old});")),
            Answer::Region(region) => self.permit_region(step, region),
            Answer::Unowned(_) => self.call("any_region", "or_any_region();"),
            Answer::NoBytes => self.call("no_bytes", "or_no_bytes();"),
            Answer::Bytes(..) => self.permit_bytes(step)?,
            Answer::Fault(fault) => self.permit_fault(step, *fault),
            Answer::Pages(pages, _) => {
                let pages: Vec<String> = pages.iter().map(|at| address(&step.near(*at))).collect();
                self.permit_pages(&pages);
            }
            Answer::BlockBytes(..) | Answer::FaultIn(..) | Answer::Malloc | Answer::Block(_) => {
                return None;
            }
        }
        Some(())
    }

    fn permit_no(&mut self, no: No) {
        let errors = match no {
            No::Any => return self.call("any_error", "or_any_error();"),
            No::Win32(error) => vec![error.0],
            No::NotOurs => vec![487],
            No::Memory(error) if error.0 == 8 => vec![8, 1455],
            No::Memory(error) => vec![error.0, 8],
        };
        for error in errors {
            self.call("error", &format!("or_error({error});"));
        }
    }

    fn permit_region(&mut self, step: &Rehearsed, region: &MemoryBasicInformation) {
        let allocation = if region.state == RegionState::FREE {
            "NULL".to_owned()
        } else {
            address(&step.near(region.allocation_base))
        };
        let base = address(&step.near(region.base_address));
        let text = format!(
            "or_region({base}, {allocation}, {:#x}, {:#x}, {:#x}, {:#x}, {:#x});",
            region.allocation_protect.0,
            region.region_size,
            region.state.0,
            region.protect.0,
            region.kind.0
        );
        self.call("region", &text);
    }

    fn permit_bytes(&mut self, step: &Rehearsed) -> Option<()> {
        let Some(bytes) = &step.bytes else {
            self.call("any_bytes", "or_any_bytes();");
            return Some(());
        };
        let runs: Vec<&[u8]> = bytes.chunk_by(|a, b| a == b).collect();
        if runs.len() > MOST_RUNS {
            return None;
        }
        let list: Vec<String> =
            runs.iter().map(|run| format!("{{{:#x}, 0x{:02x}}}", run.len(), run[0])).collect();
        self.line("{");
        self.line("    static const struct run bytes[] = {");
        for some in list.chunks(4) {
            self.line(&format!("        {},", some.join(", ")));
        }
        self.line("    };");
        self.call("bytes", &format!("    or_bytes(bytes, {});", list.len()));
        self.line("}");
        Some(())
    }

    fn permit_fault(&mut self, step: &Rehearsed, fault: Fault) {
        let access = match fault.access {
            AccessKind::Read => 0,
            AccessKind::Write => 1,
            AccessKind::Execute => 8,
        };
        let (code, at) = (fault.status.0, address(&step.near(fault.at)));
        self.call("fault", &format!("or_fault(0x{code:08X}, {access}, {at});"));
    }

    fn permit_pages(&mut self, pages: &[String]) {
        if pages.is_empty() {
            return self.call("pages", "or_pages(NULL, 0);");
        }
        self.line("{");
        self.line(&format!("    unsigned char *these[{}];", pages.len()));
        for (at, page) in pages.iter().enumerate() {
            self.line(&format!("    these[{at}] = {page};"));
        }
        self.call("pages", &format!("    or_pages(these, {});", pages.len()));
        self.line("}");
    }

    /// A write, as both languages do it.
    pub fn write(&mut self, at: &Where, data: &Data) {
        let at = address(at);
        match data {
            Data::Fill { size, byte } => {
                self.call("fill", &format!("do_fill({at}, {size:#x}, 0x{byte:02x});"));
            }
            Data::Bytes(bytes) if bytes.is_empty() => {
                self.call("fill", &format!("do_fill({at}, 0, 0);"));
            }
            Data::Bytes(bytes) => {
                self.line("{");
                self.line("    static const unsigned char bytes[] = {");
                for some in bytes.chunks(BYTES_A_LINE) {
                    let some: Vec<String> =
                        some.iter().map(|byte| format!("0x{byte:02x}")).collect();
                    self.line(&format!("        {},", some.join(", ")));
                }
                self.line("    };");
                self.call("write", &format!("    do_write({at}, bytes, {:#x});", bytes.len()));
                self.line("}");
            }
        }
    }

    /// The whole text.
    #[must_use]
    pub fn finish(
        self,
        frame: &Frame<'_>,
        scenario: &Scenario,
        rehearsal: &Rehearsal,
        story: &Story,
    ) -> String {
        let mut text = String::from("/*\n");
        for line in story.lines(scenario) {
            writeln!(text, " * {line}").expect("a String takes everything");
        }
        let head = frame.head.replace("NAME", &story.name);
        let runtime = sections::text(&[CORE, frame.runtime], &self.used);
        writeln!(text, "{}\n{runtime}", head.trim_end()).expect("a String takes everything");
        for name in rehearsal.lines.iter().filter_map(|line| line.bind.as_ref()) {
            writeln!(text, "static unsigned char *at_{name};").expect("a String takes everything");
        }
        let end = "    printf(\"\\nevery answer is permitted\\n\");\n    return 0;\n}\n";
        writeln!(text, "\nint main(void)\n{{{}", self.body).expect("a String takes everything");
        text.push_str(end);
        text
    }
}

/// An address as an expression.
#[must_use]
pub fn address(at: &Where) -> String {
    match at {
        Where::Number(0) => "NULL".to_owned(),
        Where::Given => "got.address".to_owned(),
        Where::Number(number) => format!("(unsigned char *)(uintptr_t){number:#x}ULL"),
        Where::Named(name, 0) => format!("at_{name}"),
        Where::Named(name, offset) if *offset <= u64::MAX / 2 => format!("at_{name} + {offset:#x}"),
        Where::Named(name, offset) => format!("at_{name} - {:#x}", offset.wrapping_neg()),
    }
}

/// A text as a C string.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // No trigraphs.
            '?' => quoted.push_str("\\?"),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('.'),
        }
    }
    quoted.push('"');
    quoted
}

/// The judgement by a rule, as a statement.
fn judge(rule: RuleId) -> String {
    let rule = rule.rule();
    format!("judge({}, {});", quoted(rule.id), quoted(rule.sentence))
}

/// Whether a program can be about this scenario at all: its steps follow each other, on a
/// machine like any other.
#[must_use]
pub fn is_sequential(scenario: &Scenario) -> bool {
    let machine = &scenario.machine;
    let plain = machine.commit_limit.is_none()
        && machine.page.is_none_or(|page| page == 0x1000)
        && machine.granularity.is_none_or(|granularity| granularity == 0x1_0000);
    plain && scenario.steps.iter().all(|step| step.with.is_none())
}

/// The last of the scenario's own steps is not told, because this language has no such call.
#[must_use]
pub fn is_last(rehearsal: &Rehearsal, line: &Line) -> bool {
    let last = rehearsal.lines.iter().filter_map(|line| line.number).max();
    line.number.is_some() && line.number == last
}

/// Whether a line is an access of the scenario's own.
#[must_use]
pub fn is_access(line: &Line) -> bool {
    use hostmem_interface::Call;
    let Act::Call(step) = &line.act else { return false };
    let access = matches!(step.call, Call::Read { .. } | Call::Write { .. } | Call::Execute { .. });
    access && line.number.is_some()
}
