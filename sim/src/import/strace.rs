//! An `strace` log, line by line, and calls brought together with their returns.
//!
//! `17364 mprotect(0x7f85aefed000, 16384, PROT_READ) = 0` is process or thread, call, result.
//! `[pid 17364]` may stand instead, nothing (without `-f`), and a time behind it. A call during
//! which another thread's line was written is torn into `… <unfinished ...>` and
//! `<... mprotect resumed>…`. On a terminal `[pid 17364]` comes and goes with the number of
//! threads, and strace writes its own news into the line.
//!
//! Promise: a line that begins like a call that counts, but is not whole, is damage.
//!
//! Deliberately not here: what the calls become (`linux`). `clone` is not in such a log, so
//! that a child process cannot be told from a thread: a log of several processes is wrong.

use std::collections::BTreeMap;
use std::io::BufRead;

use hostmem_interface::scenario::MAX_STEPS;

use super::error::Damage;
use super::journal::Journal;
use super::lines::Lines;
use super::{ImportError, Reason, Summary};

/// How to record a log, for errors.
const HOW: &str = "record one with `strace -f -e trace=memory -o LOG PROGRAM`";

/// The result of a call that failed.
pub(super) const FAILED: u64 = u64::MAX;

/// A call that counts. Sizes and addresses in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// `mmap`
    Map {
        size: u64,
        protect: Access,
        /// Private memory without a file, in pages of the usual size.
        plain: bool,
        /// Exactly at its address, whatever is there.
        fixed: bool,
    },
    /// `munmap`
    Unmap { address: u64, size: u64 },
    /// `mprotect`
    Protect { address: u64, size: u64, protect: Access },
    /// `madvise`
    Advise { address: u64, size: u64, advice: Advice },
    /// `mremap`, as far as it matters: what was at the old place.
    Move { address: u64, size: u64 },
}

/// `PROT_READ`, `PROT_WRITE`, `PROT_EXEC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) execute: bool,
}

/// What `madvise` is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// `MADV_DONTNEED`
    Discard,
    /// `MADV_FREE`
    Free,
    /// Nothing that Win32 has.
    Other,
}

impl Request {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Map { .. } => "mmap",
            Self::Unmap { .. } => "munmap",
            Self::Protect { .. } => "mprotect",
            Self::Advise { .. } => "madvise",
            Self::Move { .. } => "mremap",
        }
    }

    const NAMES: [&'static str; 5] = ["mmap", "munmap", "mprotect", "madvise", "mremap"];

    /// Reads the arguments of a call; `None` if they are not its arguments.
    fn parse(name: &str, arguments: &str) -> Option<Self> {
        let list: Vec<&str> = arguments.trim_end_matches([',', ' ']).split(", ").collect();
        Some(match (name, list.as_slice()) {
            // What is mapped may be told by a path (`-y`), with whatever is in it.
            ("mmap", [_, size, protect, flags, _, .., _]) => {
                let flags: Vec<&str> = flags.split('|').collect();
                let has = |flag| flags.contains(&flag);
                if !flags[0].starts_with("MAP_") {
                    return None;
                }
                let plain = has("MAP_PRIVATE") && has("MAP_ANONYMOUS") && !has("MAP_HUGETLB");
                let protect = access(protect)?;
                Self::Map { size: number(size)?, protect, plain, fixed: has("MAP_FIXED") }
            }
            ("munmap", [address, size]) => {
                Self::Unmap { address: number(address)?, size: number(size)? }
            }
            ("mprotect", [address, size, protect]) => Self::Protect {
                address: number(address)?,
                size: number(size)?,
                protect: access(protect)?,
            },
            ("madvise", [address, size, advice]) => {
                let advice = match *advice {
                    "MADV_DONTNEED" => Advice::Discard,
                    "MADV_FREE" => Advice::Free,
                    _ => Advice::Other,
                };
                Self::Advise { address: number(address)?, size: number(size)?, advice }
            }
            ("mremap", [address, size, _, _] | [address, size, _, _, _]) => {
                Self::Move { address: number(address)?, size: number(size)? }
            }
            _ => return None,
        })
    }
}

/// What an strace log holds.
#[derive(Debug, Default)]
pub(super) struct StraceLog {
    pub(super) journal: Journal<Request>,
    pub(super) summary: Summary,
}

