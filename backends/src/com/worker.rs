//! The process that loads a shared library and answers for its manager.
//!
//! It runs foreign code, so anything may happen to it; whoever started it keeps the time and
//! takes its death for an answer. Its standard output carries frames and nothing else: what
//! the library prints goes to standard error. Calls of one lane run in order on a thread of
//! their own, so that calls of different lanes really overlap.
//!
//! Before the first call the manager's `QueryInterface`, `AddRef` and `Release` are tried;
//! the balance of references is tried again at each checkpoint, and after the last call
//! everything is released and must be gone.
//!
//! Deliberately not here: time limits (`backend`), and unloading the library, whose threads may
//! still be running.

use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::io::{self, Read, Write};
use std::os::fd::FromRawFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{fs, mem};

use hostmem_interface::{
    Breakage, Call, Capabilities, Capability, Description, Grain, Hresult, InProcess, Machine,
    OpenError, Outcome, Reply, Subject as _, Value,
};
use windows_core::{GUID, IUnknown, IUnknown_Vtbl, Interface};

use super::import::{ComHost, Leaks, locked, take_note};
use super::import_access::Memory;
use super::interfaces::{
    ABILITY_ACCESS, ABILITY_LOAD_CONTROL, ABILITY_PRIVATE_ARENA, CREATE_MANAGER, CreateManager,
    IHostMemoryManager, IHostmemInstruments,
};
use super::touch_ledger::{Own, TouchLedger};
use crate::touch::Touch;
use crate::wire::{Request, Response, decode_request, encode_response, read_frame, write_frame};

/// An interface that nobody has: its identifier was made for this question.
const NOBODYS: GUID = GUID::from_u128(0x9b3c_5fd0_6a11_4d0e_8f02_c1d7_55a0_3e94);

/// Capabilities that every library has to have: the interface demands them.
const ALWAYS: [Capability; 8] = [
    Capability::Buffers,
    Capability::Malloc,
    Capability::MemoryLoad,
    Capability::Notifications,
    Capability::AddressSpaceNotices,
    Capability::TopDown,
    Capability::Reset,
    Capability::Nocache,
];

type Foreign = InProcess<ComHost>;
type Output = Arc<Mutex<dyn Write + Send>>;

/// Serves on this process's standard streams until they close: what `hostmem __com-worker
/// LIBRARY [ARGUMENT]` does.
#[must_use]
pub fn main(library: &Path, argument: Option<&str>) -> ExitCode {
    let streams = take_streams();
    let served = streams.and_then(|(mut input, output)| {
        serve(&mut input, Arc::new(Mutex::new(output)), library, argument)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The other end is gone, or never was: standard error is all there is.
            let _ = writeln!(io::stderr(), "hostmem's COM worker: {error}");
            ExitCode::from(70)
        }
    }
}

