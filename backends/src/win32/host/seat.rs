//! Who answers the runtime: [`Seat`], and what it is asked: [`Request`].
//!
//! A request cannot be made up outside of this folder, and is passed on at most once: so a seat
//! in safe code can do nothing to memory that the runtime did not ask for.
//!
//! Calls come from any thread, from inside exception handlers too. A thread may be suspended
//! by the garbage collector while it is here; the runtime itself asks for nothing between
//! suspending a thread and letting it go on, as that thread could hold a lock of the system's.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hostmem_interface::{Address, Call, MemoryBasicInformation, Outcome};
use windows_sys::Win32::Foundation::HANDLE;

use super::super::system;

/// What the runtime asked for, beside the call: facts that a call has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The call says all.
    Plainly,
    /// `VirtualAllocExNuma`, with the node that is preferred.
    OnNode(u32),
    /// A notice: the system has done it already.
    Done,
}

/// One request of the runtime's.
#[derive(Debug)]
pub struct Request {
    call: Call,
    thread: u32,
    asked: Asked,
}

impl Request {
    pub(super) fn new(call: Call, asked: Asked) -> Self {
        // SAFETY: reads a number of the calling thread's own.
        let thread = unsafe { windows_sys::Win32::System::Threading::GetCurrentThreadId() };
        Self { call, thread, asked }
    }

    /// What is asked.
    #[must_use]
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// Who asks: the system's number of the thread.
    #[must_use]
    pub const fn thread(&self) -> u32 {
        self.thread
    }

    /// What else is known of the request.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        self.asked
    }

    /// The system's answer: the call is made as the runtime would have made it.
    #[must_use]
    pub fn pass_on(self) -> Outcome {
        super::hooks::pass_on(&self.call, self.asked)
    }
}

/// Answers requests. Every method may be called from any thread at any time.
pub trait Seat: Send + Sync {
    /// The answer. The runtime gets it as the function's own: value, out parameters and last
    /// error.
    fn answer(&self, request: Request) -> Outcome;

    /// The event that stands in for a memory resource notification; `low` is the one of little
    /// memory. `None` leaves it to the system.
    fn notification(&self, low: bool) -> Option<usize> {
        let _ = low;
        None
    }

    /// A function of the system's that concerns memory was looked up by name, and nothing
    /// stands in for it.
    fn missed(&self, name: &str) {
        let _ = name;
    }

    /// The process is about to end, with this exit code if that is known. Called once. What is
    /// returned is the exit code instead, where there is a choice.
    fn farewell(&self, code: Option<u32>) -> Option<u32>;
}

static SEAT: OnceLock<Box<dyn Seat>> = OnceLock::new();
static EARLY: AtomicU64 = AtomicU64::new(0);

/// Takes the seat for the rest of the process.
///
/// # Errors
/// If it is taken.
pub fn take(seat: Box<dyn Seat>) -> Result<(), Box<dyn Seat>> {
    SEAT.set(seat)
}

/// How many requests came before there was anybody to answer them.
#[must_use]
pub fn early() -> u64 {
    EARLY.load(Ordering::Relaxed)
}

/// Who sits there.
pub(super) fn seat() -> Option<&'static dyn Seat> {
    SEAT.get().map(|seat| &**seat)
}

/// Has a request answered.
pub(super) fn ask(request: Request) -> Outcome {
    match seat() {
        Some(seat) => seat.answer(request),
        None => {
            EARLY.fetch_add(1, Ordering::Relaxed);
            request.pass_on()
        }
    }
}

/// What the system shows at an address; `None` beyond user space.
#[must_use]
pub fn region(at: Address) -> Option<MemoryBasicInformation> {
    system::region(at.0)
}

/// An event that programs can wait for as for a memory resource notification.
#[derive(Debug)]
pub struct Event(HANDLE);

// SAFETY: a handle is a number that any thread may use.
unsafe impl Send for Event {}
// SAFETY: as above; the calls made on it are thread-safe.
unsafe impl Sync for Event {}

impl Event {
    /// An event that is not signalled, for as long as the process lives.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> std::io::Result<Self> {
        use windows_sys::Win32::System::Threading::CreateEventW;
        // SAFETY: no attributes and no name; manual reset, not signalled.
        let event = unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) };
        if event.is_null() { Err(std::io::Error::last_os_error()) } else { Ok(Self(event)) }
    }

    /// Signals it, or takes the signal back.
    pub fn set(&self, signalled: bool) {
        use windows_sys::Win32::System::Threading::{ResetEvent, SetEvent};
        // SAFETY: a live event: it is never closed, as the runtime may wait for it.
        unsafe { if signalled { SetEvent(self.0) } else { ResetEvent(self.0) } };
    }

    /// What the runtime gets.
    #[must_use]
    pub fn handle(&self) -> usize {
        self.0.expose_provenance()
    }
}
