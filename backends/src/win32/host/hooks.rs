//! The functions that stand in for those of `KERNEL32.dll`: arguments become a [`Request`], the
//! outcome becomes the function's own result. And the way back: [`pass_on`].
//!
//! Each leaves the last error as the system's function would: set by a failure, and as it was
//! after a success. Out parameters are written when nothing of ours is held any more.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hostmem_interface::{
    Address, AllocationType, Call, CriticalLevel, FreeType, Hresult, MemoryBasicInformation,
    OutPointer, Outcome, Protection, QueryAnswer, Refusal, Value, WatchFlags, WatchPointers,
    Win32Error,
};
use windows_sys::Win32::Foundation::{GetLastError, HANDLE, SetLastError};
use windows_sys::Win32::System::Memory::{
    CreateMemoryResourceNotification, LowMemoryResourceNotification, MEMORY_BASIC_INFORMATION,
    VirtualAllocExNuma,
};
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetCurrentProcessId, GetProcessId};

use super::super::{memory_load, system};
use super::seat::{self, Asked, Request};
use system::pointer;

/// The status of a process that dies of a mistake of ours.
const INTERNAL: i32 = 70;
const YES: i32 = 1;
const NO: i32 = 0;
/// What `GetWriteWatch` and `ResetWriteWatch` return for a failure.
const FAILED: u32 = u32::MAX;

/// Has a request answered; `None` after a refusal, whose error is the last one then.
pub(super) fn ask(call: Call, asked: Asked) -> Option<Value> {
    // SAFETY: reads a number of the calling thread's own.
    let before = unsafe { GetLastError() };
    // A panic has been told of; the runtime's frames are no place for it to pass through.
    let outcome = catch_unwind(AssertUnwindSafe(|| seat::ask(Request::new(call, asked))))
        .unwrap_or_else(|_| std::process::exit(INTERNAL));
    let (value, error) = match outcome {
        Outcome::Done { value, .. } => (Some(value), before),
        Outcome::Refused(refusal) => (None, last_error(refusal)),
        Outcome::Faulted(_) => (None, Win32Error::ERROR_NOACCESS.0),
    };
    // SAFETY: writes a number of the calling thread's own.
    unsafe { SetLastError(error) };
    value
}

fn last_error(refusal: Refusal) -> u32 {
    let named = refusal.win32.or_else(|| refusal.hresult.win32().first().copied());
    named.unwrap_or(Win32Error::ERROR_INVALID_PARAMETER).0
}

fn at(pointer: *const c_void) -> Address {
    Address(pointer.expose_provenance() as u64)
}

fn out<T>(pointer: *const T) -> OutPointer {
    if pointer.is_null() { OutPointer::Null } else { OutPointer::Valid }
}

pub(super) unsafe extern "system" fn virtual_alloc(
    address: *const c_void,
    size: usize,
    kind: u32,
    protect: u32,
) -> *mut c_void {
    alloc(address, size, (kind, protect), Asked::Plainly)
}

fn alloc(
    address: *const c_void,
    size: usize,
    (kind, protect): (u32, u32),
    asked: Asked,
) -> *mut c_void {
    let call = Call::VirtualAlloc {
        address: at(address),
        size: size as u64,
        kind: AllocationType(kind),
        protect: Protection(protect),
        critical: CriticalLevel::TASK,
    };
    match ask(call, asked) {
        Some(Value::Address(base)) => pointer(base.0),
        _ => std::ptr::null_mut(),
    }
}

pub(super) unsafe extern "system" fn virtual_alloc_ex_numa(
    process: HANDLE,
    address: *const c_void,
    size: usize,
    kind: u32,
    protect: u32,
    node: u32,
) -> *mut c_void {
    // SAFETY: the caller's own handle, which is only looked at.
    if unsafe { GetProcessId(process) != GetCurrentProcessId() } {
        // SAFETY: another process's memory, as the caller wants it.
        return unsafe { VirtualAllocExNuma(process, address, size, kind, protect, node) };
    }
    alloc(address, size, (kind, protect), Asked::OnNode(node))
}

pub(super) unsafe extern "system" fn virtual_free(
    address: *mut c_void,
    size: usize,
    kind: u32,
) -> i32 {
    let (address, kind) = (at(address), FreeType(kind));
    let done = ask(Call::VirtualFree { address, size: size as u64, kind }, Asked::Plainly);
    if done.is_some() { YES } else { NO }
}

pub(super) unsafe extern "system" fn virtual_protect(
    address: *const c_void,
    size: usize,
    protect: u32,
    old: *mut u32,
) -> i32 {
    let call = Call::VirtualProtect {
        address: at(address),
        size: size as u64,
        protect: Protection(protect),
        old: out(old),
    };
    let Some(Value::Old(before)) = ask(call, Asked::Plainly) else { return NO };
    if !old.is_null() {
        // SAFETY: the caller's out parameter.
        unsafe { old.write(before.0) };
    }
    YES
}

pub(super) unsafe extern "system" fn virtual_query(
    address: *const c_void,
    buffer: *mut MEMORY_BASIC_INFORMATION,
    length: usize,
) -> usize {
    let call =
        Call::VirtualQuery { address: at(address), buffer: out(buffer), length: length as u64 };
    let Some(Value::Region(answer)) = ask(call, Asked::Plainly) else { return 0 };
    let room = size_of::<MEMORY_BASIC_INFORMATION>();
    if !buffer.is_null() && length >= room && answer.written > 0 {
        // SAFETY: the caller's buffer, which has room for it.
        unsafe { buffer.write(information(&answer.information)) };
    }
    system::native(answer.written).min(room)
}