/// Reads a whole log.
pub(super) fn read(text: impl BufRead) -> Result<StraceLog, ImportError> {
    let mut lines = Lines::new(text);
    let mut pairing = Pairing::default();
    while let Some(line) = lines.next()? {
        match pairing.line(line.number, line.bytes) {
            Err(ImportError::Damaged { .. }) if !line.whole => {
                pairing.log.summary.cut_off = Some(line.number);
            }
            other => other?,
        }
    }
    let mut log = pairing.log;
    log.summary.lines = lines.read();
    if log.summary.lines == 0 {
        return Err(ImportError::Empty { how: HOW });
    }
    if log.summary.seen() == 0 {
        let expected = "a system call of an strace log (`1234 mmap(NULL, …) = 0x…`)";
        return Err(ImportError::NoCalls { lines: log.summary.lines, expected, how: HOW });
    }
    for record in log.journal.unreturned() {
        log.summary.leave_out(Reason::NoReturn, record.what.name());
    }
    Ok(log)
}

#[derive(Default)]
struct Pairing {
    log: StraceLog,
    /// The call of each thread that has not returned.
    open: BTreeMap<u32, (usize, &'static str)>,
}

impl Pairing {
    fn line(&mut self, number: u64, bytes: &[u8]) -> Result<(), ImportError> {
        let damage = |expected| Damage::new(bytes, expected).at(number);
        let text = String::from_utf8_lossy(bytes);
        let (thread, body) = prefix(&text);
        if let Some(rest) = body.strip_prefix("<... ") {
            let (name, rest) = rest
                .split_once(" resumed>")
                .ok_or_else(|| damage("`<... call resumed>) = result`"))?;
            let Some(name) = known(name) else { return Ok(()) };
            let result = result(rest).ok_or_else(|| damage("`<... call resumed>) = result`"))?.1;
            return self.resume(number, thread, name, result);
        }
        let Some((name, rest)) = body.split_once('(').filter(|(name, _)| is_call(name)) else {
            self.log.summary.other_lines += 1;
            return Ok(());
        };
        let torn = torn(rest);
        let Some(name) = known(name) else {
            if torn.is_some() || result(rest).is_some() {
                self.log.summary.see(name);
                self.log.summary.leave_out(Reason::NoWord, name);
            } else {
                self.log.summary.other_lines += 1;
            }
            return Ok(());
        };
        let expected = "`call(arguments) = result` or `call(arguments <unfinished ...>`, \
                        with flags by name";
        let (arguments, result) = match torn {
            Some(arguments) => (arguments, None),
            None => {
                let (arguments, result) = result(rest).ok_or_else(|| damage(expected))?;
                (arguments, Some(result))
            }
        };
        let request = Request::parse(name, arguments).ok_or_else(|| damage(expected))?;
        if self.log.journal.len() >= MAX_STEPS {
            return Err(ImportError::TooManyCalls { line: number, limit: MAX_STEPS });
        }
        self.log.summary.see(name);
        let releases = matches!(request, Request::Unmap { .. } | Request::Move { .. });
        let index = self.log.journal.begin(thread, request, releases);
        match result {
            Some(Some(result)) => self.log.journal.end(index, result),
            Some(None) => self.log.journal.abandon(index),
            None => {
                if let Some((lost, _)) = self.open.insert(thread, (index, name)) {
                    self.log.journal.abandon(lost);
                }
            }
        }
        Ok(())
    }

    /// Whose call returns. Where a log names threads only while there are several, a thread may
    /// begin a call with a name and return without, or the other way round.
    fn who_returns(&self, thread: u32) -> u32 {
        match self.open.keys().next() {
            _ if self.open.contains_key(&thread) => thread,
            Some(only) if thread == 0 && self.open.len() == 1 => *only,
            Some(0) => 0,
            _ => thread,
        }
    }

    fn resume(
        &mut self,
        line: u64,
        thread: u32,
        name: &'static str,
        result: Option<u64>,
    ) -> Result<(), ImportError> {
        match self.open.remove(&self.who_returns(thread)) {
            Some((index, open)) if open == name => {
                match result {
                    Some(result) => self.log.journal.end(index, result),
                    None => self.log.journal.abandon(index),
                }
                Ok(())
            }
            _ => Err(ImportError::LoneReturn {
                line,
                function: name.to_owned(),
                thread: thread.to_string(),
            }),
        }
    }
}

/// The arguments of a call whose line does not have its return.
fn torn(rest: &str) -> Option<&str> {
    let arguments = match rest.rfind("strace: Process ") {
        // News of a thread, in the open line.
        Some(at) if rest.ends_with(" attached") => &rest[..at],
        _ => {
            let end = ["<unfinished ...>", "<detached ...>"];
            end.into_iter().find_map(|end| rest.strip_suffix(end))?
        }
    };
    Some(arguments.trim_end())
}

fn known(name: &str) -> Option<&'static str> {
    Request::NAMES.into_iter().find(|known| *known == name)
}

