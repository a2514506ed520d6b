//! The runtime: `coreclr.dll`, loaded and made to execute a program
//! (`coreclr_initialize`, `coreclr_execute_assembly`, `coreclr_shutdown_2`).
//!
//! Deliberately not here: where a runtime is found, and the files of a program.

use std::ffi::{CString, c_char, c_void};
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_WITH_ALTERED_SEARCH_PATH, LoadLibraryExW,
};

#[cfg(doc)]
use super::seat;
use super::{ending, watcher};

/// Why a runtime runs no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The library is there and cannot be loaded.
    Load(PathBuf, String),
    /// It has no function of that name.
    Missing(&'static str),
    /// A function of the runtime's failed with this HRESULT.
    Failed(&'static str, u32),
}

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Load(path, why) => write!(f, "{}: cannot be loaded: {why}", path.display()),
            Self::Missing(name) => {
                write!(f, "the runtime has no {name}; expected .NET Core 3.1 or later")
            }
            Self::Failed(name, code) => write!(f, "{name} failed with {code:#010x}"),
        }
    }
}

impl std::error::Error for HostError {}

/// What is to be executed.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The program that this process is said to be.
    pub host: String,
    /// The assembly.
    pub assembly: String,
    /// What the program gets as its arguments.
    pub arguments: Vec<String>,
    /// Properties of the runtime: trusted assemblies, search paths, settings.
    pub properties: Vec<(String, String)>,
}

/// A loaded runtime.
#[derive(Debug)]
pub struct Runtime {
    initialize: Initialize,
    execute: Execute,
    shutdown: Shutdown,
}

type Initialize = unsafe extern "system" fn(
    *const c_char,
    *const c_char,
    i32,
    *const *const c_char,
    *const *const c_char,
    *mut *mut c_void,
    *mut u32,
) -> u32;
type Execute = unsafe extern "system" fn(
    *mut c_void,
    u32,
    i32,
    *const *const c_char,
    *const c_char,
    *mut u32,
) -> u32;
type Shutdown = unsafe extern "system" fn(*mut c_void, u32, *mut i32) -> u32;

impl Runtime {
    /// Loads the runtime of a folder. Its requests go to whoever has [taken](seat::take) the
    /// seat.
    ///
    /// # Errors
    /// If there is none, or it is another kind of library.
    pub fn load(folder: &Path) -> Result<Self, HostError> {
        ending::begin();
        watcher::begin();
        let path = folder.join("coreclr.dll");
        let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: a terminated path. What the library does when it is loaded is its own.
        let module = unsafe {
            LoadLibraryExW(wide.as_ptr(), ptr::null_mut(), LOAD_WITH_ALTERED_SEARCH_PATH)
        };
        if module.is_null() {
            let why = std::io::Error::last_os_error().to_string();
            return Err(HostError::Load(path, why));
        }
        // SAFETY: loaded just now, and never unloaded.
        unsafe { watcher::look_at(module) };
        Ok(Self {
            initialize: function(module, c"coreclr_initialize", "coreclr_initialize")?,
            execute: function(module, c"coreclr_execute_assembly", "coreclr_execute_assembly")?,
            shutdown: function(module, c"coreclr_shutdown_2", "coreclr_shutdown_2")?,
        })
    }

    /// How many functions of the runtime's modules are answered here.
    #[must_use]
    pub fn patched() -> u64 {
        watcher::patched()
    }

    /// The memory functions that the runtime's modules still take from the system: none.
    #[must_use]
    pub fn left_over() -> Vec<String> {
        watcher::left_over()
    }

    /// Executes a program; its exit code. Who sits there hears of the end.
    ///
    /// # Errors
    /// If the runtime cannot begin, or cannot execute the assembly.
    pub fn run(&self, program: &Program) -> Result<u32, HostError> {
        let (runtime, domain) = self.initialize(program)?;
        let arguments = Texts::new(program.arguments.iter().map(String::as_str));
        let assembly = text(&program.assembly);
        let mut code = 0;
        // SAFETY: a runtime that was initialized; texts that live during the call.
        let result = unsafe {
            (self.execute)(
                runtime,
                domain,
                arguments.count(),
                arguments.as_ptr(),
                assembly.as_ptr(),
                &raw mut code,
            )
        };
        check("coreclr_execute_assembly", result)?;
        let mut latched = code.cast_signed();
        // SAFETY: likewise, and nobody uses it afterwards.
        let result = unsafe { (self.shutdown)(runtime, domain, &raw mut latched) };
        ending::farewell(Some(code));
        check("coreclr_shutdown_2", result)?;
        Ok(latched.cast_unsigned())
    }

    fn initialize(&self, program: &Program) -> Result<(*mut c_void, u32), HostError> {
        let keys = Texts::new(program.properties.iter().map(|(key, _)| &**key));
        let values = Texts::new(program.properties.iter().map(|(_, value)| &**value));
        let (host, name) = (text(&program.host), text("hostmem"));
        let (mut runtime, mut domain) = (ptr::null_mut(), 0);
        // SAFETY: as many keys as values, texts that live during the call, valid out pointers.
        let result = unsafe {
            (self.initialize)(
                host.as_ptr(),
                name.as_ptr(),
                keys.count(),
                keys.as_ptr(),
                values.as_ptr(),
                &raw mut runtime,
                &raw mut domain,
            )
        };
        check("coreclr_initialize", result)?;
        Ok((runtime, domain))
    }
}

fn check(name: &'static str, result: u32) -> Result<(), HostError> {
    if result >> 31 == 0 { Ok(()) } else { Err(HostError::Failed(name, result)) }
}

/// A function of a module, as a type of function pointer `F`.
fn function<F: Copy>(
    module: HMODULE,
    name: &std::ffi::CStr,
    shown: &'static str,
) -> Result<F, HostError> {
    // SAFETY: a loaded module and a terminated name.
    let found = unsafe { GetProcAddress(module, name.as_ptr().cast()) };
    let found = found.ok_or(HostError::Missing(shown))?;
    assert_eq!(size_of::<F>(), size_of_val(&found), "F is a function pointer");
    // SAFETY: the function of that name has that type, by coreclrhost.h of the runtime.
    Ok(unsafe { std::mem::transmute_copy(&found) })
}

fn text(of: &str) -> CString {
    // Neither paths nor arguments can hold a zero.
    CString::new(of.replace('\0', "")).expect("no zero is left")
}

/// Texts as C wants a list of them.
struct Texts {
    pointers: Vec<*const c_char>,
    /// Keeps alive what is pointed to.
    _texts: Vec<CString>,
}

impl Texts {
    fn new<'a>(of: impl Iterator<Item = &'a str>) -> Self {
        let texts: Vec<CString> = of.map(text).collect();
        let pointers = texts.iter().map(|text| text.as_ptr()).collect();
        Self { pointers, _texts: texts }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.pointers.len()).expect("a command line is shorter")
    }

    fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}
