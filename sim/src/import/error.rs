//! Why a log could not be imported: always the line, what was found and what was expected.
//!
//! Deliberately not here: what a whole log merely leaves out (`summary`).

use std::io;

/// Why a log could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The log could not be read.
    #[error("line {line}: the log could not be read: {source}")]
    Read {
        /// The line that was to be read.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The log has no bytes.
    #[error("the log is empty: {how}")]
    Empty {
        /// How to record one.
        how: &'static str,
    },
    /// The log has text, but nothing of the kind that was asked for.
    #[error("none of the {lines} lines is {expected}: {how}")]
    NoCalls {
        /// How many lines there are.
        lines: u64,
        /// What was looked for.
        expected: &'static str,
        /// How to record one.
        how: &'static str,
    },
    /// A line begins as the logging tool begins its lines, and does not go on like one.
    #[error("line {line}: damaged: found `{found}`, expected {expected}")]
    Damaged {
        /// The line, counted from 1.
        line: u64,
        /// What stands there, shortened.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A call returns that never began.
    #[error(
        "line {line}: {function} returns on thread {thread}, but the log does not show the call: \
         found a return, expected its call on an earlier line. The log does not begin at the \
         start of the process, or lines were lost or torn"
    )]
    LoneReturn {
        /// The line, counted from 1.
        line: u64,
        /// What returned.
        function: String,
        /// On which thread, as the log names it.
        thread: String,
    },
    /// A line that no text log has.
    #[error(
        "line {line}: found more than {limit} bytes without an end of line, expected a text log"
    )]
    LongLine {
        /// The line, counted from 1.
        line: u64,
        /// The most bytes that a line may have.
        limit: usize,
    },
    /// More calls than a scenario may have steps.
    #[error(
        "line {line}: found more than {limit} calls, and a scenario has at most that many steps"
    )]
    TooManyCalls {
        /// The line at which it became too much, counted from 1.
        line: u64,
        /// The most steps of a scenario.
        limit: usize,
    },
    /// Everything was left out.
    #[error("nothing of this log can be replayed: {summary}")]
    NothingLeft {
        /// The account of what was left out.
        summary: Box<super::Summary>,
    },
}

/// What is wrong with a line, before its number is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// What stands there.
    pub(super) found: String,
    /// What should stand there.
    pub(super) expected: &'static str,
}

impl Damage {
    /// Damage in the bytes `found`, shortened for a message.
    pub(super) fn new(found: &[u8], expected: &'static str) -> Self {
        const MOST: usize = 120;
        let mut text: String =
            String::from_utf8_lossy(&found[..found.len().min(MOST)]).escape_debug().collect();
        if found.len() > MOST {
            text.push('…');
        }
        Self { found: text, expected }
    }

    /// The error at a line.
    pub(super) fn at(self, line: u64) -> ImportError {
        ImportError::Damaged { line, found: self.found, expected: self.expected }
    }
}
