//! [`Win32Backend`]: opens a manager for each case.
//!
//! Deliberately not here: machines with other pages or limits. A real system has the ones it
//! has.

use std::ffi::{CStr, c_char};
use std::mem;
use std::sync::{Arc, RwLock};

use hostmem_interface::{
    Backend, Capabilities, Capability, Description, Grain, InProcess, Machine, OpenError, Subject,
};
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;
use windows_sys::core::{s, w};

use super::ledger::Ledger;
use super::malloc::Heaps;
use super::manager::Win32Manager;
use super::turn::Turn;
use super::{memory_load, pressure, system};
use crate::callbacks::Callbacks;
use crate::touch::Touch;

/// Capabilities that need nothing but the system.
const ALWAYS: [Capability; 8] = [
    Capability::WriteWatch,
    Capability::Malloc,
    Capability::MemoryLoad,
    Capability::AddressSpaceNotices,
    Capability::TopDown,
    Capability::Reset,
    Capability::Nocache,
    Capability::Query,
];

/// How a manager is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Win32Options {
    /// Whether memory pressure is listened to. Not by default: the notices of a real machine
    /// come when they come, and a run should be the same each time.
    pub notifies: bool,
}

/// The backend `win32`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Win32Backend {
    options: Win32Options,
}

impl Win32Backend {
    /// A backend that opens managers in this way.
    #[must_use]
    pub const fn new(options: Win32Options) -> Self {
        Self { options }
    }

    /// Opens a manager that shows `machine`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn manager(&self, machine: &Machine) -> Result<Win32Manager, OpenError> {
        Ok(Win32Manager {
            description: describe(machine, self.options)?,
            touch: Touch::arm().ok(),
            ledger: RwLock::new(Ledger::default()),
            heaps: Arc::new(Heaps::default()),
            callbacks: Callbacks::new(self.options.notifies),
            turn: None,
        })
    }
}

impl Backend for Win32Backend {
    fn name(&self) -> &'static str {
        "win32"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        // Described before the wait: what cannot be opened need not wait.
        let mut manager = self.manager(machine)?;
        manager.turn = Some(Turn::take());
        Ok(Box::new(InProcess::new(manager)))
    }
}

/// This machine.
pub(super) fn machine() -> Machine {
    let physical = memory_load::status().ok().map(|status| status.physical);
    Machine { physical, ..system::machine() }
}

/// This machine, if it is the one that is asked for.
///
/// # Errors
/// If it is another.
pub(super) fn machine_like(asked: &Machine) -> Result<Machine, OpenError> {
    let machine = machine();
    if (Machine { physical: asked.physical.and(machine.physical), ..machine }) != *asked {
        let why = "its page, granularity, limits or physical memory are not those asked for";
        return Err(OpenError::Machine(why.to_owned()));
    }
    Ok(machine)
}

fn describe(asked: &Machine, options: Win32Options) -> Result<Description, OpenError> {
    let machine = machine_like(asked)?;
    let mut capabilities = Capabilities::from_iter(ALWAYS);
    let mut absent = Vec::new();
    let mut judge = |capability, found: Result<(), String>| match found {
        Ok(()) => capabilities = capabilities.with(capability),
        Err(reason) => absent.push((capability, reason)),
    };
    let touch = Touch::arm().map(drop);
    let touching =
        [Capability::Contents, Capability::Faults, Capability::GuardPages, Capability::Execute];
    for capability in touching {
        judge(capability, touch.clone());
    }
    // Wine 8.0 writes the answer while it holds the lock of the process's memory, and keeps the
    // lock when the write faults: the next call waits for ever.
    let deadly = "under Wine a query with a null buffer never lets go of the process's memory";
    let null = if wine().is_some() { Err(deadly.to_owned()) } else { Ok(()) };
    judge(Capability::Buffers, null);
    judge(Capability::MemoryLoadControl, Err("this is a real machine".to_owned()));
    let arena = "VirtualAlloc places allocations among those of the whole process";
    judge(Capability::PrivateArena, Err(arena.to_owned()));
    let deaf = || Err("memory pressure is not listened to".to_owned());
    judge(Capability::Notifications, if options.notifies { pressure::probe() } else { deaf() });
    Ok(Description {
        name: "win32".to_owned(),
        version: version(),
        machine,
        capabilities,
        grain: Grain::Win32,
        absent,
    })
}

/// Who answers the calls: `Wine 8.0`, or `Windows 10.0.19045`.
pub(crate) fn version() -> String {
    if let Some(wine) = wine() {
        return format!("Wine {wine}");
    }
    // SAFETY: an all-zero OSVERSIONINFOW is a valid value of that plain struct.
    let mut found: OSVERSIONINFOW = unsafe { mem::zeroed() };
    found.dwOSVersionInfoSize =
        u32::try_from(size_of::<OSVERSIONINFOW>()).expect("a few hundred bytes");
    // SAFETY: a valid out pointer to a struct that states its own length.
    unsafe { RtlGetVersion(&raw mut found) };
    let OSVERSIONINFOW { dwMajorVersion, dwMinorVersion, dwBuildNumber, .. } = found;
    format!("Windows {dwMajorVersion}.{dwMinorVersion}.{dwBuildNumber}")
}

/// The version of Wine, if it is Wine: its ntdll has a function that Windows' has not.
fn wine() -> Option<String> {
    // SAFETY: ntdll is loaded in every process and never unloaded.
    let found =
        unsafe { GetProcAddress(GetModuleHandleW(w!("ntdll.dll")), s!("wine_get_version")) };
    let found = found?;
    // SAFETY: that is its type, by Wine's documentation for programs that want to know.
    let tell = unsafe {
        mem::transmute::<unsafe extern "system" fn() -> isize, extern "C" fn() -> *const c_char>(
            found,
        )
    };
    // SAFETY: a constant, null-terminated string.
    let text = unsafe { CStr::from_ptr(tell()) };
    Some(text.to_string_lossy().into_owned())
}