/// Takes the protocol's streams away from the library, which may print and read as it likes.
fn take_streams() -> io::Result<(fs::File, fs::File)> {
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

/// Serves the manager of a library: reads requests, writes responses.
///
/// # Errors
/// If a stream breaks, or the other end does not keep to the protocol.
pub fn serve(
    input: &mut dyn Read,
    output: Output,
    library: &Path,
    argument: Option<&str>,
) -> io::Result<()> {
    let leaks = Leaks::default();
    let (host, hello) = match open(library, argument, Arc::clone(&leaks)) {
        Ok(host) => {
            let description = hostmem_interface::Host::description(&host).clone();
            (Some(host), Ok(description))
        }
        Err(breakage) => (None, Err(OpenError::Broken(breakage))),
    };
    send(&output, 0, &Response::Hello(hello))?;
    let Some(host) = host else { return Ok(()) };
    let mut lanes = Lanes { subject: Arc::new(InProcess::new(host)), running: BTreeMap::new() };
    while let Some(frame) = read_frame(input)? {
        let (number, lane, request) = decode_request(&frame).map_err(io::Error::other)?;
        match request {
            Request::Close => {
                lanes.close();
                let found = mem::take(&mut *locked(&leaks));
                return send(&output, number, &Response::Closed(found));
            }
            request => lanes.pass(number, lane, request, &output),
        }
    }
    // Whoever asked is gone. A lane may hang in foreign code, so nothing is waited for.
    // SAFETY: ends the process without running what the library left behind.
    unsafe { libc::_exit(0) }
}

fn send(output: &Output, number: u64, response: &Response) -> io::Result<()> {
    write_frame(&mut *locked_output(output), &encode_response(number, response))
}

fn locked_output<'a>(output: &'a Output) -> std::sync::MutexGuard<'a, dyn Write + Send + 'static> {
    output.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A thread, and the way to it.
type Lane = (Sender<(u64, Request)>, JoinHandle<()>);

/// The threads that carry the calls.
struct Lanes {
    subject: Arc<Foreign>,
    running: BTreeMap<u32, Lane>,
}

impl Lanes {
    fn pass(&mut self, number: u64, lane: u32, request: Request, output: &Output) {
        let (sender, _) = self.running.entry(lane).or_insert_with(|| {
            let (sender, inbox) = channel::<(u64, Request)>();
            let (subject, output) = (Arc::clone(&self.subject), Arc::clone(output));
            let thread = thread::spawn(move || {
                for (number, request) in inbox {
                    // A closed pipe ends the process through the reading thread.
                    let _ = send(&output, number, &answer(&subject, request));
                }
            });
            (sender, thread)
        });
        // The thread lives as long as its sender.
        let _ = sender.send((number, request));
    }

    /// Waits for every lane and releases the manager.
    fn close(self) {
        let Self { subject, running } = self;
        for (sender, thread) in running.into_values() {
            drop(sender);
            // Panics are caught below.
            let _ = thread.join();
        }
        drop(subject);
    }
}

fn answer(subject: &Foreign, request: Request) -> Response {
    match request {
        Request::Call(call) => {
            let reply = catch_unwind(AssertUnwindSafe(|| carry_out(subject, &call)));
            Response::Reply(reply.unwrap_or_else(|_| {
                let how = "the worker itself panicked; standard error says why";
                Reply::Broken(Breakage::Died(how.to_owned()))
            }))
        }
        Request::Checkpoint | Request::Close => Response::Checked(balance(subject.host().object())),
    }
}

/// Carries out a call and adds what its answer cannot say.
fn carry_out(subject: &Foreign, call: &Call) -> Reply {
    take_note();
    let mut reply = subject.call(call);
    let note = take_note();
    if let Some(lie) = note.lied {
        return Reply::Broken(Breakage::Lied(lie));
    }
    if let Reply::Outcome { outcome, .. } = &mut reply {
        match outcome {
            // A success code that is no S_OK, and has no value.
            Outcome::Refused(refusal) if refusal.hresult.is_success() => {
                *outcome = Outcome::Done { code: refusal.hresult, value: Value::Nothing };
            }
            Outcome::Done { code, .. } => *code = note.success.unwrap_or(*code),
            _ => {}
        }
    }
    reply
}

fn open(library: &Path, argument: Option<&str>, leaks: Leaks) -> Result<ComHost, Breakage> {
    // Before the library is there, so that its own memory is not among it.
    let own = own_mappings().map_err(|error| Breakage::Died(error.to_string()))?;
    let manager = load(library, argument)?;
    identity(&manager).and_then(|()| balance(&manager)).map_err(Breakage::Lied)?;
    // After the library, so that a handler of its own comes behind ours.
    let touch = Touch::arm();
    let instruments = manager.cast::<IHostmemInstruments>().ok();
    let mut abilities = 0;
    if let Some(instruments) = &instruments {
        // SAFETY: a live object and a valid out pointer.
        let told = unsafe { instruments.Abilities(&raw mut abilities) };
        if told.0 != 0 {
            let lie = format!("IHostmemInstruments::Abilities returned {told:?}");
            return Err(Breakage::Lied(lie));
        }
    }
    let description = describe(library, abilities, touch.as_ref().map(drop));
    Ok(ComHost::new(
        manager,
        instruments,
        |instruments| {
            let ledger = TouchLedger::new(own);
            (Memory::new(instruments, abilities, touch.ok(), ledger), description)
        },
        leaks,
    ))
}

/// Loads a library and has it make a manager.
fn load(library: &Path, argument: Option<&str>) -> Result<IHostMemoryManager, Breakage> {
    let argument = argument.map(CString::new).transpose();
    let argument = argument.map_err(|_| Breakage::Lied("a null byte in the argument".into()))?;
    // SAFETY: runs the library's initialisers: foreign code, which is what this process is for.
    let loaded = unsafe { libloading::Library::new(library) };
    let loaded = loaded.map_err(|error| Breakage::Died(format!("cannot be loaded: {error}")))?;
    // SAFETY: the library promises that type under that name (hostmem.h).
    let create = unsafe { loaded.get::<CreateManager>(CREATE_MANAGER) };
    let create = create
        .map_err(|_| Breakage::Lied(format!("the library does not export {CREATE_MANAGER}")))?;
    let mut manager: *mut c_void = std::ptr::null_mut();
    let text = argument.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    // SAFETY: a string or null, and a valid out pointer.
    let told = unsafe { create(text, &raw mut manager) };
    if told.0 != 0 || manager.is_null() {
        let told = Hresult(told.0.cast_unsigned());
        let what = if manager.is_null() { " and no manager" } else { "" };
        return Err(Breakage::Lied(format!("{CREATE_MANAGER} returned {told}{what}")));
    }
    // Its threads may outlive every call: it stays.
    mem::forget(loaded);
    // SAFETY: S_OK hands out one reference to a manager, which is ours now.
    Ok(unsafe { IHostMemoryManager::from_raw(manager) })
}

/// The part of a vtable that every object has.
fn unknown(manager: &IHostMemoryManager) -> (*mut c_void, IUnknown_Vtbl) {
    let raw = manager.as_raw();
    // SAFETY: a live COM object starts with its vtable, and every vtable with IUnknown's.
    (raw, unsafe { std::ptr::read(*raw.cast::<*const IUnknown_Vtbl>()) })
}

/// The rules of `QueryInterface` (COM specification, section 3.3.1).
fn identity(manager: &IHostMemoryManager) -> Result<(), String> {
    let (raw, vtable) = unknown(manager);
    let ask = |id: &GUID| {
        let mut out: *mut c_void = std::ptr::without_provenance_mut(usize::MAX);
        // SAFETY: a live object, an identifier and a valid out pointer.
        let told = unsafe { (vtable.QueryInterface)(raw, id, &raw mut out) };
        (told.0.cast_unsigned(), out)
    };
    let mut found = Vec::new();
    for (name, id) in [
        ("IUnknown", IUnknown::IID),
        ("IUnknown", IUnknown::IID),
        ("IHostMemoryManager", IHostMemoryManager::IID),
    ] {
        let (told, out) = ask(&id);
        if told != 0 || out.is_null() || out.addr() == usize::MAX {
            return Err(format!("QueryInterface for {name} returned {}", Hresult(told)));
        }
        // SAFETY: S_OK handed out one reference, which is given back here.
        drop(unsafe { IUnknown::from_raw(out) });
        found.push(out);
    }
    if found[0] != found[1] {
        return Err("QueryInterface for IUnknown gave two different pointers".to_owned());
    }
    match ask(&NOBODYS) {
        (told, out) if told == Hresult::E_NOINTERFACE.0 && out.is_null() => Ok(()),
        (told, out) => Err(format!(
            "QueryInterface for an interface that nobody has returned {} with {}, not \
             E_NOINTERFACE with a null pointer",
            Hresult(told),
            if out.is_null() { "a null pointer" } else { "a pointer" }
        )),
    }
}

/// `AddRef` counts one up, `Release` one down.
fn balance(manager: &IHostMemoryManager) -> Result<(), String> {
    let (raw, vtable) = unknown(manager);
    // SAFETY: a live object; the reference that is added is given back.
    let (up, down) = unsafe { ((vtable.AddRef)(raw), (vtable.Release)(raw)) };
    // Another thread of the manager may hold one for a moment; it cannot take ours.
    if up >= 2 && down >= 1 {
        return Ok(());
    }
    Err(format!("AddRef returned {up}, then Release {down}, while we hold a reference"))
}

fn describe(library: &Path, abilities: u32, touch: Result<(), &String>) -> Description {
    let mut capabilities = Capabilities::from_iter(ALWAYS).with(Capability::Query);
    let mut absent = vec![(
        Capability::WriteWatch,
        "GetWriteWatch and ResetWriteWatch are no part of the hosting interface".to_owned(),
    )];
    let touched = if abilities & ABILITY_ACCESS != 0 { Ok(()) } else { touch };
    for capability in
        [Capability::Contents, Capability::Faults, Capability::Execute, Capability::GuardPages]
    {
        match &touched {
            Ok(()) => capabilities = capabilities.with(capability),
            Err(why) => absent.push((capability, (*why).clone())),
        }
    }
    if abilities & ABILITY_LOAD_CONTROL != 0 {
        capabilities = capabilities.with(Capability::MemoryLoadControl);
    } else {
        let why = "the manager has no IHostmemInstruments to set it with";
        absent.push((Capability::MemoryLoadControl, why.to_owned()));
    }
    if abilities & ABILITY_PRIVATE_ARENA != 0 {
        capabilities = capabilities.with(Capability::PrivateArena);
    } else {
        let why = "the manager shares the address space of a process";
        absent.push((Capability::PrivateArena, why.to_owned()));
    }
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    Description {
        name: format!("com:{name}"),
        version: String::new(),
        machine: Machine::WINDOWS_X64,
        capabilities,
        grain: Grain::Hresult,
        absent,
    }
}

/// What this process has mapped, from the kernel.
fn own_mappings() -> io::Result<Vec<Own>> {
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
