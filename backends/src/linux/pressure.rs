//! Memory pressure: the kernel's word that work is stalling for want of memory, handed on as
//! `OnMemoryNotification`.
//!
//! A trigger on `/proc/pressure/memory` wakes a thread when tasks were stalled for
//! [`STALL`] within [`WINDOW`]; a window without one ends the shortage. The callback is told
//! of changes only, from that thread, with no lock of the manager held.
//!
//! Deliberately not here: polling of figures. Where the kernel has no triggers, the
//! capability is absent.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::thread::{self, JoinHandle};

use hostmem_interface::MemoryAvailable;

use super::memory_load;

/// Stalled this long, in microseconds …
const STALL: u32 = 150_000;
/// … within this long. Without privilege the kernel takes multiples of two seconds only.
const WINDOW: u32 = 2_000_000;
/// Below this percentage of memory in use there is plenty.
const PLENTY: u32 = 50;

/// A thread that listens until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// Work stalls.
    Stall,
    /// A whole window went by without a stall.
    Quiet,
    /// Nobody wants to know any more, or the trigger is gone.
    End,
}

/// Whether triggers work here.
///
/// # Errors
/// The reason, as a sentence.
pub(super) fn probe() -> Result<(), String> {
    trigger().map(drop).map_err(|error| format!("/proc/pressure/memory: {error}"))
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn start(notify: impl Fn(MemoryAvailable) + Send + 'static) -> io::Result<Self> {
        Self::on(trigger()?.into(), notify)
    }

    /// Begins to listen to a descriptor that has `POLLPRI` when work stalls.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn on(
        trigger: OwnedFd,
        notify: impl Fn(MemoryAvailable) + Send + 'static,
    ) -> io::Result<Self> {
        // SAFETY: the call takes two integers and returns a descriptor or -1.
        let stop = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if stop < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and ours alone.
        let stop = unsafe { OwnedFd::from_raw_fd(stop) };
        let stopped = stop.try_clone()?;
        let thread = thread::Builder::new().name("memory pressure".to_owned());
        let thread = thread.spawn(move || {
            let load = || memory_load::figures().map_or(100, |figures| figures.load().load);
            let mut trend = Trend::default();
            loop {
                let event = wait(trigger.as_raw_fd(), stopped.as_raw_fd(), trend.is_short());
                if event == Event::End {
                    return;
                }
                if let Some(change) = trend.after(event, load) {
                    notify(change);
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let one = 1_u64;
        // SAFETY: eight readable bytes, as an eventfd wants them.
        unsafe { libc::write(self.stop.as_raw_fd(), (&raw const one).cast(), 8) };
        // A callback may be what drops the manager: a thread cannot wait for itself.
        let other = |one: &JoinHandle<()>| one.thread().id() != thread::current().id();
        if let Some(thread) = self.thread.take().filter(other) {
            // A callback that panicked has said so; a drop cannot do more about it.
            drop(thread.join());
        }
    }
}

/// What was last told.
#[derive(Debug, Default)]
struct Trend {
    short: bool,
}

impl Trend {
    /// Whether the end of a shortage is being waited for.
    fn is_short(&self) -> bool {
        self.short
    }

    /// What is to be told after an event; `load` is asked when a shortage ends.
    fn after(&mut self, event: Event, load: impl FnOnce() -> u32) -> Option<MemoryAvailable> {
        match (event, self.short) {
            (Event::Stall, false) => {
                self.short = true;
                Some(MemoryAvailable::LOW)
            }
            (Event::Quiet, true) => {
                self.short = false;
                let plenty = load() < PLENTY;
                Some(if plenty { MemoryAvailable::HIGH } else { MemoryAvailable::NEUTRAL })
            }
            _ => None,
        }
    }
}

fn trigger() -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).open("/proc/pressure/memory")?;
    file.write_all(format!("some {STALL} {WINDOW}\0").as_bytes())?;
    Ok(file)
}

/// Waits for the next event; for a quiet window only if `timed`.
fn wait(trigger: RawFd, stop: RawFd, timed: bool) -> Event {
    let mut watched = [
        libc::pollfd { fd: trigger, events: libc::POLLPRI, revents: 0 },
        libc::pollfd { fd: stop, events: libc::POLLIN, revents: 0 },
    ];
    let milliseconds = if timed { i32::try_from(WINDOW / 1000).expect("seconds") } else { -1 };
    loop {
        // SAFETY: two initialised `pollfd`s.
        let count = unsafe { libc::poll(watched.as_mut_ptr(), 2, milliseconds) };
        if count == 0 {
            return Event::Quiet;
        }
        if count < 0 {
            if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Event::End;
        }
        let gone = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
        let ended = watched[1].revents != 0 || watched[0].revents & gone != 0;
        return if ended { Event::End } else { Event::Stall };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_told_and_the_end_of_a_shortage_says_how_much_there_is() {
        let mut trend = Trend::default();
        let mut tell = |event, load| trend.after(event, || load);
        assert_eq!(tell(Event::Quiet, 10), None);
        assert_eq!(tell(Event::Stall, 99), Some(MemoryAvailable::LOW));
        assert_eq!(tell(Event::Stall, 99), None);
        assert_eq!(tell(Event::Quiet, 80), Some(MemoryAvailable::NEUTRAL));
        assert_eq!(tell(Event::Quiet, 80), None);
        assert_eq!(tell(Event::Stall, 99), Some(MemoryAvailable::LOW));
        assert_eq!(tell(Event::Quiet, 10), Some(MemoryAvailable::HIGH));
    }

    #[test]
    fn a_listener_stops_when_it_is_dropped() {
        if probe().is_ok() {
            drop(Listener::start(|_| ()).unwrap());
        }
    }

    #[test]
    fn a_stop_wins_over_everything_and_a_broken_trigger_ends_the_wait() {
        // SAFETY: the call takes two integers and returns a descriptor or -1.
        let raw = unsafe { libc::eventfd(1, libc::EFD_CLOEXEC) };
        // SAFETY: the descriptor is fresh and ours alone.
        let stop = unsafe { OwnedFd::from_raw_fd(raw) };
        assert_eq!(wait(-1, stop.as_raw_fd(), false), Event::End);
        assert_eq!(wait(1 << 20, -1, false), Event::End);
    }
}
