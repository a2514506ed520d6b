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
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hostmem_interface::{Breakage, Description, OpenError};

use crate::wire::{Request, Response, decode_response, encode_request, read_frame, write_frame};

/// How much of the end of standard error is told.
const TAIL: usize = 2048;
/// How long a process may take to be dead when its streams have closed.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// A running process.
#[derive(Debug)]
pub struct ChildProcess {
    process: Mutex<Child>,
    requests: Sender<Vec<u8>>,
    shared: Arc<Shared>,
    numbers: AtomicU64,
    limit: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// The end of what it said on standard error.
    said: Mutex<Vec<u8>>,
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ChildProcess {
    /// Starts a process and waits for its first message.
    ///
    /// # Errors
    /// What the process says, or how it broke instead.
    pub fn start(command: &mut Command, limit: Duration) -> Result<(Self, Description), OpenError> {
        let streams =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = streams.map_err(|error| {
            let program = command.get_program().to_string_lossy();
            OpenError::Unavailable(format!("{program} cannot be started: {error}"))
        })?;
        let (input, output, errors) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = (input, output, errors) else {
            unreachable!("all three streams are piped");
        };
        let shared = Arc::new(Shared::default());
        let (hello, first) = channel();
        locked(&shared.waiting).callers.insert(0, hello);
        let requests = write_thread(input);
        let listener = Arc::clone(&shared);
        thread::spawn(move || listen(output, &listener));
        let listener = Arc::clone(&shared);
        thread::spawn(move || keep_tail(errors, &listener));
        let child = Self {
            process: Mutex::new(process),
            requests,
            shared,
            numbers: AtomicU64::new(1),
            limit,
        };
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
            let mut waiting = locked(&self.shared.waiting);
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
        let garbage = locked(&self.shared.waiting).ended.clone().flatten();
        let mut how = match (garbage, self.status()) {
            (Some(garbage), _) => {
                return self.broke(Breakage::Lied(format!("{garbage}, in {what}")));
            }
            (None, Some(status)) => format!("{} in {what}", ended(status)),
            (None, None) => format!("closed its output in {what}"),
        };
        let said = locked(&self.shared.said);
        let said = String::from_utf8_lossy(&said);
        if let Some(last) = said.lines().rev().find(|line| !line.trim().is_empty()) {
            how.push_str(&format!("; it said: {}", last.trim()));
        }
        self.broke(Breakage::Died(how))
    }

    /// Waits a moment for the death of a process whose streams closed.
    fn status(&self) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = locked(&self.process).try_wait() {
                return Some(status);
            }
            if begun.elapsed() > LAST_BREATH {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Records how it broke, unless it had broken before, and makes sure that it is gone.
    pub fn broke(&self, how: Breakage) -> Breakage {
        self.kill();
        locked(&self.shared.waiting).broken.get_or_insert(how).clone()
    }

    /// Ends the process.
    fn kill(&self) {
        let mut process = locked(&self.process);
        // It may be dead already; waiting for it leaves no zombie behind.
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
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

/// Writes requests until nobody has any more, or the pipe closes.
fn write_thread(mut input: ChildStdin) -> Sender<Vec<u8>> {
    let (requests, inbox) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for request in inbox {
            if write_frame(&mut input, &request).is_err() {
                break; // the reading thread tells why
            }
        }
    });
    requests
}

/// Hands answers to whoever waits for them, until there are no more.
fn listen(mut output: ChildStdout, shared: &Shared) {
    let mut first = true;
    let garbage = loop {
        match next(&mut output) {
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
            Ok(Some((number, response))) => {
                let hello = matches!(response, Response::Hello(_));
                let caller = locked(&shared.waiting).callers.remove(&number);
                match caller {
                    // Whoever asked may have given up.
                    Some(caller) if hello == first => drop(caller.send(response)),
                    _ => break Some("an answer that nobody asked for".to_owned()),
                }
                first = false;
            }
        }
    };
    let mut waiting = locked(&shared.waiting);
    waiting.ended = Some(garbage);
    waiting.callers.clear();
}

fn next(output: &mut ChildStdout) -> io::Result<Option<(u64, Response)>> {
    let Some(frame) = read_frame(output)? else { return Ok(None) };
    decode_response(&frame).map(Some).map_err(io::Error::other)
}

/// Keeps the end of what the process says on standard error.
fn keep_tail(mut errors: ChildStderr, shared: &Shared) {
    let mut piece = [0; 512];
    while let Ok(length @ 1..) = errors.read(&mut piece) {
        let mut said = locked(&shared.said);
        said.extend(&piece[..length]);
        let surplus = said.len().saturating_sub(TAIL);
        said.drain(..surplus);
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}{}", signal_name(signal)),
        (None, None) => status.to_string(),
    }
}

/// The name of a signal that a crash raises (signal(7)).
const fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGTRAP => " (SIGTRAP)",
        _ => "",
    }
}
