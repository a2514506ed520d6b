//! A subject in a process of its own, on a time limit: the parent's end of [`crate::wire`].
//!
//! Whatever the process does comes out as an answer: it may die (and what it last said on
//! standard error is told with how it died), hang (and is killed), or send what is no answer. The
//! first of these stays: a broken process is never asked again. Nothing here blocks for longer
//! than the limit: writing and reading are done by threads of their own.
//!
//! Deliberately not here: what the process is (`com`), and starting another one: a fresh
//! subject has a fresh process.

use std::collections::BTreeMap;
use std::io;
use std::process::{ChildStdout, Command};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostmem_interface::{Breakage, Description, OpenError};

use crate::process::{Process, locked, write_thread};
use crate::wire::{Request, Response, decode_response, encode_request, read_frame, write_frame};

/// A running process.
#[derive(Debug)]
pub struct ChildProcess {
    process: Process,
    requests: Sender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    numbers: AtomicU64,
    limit: Duration,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whoever waits for the answer of that number.
    callers: BTreeMap<u64, Sender<Response>>,
    /// The first breakage.
    broken: Option<Breakage>,
    /// No more answers will come; with garbage if that is why.
    ended: Option<Option<String>>,
}

impl ChildProcess {
    /// Starts a process that may have `memory` bytes, if that is limited, and waits for its first
    /// message.
    ///
    /// # Errors
    /// What the process says, or how it broke instead.
    pub fn start(
        command: &mut Command,
        limit: Duration,
        memory: Option<u64>,
    ) -> Result<(Self, Description), OpenError> {
        let (process, input, output) = Process::start(command, memory)?;
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (hello, first) = channel();
        locked(&waiting).callers.insert(0, hello);
        let requests = write_thread(input, |input, frame| write_frame(input, frame));
        let listener = Arc::clone(&waiting);
        thread::spawn(move || listen(output, &listener));
        let child = Self { process, requests, waiting, numbers: AtomicU64::new(1), limit };
        match child.wait(&first, "opening") {
            Ok(Response::Hello(Ok(description))) => Ok((child, description)),
            Ok(Response::Hello(Err(error))) => Err(error),
            Ok(_) => {
                let lie = "its first message is no description".to_owned();
                Err(OpenError::Broken(child.broke(Breakage::Lied(lie))))
            }
            Err(how) => Err(OpenError::Broken(how)),
        }
    }

    /// Asks, and waits for the answer until the limit. `what` names the request in reports.
    ///
    /// # Errors
    /// How the process broke, now or earlier.
    pub fn ask(&self, request: &Request, what: &str) -> Result<Response, Breakage> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (caller, answer) = channel();
        {
            let mut waiting = locked(&self.waiting);
            if let Some(how) = &waiting.broken {
                return Err(how.clone());
            }
            // If no more answers come, the sender is dropped here and the wait ends at once.
            if waiting.ended.is_none() {
                waiting.callers.insert(number, caller);
            }
        }
        // A writer that is gone means a process that is gone, which the wait finds out.
        let _ = self.requests.send(encode_request(number, lane(), request));
        self.wait(&answer, what)
    }

    fn wait(
        &self,
        answer: &std::sync::mpsc::Receiver<Response>,
        what: &str,
    ) -> Result<Response, Breakage> {
        match answer.recv_timeout(self.limit) {
            Ok(response) => Ok(response),
            Err(RecvTimeoutError::Timeout) => {
                let how = format!("no answer to {what} within {:?}", self.limit);
                Err(self.broke(Breakage::Hung(how)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.gone(what)),
        }
    }

    /// How the process came to an end on its own.
    fn gone(&self, what: &str) -> Breakage {
        let garbage = locked(&self.waiting).ended.clone().flatten();
        self.broke(match garbage {
            Some(garbage) => Breakage::Lied(format!("{garbage}, in {what}")),
            None => Breakage::Died(self.process.how_it_ended(what)),
        })
    }

    /// Records how it broke, unless it had broken before, and makes sure that it is gone.
    pub fn broke(&self, how: Breakage) -> Breakage {
        self.process.kill();
        locked(&self.waiting).broken.get_or_insert(how).clone()
    }
}

/// The number of the calling thread: requests of one thread are carried out on one thread.
fn lane() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static LANE: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    LANE.with(|lane| *lane)
}

/// Hands answers to whoever waits for them, until there are no more.
fn listen(mut output: ChildStdout, waiting: &Mutex<Waiting>) {
    let mut first = true;
    let garbage = loop {
        match next(&mut output) {
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
            Ok(Some((number, response))) => {
                let hello = matches!(response, Response::Hello(_));
                let caller = locked(waiting).callers.remove(&number);
                match caller {
                    // Whoever asked may have given up.
                    Some(caller) if hello == first => drop(caller.send(response)),
                    _ => break Some("an answer that nobody asked for".to_owned()),
                }
                first = false;
            }
        }
    };
    let mut waiting = locked(waiting);
    waiting.ended = Some(garbage);
    waiting.callers.clear();
}

fn next(output: &mut ChildStdout) -> io::Result<Option<(u64, Response)>> {
    let Some(frame) = read_frame(output)? else { return Ok(None) };
    decode_response(&frame).map(Some).map_err(io::Error::other)
}
