//! Whose turn it is: subjects of one process share its address space, so there is one at a time.
//!
//! A place that one case has found free may be another's a moment later, and free again when
//! that is looked into: nobody could tell a system's mistake from a neighbour's doing. So whoever
//! opens a second subject waits until the first is gone, however many threads run cases.
//!
//! Deliberately not here: memory that the rest of the process takes and gives back meanwhile, and
//! managers that are not opened as subjects.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Who has it, and how many subjects that thread has opened.
static HELD: Mutex<Option<(ThreadId, usize)>> = Mutex::new(None);
static GIVEN_BACK: Condvar = Condvar::new();

/// A turn, given back when it is dropped, on whatever thread.
#[derive(Debug)]
pub(in crate::win32) struct Turn(());

impl Turn {
    /// Waits for a turn. A thread that has one is given another, for nobody else could end the
    /// wait.
    pub(in crate::win32) fn take() -> Self {
        let me = thread::current().id();
        let others = |held: &mut Option<(ThreadId, usize)>| held.is_some_and(|(who, _)| who != me);
        let held = GIVEN_BACK.wait_while(held(), others);
        let mut held = held.unwrap_or_else(PoisonError::into_inner);
        let opened = held.map_or(0, |(_, opened)| opened);
        *held = Some((me, opened + 1));
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut held = held();
        *held = held.filter(|(_, opened)| *opened > 1).map(|(who, opened)| (who, opened - 1));
        if held.is_none() {
            GIVEN_BACK.notify_one();
        }
    }
}

fn held() -> MutexGuard<'static, Option<(ThreadId, usize)>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
