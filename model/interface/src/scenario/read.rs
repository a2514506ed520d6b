//! Reads a scenario file. What it refuses, it refuses with line and column, what was found
//! and what was expected.
//!
//! Map: this file has the file's own members; [`super::step`] and [`super::expect`] have a
//! step's, [`super::table`] says which there are, [`super::json`] keeps the positions.
//!
//! Deliberately not here: opening and decompressing files, and what only shows when the
//! scenario runs (an expectation that the law does not permit).

use std::fmt;

use super::json::{Json, Node, Parser, quote};
use super::step::Steps;
use super::{Level, MAX_JSON, MAX_STEPS, MOST_GRANULES, MachineRequest, Position, Scenario, value};
use crate::{Capabilities, Capability, Machine};

/// The one version of the format.
pub const FORMAT: &str = "hostmem/1";

/// Why a text is no scenario. The caller puts the file's name in front.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ReadError {
    /// Where.
    pub position: Position,
    /// What was found there, and what was expected.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "line {line}, column {column}: {}", self.message)
    }
}

impl ReadError {
    pub(super) fn new(position: Position, message: impl Into<String>) -> Self {
        Self { position, message: message.into() }
    }

    /// The same error, said to be of that member.
    pub(super) fn inside(self, member: &str) -> Self {
        let message = format!("\"{member}\": {}", self.message);
        Self { message, ..self }
    }
}

/// Reads the text of a scenario file.
///
/// # Errors
/// The first thing in it that the format does not allow.
pub fn read(text: &[u8]) -> Result<Scenario, ReadError> {
    let text = as_text(text)?;
    let mut parser = Parser::new(text);
    let start = parser.here();
    match parser.peek() {
        Some(b'{') => {}
        None => return Err(ReadError::new(start, "the file is empty; expected a scenario")),
        Some(_) => return Err(parser.unexpected("this is no scenario", "\"{\"")),
    }
    let mut file = File::default();
    parser.members(|parser, at, name| file.member(parser, at, name))?;
    parser.end()?;
    file.finish(start)
}

/// The bytes as text, if they are one and not too long.
fn as_text(bytes: &[u8]) -> Result<&str, ReadError> {
    let start = Position { line: 1, column: 1 };
    if bytes.len() as u64 > MAX_JSON {
        return Err(ReadError::new(
            start,
            format!("{} bytes of JSON; at most {MAX_JSON} (256 MiB) are read", bytes.len()),
        ));
    }
    let what = match bytes {
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "zstd data (such a file must be named .json.zst)",
        [0x1F, 0x8B, ..] => "gzip data",
        [0xEF, 0xBB, 0xBF, ..] => "a byte order mark",
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "UTF-16 text",
        _ => {
            return std::str::from_utf8(bytes).map_err(|error| {
                let before = &bytes[..error.valid_up_to()];
                let lines = before.split(|&byte| byte == b'\n');
                let (line, last) = lines.enumerate().last().unwrap_or_default();
                let position = Position {
                    line: u32::try_from(line + 1).expect("at most 256 MiB"),
                    column: u32::try_from(last.len() + 1).expect("at most 256 MiB"),
                };
                let byte = bytes[before.len()];
                let message =
                    format!("found the byte {byte:#04x}, which is not UTF-8; expected JSON text");
                ReadError::new(position, message)
            });
        }
    };
    Err(ReadError::new(start, format!("found {what}; expected JSON text in UTF-8")))
}

const MEMBERS: [&str; 9] =
    ["format", "$schema", "about", "rules", "level", "source", "needs", "machine", "steps"];

/// The members of the file that were read so far.
#[derive(Default)]
struct File {
    format: bool,
    about: bool,
    steps: bool,
    scenario: Scenario,
}

impl File {
    fn member(
        &mut self,
        parser: &mut Parser<'_>,
        at: Position,
        name: &str,
    ) -> Result<(), ReadError> {
        if name == "steps" {
            return self.steps(parser);
        }
        if !MEMBERS.contains(&name) {
            return Err(ReadError::new(at, value::unknown("member", name, &MEMBERS)));
        }
        let node = parser.value()?;
        if name == "machine" {
            self.scenario.machine = machine(&node)?;
            return Ok(());
        }
        self.header(name, &node).map_err(|why| why.inside(name))
    }

    fn header(&mut self, name: &str, node: &Node<'_>) -> Result<(), ReadError> {
        let scenario = &mut self.scenario;
        match name {
            "format" => {
                if !matches!(&node.json, Json::Text(text) if text == FORMAT) {
                    let found = node.describe();
                    return Err(node.wrong(format!("found {found}, expected \"{FORMAT}\"")));
                }
                self.format = true;
            }
            "about" => {
                value::text(node)?.clone_into(&mut scenario.about);
                self.about = true;
            }
            "rules" => {
                scenario.rules = value::list(node, |rule| value::text(rule).map(str::to_owned))?;
            }
            "level" => scenario.level = level(node)?,
            "source" => scenario.source = Some(value::text(node)?.to_owned()),
            "needs" => scenario.needs = needs(node)?,
            _ => {} // `$schema` is for editors
        }
        Ok(())
    }

