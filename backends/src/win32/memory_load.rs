//! How much physical memory is in use: `GlobalMemoryStatusEx`.

use std::mem;

use hostmem_interface::{Hresult, MemoryLoad, Refusal, Win32Error};
use windows_sys::Win32::Foundation::GetLastError;
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

/// The machine's figures, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) physical: u64,
    pub(super) available: u64,
    pub(super) percent: u32,
}

impl Status {
    pub(super) const fn load(self) -> MemoryLoad {
        MemoryLoad { load: self.percent, available: self.available }
    }
}

/// The present figures.
///
/// # Errors
/// The last error.
pub(super) fn status() -> Result<Status, Win32Error> {
    // SAFETY: an all-zero MEMORYSTATUSEX is a valid value of that plain struct.
    let mut found: MEMORYSTATUSEX = unsafe { mem::zeroed() };
    found.dwLength = u32::try_from(size_of::<MEMORYSTATUSEX>()).expect("64 bytes");
    // SAFETY: a valid out pointer to a struct that states its own length.
    let done = unsafe { GlobalMemoryStatusEx(&raw mut found) };
    if done == 0 {
        // SAFETY: reads a number of the calling thread's own.
        return Err(Win32Error(unsafe { GetLastError() }));
    }
    Ok(Status {
        physical: found.ullTotalPhys,
        available: found.ullAvailPhys,
        percent: found.dwMemoryLoad,
    })
}

/// The present load, as a manager answers it.
///
/// # Errors
/// `E_FAIL`, if the system does not tell.
pub(super) fn answer() -> Result<MemoryLoad, Refusal> {
    status().map(Status::load).map_err(|_| Refusal::from_hresult(Hresult::E_FAIL))
}
