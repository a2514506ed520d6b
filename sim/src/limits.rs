//! What a backend in a process of its own may take: time for one call, memory, a line of output.
//!
//! Limits stand in braces before the kind, `{step=2s,memory=1GiB}agent:COMMAND`, so that whatever
//! names a backend names them too: the command that replays a failure, a results file. The
//! options of the commands write them there.
//!
//! Deliberately not here: keeping to them (`hostmem-backends`).

use std::fmt;
use std::time::Duration;

use clap::Args;

const WHOSE: &str = "Backends in a process of their own (agent:COMMAND, com:PATH, wine)";

/// Limits; what is not said is as the kind has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Limits {
    /// How long one call may take before the subject counts as hung [default: 10s; 120s on wine]
    #[arg(long = "step-limit", value_name = "TIME", value_parser = duration, help_heading = WHOSE)]
    pub step: Option<Duration>,
    /// How much writable memory the process may have [default: 4GiB; 64GiB on wine; for com:PATH
    /// none]
    #[arg(long = "memory-limit", value_name = "SIZE", value_parser = size, help_heading = WHOSE)]
    pub memory: Option<u64>,
    /// How long one line of output may be [default: 64MiB]; com:PATH writes no lines
    #[arg(long = "line-limit", value_name = "SIZE", value_parser = size, help_heading = WHOSE)]
    pub line: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited beyond what the kind has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            step: self.step.or(others.step),
            memory: self.memory.or(others.memory),
            line: self.line.or(others.line),
        }
    }

    /// Takes limits in braces from the front of a text.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn take(text: &str) -> Result<(Self, &str), String> {
        let Some(inside) = text.strip_prefix('{') else { return Ok((Self::default(), text)) };
        let (inside, rest) = inside.split_once('}').ok_or("the brace is not closed")?;
        let mut limits = Self::default();
        for part in inside.split(',') {
            match part.split_once('=') {
                Some(("step", time)) => limits.step = Some(duration(time)?),
                Some(("memory", bytes)) => limits.memory = Some(size(bytes)?),
                Some(("line", bytes)) => limits.line = Some(size(bytes)?),
                _ => {
                    let expected = "expected step=TIME, memory=SIZE or line=SIZE";
                    return Err(format!("`{part}` is no limit; {expected}"));
                }
            }
        }
        Ok((limits, rest))
    }
}

/// As [`Limits::take`] reads them; nothing if there are none.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.map(|step| format!("step={}ms", step.as_millis()));
        let memory = self.memory.map(|bytes| format!("memory={bytes}"));
        let line = self.line.map(|bytes| format!("line={bytes}"));
        let parts: Vec<String> = [step, memory, line].into_iter().flatten().collect();
        if parts.is_empty() { Ok(()) } else { write!(f, "{{{}}}", parts.join(",")) }
    }
}

/// A whole number and what stands behind it.
fn number<'a>(text: &'a str, wrong: &impl Fn() -> String) -> Result<(u64, &'a str), String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    Ok((digits.parse().map_err(|_| wrong())?, &text[digits.len()..]))
}

/// A length of time: a whole number and `ms`, `s`, `m` or `h`; seconds if nothing is said.
///
/// # Errors
/// What is expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time; expected one such as 30s, 5m or 1h");
    let (number, unit) = number(text, &wrong)?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)
}

/// A number of bytes: a whole number and `KiB`, `MiB` or `GiB`, or nothing.
///
/// # Errors
/// What is expected instead.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; expected one such as 65536, 512MiB or 4GiB");
    let (number, unit) = number(text, &wrong)?;
    let bytes = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(bytes).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, milliseconds) in
            [("30s", 30_000), ("30", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("250ms", 250)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "-1s", "+1s", "1.5s", "1d", "1 s", "99999999999999999999h"] {
            assert!(duration(text).unwrap_err().contains("expected"), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [("65536", 65536), ("2KiB", 2048), ("3MiB", 3 << 20)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "GiB", "1GB", "1.5GiB", "-1", "99999999999GiB"] {
            assert!(size(text).unwrap_err().contains("expected"), "{text}");
        }
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let step = Some(Duration::from_millis(2500));
        let limits = Limits { step, memory: Some(1 << 30), line: None };
        assert_eq!(limits.to_string(), "{step=2500ms,memory=1073741824}");
        let text = format!("{limits}agent:a {{x}}");
        assert_eq!(Limits::take(&text), Ok((limits, "agent:a {x}")));
        assert_eq!(Limits::take("model"), Ok((Limits::default(), "model")));
        assert_eq!(Limits::default().to_string(), "");
        for text in ["{step=2s", "{}model", "{speed=1}model", "{step}model", "{memory=0}model"] {
            assert!(Limits::take(text).is_err(), "{text}");
        }
        let others = Limits { step: None, memory: Some(1), line: Some(2) };
        assert_eq!(limits.or(others), Limits { line: Some(2), ..limits });
    }
}
