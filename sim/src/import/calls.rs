//! Calls and returns of a relay log, brought together thread by thread.
//!
//! Promise: every function line is counted, and a return is never matched with a call of
//! another thread or function.
//!
//! A function of kernel32 that hands on to kernelbase logs the same request twice; the outer
//! one counts.
//!
//! Deliberately not here: what the calls do (`wine`).

use std::collections::BTreeMap;
use std::io::BufRead;

use hostmem_interface::scenario::MAX_STEPS;

use super::error::Damage;
use super::journal::Journal;
use super::lines::Lines;
use super::live::Detail;
use super::relay::{self, Relay, Source};
use super::{ImportError, Reason, Summary};

/// How to record a relay log, for errors.
const HOW: &str = "record one with `WINEDEBUG=+relay,+loaddll,+timestamp,+tid,+pid wine \
    PROGRAM 2> LOG`, with the registry value HKEY_CURRENT_USER\\Software\\Wine\\Debug\\\
    RelayInclude naming the functions, for example \
    `kernel32.VirtualAlloc;kernel32.VirtualFree;kernel32.VirtualProtect;kernel32.VirtualQuery`";

/// The functions that the scenario format has a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    VirtualAlloc,
    VirtualAllocEx,
    VirtualAllocExNuma,
    VirtualFree,
    VirtualFreeEx,
    VirtualProtect,
    VirtualProtectEx,
    VirtualQuery,
    VirtualQueryEx,
    GetWriteWatch,
    ResetWriteWatch,
    GlobalMemoryStatus,
    GlobalMemoryStatusEx,
}

impl Function {
    /// Name and number of arguments.
    const ALL: [(&'static str, usize, Self); 13] = [
        ("VirtualAlloc", 4, Self::VirtualAlloc),
        ("VirtualAllocEx", 5, Self::VirtualAllocEx),
        ("VirtualAllocExNuma", 6, Self::VirtualAllocExNuma),
        ("VirtualFree", 3, Self::VirtualFree),
        ("VirtualFreeEx", 4, Self::VirtualFreeEx),
        ("VirtualProtect", 4, Self::VirtualProtect),
        ("VirtualProtectEx", 5, Self::VirtualProtectEx),
        ("VirtualQuery", 3, Self::VirtualQuery),
        ("VirtualQueryEx", 4, Self::VirtualQueryEx),
        ("GetWriteWatch", 6, Self::GetWriteWatch),
        ("ResetWriteWatch", 2, Self::ResetWriteWatch),
        ("GlobalMemoryStatus", 1, Self::GlobalMemoryStatus),
        ("GlobalMemoryStatusEx", 1, Self::GlobalMemoryStatusEx),
    ];

    fn named(module: &str, name: &str) -> Option<(Self, usize)> {
        let system =
            ["kernel32", "kernelbase"].iter().any(|known| module.eq_ignore_ascii_case(known));
        let found = Self::ALL.iter().find(|(known, ..)| system && *known == name)?;
        Some((found.2, found.1))
    }

    pub(super) const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// A call that the format has a word for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) process: u32,
    pub(super) function: Function,
    pub(super) arguments: [u64; 7],
}

/// What a relay log holds.
#[derive(Debug, Default)]
pub(super) struct RelayLog {
    pub(super) journal: Journal<Asked>,
    /// What came of calls beside their result, by their index; a text log has none.
    pub(super) details: BTreeMap<usize, Detail>,
    /// What `loaddll` lines tell: the program, and the runtime if one is known.
    pub(super) modules: Vec<String>,
    pub(super) summary: Summary,
}

/// A call that has not returned.
struct Open {
    module: String,
    function: Function,
    index: usize,
}

/// Reads a whole log.
pub(super) fn read(text: impl BufRead) -> Result<RelayLog, ImportError> {
    let mut lines = Lines::new(text);
    let mut pairing = Pairing::default();
    while let Some(line) = lines.next()? {
        match pairing.line(line.number, line.bytes) {
            // The logging process was killed in the middle of a line: that is how logs end.
            Err(ImportError::Damaged { .. }) if !line.whole => {
                pairing.log.summary.cut_off = Some(line.number);
            }
            other => other?,
        }
    }
    let read = lines.read();
    let RelayLog { mut summary, journal, modules, details } = pairing.log;
    summary.lines = read;
    if read == 0 {
        return Err(ImportError::Empty { how: HOW });
    }
    if summary.seen() == 0 {
        let expected = "a call of a Wine relay log (`0024:Call KERNEL32.VirtualAlloc(…) ret=…`)";
        return Err(ImportError::NoCalls { lines: read, expected, how: HOW });
    }
    for record in journal.unreturned() {
        summary.leave_out(Reason::NoReturn, record.what.function.name());
    }
    Ok(RelayLog { journal, details, modules, summary })
}

#[derive(Default)]
struct Pairing {
    log: RelayLog,
    stacks: BTreeMap<Source, Vec<Open>>,
}

impl Pairing {
    fn line(&mut self, number: u64, bytes: &[u8]) -> Result<(), ImportError> {
        match relay::lex(bytes).map_err(|damage| damage.at(number))? {
            Relay::Foreign => {
                self.log.summary.other_lines += 1;
                self.log.modules.extend(module_of_interest(bytes));
                Ok(())
            }
            Relay::Unnamed => {
                self.log.summary.other_lines += 1;
                Ok(())
            }
            Relay::Call { source, module, function: name, arguments } => {
                let Some((function, count)) = Function::named(module, name) else {
                    self.log.summary.see(name);
                    self.log.summary.leave_out(Reason::NoWord, name);
                    return Ok(());
                };
                let expected = "as many hexadecimal arguments as the function has";
                let (arguments, _) = relay::arguments(arguments)
                    .filter(|&(_, found)| found == count)
                    .ok_or_else(|| Damage::new(bytes, expected).at(number))?;
                self.call(number, source, module, function, arguments)
            }
            Relay::Return { source, module, function: name, result } => {
                match Function::named(module, name) {
                    Some((function, _)) => self.ret(number, source, module, function, result),
                    None => Ok(()),
                }
            }
        }
    }

