//! Starts processes that do not outlive this one, however it ends.
//!
//! A child in good health ends when its input does; one that hangs does not notice. On Linux a
//! child is sent a signal at the death of its parent, if it asks for that (prctl(2),
//! `PR_SET_PDEATHSIG`). Its parent is the *thread* that started it, so one thread that lives as
//! long as the process starts them all.
//!
//! Deliberately not here: what the children have started themselves, which ends with them only
//! where they are ended in good order.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A command to start, and who gets it back with what came of it.
type Order = (Command, Sender<(Command, io::Result<Child>)>);

/// Starts a process.
///
/// # Errors
/// If it cannot be started.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Sender<Order>> = OnceLock::new();
    die_with_parent(command);
    let (back, answer) = channel();
    let order = (std::mem::replace(command, Command::new("")), back);
    // The thread ends with the process: both ends of both channels are there.
    ORDERS.get_or_init(nurse).send(order).map_err(io::Error::other)?;
    let (given_back, child) = answer.recv().map_err(io::Error::other)?;
    *command = given_back;
    child
}

/// The thread that starts them.
fn nurse() -> Sender<Order> {
    let (orders, inbox) = channel::<Order>();
    thread::spawn(move || {
        for (mut command, back) in inbox {
            let child = command.spawn();
            // Whoever ordered it waits for it.
            let _ = back.send((command, child));
        }
    });
    orders
}

fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let ask = move || {
        let signal = libc::c_ulong::from(libc::SIGKILL.cast_unsigned());
        // SAFETY: only numbers are handed over; prctl and getppid are safe to call after fork.
        let (asked, now) =
            unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, signal), libc::getppid()) };
        match (asked, u32::try_from(now) == Ok(parent)) {
            (0, true) => Ok(()),
            (0, false) => Err(io::ErrorKind::Interrupted.into()), // it is dead already
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure only makes system calls, takes no lock and allocates nothing.
    unsafe { command.pre_exec(ask) };
}
