//! The end of the process: whoever sits there hears of it first, however it comes.
//!
//! `Environment.Exit` ends in `ExitProcess`, a fatal error in `TerminateProcess` or
//! `RaiseFailFastException`; an exception that nobody handles ends in the system's default
//! handler, which asks a filter first: the runtime's, and ours.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Diagnostics::Debug::{
    CONTEXT, EXCEPTION_POINTERS, EXCEPTION_RECORD, RaiseFailFastException,
    SetUnhandledExceptionFilter,
};
use windows_sys::Win32::System::Threading::{
    ExitProcess, GetCurrentProcess, GetProcessId, TerminateProcess,
};

use super::seat;

/// `EXCEPTION_CONTINUE_SEARCH`
const GO_ON: i32 = 0;
/// `EXCEPTION_CONTINUE_EXECUTION`
const RESUME: i32 = -1;

static TOLD: AtomicBool = AtomicBool::new(false);

/// Tells that the process ends; the exit code instead, if there is one. The first time counts.
pub(super) fn farewell(code: Option<u32>) -> Option<u32> {
    if TOLD.swap(true, Ordering::AcqRel) {
        return None;
    }
    let seat = seat::seat()?;
    // On a thread of its own: this one may be out of stack.
    let told = thread::Builder::new().spawn(move || seat.farewell(code));
    // A panic has been told of.
    told.ok()?.join().ok().flatten()
}

/// Hears of exceptions that nobody handles.
pub(super) fn begin() {
    // SAFETY: the filter lives as long as the process.
    unsafe { SetUnhandledExceptionFilter(Some(unhandled)) };
}

type Filter = unsafe extern "system" fn(*const EXCEPTION_POINTERS) -> i32;

/// What the runtime wants to be asked; zero if it is nothing.
static RUNTIMES: AtomicUsize = AtomicUsize::new(0);

/// Keeps our filter in front, and the runtime's behind it.
pub(super) unsafe extern "system" fn set_unhandled_exception_filter(filter: usize) -> usize {
    RUNTIMES.swap(filter, Ordering::AcqRel)
}

unsafe extern "system" fn unhandled(exception: *const EXCEPTION_POINTERS) -> i32 {
    let behind = RUNTIMES.load(Ordering::Acquire);
    // SAFETY: zero, which is none, or a function that the runtime gave as its filter.
    let behind = unsafe { std::mem::transmute::<usize, Option<Filter>>(behind) };
    // SAFETY: called as the system would have called it. It prints what is printed of such an
    // exception.
    let decided = behind.map_or(GO_ON, |filter| unsafe { filter(exception) });
    if decided != RESUME {
        farewell(code_of(exception));
    }
    decided
}

fn code_of(exception: *const EXCEPTION_POINTERS) -> Option<u32> {
    // SAFETY: the system's own data, valid during this call.
    let record = unsafe { exception.as_ref() }.map(|it| it.ExceptionRecord);
    // SAFETY: likewise.
    let record = record.and_then(|it| unsafe { it.as_ref() });
    record.map(|it| it.ExceptionCode.cast_unsigned())
}

/// A mistake that the runtime, or `Environment.FailFast`, ends the process for.
pub(super) unsafe extern "system" fn raise_fail_fast_exception(
    record: *const EXCEPTION_RECORD,
    context: *const CONTEXT,
    flags: u32,
) {
    // SAFETY: the caller's own data, if there is any.
    farewell(unsafe { record.as_ref() }.map(|it| it.ExceptionCode.cast_unsigned()));
    // SAFETY: as the caller wants it.
    unsafe { RaiseFailFastException(record, context, flags) };
}

pub(super) unsafe extern "system" fn exit_process(code: u32) {
    let code = farewell(Some(code)).unwrap_or(code);
    // SAFETY: as the caller wants it.
    unsafe { ExitProcess(code) };
}

pub(super) unsafe extern "system" fn terminate_process(process: HANDLE, code: u32) -> i32 {
    // SAFETY: the caller's own handle, which is only looked at.
    let ours = unsafe { GetProcessId(process) == GetProcessId(GetCurrentProcess()) };
    let code = if ours { farewell(Some(code)).unwrap_or(code) } else { code };
    // SAFETY: as the caller wants it.
    unsafe { TerminateProcess(process, code) }
}
