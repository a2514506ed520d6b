//! Everything that hostmem prints goes through here: reports to standard output, complaints
//! to standard error.
//!
//! Three promises. Styles only reach a terminal, and not one whose user set `NO_COLOR`. A
//! reader who goes away (`hostmem list rules | head -1`) is no error: the rest is dropped. Any
//! other error, such as a full disk behind a redirection, is reported.
//!
//! Deliberately not here: progress ([`crate::progress`]), which is for terminals only.

use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

/// Standard output, or what stands for it in a test.
pub struct Output<'a> {
    inner: BufWriter<Box<dyn Write + 'a>>,
    closed: bool,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Output<'static> {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::to(Box::new(AutoStream::auto(io::stdout())))
    }
}

impl<'a> Output<'a> {
    /// Output to somewhere else, styles and all.
    #[must_use]
    pub fn to(inner: Box<dyn Write + 'a>) -> Self {
        Self { inner: BufWriter::new(inner), closed: false }
    }

    /// Takes `done` as it is, but a reader who went away as success.
    fn forgive<T: Default>(&mut self, done: io::Result<T>) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(T::default())
            }
            other => other,
        }
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.closed {
            let done = self.inner.write_all(bytes);
            self.forgive(done)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let done = self.inner.flush();
        self.forgive(done)
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        // Whoever cares about the error has flushed before.
        let _ = self.flush();
    }
}

/// Prints one line of complaint to standard error.
pub fn complain(what: &str) {
    const ERROR: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
    let mut err = AutoStream::auto(io::stderr().lock());
    // There is nobody left to tell.
    let _ = writeln!(err, "{ERROR}hostmem:{ERROR:#} {what}");
}

/// Prints one line of remark to standard error.
pub fn remark(what: &str) {
    let mut err = AutoStream::auto(io::stderr().lock());
    let _ = writeln!(err, "{what}");
}
