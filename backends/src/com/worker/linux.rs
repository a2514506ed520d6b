//! What the worker needs of Linux.
//!
//! Deliberately not here: touching memory ([`crate::touch`]).

use std::os::fd::FromRawFd as _;
use std::path::Path;
use std::{fs, io};

use super::super::touch_ledger::Own;

/// Takes the protocol's streams away from the library, which may print and read as it likes.
pub(super) fn take_streams() -> io::Result<(fs::File, fs::File)> {
    let duplicate = |from: i32| {
        // SAFETY: duplicates a descriptor; nothing else knows the new one.
        let copy = unsafe { libc::fcntl(from, libc::F_DUPFD_CLOEXEC, 3) };
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor, ours alone.
        Ok(unsafe { fs::File::from_raw_fd(copy) })
    };
    let (input, output) = (duplicate(0)?, duplicate(1)?);
    let nothing = fs::File::open("/dev/null")?;
    let nothing = std::os::fd::AsRawFd::as_raw_fd(&nothing);
    // SAFETY: replaces this process's own standard streams, before any other thread runs.
    let replaced = unsafe { libc::dup2(nothing, 0) >= 0 && libc::dup2(2, 1) >= 0 };
    if replaced { Ok((input, output)) } else { Err(io::Error::last_os_error()) }
}

/// Loads a library.
///
/// # Errors
/// What the loader says.
///
/// # Safety
/// Its initialisers are run, and are foreign code.
pub(super) unsafe fn load(library: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: the caller vouches for it.
    unsafe { libloading::Library::new(library) }
}

/// What answers beneath the manager: not told, a kernel in another version behaves alike.
pub(super) const fn version() -> String {
    String::new()
}

/// Ends the process without running what the library left behind.
pub(super) fn leave() -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(0) }
}

/// What this process has mapped, from the kernel.
pub(super) fn own_mappings() -> io::Result<Vec<Own>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let own = |line: &str| {
        let mut words = line.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let range = u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?;
        // Permissions, offset, device and inode stand before the name, if there is one.
        let shared = matches!(words.nth(4), None | Some("[heap]"));
        Some(Own { range, shared })
    };
    Ok(maps.lines().filter_map(own).collect())
}