fn information(region: &MemoryBasicInformation) -> MEMORY_BASIC_INFORMATION {
    MEMORY_BASIC_INFORMATION {
        BaseAddress: pointer(region.base_address.0),
        AllocationBase: pointer(region.allocation_base.0),
        AllocationProtect: region.allocation_protect.0,
        RegionSize: system::native(region.region_size),
        State: region.state.0,
        Protect: region.protect.0,
        Type: region.kind.0,
        ..MEMORY_BASIC_INFORMATION::default()
    }
}

pub(super) unsafe extern "system" fn get_write_watch(
    flags: u32,
    address: *const c_void,
    size: usize,
    addresses: *mut *mut c_void,
    count: *mut usize,
    granularity: *mut u32,
) -> u32 {
    // SAFETY: the caller's in and out parameter, if there is one.
    let capacity = unsafe { count.as_ref() }.copied().unwrap_or(0);
    let null = WatchPointers {
        addresses: out(addresses),
        count: out(count),
        granularity: out(granularity),
    };
    let call = Call::GetWriteWatch {
        address: at(address),
        size: size as u64,
        flags: WatchFlags(flags),
        capacity: capacity as u64,
        null,
    };
    let Some(Value::Pages { pages, granularity: unit }) = ask(call, Asked::Plainly) else {
        return FAILED;
    };
    for (index, page) in pages.iter().take(capacity).enumerate() {
        // SAFETY: the caller has room for so many.
        unsafe { addresses.add(index).write(pointer(page.0)) };
    }
    // SAFETY: out parameters of the caller's, without which there is no success.
    unsafe { count.write(pages.len().min(capacity)) };
    // SAFETY: likewise.
    unsafe { granularity.write(unit) };
    0
}

pub(super) unsafe extern "system" fn reset_write_watch(address: *const c_void, size: usize) -> u32 {
    let call = Call::ResetWriteWatch { address: at(address), size: size as u64 };
    if ask(call, Asked::Plainly).is_some() { 0 } else { FAILED }
}

pub(super) unsafe extern "system" fn global_memory_status_ex(status: *mut MEMORYSTATUSEX) -> i32 {
    // SAFETY: the caller's own argument.
    if unsafe { GlobalMemoryStatusEx(status) } == 0 {
        return NO;
    }
    let Some(Value::Load(load)) = ask(Call::GetMemoryLoad, Asked::Plainly) else { return NO };
    // SAFETY: the system has just written there.
    let status = unsafe { &mut *status };
    if status.dwMemoryLoad != load.load || status.ullAvailPhys != load.available {
        status.dwMemoryLoad = load.load;
        status.ullAvailPhys = load.available.min(status.ullTotalPhys);
    }
    YES
}

pub(super) unsafe extern "system" fn create_notification(kind: i32) -> HANDLE {
    if ask(Call::RegisterMemoryNotificationCallback, Asked::Plainly).is_none() {
        return std::ptr::null_mut();
    }
    let low = kind == LowMemoryResourceNotification;
    match seat::seat().and_then(|seat| seat.notification(low)) {
        Some(event) => std::ptr::with_exposed_provenance_mut(event),
        // Not by a jump: Wine's log of calls shall show that it comes from here.
        // SAFETY: takes a number, gives a handle or null.
        None => std::hint::black_box(unsafe { CreateMemoryResourceNotification(kind) }),
    }
}

/// Makes a call as the runtime would have made it.
pub(super) fn pass_on(call: &Call, asked: Asked) -> Outcome {
    if asked == Asked::Done {
        return Outcome::ok();
    }
    let done: Result<Value, Win32Error> = match *call {
        Call::VirtualAlloc { address, size, kind, protect, .. } => {
            alloc_at_system(address.0, size, kind, protect, asked).map(Value::Address)
        }
        Call::VirtualFree { address, size, kind } => {
            // SAFETY: the runtime's own request, made once.
            unsafe { system::free(address.0, size, kind) }.map(|()| Value::Nothing)
        }
        Call::VirtualProtect { address, size, protect, old } => {
            // SAFETY: likewise.
            unsafe { system::protect(address.0, size, protect, old) }.map(Value::Old)
        }
        Call::VirtualQuery { address, buffer, length } => system::query(address.0, buffer, length)
            .map(|(written, information)| Value::Region(QueryAnswer { written, information })),
        Call::GetWriteWatch { address, size, flags, capacity, null } => {
            system::get_write_watch(address.0, size, flags.0, capacity, null)
                .map(|(pages, granularity)| Value::Pages { pages, granularity })
        }
        Call::ResetWriteWatch { address, size } => {
            system::reset_write_watch(address.0, size).map(|()| Value::Nothing)
        }
        Call::GetMemoryLoad => memory_load::status().map(|status| Value::Load(status.load())),
        Call::RegisterMemoryNotificationCallback => Ok(Value::Nothing),
        _ => return Outcome::Refused(Refusal::from_hresult(Hresult::E_NOTIMPL)),
    };
    done.map_or_else(|error| Refusal::from_win32(error).into(), Outcome::done)
}

fn alloc_at_system(
    at: u64,
    size: u64,
    kind: AllocationType,
    protect: Protection,
    asked: Asked,
) -> Result<Address, Win32Error> {
    let Asked::OnNode(node) = asked else {
        // SAFETY: the runtime's own request, made once.
        return unsafe { system::alloc(at, size, kind, protect) };
    };
    let size = system::native(size);
    // SAFETY: likewise.
    let base = unsafe {
        VirtualAllocExNuma(GetCurrentProcess(), pointer(at), size, kind.0, protect.0, node)
    };
    if base.is_null() {
        // SAFETY: reads a number of the calling thread's own.
        return Err(Win32Error(unsafe { GetLastError() }));
    }
    Ok(Address(base.expose_provenance() as u64))
}
