//! Scripts of memory pressure: what happens to a program while it runs, and when.
//!
//! ```json
//! { "format": "hostmem-pressure/1", "about": "A shortage, and its end", "steps": [
//!   { "after": 300, "do": "SetMemoryLoad", "load": 96, "available": "0x4000000" },
//!   { "after": 300, "do": "Notify", "available": "eMemoryAvailableLow" },
//!   { "after": 400, "do": "FailNext", "method": "VirtualAlloc", "count": 3,
//!     "critical_at_most": "eTaskCritical", "size_at_least": "0x100000" },
//!   { "after": 500, "do": "Notify", "available": "eMemoryAvailableNeutral" } ] }
//! ```
//!
//! `after` counts the runtime's memory calls from its start. A refusal comes in front of the
//! manager, with the last error `error` (1455 by default), and is not judged.
//!
//! Win32 knows no critical levels, so a call gets one by what it is for. What the garbage
//! collector asks for its heap is `eTaskCritical`: an allocation can fail. Loaders and the
//! compiler ask for `eAppDomainCritical`: a type or a method can fail. Tables of the runtime are
//! `eProcessCritical`.
//!
//! Deliberately not here: who carries a step out.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use hostmem_interface::{
    AllocationType, Call, CriticalLevel, MemoryAvailable, MemoryLoad, Protection, Refusal,
    Win32Error,
};
use hostmem_model::space::Terms;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::files::load::shown;

/// The one version of the format.
pub const FORMAT: &str = "hostmem-pressure/1";
/// Heaps of the garbage collector are reserved in pieces of at least this many bytes.
const SEGMENT: u64 = 16 << 20;

/// Why a file is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ScriptError {
    path: String,
    message: String,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// What the runtime is told of the machine from now on; `None`: the truth again.
    SetMemoryLoad(Option<MemoryLoad>),
    /// The runtime is notified.
    Notify(MemoryAvailable),
    /// The next matching calls are refused.
    FailNext(Refusing),
}

/// Which calls are refused, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusing {
    /// The method's name.
    pub method: String,
    /// How many calls more.
    pub count: u64,
    /// Only calls up to this level.
    pub critical_at_most: CriticalLevel,
    /// Only calls about so many bytes.
    pub size_at_least: u64,
    /// The last error.
    pub error: Win32Error,
}

/// A script on its way. Callable from any thread.
#[derive(Debug, Default)]
pub struct Pressure(Mutex<Course>);

#[derive(Debug, Default)]
struct Course {
    waiting: VecDeque<(u64, Action)>,
    refusing: Vec<Refusing>,
    load: Option<MemoryLoad>,
    refused: u64,
}

impl Pressure {
    /// Has everything happen that is due at a call; what the runtime is to be notified of.
    pub fn advance(&self, number: u64) -> Vec<MemoryAvailable> {
        let mut course = self.course();
        let mut notices = Vec::new();
        while course.waiting.front().is_some_and(|(after, _)| *after < number) {
            match course.waiting.pop_front().map(|(_, action)| action) {
                Some(Action::SetMemoryLoad(load)) => course.load = load,
                Some(Action::Notify(available)) => notices.push(available),
                Some(Action::FailNext(refusing)) => course.refusing.push(refusing),
                None => {}
            }
        }
        notices
    }

    /// The refusal of a call, if it is one that is to be refused.
    pub fn refuse(&self, call: &Call) -> Option<Refusal> {
        let mut course = self.course();
        let at = course.refusing.iter().position(|refusing| refusing.fits(call))?;
        let refusing = &mut course.refusing[at];
        refusing.count -= 1;
        let error = refusing.error;
        if refusing.count == 0 {
            course.refusing.remove(at);
        }
        course.refused += 1;
        Some(Refusal::from_win32(error))
    }

    /// What the runtime is to be told of the machine, if that is not the truth.
    pub fn load(&self) -> Option<MemoryLoad> {
        self.course().load
    }

