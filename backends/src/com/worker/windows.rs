//! What the worker needs of Windows.
//!
//! Deliberately not here: touching memory ([`crate::touch`]).

use std::os::windows::io::{AsHandle as _, AsRawHandle as _};
use std::path::Path;
use std::{fs, io};

use hostmem_interface::{RegionState, RegionType};
use libloading::os::windows::{LOAD_WITH_ALTERED_SEARCH_PATH, Library};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

use super::super::touch_ledger::Own;
use crate::win32::regions;

/// Takes the protocol's streams away from the library, which may print and read as it likes. It
/// may crash too: then nobody is asked whether to debug it.
pub(super) fn take_streams() -> io::Result<(fs::File, fs::File)> {
    // SAFETY: sets a flag of this very process.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX) };
    let input = fs::File::from(io::stdin().as_handle().try_clone_to_owned()?);
    let output = fs::File::from(io::stdout().as_handle().try_clone_to_owned()?);
    // The handle has to stay, for it is a standard one now.
    let nothing = Box::leak(Box::new(fs::File::open("NUL")?));
    // The C library has numbers for its streams, which it took from the handles when it started.
    // SAFETY: a live handle, opened for reading; the number is fresh and kept.
    let number = unsafe { libc::open_osfhandle(nothing.as_raw_handle() as isize, 0) };
    // SAFETY: replaces this process's own standard streams, before any other thread runs.
    let replaced = unsafe {
        libc::dup2(number, 0) >= 0
            && libc::dup2(2, 1) >= 0
            && SetStdHandle(STD_INPUT_HANDLE, nothing.as_raw_handle()) != 0
            && SetStdHandle(STD_OUTPUT_HANDLE, GetStdHandle(STD_ERROR_HANDLE)) != 0
    };
    if replaced { Ok((input, output)) } else { Err(io::Error::last_os_error()) }
}

/// Loads a library; those that it needs may stand beside it.
///
/// # Errors
/// What the loader says.
///
/// # Safety
/// Its initialisers are run, and are foreign code.
pub(super) unsafe fn load(library: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: the caller vouches for it.
    let loaded = unsafe { Library::load_with_flags(library, LOAD_WITH_ALTERED_SEARCH_PATH) };
    loaded.map(Into::into)
}

/// What answers beneath the manager: `Wine 8.0`, or `Windows 10.0.19045`.
pub(super) fn version() -> String {
    crate::win32::version()
}

/// Ends the process without running what the library left behind.
pub(super) fn leave() -> ! {
    // SAFETY: ends this very process.
    unsafe { TerminateProcess(GetCurrentProcess(), 0) };
    unreachable!("a process that ended itself goes on")
}

/// What this process has mapped, from the system. What `malloc` has is private, as is what
/// `VirtualAlloc` gives.
#[allow(clippy::unnecessary_wraps, reason = "other systems have to be asked, and may not answer")]
pub(super) fn own_mappings() -> io::Result<Vec<Own>> {
    let mapped = regions(&(0..u64::MAX)).filter(|region| region.state != RegionState::FREE);
    let own = mapped.map(|region| Own {
        range: region.base_address.0..region.end().0,
        shared: region.kind == RegionType::PRIVATE,
    });
    Ok(own.collect())
}
