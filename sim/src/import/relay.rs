//! One line of a Wine relay log: a call, a return, or something else.
//!
//! `1576.594:0020:0024:Call KERNEL32.VirtualAlloc(00000000,…) ret=015b1f7e` is time, process,
//! thread, call with hexadecimal arguments, return address. Time and process are there only if
//! `WINEDEBUG` asked for them. Output that the program wrote without an end of line may stand
//! in front.
//!
//! Promise: a line that carries the mark of a function call or return, but is not whole, is
//! damage and never taken for something else.
//!
//! Deliberately not here: what the calls mean, and which return belongs to which call (`calls`).

use super::error::Damage;

/// A whole call, for messages.
const CALL: &str = "`Call MODULE.Function(arguments) ret=address`";
/// A whole return, for messages.
const RET: &str = "`Ret  MODULE.Function() retval=number ret=address`";

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// 0 where the log does not tell processes apart.
    pub(super) process: u32,
    /// Wine's thread id.
    pub(super) thread: u32,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relay<'a> {
    /// A function is called.
    Call {
        source: Source,
        module: &'a str,
        function: &'a str,
        /// Everything between the parentheses.
        arguments: &'a str,
    },
    /// A function returns.
    Return { source: Source, module: &'a str, function: &'a str, result: u64 },
    /// A line of the relay channel about something that is no function of a DLL.
    Unnamed,
    /// Output of the program, or of another debug channel.
    Foreign,
}

/// Takes a line apart.
pub(super) fn lex(line: &[u8]) -> Result<Relay<'_>, Damage> {
    let Some((source, mark, body)) = split_at_mark(line) else { return Ok(Relay::Foreign) };
    let expected = if mark == Mark::Call { CALL } else { RET };
    let damage = || Damage::new(line, expected);
    // Names and numbers are ASCII; string arguments of other functions need not be.
    let named = body.iter().position(|&b| b == b'(' || b == b' ').unwrap_or(body.len());
    let name = std::str::from_utf8(&body[..named]).map_err(|_| damage())?;
    let Some((module, function)) = name.rsplit_once('.') else {
        // "Call PE DLL (…)", "Call window proc …": the relay channel, but no function.
        let unnamed = name.bytes().all(|b| b.is_ascii_alphabetic()) && named < body.len();
        return if unnamed { Ok(Relay::Unnamed) } else { Err(damage()) };
    };
    let rest = body[named..].strip_prefix(b"(").ok_or_else(damage)?;
    match mark {
        Mark::Call => {
            let (arguments, back) = split_last(rest, b") ret=").ok_or_else(damage)?;
            pointer(back).ok_or_else(damage)?;
            // What is not ASCII is a string argument, and no function that counts has one.
            let arguments = std::str::from_utf8(arguments).unwrap_or("");
            Ok(Relay::Call { source, module, function, arguments })
        }
        Mark::Return => {
            let (result, back) = rest
                .strip_prefix(b") retval=")
                .and_then(|rest| split_last(rest, b" ret="))
                .ok_or_else(damage)?;
            pointer(back).ok_or_else(damage)?;
            let result = pointer(result).ok_or_else(damage)?;
            Ok(Relay::Return { source, module, function, result })
        }
    }
}

/// The arguments of a call: at most seven hexadecimal numbers.
pub(super) fn arguments(text: &str) -> Option<([u64; 7], usize)> {
    let mut numbers = [0; 7];
    let mut count = 0;
    if text.is_empty() {
        return Some((numbers, 0));
    }
    for part in text.split(',') {
        *numbers.get_mut(count)? = pointer(part.as_bytes())?;
        count += 1;
    }
    Some((numbers, count))
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Call,
    Return,
}

/// Finds the first `thread:Call ` or `thread:Ret ` and what stands behind it.
fn split_at_mark(line: &[u8]) -> Option<(Source, Mark, &[u8])> {
    for (at, _) in line.iter().enumerate().filter(|&(_, &byte)| byte == b':') {
        let (mark, body) = if let Some(body) = line[at..].strip_prefix(b":Call ") {
            (Mark::Call, body)
        } else if let Some(body) = line[at..].strip_prefix(b":Ret  ") {
            (Mark::Return, body)
        } else {
            continue;
        };
        if let Some(source) = source(&line[..at]) {
            return Some((source, mark, body));
        }
    }
    None
}