    /// How many calls were refused, and how many steps never came.
    pub fn told(&self) -> (u64, usize) {
        let course = self.course();
        (course.refused, course.waiting.len())
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusing {
    fn fits(&self, call: &Call) -> bool {
        let size = call.size().unwrap_or(0);
        let level = call.critical().unwrap_or(CriticalLevel::TASK);
        self.method == call.name()
            && size >= self.size_at_least
            && level.0 <= self.critical_at_most.0
    }
}

/// The level of a call, by what it is for; `owner` has the terms and the size of the allocation
/// that it names.
#[must_use]
pub fn critical(call: &Call, owner: Option<(Terms, u64)>) -> CriticalLevel {
    let Call::VirtualAlloc { size, kind, protect, .. } = call else { return CriticalLevel::TASK };
    let reserved = Terms {
        protect: *protect,
        watched: kind.contains(AllocationType::WRITE_WATCH),
        physical: false,
    };
    let (terms, size) = owner.unwrap_or((reserved, *size));
    if terms.watched {
        CriticalLevel::PROCESS
    } else if terms.protect != Protection::READWRITE {
        CriticalLevel::APP_DOMAIN
    } else if size >= SEGMENT {
        CriticalLevel::TASK
    } else {
        CriticalLevel::PROCESS
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    #[serde(rename = "about")]
    _about: String,
    steps: Vec<StepText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    after: u64,
    #[serde(rename = "do")]
    action: String,
    load: Option<u32>,
    available: Option<Json>,
    method: Option<String>,
    count: Option<u64>,
    critical_at_most: Option<String>,
    size_at_least: Option<Json>,
    error: Option<String>,
}

/// Reads a script from disk.
///
/// # Errors
/// If there is none, or the first thing in it that is not as it should be.
pub fn load(path: &Path) -> Result<Pressure, ScriptError> {
    let shown = shown(path);
    let bytes = std::fs::read(path)
        .map_err(|error| ScriptError { path: shown.clone(), message: error.to_string() })?;
    read(&shown, &bytes)
}

/// Reads a script from the bytes of a file.
///
/// # Errors
/// The first thing in it that is not as it should be.
pub fn read(path: &str, bytes: &[u8]) -> Result<Pressure, ScriptError> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| ScriptError {
        path: format!("{path}:{}:{}", error.line(), error.column()),
        message: error.to_string(),
    })?;
    let wrong = |message: String| ScriptError { path: path.to_owned(), message };
    if file.format != FORMAT {
        return Err(wrong(format!("found format \"{}\"; expected \"{FORMAT}\"", file.format)));
    }
    let mut waiting = VecDeque::new();
    let mut last = 0;
    for (at, step) in file.steps.into_iter().enumerate() {
        let told = |why: String| wrong(format!("step {}: {why}", at + 1));
        if step.after < last {
            let why = format!("\"after\" is {}; expected {last} or more: in order", step.after);
            return Err(told(why));
        }
        last = step.after;
        waiting.push_back((step.after, step.action().map_err(told)?));
    }
    Ok(Pressure(Mutex::new(Course { waiting, ..Course::default() })))
}

impl StepText {
    fn action(self) -> Result<Action, String> {
        match &*self.action {
            "SetMemoryLoad" => self.memory_load(),
            "Notify" => self.notify(),
            "FailNext" => self.fail_next(),
            other => Err(format!(
                "found \"do\": \"{other}\"; expected SetMemoryLoad, Notify or FailNext"
            )),
        }
    }

    fn memory_load(self) -> Result<Action, String> {
        match (self.load, self.available) {
            (None, None) => Ok(Action::SetMemoryLoad(None)),
            (Some(load @ 0..=100), Some(available)) => {
                let available = number("available", &available)?;
                Ok(Action::SetMemoryLoad(Some(MemoryLoad { load, available })))
            }
            (Some(load), Some(_)) => Err(format!("\"load\" is {load}; expected 0 to 100")),
            _ => Err("expected both \"load\" and \"available\", or neither".to_owned()),
        }
    }

    fn notify(self) -> Result<Action, String> {
        let text = self.available.as_ref().and_then(Json::as_str).unwrap_or_default();
        let known = MemoryAvailable::NAMES.iter().find(|(name, _)| *name == text);
        let (_, value) = known.ok_or_else(|| {
            let names: Vec<_> = MemoryAvailable::NAMES.iter().map(|(name, _)| *name).collect();
            format!("found \"available\": \"{text}\"; expected one of {}", names.join(", "))
        })?;
        Ok(Action::Notify(MemoryAvailable(*value)))
    }

    fn fail_next(self) -> Result<Action, String> {
        const METHODS: [&str; 4] =
            ["VirtualAlloc", "VirtualFree", "VirtualProtect", "NeedsVirtualAddressSpace"];
        let method = self.method.unwrap_or_default();
        if !METHODS.contains(&&*method) {
            let methods = METHODS.join(", ");
            return Err(format!("found \"method\": \"{method}\"; expected one of {methods}"));
        }
        let count = self.count.unwrap_or(1);
        if count == 0 {
            return Err("\"count\" is 0; expected 1 or more".to_owned());
        }
        let critical_at_most = match self.critical_at_most {
            None => CriticalLevel::PROCESS,
            Some(text) => CriticalLevel::NAMES
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, value)| CriticalLevel(*value))
                .ok_or(format!("found \"critical_at_most\": \"{text}\"; expected a level"))?,
        };
        let error = self.error.map_or(Ok(Win32Error::ERROR_COMMITMENT_LIMIT), |text| {
            Win32Error::parse(&text).map_err(|text| format!("found \"error\": \"{text}\""))
        })?;
        let size = self.size_at_least.map_or(Ok(0), |size| number("size_at_least", &size))?;
        Ok(Action::FailNext(Refusing {
            method,
            count,
            critical_at_most,
            size_at_least: size,
            error,
        }))
    }
}