    fn steps(&mut self, parser: &mut Parser<'_>) -> Result<(), ReadError> {
        let at = parser.here();
        if parser.peek() != Some(b'[') {
            let found = parser.value()?.describe();
            let message = format!("\"steps\": found {found}, expected an array");
            return Err(ReadError::new(at, message));
        }
        let mut reader = Steps::default();
        let steps = &mut self.scenario.steps;
        parser.elements(|parser| {
            let node = parser.value()?;
            if steps.len() == MAX_STEPS {
                let message = format!("more than {MAX_STEPS} steps, the most that there may be");
                return Err(node.wrong(message));
            }
            steps.push(reader.read(&node)?);
            Ok(())
        })?;
        if steps.is_empty() {
            return Err(ReadError::new(at, "\"steps\" is empty; expected at least one step"));
        }
        self.scenario.names = reader.into_names();
        self.steps = true;
        Ok(())
    }

    fn finish(self, start: Position) -> Result<Scenario, ReadError> {
        let missing = [("format", self.format), ("about", self.about), ("steps", self.steps)];
        match missing.into_iter().find(|(_, found)| !found) {
            Some(("format", _)) => Err(ReadError::new(
                start,
                format!("this is no scenario: expected \"format\": \"{FORMAT}\""),
            )),
            Some((name, _)) => {
                Err(ReadError::new(start, format!("a scenario without {}", quote(name))))
            }
            None => Ok(self.scenario),
        }
    }
}

fn level(node: &Node<'_>) -> Result<Level, ReadError> {
    let name = value::text(node)?;
    match Level::NAMES.iter().find(|(known, _)| *known == name) {
        Some(&(_, level)) => Ok(level),
        None => {
            let names: Vec<_> = Level::NAMES.iter().map(|&(name, _)| name).collect();
            Err(node.wrong(value::unknown("level", name, &names)))
        }
    }
}

fn needs(node: &Node<'_>) -> Result<Capabilities, ReadError> {
    let each = |node: &Node<'_>| {
        let name = value::text(node)?;
        Capability::named(name).ok_or_else(|| {
            let names = Capability::ALL.map(|(name, _)| name);
            node.wrong(value::unknown("capability", name, &names))
        })
    };
    Ok(value::list(node, each)?.into_iter().collect())
}

/// The members of `machine`, in canonical order.
pub(super) const MACHINE: [&str; 6] =
    ["page", "granularity", "lowest", "highest", "physical", "commit_limit"];

fn machine(node: &Node<'_>) -> Result<MachineRequest, ReadError> {
    let Json::Object(members) = &node.json else {
        return Err(node.wrong(format!("found {}, expected an object", node.describe())));
    };
    let mut request = MachineRequest::default();
    for member in members {
        let slot = match &*member.name {
            "page" => &mut request.page,
            "granularity" => &mut request.granularity,
            "lowest" => &mut request.lowest,
            "highest" => &mut request.highest,
            "physical" => &mut request.physical,
            "commit_limit" => &mut request.commit_limit,
            name => {
                let message = value::unknown_in("member", name, " of \"machine\"", &MACHINE);
                return Err(ReadError::new(member.at, message));
            }
        };
        let number = value::number_in(&member.value, u64::MAX);
        *slot = Some(number.map_err(|why| why.inside(&member.name))?);
    }
    check_machine(&request).map_err(|(name, message)| {
        let of = members.iter().find(|member| member.name == name);
        let at = of.map_or(node.at, |member| member.value.at);
        ReadError::new(at, format!("\"{name}\": {message}"))
    })?;
    Ok(request)
}

/// The least page, in bytes: no access of one word touches three of them.
const LEAST_PAGE: u64 = 16;

/// Which value of a machine makes no sense, and why.
fn check_machine(request: &MachineRequest) -> Result<(), (&'static str, String)> {
    let Machine { page, granularity: granule, lowest, highest, .. } = request.machine();
    for (name, unit) in [("page", page), ("granularity", granule)] {
        if !unit.is_power_of_two() {
            return Err((name, format!("{unit:#x} is not a power of two")));
        }
    }
    if granule < page {
        return Err(if request.granularity.is_some() {
            ("granularity", format!("{granule:#x} is less than a page of {page:#x}"))
        } else {
            ("page", format!("{page:#x} is more than the granularity {granule:#x}"))
        });
    }
    if page < LEAST_PAGE {
        return Err(("page", format!("{page:#x} is less than {LEAST_PAGE} bytes")));
    }
    let Some(end) = highest.checked_add(1) else {
        return Err(("highest", format!("behind {highest:#x} there is no address")));
    };
    if !end.is_multiple_of(granule) {
        // Without one of the file's own, there is not one granule.
        let name = if request.highest.is_some() { "highest" } else { "granularity" };
        let message = format!("{highest:#x} is not the last byte of a granule of {granule:#x}");
        return Err((name, message));
    }
    if !lowest.is_multiple_of(granule) {
        let message = format!("{lowest:#x} is not the first byte of a granule of {granule:#x}");
        return Err(("lowest", message));
    }
    if end / granule > MOST_GRANULES {
        let count = format!("2^32 granules of {granule:#x} or more");
        return Err(("highest", format!("{count} end with {highest:#x}; fewer are possible")));
    }
    if lowest >= highest {
        let name = if request.lowest.is_some() { "lowest" } else { "highest" };
        let message = format!("lowest {lowest:#x} is not below highest {highest:#x}");
        return Err((name, message));
    }
    Ok(())
}
