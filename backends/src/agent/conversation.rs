//! Asks an adapter and waits for its answer, one line each, on a time limit.
//!
//! Whatever the process does comes out as an answer: it may die, hang, flood, answer out of
//! order, send half a line or what is no JSON. The first of these stays: a process that broke
//! is never asked again.
//!
//! Deliberately not here: what is asked, and starting another process.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::process::{ChildStdout, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use hostmem_interface::{Breakage, OpenError};
use serde::de::DeserializeOwned;

use super::messages::{Ask, Reply, Request, one_line};
use super::numbers::Flat;
use crate::process::{Process, write_thread};

/// What an adapter may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For an answer to one call; a line of many calls may take longer.
    pub time: Duration,
    /// Of writable memory, in bytes.
    pub memory: u64,
    /// For one line of output, in bytes.
    pub line: u64,
}

impl Limits {
    /// Ten seconds, 4 GiB, 64 MiB.
    pub const USUAL: Self = Self { time: Duration::from_secs(10), memory: 4 << 30, line: 64 << 20 };
}

/// How many calls may take as much time again as one.
const CALLS_IN_THE_TIME_OF_ONE: u32 = 1000;
/// How much of a wrong line is told.
const SHOWN: usize = 80;

/// What the reading thread hears.
enum Heard {
    Line(Vec<u8>),
    TooLong,
    HalfLine(Vec<u8>),
}

/// A running adapter.
#[derive(Debug)]
pub(super) struct Conversation {
    process: Process,
    requests: Sender<Vec<u8>>,
    heard: Receiver<Heard>,
    /// How many bytes of a line have come whose end has not.
    unfinished: Arc<AtomicUsize>,
    last: u64,
    limits: Limits,
    broken: Option<Breakage>,
    /// Whether it hung within a line.
    within_a_line: bool,
}

impl Conversation {
    /// Starts the process. It says nothing before it is asked.
    pub(super) fn start(command: &mut Command, limits: Limits) -> Result<Self, OpenError> {
        let (process, input, output) = Process::start(command, Some(limits.memory))?;
        let requests = write_thread(input, |input, line| input.write_all(line));
        // One line at a time: who floods has to wait.
        let (sender, heard) = sync_channel(1);
        let unfinished = Arc::default();
        let so_far = Arc::clone(&unfinished);
        thread::spawn(move || listen(output, limits.line, &so_far, &sender));
        let (last, broken, within_a_line) = (0, None, false);
        Ok(Self { process, requests, heard, unfinished, last, limits, broken, within_a_line })
    }

    /// Whether it is still to be asked.
    pub(super) const fn is_sound(&self) -> bool {
        self.broken.is_none()
    }

    /// Whether what looks like a hang may be no more than a line end that is missing.
    pub(super) const fn hung_within_a_line(&self) -> bool {
        self.within_a_line
    }

    /// Asks, and waits for the reply; `what` names the request in reports.
    pub(super) fn ask<T: DeserializeOwned>(
        &mut self,
        ask: Ask,
        what: &str,
    ) -> Result<Reply<T>, Breakage> {
        if let Some(how) = &self.broken {
            return Err(how.clone());
        }
        let calls = match &ask {
            Ask::Run(calls) => u32::try_from(calls.len()).unwrap_or(u32::MAX),
            _ => 1,
        };
        let limit = self.limits.time * (1 + calls / CALLS_IN_THE_TIME_OF_ONE);
        self.last += 1;
        let request = Request { id: self.last, ask };
        let mut line = serde_json::to_vec(&request).expect("a request is plain data");
        line.push(b'\n');
        // A writer that is gone means a process that is gone, which the wait finds out.
        let _ = self.requests.send(line);
        match self.wait(limit, what) {
            Ok(reply) => Ok(reply),
            Err(how) => Err(self.broke(how)),
        }
    }

