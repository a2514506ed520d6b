//! The vectored exception handler of Windows: ours are turned into answers, the rest is
//! passed on to whoever comes next.
//!
//! It runs before any frame-based handler and only changes the interrupted thread's
//! registers, so that the stubs need no unwind information. The system has disarmed a guard
//! page by the time that it is called, as it has for any program.
//!
//! Deliberately not here: removing the handler. It lives as long as the process.

use std::ptr;
use std::sync::OnceLock;

use hostmem_interface::{AccessKind, NtStatus};
use windows_sys::Win32::Foundation::{
    EXCEPTION_ACCESS_VIOLATION, EXCEPTION_GUARD_PAGE, EXCEPTION_IN_PAGE_ERROR,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    AddVectoredExceptionHandler, CONTEXT, EXCEPTION_POINTERS, EXCEPTION_RECORD,
};

use super::landing::{NO_ADDRESS, faulted};
use super::stubs;

const CONTINUE_EXECUTION: i32 = -1;
const CONTINUE_SEARCH: i32 = 0;
/// First in the chain: a debugger's or a runtime's handler need not know our stubs.
const FIRST: u32 = 1;
/// The address that Windows tells for a non-canonical one.
const NOWHERE: u64 = u64::MAX;

/// Installs the handler, once for the process.
///
/// # Errors
/// If the system refuses.
pub(super) fn install() -> Result<(), String> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: the handler keeps to the contract of one: it returns one of two values and
        // leaves foreign exceptions alone.
        !unsafe { AddVectoredExceptionHandler(FIRST, Some(on_exception)) }.is_null()
    });
    if *installed { Ok(()) } else { Err("no exception handler can be added".to_owned()) }
}

unsafe extern "system" fn on_exception(pointers: *mut EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system passes valid records, which nobody else refers to meanwhile.
    let (record, context) =
        unsafe { (&*(*pointers).ExceptionRecord, &mut *(*pointers).ContextRecord) };
    if claim(record, context) { CONTINUE_EXECUTION } else { CONTINUE_SEARCH }
}

/// Lands a fault of ours; whether it was one.
fn claim(record: &EXCEPTION_RECORD, context: &mut CONTEXT) -> bool {
    let fault = [EXCEPTION_ACCESS_VIOLATION, EXCEPTION_GUARD_PAGE, EXCEPTION_IN_PAGE_ERROR];
    if !fault.contains(&record.ExceptionCode) || record.NumberParameters < 2 {
        return false;
    }
    let kind = match record.ExceptionInformation[0] {
        0 => AccessKind::Read,
        1 => AccessKind::Write,
        8 => AccessKind::Execute,
        _ => return false,
    };
    let address = record.ExceptionInformation[1] as u64;
    if !stubs::is_access(context.Rip) && !is_fetch_of_ours(context) {
        return false;
    }
    let mut status = faulted(NtStatus(record.ExceptionCode.cast_unsigned()), kind);
    if address == NOWHERE {
        status |= NO_ADDRESS;
    }
    context.Rax = status;
    context.Rdx = address;
    context.Rip = stubs::land as *const () as u64;
    true
}

/// Whether the call stub called what could not be fetched. A read or a write by the code
/// itself is nobody's: the only code that is ever called is a lone return, whose read of
/// the stack cannot fault.
fn is_fetch_of_ours(context: &CONTEXT) -> bool {
    let Ok(stack) = usize::try_from(context.Rsp) else { return false };
    if context.Rip == 0 || stack % 8 != 0 {
        return false;
    }
    // SAFETY: the thread's own stack pointer, and the thread could not run without a stack; a
    // call pushed its return address there before the fetch failed.
    let caller = unsafe { ptr::with_exposed_provenance::<u64>(stack).read() };
    caller == stubs::return_of_call()
}