/// Reads `time:process:thread`, `process:thread` or `thread` at the end of `text`.
fn source(text: &[u8]) -> Option<Source> {
    let mut fields = text.rsplit(|&b| b == b':');
    let thread = identifier(fields.next()?)?;
    let process = fields.next().and_then(identifier).unwrap_or(0);
    Some(Source { process, thread })
}

/// The id at the end of a field, which other output may precede.
fn identifier(field: &[u8]) -> Option<u32> {
    let digits = field.iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
    let (before, id) = field.split_at(field.len() - digits);
    // A dot makes it a time, a letter makes it part of a word.
    let apart = before.last().is_none_or(|&b| b != b'.' && !b.is_ascii_alphanumeric());
    let text = std::str::from_utf8(id).ok()?;
    ((4..=8).contains(&digits) && apart).then(|| u32::from_str_radix(text, 16).ok())?
}

/// Wine writes every number as 8 or more hexadecimal digits; fewer mean that some were lost.
fn pointer(digits: &[u8]) -> Option<u64> {
    let whole = (8..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    if !whole {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn split_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).rposition(|window| window == separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source = Source { process: 0x20, thread: 0x24 };

    #[test]
    fn a_call_and_its_return_are_taken_apart() {
        let call = b"1576.594:0020:0024:Call KERNEL32.VirtualFree(01bb0000,00000000,00008000) \
                     ret=015b1f7e";
        let (module, function) = ("KERNEL32", "VirtualFree");
        let arguments_text = "01bb0000,00000000,00008000";
        let expected = Relay::Call { source: SOURCE, module, function, arguments: arguments_text };
        assert_eq!(lex(call), Ok(expected));
        assert_eq!(
            arguments(arguments_text),
            Some(([0x1bb_0000, 0, 0x8000, 0, 0, 0, 0], 3)),
            "numbers"
        );
        let ret = b"1576.594:0020:0024:Ret  KERNEL32.VirtualFree() retval=00000001 ret=015b1f7e";
        let expected = Relay::Return { source: SOURCE, module, function, result: 1 };
        assert_eq!(lex(ret), Ok(expected));
    }

    #[test]
    fn time_and_process_may_be_missing_and_output_may_stand_in_front() {
        let rest = "KERNEL32.GlobalMemoryStatusEx(0019f000) ret=015b1f7e";
        for (prefix, process) in [
            ("0024:Call ", 0),
            ("12.345:0024:Call ", 0),
            ("0020:0024:Call ", 0x20),
            ("Hello, World!1576.594:0020:0024:Call ", 0x20),
            ("50 %: 0020:0024:Call ", 0x20),
        ] {
            let line = format!("{prefix}{rest}");
            let Ok(Relay::Call { source, function, .. }) = lex(line.as_bytes()) else {
                panic!("{line}");
            };
            assert_eq!(
                (source, function),
                (Source { process, thread: 0x24 }, "GlobalMemoryStatusEx")
            );
        }
    }

    #[test]
    fn other_output_is_foreign() {
        for line in [
            "",
            "Hello, World!",
            "note:Call me",
            "0024:trace:loaddll:build_module Loaded L\"C:\\\\a.exe\" at 140000000: native",
            "00000000,00002000) ret=015b1f7e",
        ] {
            assert_eq!(lex(line.as_bytes()), Ok(Relay::Foreign), "{line}");
        }
        assert_eq!(lex(b"0024:Call PE DLL (proc=7B01,reason=1)"), Ok(Relay::Unnamed));
    }

    #[test]
    fn a_torn_line_is_damage() {
        for line in [
            "0024:Call ",
            "0024:Call KERNEL32",
            "0024:Call KERNEL32.VirtualAl",
            "0024:Call KERNEL32.VirtualAlloc(00000000,00010000",
            "0024:Call KERNEL32.VirtualAlloc(00000000) ret=015b1f",
            "0024:Call KERNEL32.VirtualAlloc(00000000) ret=015b1f7e and more",
            "0024:Ret  KERNEL32.VirtualAlloc() ret",
            "0024:Ret  KERNEL32.VirtualAlloc() retval=1 ret=015b1f7e",
        ] {
            let damage = lex(line.as_bytes()).expect_err(line);
            assert!(line.starts_with(&damage.found), "{damage:?}");
        }
        // Two halves in one line: the arguments are not numbers.
        let halves = "00000000,0001576.594:0020:0028:Ret  KERNEL32.HeapCreate(";
        assert_eq!(arguments(halves), None);
    }
}