/// A JSON integer, or a string with one in decimal or hexadecimal digits.
fn number(name: &str, value: &Json) -> Result<u64, String> {
    let text = value.as_str().map(|text| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    });
    let found = value.as_u64().or(text.flatten());
    found.ok_or_else(|| format!("found \"{name}\": {value}; expected a number, such as \"0x1000\""))
}

#[cfg(test)]
mod tests {
    use hostmem_interface::Address;

    use super::*;

    fn commit(size: u64) -> Call {
        Call::VirtualAlloc {
            address: Address(0x1_0000),
            size,
            kind: AllocationType::COMMIT,
            protect: Protection::READWRITE,
            critical: CriticalLevel::TASK,
        }
    }

    #[test]
    fn steps_happen_after_so_many_calls_and_refuse_what_fits() {
        let script = read(
            "p.json",
            br#"{ "format": "hostmem-pressure/1", "about": "a", "steps": [
                { "after": 2, "do": "SetMemoryLoad", "load": 96, "available": "0x1000" },
                { "after": 2, "do": "FailNext", "method": "VirtualAlloc", "count": 2,
                  "size_at_least": 4096 },
                { "after": 3, "do": "Notify", "available": "eMemoryAvailableLow" } ] }"#,
        )
        .unwrap();
        assert_eq!(script.advance(2), []);
        assert_eq!((script.load(), script.refuse(&commit(4096))), (None, None));
        assert_eq!(script.advance(3), []);
        assert_eq!(script.load(), Some(MemoryLoad { load: 96, available: 0x1000 }));
        assert_eq!(script.refuse(&commit(4095)), None);
        let refusal = Refusal::from_win32(Win32Error::ERROR_COMMITMENT_LIMIT);
        assert_eq!(script.refuse(&commit(4096)), Some(refusal));
        assert_eq!(script.told(), (1, 1));
        assert_eq!(script.advance(4), [MemoryAvailable::LOW]);
        assert_eq!(script.refuse(&commit(8192)), Some(refusal));
        assert_eq!(script.refuse(&commit(8192)), None);
    }

    #[test]
    fn what_is_no_script_is_told_with_its_place() {
        let error = |steps: &str| {
            let text = format!(
                r#"{{ "format": "hostmem-pressure/1", "about": "a", "steps": [{steps}] }}"#
            );
            read("p.json", text.as_bytes()).unwrap_err().to_string()
        };
        assert!(error(r#"{ "after": 1, "do": "Sleep" }"#).contains("step 1: found \"do\""));
        assert!(error(r#"{ "after": 1, "do": "SetMemoryLoad", "load": 3 }"#).contains("both"));
        assert!(error(r#"{ "after": 1, "do": "Notify", "wait": 3 }"#).starts_with("p.json:1:"));
        assert!(error(r#"{ "after": 1, "do": "FailNext", "method": "Alloc" }"#).contains("method"));
        let back =
            r#"{ "after": 2, "do": "SetMemoryLoad" }, { "after": 1, "do": "SetMemoryLoad" }"#;
        assert!(error(back).contains("step 2: \"after\" is 1; expected 2 or more"));
        assert!(read("p.json", b"{}").unwrap_err().to_string().starts_with("p.json:1:"));
    }

    #[test]
    fn a_call_is_as_critical_as_what_it_is_for() {
        let terms = |protect, watched| Terms { protect, watched, physical: false };
        let heap = Some((terms(Protection::READWRITE, false), 256 << 20));
        let loader = Some((terms(Protection::NOACCESS, false), 0x1_0000));
        let cards = Some((terms(Protection::READWRITE, true), 3 << 20));
        let level = |owner| critical(&commit(4096), owner);
        assert_eq!(level(heap), CriticalLevel::TASK);
        assert_eq!(level(loader), CriticalLevel::APP_DOMAIN);
        assert_eq!(level(cards), CriticalLevel::PROCESS);
        assert_eq!(level(None), CriticalLevel::PROCESS);
    }
}
