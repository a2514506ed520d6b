//! What ends a run before its plan does: a person, a clock, or a failure.
//!
//! Whatever it is, the cases that have begun are finished and told of.
//!
//! Deliberately not here: killing anything. A subject that hangs is its backend's affair.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::report::{End, ExitStatus};

/// The reasons to stop, asked before each case.
#[derive(Debug, Default)]
pub struct Stop {
    interrupts: AtomicU32,
    stopped: AtomicU32,
    timed_out: AtomicU32,
    deadline: Option<Instant>,
}

impl Stop {
    /// Stops after that time, if one is given. The only clock of hostmem.
    #[must_use]
    pub fn after(time: Option<Duration>) -> Self {
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        Self { deadline, ..Self::default() }
    }

    /// Someone pressed Ctrl-C: the first time finishes the cases that run, the second does
    /// not wait for them.
    pub fn interrupt(&self) {
        if self.interrupts.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(ExitStatus::Interrupted.code().into());
        }
    }

    /// Ends the run.
    pub fn stop(&self) {
        self.stopped.store(1, Ordering::SeqCst);
    }

    /// Whether to begin no further case.
    #[must_use]
    pub fn now(&self) -> bool {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.timed_out.store(1, Ordering::SeqCst);
        }
        [&self.interrupts, &self.stopped, &self.timed_out]
            .iter()
            .any(|flag| flag.load(Ordering::SeqCst) > 0)
    }

    /// How a run ended that met no failure to stop at.
    #[must_use]
    pub fn end(&self) -> End {
        if self.interrupts.load(Ordering::SeqCst) > 0 {
            End::Interrupted
        } else if self.timed_out.load(Ordering::SeqCst) > 0 {
            End::Time
        } else {
            End::Complete
        }
    }
}
