//! A family of processes on Unix: a process group; limits by `setrlimit`, ends by signals.
//!
//! Deliberately not here: processes that leave the group, which nobody can end.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};

/// What is done before a process starts: a group of its own, so that whatever it starts can be
/// ended with it, and its limit of memory.
pub(super) fn prepare(command: &mut Command, memory: Option<u64>) {
    command.process_group(0);
    if let Some(bytes) = memory {
        limit_memory(command, bytes);
    }
}

/// A process and what it has started.
#[derive(Debug)]
pub(super) struct Family(Option<i32>);

impl Family {
    /// The family of a child that was [prepared](prepare).
    pub(super) fn of(child: &Child, _: Option<u64>) -> Self {
        Self(i32::try_from(child.id()).ok())
    }

    /// Ends it. The child has not been waited for: its number is still its own.
    pub(super) fn kill(&self) {
        let Some(group) = self.0 else { return };
        // SAFETY: a signal to the group of a child that has not been waited for; at worst the
        // group is gone.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

/// Limits what the process may have in writable memory of its own (setrlimit(2),
/// `RLIMIT_DATA`): memory that is only reserved does not count.
fn limit_memory(command: &mut Command, bytes: u64) {
    let limit = move || {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: a valid limit of this very process; setrlimit is safe to call after fork.
        match unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure only makes a system call, takes no lock and allocates nothing.
    unsafe { command.pre_exec(limit) };
}

/// How it ended, in words.
pub(super) fn ended(status: ExitStatus) -> String {
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
