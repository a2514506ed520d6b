//! A child process with its streams: how it is started and ended, and how it came to its end.
//!
//! Map: this file has the process; `unix` and `windows` what each system calls a family of
//! processes (a group, a job), a limit of memory and a violent end; `nursery` starts them on Linux.
//!
//! Deliberately not here: what is said over the streams ([`crate::child`], [`crate::agent`]).

#[cfg(target_os = "linux")]
mod nursery;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hostmem_interface::OpenError;

#[cfg(target_os = "linux")]
use nursery::spawn;

/// How much of the end of standard error is kept.
const TAIL: usize = 4096;
/// How many lines of it are told.
const LINES: usize = 10;
/// How long a process may take to be dead when its streams have closed.
const LAST_BREATH: Duration = Duration::from_secs(2);
/// How long the rest of what a dead process said may take to arrive. Only somebody else who
/// holds its standard error open uses all of it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A running process and everything that it starts.
#[derive(Debug)]
pub(crate) struct Process {
    child: Mutex<Child>,
    family: system::Family,
    /// The end of what it said on standard error.
    said: Arc<Mutex<Vec<u8>>>,
    /// Disconnected when standard error has been read to its end.
    heard_out: Mutex<Receiver<()>>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    /// Starts a process that may have `memory` bytes of its own, if that is limited.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(
        command: &mut Command,
        memory: Option<u64>,
    ) -> Result<(Self, ChildStdin, ChildStdout), OpenError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        system::prepare(command, memory);
        let mut child = spawn(command).map_err(|error| {
            let program = command.get_program().to_string_lossy();
            OpenError::Unavailable(format!("{program} cannot be started: {error}"))
        })?;
        let family = system::Family::of(&child, memory);
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = streams else {
            unreachable!("all three streams are piped");
        };
        let said = Arc::default();
        let tail = Arc::clone(&said);
        let (hearing, heard_out) = channel();
        thread::spawn(move || {
            keep_tail(errors, &tail);
            drop(hearing);
        });
        let heard_out = Mutex::new(heard_out);
        Ok((Self { child: Mutex::new(child), family, said, heard_out }, input, output))
    }

    /// How it came to an end on its own, during `what`.
    pub(crate) fn how_it_ended(&self, what: &str) -> String {
        let mut how = match self.status() {
            Some(status) => {
                // Nothing is ever sent: this waits for the end.
                let _ = locked(&self.heard_out).recv_timeout(LAST_WORDS);
                format!("{} in {what}", system::ended(status))
            }
            None => format!("closed its output in {what}"),
        };
        let said = locked(&self.said);
        let said = String::from_utf8_lossy(&said);
        if let Some(words) = last_words(&said) {
            how.push_str(&format!("; it said: {words}"));
        }
        how
    }

    /// Waits a moment for the death of a process whose streams closed.
    fn status(&self) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = locked(&self.child).try_wait() {
                return Some(status);
            }
            if begun.elapsed() > LAST_BREATH {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether it ends on its own within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if self.status().is_some() {
                return true;
            }
        }
        false
    }

    /// Ends it and what it has started.
    pub(crate) fn kill(&self) {
        let mut child = locked(&self.child);
        if !matches!(child.try_wait(), Ok(Some(_))) {
            self.family.kill();
        }
        // It may be dead already; waiting for it leaves no zombie behind.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(not(target_os = "linux"))]
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.spawn()
}

/// Writes messages until nobody has any more, or the pipe closes.
pub(crate) fn write_thread(
    mut input: ChildStdin,
    write: fn(&mut ChildStdin, &[u8]) -> std::io::Result<()>,
) -> Sender<Vec<u8>> {
    let (messages, inbox) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for message in inbox {
            if write(&mut input, &message).and_then(|()| input.flush()).is_err() {
                break; // whoever reads the answers tells why
            }
        }
    });
    messages
}

/// Keeps the end of what the process says on standard error.
fn keep_tail(mut errors: ChildStderr, said: &Mutex<Vec<u8>>) {
    let mut piece = [0; 512];
    while let Ok(length @ 1..) = errors.read(&mut piece) {
        let mut said = locked(said);
        said.extend(&piece[..length]);
        let surplus = said.len().saturating_sub(TAIL);
        said.drain(..surplus);
    }
}

/// What a process said at its end, in one line; `None` if it said nothing.
///
/// Some languages put the message last and some first, before the calls that led to it. These
/// are indented, so of a longer end they are left out.
fn last_words(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut told: Vec<&str> = lines.clone();
    if lines.len() > LINES {
        told.retain(|line| !line.starts_with(char::is_whitespace));
    }
    if told.is_empty() {
        told = lines;
    }
    let from = told.len().saturating_sub(LINES);
    let words: Vec<&str> = told[from..].iter().map(|line| line.trim()).collect();
    (!words.is_empty()).then(|| words.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_among_the_last_words_wherever_a_language_puts_it() {
        assert_eq!(last_words(" \n"), None);
        let ruby = "a.rb:3:in `x': no such slot (RuntimeError)\n\tfrom a.rb:9:in `<main>'\n";
        let told = "a.rb:3:in `x': no such slot (RuntimeError) | from a.rb:9:in `<main>'";
        assert_eq!(last_words(ruby).unwrap(), told);
        let deep = format!("a warning\n{ruby}{}", "\tfrom a.rb:4:in `x'\n".repeat(20));
        let told = "a warning | a.rb:3:in `x': no such slot (RuntimeError)";
        assert_eq!(last_words(&deep).unwrap(), told);
        let frames = "  File \"a.py\", line 4, in x\n    x()\n".repeat(20);
        let python = format!("Traceback (most recent call last):\n{frames}NameError: no x\n");
        let told = "Traceback (most recent call last): | NameError: no x";
        assert_eq!(last_words(&python).unwrap(), told);
        let many: String = (0..30).map(|line| format!("{line}\n")).collect();
        assert_eq!(last_words(&many).unwrap(), "20 | 21 | 22 | 23 | 24 | 25 | 26 | 27 | 28 | 29");
        assert_eq!(last_words(&" all\n".repeat(11)).unwrap().matches("all").count(), LINES);
    }
}
