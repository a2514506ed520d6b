//! A log, line by line: numbered, without line ends, and aware of a last line that was cut off.
//!
//! A log is bytes, not text: the logged program's own output stands in it too.
//!
//! Deliberately not here: decompression and files (the caller's), and what a line means.

use std::io::{BufRead, Read};

use super::ImportError;

/// The most bytes of a line. Longer ones are no log, and would take memory without end.
pub(super) const MAX_LINE: usize = 1 << 20;

/// One line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Without its end.
    pub(super) bytes: &'a [u8],
    /// Whether it had an end: the last line of a log that was cut off has none.
    pub(super) whole: bool,
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    read: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), read: 0 }
    }

    /// How many lines were read.
    pub(super) const fn read(&self) -> u64 {
        self.read
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ImportError> {
        self.buffer.clear();
        let line = self.read + 1;
        (&mut self.reader)
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| ImportError::Read { line, source })?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        if self.buffer.len() > MAX_LINE {
            return Err(ImportError::LongLine { line, limit: MAX_LINE });
        }
        self.read = line;
        let whole = self.buffer.ends_with(b"\n");
        let bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        Ok(Some(Line { number: line, bytes, whole }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_a_missing_end_is_noticed() {
        let mut lines = Lines::new(&b"one\r\n\ntwo"[..]);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push((line.number, line.bytes.to_vec(), line.whole));
        }
        let expected =
            [(1, b"one".to_vec(), true), (2, Vec::new(), true), (3, b"two".to_vec(), false)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_line_without_end_is_no_log() {
        let long = vec![0; MAX_LINE + 2];
        let error = Lines::new(&long[..]).next().unwrap_err();
        assert!(matches!(error, ImportError::LongLine { line: 1, .. }), "{error}");
    }
}
