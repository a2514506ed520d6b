//! Asks an adapter and waits for its answer, one line each, on a time limit.
//!
//! Whatever the process does comes out as an answer: it may die, hang, flood, answer out of
//! order, send half a line or what is no JSON. The first of these stays: a process that broke
//! is never asked again.
//!
//! Deliberately not here: what is asked, and starting another process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{ChildStdout, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use hostmem_interface::{Breakage, OpenError};
use serde::de::DeserializeOwned;

use super::messages::{Ask, Reply, Request};
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
    last: u64,
    limits: Limits,
    broken: Option<Breakage>,
}

impl Conversation {
    /// Starts the process. It says nothing before it is asked.
    pub(super) fn start(command: &mut Command, limits: Limits) -> Result<Self, OpenError> {
        let (process, input, output) = Process::start(command, Some(limits.memory))?;
        let requests = write_thread(input, |input, line| input.write_all(line));
        // One line at a time: who floods has to wait.
        let (sender, heard) = sync_channel(1);
        thread::spawn(move || listen(output, limits.line, &sender));
        Ok(Self { process, requests, heard, last: 0, limits, broken: None })
    }

    /// Whether it is still to be asked.
    pub(super) const fn is_sound(&self) -> bool {
        self.broken.is_none()
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

    fn wait<T: DeserializeOwned>(&self, limit: Duration, what: &str) -> Result<Reply<T>, Breakage> {
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
                Err(Breakage::Hung(format!("no answer to {what} within {limit:?}")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Breakage::Died(self.process.how_it_ended(what)))
            }
        }
    }

    fn reply<T: DeserializeOwned>(&self, line: &[u8]) -> Result<Reply<T>, String> {
        let reply: Reply<T> = serde_json::from_slice(line)
            .map_err(|error| format!("{} is no reply: {error}", shown(line)))?;
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

fn listen(output: ChildStdout, longest: u64, to: &SyncSender<Heard>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        let read = output.by_ref().take(longest).read_until(b'\n', &mut line);
        let heard = match read {
            Ok(0) | Err(_) => return,
            Ok(_) if line.ends_with(b"\n") => Heard::Line(line),
            Ok(length) if length as u64 == longest => Heard::TooLong,
            Ok(_) => Heard::HalfLine(line),
        };
        let last = !matches!(heard, Heard::Line(_));
        if to.send(heard).is_err() || last {
            return;
        }
    }
}

/// The beginning of a line, for a report.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    let mut short: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    if text.chars().count() > SHOWN {
        short.push('…');
    }
    format!("`{short}`")
}
