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
//! Map: this file has the protocol and the opening; `linux` and `windows` how each system takes
//! streams away, loads a library, tells what is mapped and ends.
//!
//! Deliberately not here: time limits (`backend`), and unloading the library, whose threads may
//! still be running.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(windows)]
use windows as system;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_void};
use std::io::{self, Read, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use hostmem_interface::{
    Breakage, Call, Capabilities, Capability, Description, Grain, Hresult, InProcess, Machine,
    OpenError, Outcome, Reply, Subject as _, Value,
};
use windows_core::{GUID, IUnknown, IUnknown_Vtbl, Interface};

use super::import::{ComHost, Leaks, locked, take_note};
use super::import_access::Memory;
use super::import_watch;
use super::interfaces::{
    ABILITY_ACCESS, ABILITY_LOAD_CONTROL, ABILITY_PRIVATE_ARENA, CREATE_MANAGER, CREATE_MANAGER_ON,
    CreateManager, CreateManagerOn, HostmemMachine, IHostMemoryManager, IHostmemInstruments,
    IHostmemWriteWatch, LACKS, Lacks,
};
use super::touch_ledger::TouchLedger;
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
/// MACHINE LIBRARY [ARGUMENT]` does.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let machine = arguments.next().and_then(|text| machine_of(text.to_str()?));
    let (Some(machine), Some(library)) = (machine, arguments.next()) else {
        let _ = writeln!(io::stderr(), "hostmem's COM worker: expected MACHINE LIBRARY [ARGUMENT]");
        return ExitCode::from(1);
    };
    let argument = arguments.next();
    let asked = Asked { library: Path::new(&library), argument: argument.as_deref(), machine };
    let streams = system::take_streams();
    let served = streams
        .and_then(|(mut input, output)| serve(&mut input, Arc::new(Mutex::new(output)), &asked));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The other end is gone, or never was: standard error is all there is.
            let _ = writeln!(io::stderr(), "hostmem's COM worker: {error}");
            ExitCode::from(70)
        }
    }
}

/// What is to be opened.
struct Asked<'a> {
    library: &'a Path,
    argument: Option<&'a OsStr>,
    machine: Machine,
}

/// A machine as an argument of the worker: its numbers in the order of [`HostmemMachine`].
pub(super) fn machine_text(machine: Machine) -> String {
    let HostmemMachine { page, granularity, lowest, highest, physical, commit_limit } =
        machine.into();
    let numbers = [page, granularity, lowest, highest, physical, commit_limit];
    numbers.map(|number| number.to_string()).join(",")
}

fn machine_of(text: &str) -> Option<Machine> {
    let numbers: Vec<u64> = text.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [page, granularity, lowest, highest, physical, commit_limit] = numbers[..] else {
        return None;
    };
    Some(HostmemMachine { page, granularity, lowest, highest, physical, commit_limit }.into())
}