    fn wait<T: DeserializeOwned>(
        &mut self,
        limit: Duration,
        what: &str,
    ) -> Result<Reply<T>, Breakage> {
        let lied = |how: String| Breakage::Lied(format!("{how}, in {what}"));
        match self.heard.recv_timeout(limit) {
            Ok(Heard::Line(line)) => self.reply(&line).map_err(lied),
            Ok(Heard::TooLong) => {
                Err(lied(format!("a line longer than {} bytes", self.limits.line)))
            }
            Ok(Heard::HalfLine(line)) => {
                let end = self.process.how_it_ended(what);
                Err(Breakage::Died(format!("{end}; its last line has no end: {}", shown(&line))))
            }
            Err(RecvTimeoutError::Timeout) => {
                let hint = self.what_it_may_lack();
                Err(Breakage::Hung(format!("no answer to {what} within {limit:?}{hint}")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Breakage::Died(self.process.how_it_ended(what)))
            }
        }
    }

    /// A mistake that looks like a hang, if it may be one.
    fn what_it_may_lack(&mut self) -> String {
        let unfinished = self.unfinished.load(Ordering::Relaxed);
        self.within_a_line = unfinished > 0;
        match unfinished {
            // Who has been heard before flushes its output.
            0 if self.last > 1 => String::new(),
            0 => "; nothing came at all: is its output flushed after each line?".to_owned(),
            bytes => format!("; {bytes} bytes came without a line end"),
        }
    }

    fn reply<T: DeserializeOwned>(&self, line: &[u8]) -> Result<Reply<T>, String> {
        let text = line.trim_ascii();
        if text.is_empty() {
            return Err("an empty line is no reply".to_owned());
        }
        // A list would be taken for the members of an object in their order.
        if text.starts_with(b"[") {
            return Err(format!("{} is no reply: expected an object, not a list", shown(line)));
        }
        let reply: Reply<T> = serde_json::from_slice(line).map_err(|error| {
            format!("{} is no reply: {}", shown(line), one_line(&error.to_string()))
        })?;
        if reply.id != self.last {
            return Err(format!("a reply to request {}, not to {}", reply.id, self.last));
        }
        let kinds = [reply.outcome.is_some(), reply.unsupported.is_some(), reply.broken.is_some()];
        match kinds.into_iter().filter(|it| *it).count() {
            1 => Ok(reply),
            _ => {
                Err(format!("{} has not exactly one of outcome, unsupported, broken", shown(line)))
            }
        }
    }

    /// Records how it broke, unless it had broken before, and makes sure that it is gone.
    pub(super) fn broke(&mut self, how: Breakage) -> Breakage {
        self.process.kill();
        self.broken.get_or_insert(how).clone()
    }

    /// Asks it to end, and sees whether it does.
    pub(super) fn stop(&mut self) -> Result<(), Breakage> {
        self.ask::<Flat>(Ask::Stop(Vec::new()), "stop")?;
        if self.process.ends_within(self.limits.time) {
            return Ok(());
        }
        Err(self.broke(Breakage::Hung("it goes on after stop".to_owned())))
    }
}

fn listen(output: ChildStdout, longest: u64, so_far: &AtomicUsize, to: &SyncSender<Heard>) {
    let mut output = BufReader::new(output);
    loop {
        let Some(heard) = next_line(&mut output, longest, so_far) else { return };
        let last = !matches!(heard, Heard::Line(_));
        if to.send(heard).is_err() || last {
            return;
        }
    }
}

/// Reads a line, piece by piece so that it is known how much of it is there; `None` at the end.
fn next_line(
    output: &mut BufReader<ChildStdout>,
    longest: u64,
    so_far: &AtomicUsize,
) -> Option<Heard> {
    let mut line = Vec::new();
    let heard = loop {
        let piece = match output.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        if piece.is_empty() {
            break if line.is_empty() { return None } else { Heard::HalfLine(line) };
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(piece.len(), |at| at + 1);
        if (line.len() + length) as u64 > longest {
            break Heard::TooLong;
        }
        line.extend_from_slice(&piece[..length]);
        output.consume(length);
        if end.is_some() {
            break Heard::Line(line);
        }
        so_far.store(line.len(), Ordering::Relaxed);
    };
    so_far.store(0, Ordering::Relaxed);
    Some(heard)
}

/// The beginning of a line, for a report.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    let mut short = one_line(&text.chars().take(SHOWN).collect::<String>());
    if text.chars().count() > SHOWN {
        short.push('…');
    }
    format!("`{short}`")
}