fn is_call(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !name.is_empty() && name.bytes().all(word)
}

/// The thread (0 if the log has one only) and what stands behind it and the time.
fn prefix(line: &str) -> (u32, &str) {
    let mut rest = line.trim_start();
    let mut thread = 0;
    if let Some((id, behind)) = rest.strip_prefix("[pid").and_then(|rest| rest.split_once(']')) {
        if let Ok(id) = id.trim().parse() {
            (thread, rest) = (id, behind.trim_start());
        }
    } else if let Some((id, behind)) = rest.split_once(' ')
        && let Ok(id) = id.parse()
    {
        (thread, rest) = (id, behind.trim_start());
    }
    let time = |word: &str| {
        word.contains([':', '.']) && word.bytes().all(|b| b.is_ascii_digit() || b":.".contains(&b))
    };
    match rest.split_once(' ') {
        Some((word, behind)) if time(word) => (thread, behind.trim_start()),
        _ => (thread, rest),
    }
}

/// `arguments) = result`: the arguments, and the result, `None` for `?`.
fn result(text: &str) -> Option<(&str, Option<u64>)> {
    let (before, after) = text.rsplit_once("= ")?;
    let arguments = before.trim_end().strip_suffix(')')?;
    let word = after.split(' ').next()?;
    let value = match word {
        "?" => None,
        "-1" => Some(FAILED),
        _ => Some(number(word)?),
    };
    Some((arguments.trim_end(), value))
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text == "NULL" => Some(0),
        None => text.parse().ok(),
    }
}

fn access(text: &str) -> Option<Access> {
    let mut access = Access::default();
    for flag in text.split('|') {
        match flag {
            "PROT_NONE" => {}
            "PROT_READ" => access.read = true,
            "PROT_WRITE" => access.write = true,
            "PROT_EXEC" => access.execute = true,
            // How far the change reaches, and atomic operations: nothing that Win32 has.
            "PROT_GROWSDOWN" | "PROT_GROWSUP" | "PROT_SEM" => {}
            _ => return None,
        }
    }
    Some(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_every_kind_are_taken_off() {
        for (line, thread) in [
            ("munmap(0x1000, 4096) = 0", 0),
            ("17 munmap(0x1000, 4096) = 0", 17),
            ("[pid 17] munmap(0x1000, 4096) = 0", 17),
            ("[pid    17] 12:30:11 munmap(0x1000, 4096) = 0", 17),
            ("17 1576.594 munmap(0x1000, 4096) = 0", 17),
            ("     0.000123 munmap(0x1000, 4096) = 0", 0),
        ] {
            assert_eq!(prefix(line), (thread, "munmap(0x1000, 4096) = 0"), "{line}");
        }
    }

    #[test]
    fn results_of_every_kind_are_read() {
        assert_eq!(result("NULL)      = 0x55f00aa36000"), Some(("NULL", Some(0x55f0_0aa3_6000))));
        assert_eq!(result("1, 2) = -1 ENOMEM (Cannot allocate)"), Some(("1, 2", Some(FAILED))));
        assert_eq!(result("1, 2) = 0 <0.000012>"), Some(("1, 2", Some(0))));
        assert_eq!(result("1, 2) = ?"), Some(("1, 2", None)));
        assert_eq!(result("1, 2"), None);
    }

    #[test]
    fn requests_are_read_and_odd_ones_refused() {
        let anonymous = "NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0";
        let protect = Access { read: true, write: true, execute: false };
        let expected = Request::Map { size: 4096, protect, plain: true, fixed: false };
        assert_eq!(Request::parse("mmap", anonymous), Some(expected));
        assert_eq!(Request::parse("mprotect", "0x1000, 4096, 0x3"), None);
        assert_eq!(Request::parse("munmap", "0x1000"), None);
    }
}