/// Serves the manager of a library: reads requests, writes responses.
///
/// # Errors
/// If a stream breaks, or the other end does not keep to the protocol.
fn serve(input: &mut dyn Read, output: Output, asked: &Asked<'_>) -> io::Result<()> {
    let leaks = Leaks::default();
    let (host, hello) = match open(asked, Arc::clone(&leaks)) {
        Ok(host) => {
            let description = hostmem_interface::Host::description(&host).clone();
            (Some(host), Ok(description))
        }
        Err(error) => (None, Err(error)),
    };
    send(&output, 0, &Response::Hello(hello))?;
    let Some(host) = host else { return Ok(()) };
    let mut lanes = Lanes { subject: Arc::new(InProcess::new(host)), running: BTreeMap::new() };
    while let Some(frame) = read_frame(input)? {
        let (number, lane, request) = decode_request(&frame).map_err(io::Error::other)?;
        match request {
            Request::Leaks => {
                // Every lane is silent: whoever asks waits for the answers to all else first.
                let found = hostmem_interface::Subject::leaks(&*lanes.subject);
                send(&output, number, &Response::Listed(found))?;
            }
            Request::Close => {
                lanes.close();
                let found = mem::take(&mut *locked(&leaks));
                return send(&output, number, &Response::Listed(found));
            }
            request => lanes.pass(number, lane, request, &output),
        }
    }
    // Whoever asked is gone. A lane may hang in foreign code, so nothing is waited for.
    system::leave()
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
        Request::Checkpoint | Request::Leaks | Request::Close => {
            Response::Checked(balance(subject.host().object()))
        }
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

fn open(asked: &Asked<'_>, leaks: Leaks) -> Result<ComHost, OpenError> {
    let lied = |what| OpenError::Broken(Breakage::Lied(what));
    // Before the library is there, so that its own memory is not among it.
    let own = system::own_mappings();
    let own = own.map_err(|error| OpenError::Broken(Breakage::Died(error.to_string())))?;
    let (manager, lacks) = load(asked)?;
    identity(&manager).and_then(|()| balance(&manager)).map_err(lied)?;
    // After the library, so that a handler of its own comes behind ours.
    let touch = Touch::arm();
    let instruments = manager.cast::<IHostmemInstruments>().ok();
    let mut abilities = 0;
    if let Some(instruments) = &instruments {
        // SAFETY: a live object and a valid out pointer.
        let told = unsafe { instruments.Abilities(&raw mut abilities) };
        if told.0 != 0 {
            return Err(lied(format!("IHostmemInstruments::Abilities returned {told:?}")));
        }
    }
    let watch = manager.cast::<IHostmemWriteWatch>().ok().filter(import_watch::works);
    let mut description = describe(asked, abilities, watch.is_some(), touch.as_ref().map(drop));
    for lack in lacks {
        description.capabilities = description.capabilities.without(lack);
        description.absent.push((lack, format!("the library says so ({LACKS})")));
    }
    let memory = Memory::new(instruments, abilities, touch.ok(), TouchLedger::new(own));
    Ok(ComHost::new(manager, memory, watch, description, leaks))
}

/// Loads a library and has it make a manager; what the library says that it lacks.
fn load(asked: &Asked<'_>) -> Result<(IHostMemoryManager, Vec<Capability>), OpenError> {
    let lied = |what| OpenError::Broken(Breakage::Lied(what));
    let argument = asked.argument.map(|text| CString::new(text.as_encoded_bytes())).transpose();
    let argument = argument.map_err(|_| lied("a null byte in the argument".to_owned()))?;
    let text = argument.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    // SAFETY: runs the library's initialisers: foreign code, which is what this process is for.
    let loaded = unsafe { system::load(asked.library) };
    let loaded = loaded.map_err(|error| {
        // The loader's own words are beneath.
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        OpenError::Broken(Breakage::Died(format!("cannot be loaded: {why}")))
    })?;
    // Its threads may outlive every call: it stays.
    let loaded = Box::leak(Box::new(loaded));
    let manager = if asked.machine == Machine::WINDOWS_X64 {
        create(loaded, text).map_err(lied)?
    } else {
        create_on(loaded, text, asked.machine)?
    };
    Ok((manager, lacks(loaded).map_err(lied)?))
}

fn create(
    library: &libloading::Library,
    text: *const c_char,
) -> Result<IHostMemoryManager, String> {
    // SAFETY: the library promises that type under that name (hostmem.h).
    let create = unsafe { library.get::<CreateManager>(CREATE_MANAGER) };
    let create = create.map_err(|_| format!("the library does not export {CREATE_MANAGER}"))?;
    let mut manager: *mut c_void = std::ptr::null_mut();
    // SAFETY: a string or null, and a valid out pointer.
    let told = unsafe { create(text, &raw mut manager) };
    if told.0 != 0 || manager.is_null() {
        let told = Hresult(told.0.cast_unsigned());
        let what = if manager.is_null() { " and no manager" } else { "" };
        return Err(format!("{CREATE_MANAGER} returned {told}{what}"));
    }
    // SAFETY: S_OK hands out one reference to a manager, which is ours now.
    Ok(unsafe { IHostMemoryManager::from_raw(manager) })
}

/// A manager that shows another machine than 64-bit Windows', if the library has any.
fn create_on(
    library: &libloading::Library,
    text: *const c_char,
    machine: Machine,
) -> Result<IHostMemoryManager, OpenError> {
    // SAFETY: the library promises that type under that name (hostmem.h).
    let create = unsafe { library.get::<CreateManagerOn>(CREATE_MANAGER_ON) };
    let create = create.map_err(|_| {
        let why = "the hosting interface has no word for pages, granularity and limits, and the \
                   library does not export";
        OpenError::Machine(format!("{why} {CREATE_MANAGER_ON}"))
    })?;
    let (machine, mut manager) = (HostmemMachine::from(machine), std::ptr::null_mut());
    // SAFETY: a string or null, a machine, and a valid out pointer.
    let told = unsafe { create(text, &raw const machine, &raw mut manager) };
    if told.0 != 0 || manager.is_null() {
        let told = Hresult(told.0.cast_unsigned());
        return Err(OpenError::Machine(format!("{CREATE_MANAGER_ON} returned {told}")));
    }
    // SAFETY: S_OK hands out one reference to a manager, which is ours now.
    Ok(unsafe { IHostMemoryManager::from_raw(manager) })
}

/// The capabilities that the library says its managers do not have.
fn lacks(library: &libloading::Library) -> Result<Vec<Capability>, String> {
    // SAFETY: the library promises that type under that name (hostmem.h).
    let Ok(lacks) = (unsafe { library.get::<Lacks>(LACKS) }) else { return Ok(Vec::new()) };
    // SAFETY: no arguments; the text is a string that stays (hostmem.h).
    let text = unsafe { lacks() };
    if text.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let known = |name| {
        Capability::named(name).ok_or_else(|| format!("{LACKS} names `{name}`, no capability"))
    };
    text.split_whitespace().map(known).collect()
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

fn describe(
    asked: &Asked<'_>,
    abilities: u32,
    watches: bool,
    touch: Result<(), &String>,
) -> Description {
    let mut capabilities = Capabilities::from_iter(ALWAYS).with(Capability::Query);
    let mut absent = Vec::new();
    if watches {
        capabilities = capabilities.with(Capability::WriteWatch);
    } else {
        let why = "the hosting interface has none, and the manager no IHostmemWriteWatch";
        absent.push((Capability::WriteWatch, why.to_owned()));
    }
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
    // By its file alone: what it is does not depend on where it lies.
    let mut name = "com:".to_owned();
    name.push_str(&asked.library.file_name().unwrap_or_default().to_string_lossy());
    if let Some(argument) = asked.argument {
        name.push('#');
        name.push_str(&argument.to_string_lossy());
    }
    Description {
        name,
        version: system::version(),
        machine: asked.machine,
        capabilities,
        grain: Grain::Hresult,
        absent,
    }
}
