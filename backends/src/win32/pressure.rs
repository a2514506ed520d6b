//! Memory pressure: the system's word that physical memory is low or plentiful
//! (`CreateMemoryResourceNotification`), handed on as `OnMemoryNotification`.
//!
//! The two objects stay signalled for as long as their state lasts, so one that was told is
//! looked at again once a second until it ends. The callback is told of changes only, from a
//! thread of its own, with no lock of the manager held; the state at the start is no change.

use std::io;
use std::thread::{self, JoinHandle};

use hostmem_interface::MemoryAvailable;
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, WAIT_FAILED, WAIT_TIMEOUT};
use windows_sys::Win32::System::Memory::{
    CreateMemoryResourceNotification, HighMemoryResourceNotification,
    LowMemoryResourceNotification, QueryMemoryResourceNotification,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects,
};

/// How often the end of a state that was told is looked for, in milliseconds.
const AGAIN: u32 = 1000;

/// A handle of this process's own.
#[derive(Debug)]
struct Handle(HANDLE);

// SAFETY: a handle is a number that any thread may use.
unsafe impl Send for Handle {}
// SAFETY: as above; the calls made on it are thread-safe.
unsafe impl Sync for Handle {}

impl Handle {
    fn new(raw: HANDLE) -> io::Result<Self> {
        if raw.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(raw)) }
    }

    fn notification(kind: i32) -> io::Result<Self> {
        // SAFETY: takes a number, gives a handle or null.
        Self::new(unsafe { CreateMemoryResourceNotification(kind) })
    }

    /// Whether the state that a notification object stands for holds now.
    fn holds(&self) -> bool {
        let mut state = 0;
        // SAFETY: a live notification object and a valid out pointer.
        let done = unsafe { QueryMemoryResourceNotification(self.0, &raw mut state) };
        done != 0 && state != 0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: ours, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}

/// The state of the machine's memory, as the two objects tell it.
fn state(low: &Handle, high: &Handle) -> MemoryAvailable {
    if low.holds() {
        MemoryAvailable::LOW
    } else if high.holds() {
        MemoryAvailable::HIGH
    } else {
        MemoryAvailable::NEUTRAL
    }
}

/// A thread that listens until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    stop: std::sync::Arc<Handle>,
    thread: Option<JoinHandle<()>>,
}

/// Whether the notification objects can be had here.
///
/// # Errors
/// The reason, as a sentence.
pub(super) fn probe() -> Result<(), String> {
    let made = Handle::notification(LowMemoryResourceNotification);
    made.map(drop).map_err(|error| format!("CreateMemoryResourceNotification: {error}"))
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start(notify: impl Fn(MemoryAvailable) + Send + 'static) -> io::Result<Self> {
        let low = Handle::notification(LowMemoryResourceNotification)?;
        let high = Handle::notification(HighMemoryResourceNotification)?;
        // SAFETY: no attributes and no name; manual reset, not signalled.
        let event = unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) };
        let stop = std::sync::Arc::new(Handle::new(event)?);
        let stopped = std::sync::Arc::clone(&stop);
        let thread = thread::Builder::new().name("memory pressure".to_owned());
        let thread = thread.spawn(move || {
            let mut told = state(&low, &high);
            while wait(&stopped, &low, &high, told) {
                let now = state(&low, &high);
                if now != told {
                    told = now;
                    notify(now);
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

/// Waits until there may be news; false at the end.
fn wait(stop: &Handle, low: &Handle, high: &Handle, told: MemoryAvailable) -> bool {
    let mut handles = vec![stop.0];
    // What was told stays signalled: it cannot be waited for.
    let neutral = told == MemoryAvailable::NEUTRAL;
    if neutral || told == MemoryAvailable::HIGH {
        handles.push(low.0);
    }
    if neutral {
        handles.push(high.0);
    }
    let limit = if neutral { INFINITE } else { AGAIN };
    let count = u32::try_from(handles.len()).expect("three at most");
    // SAFETY: that many live handles.
    let woken = unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, limit) };
    woken != WAIT_FAILED && (woken == WAIT_TIMEOUT || woken > 0)
}

impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: a live event.
        unsafe { SetEvent(self.stop.0) };
        // A callback may be what drops the manager: a thread cannot wait for itself.
        let other = |one: &JoinHandle<()>| one.thread().id() != thread::current().id();
        if let Some(thread) = self.thread.take().filter(other) {
            // A callback that panicked has said so; a drop cannot do more about it.
            drop(thread.join());
        }
    }
}