    fn call(
        &mut self,
        line: u64,
        source: Source,
        module: &str,
        function: Function,
        arguments: [u64; 7],
    ) -> Result<(), ImportError> {
        let log = &mut self.log;
        log.summary.see(function.name());
        let stack = self.stacks.entry(source).or_default();
        // A function does not call itself: the earlier one was left by an exception.
        while stack.last().is_some_and(|open| open.module == module) {
            stack.pop().inspect(|open| log.journal.abandon(open.index));
        }
        if !stack.is_empty() {
            log.summary.leave_out(Reason::Inside, function.name());
            return Ok(());
        }
        if log.journal.len() >= MAX_STEPS {
            return Err(ImportError::TooManyCalls { line, limit: MAX_STEPS });
        }
        let asked = Asked { process: source.process, function, arguments };
        let releases = matches!(function, Function::VirtualFree | Function::VirtualFreeEx);
        let index = log.journal.begin(source.thread, asked, releases);
        stack.push(Open { module: module.to_owned(), function, index });
        Ok(())
    }

    fn ret(
        &mut self,
        line: u64,
        source: Source,
        module: &str,
        function: Function,
        result: u64,
    ) -> Result<(), ImportError> {
        let stack = self.stacks.entry(source).or_default();
        match stack.last() {
            Some(open) if open.module == module && open.function == function => {
                self.log.journal.end(open.index, result);
                stack.pop();
                return Ok(());
            }
            // The return of a call that was made by the open one.
            Some(open) if open.module != module => return Ok(()),
            _ => {}
        }
        Err(ImportError::LoneReturn {
            line,
            function: format!("{module}.{}", function.name()),
            thread: format!("{:04x}", source.thread),
        })
    }
}

/// The path in a `loaddll` line, if it is the program's or a runtime's.
fn module_of_interest(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?;
    let (_, loaded) = text.split_once(":trace:loaddll:")?;
    let (_, path) = loaded.split_once(" L\"")?;
    let (path, _) = path.split_once('"')?;
    let path = path.replace("\\\\", "\\");
    let lower = path.to_ascii_lowercase();
    let known = [".exe", "\\coreclr.dll", "\\clr.dll", "\\mscorwks.dll"];
    known.iter().any(|end| lower.ends_with(end)).then_some(path)
}
