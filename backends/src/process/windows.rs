//! A family of processes on Windows: a job object, which ends with its last handle.
//!
//! A child is put into its job right after its start; what it started before that moment is not
//! in it. Deliberately not here: consoles and windows.

use std::ffi::c_void;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::process::{Child, Command, ExitStatus};
use std::ptr;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
};

/// What is done before a process starts: nothing, a job takes running processes.
pub(super) const fn prepare(_: &mut Command, _: Option<u64>) {}

/// A process and what it has started.
#[derive(Debug)]
pub(super) struct Family(Option<OwnedHandle>);

impl Family {
    /// Puts a child that just started into a job of its own; `memory` limits what each of its
    /// processes may commit, in bytes. A system that has no jobs leaves the child alone, which is
    /// ended all the same.
    pub(super) fn of(child: &Child, memory: Option<u64>) -> Self {
        // SAFETY: no name and no security attributes are asked for.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if job.is_null() {
            return Self(None);
        }
        // SAFETY: a fresh handle, ours alone.
        let job = unsafe { OwnedHandle::from_raw_handle(job) };
        limit(&job, memory);
        // SAFETY: two live handles.
        let joined =
            unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) };
        Self((joined != 0).then_some(job))
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        let Some(job) = &self.0 else { return };
        // SAFETY: a live handle.
        unsafe { TerminateJobObject(job.as_raw_handle(), 1) };
    }
}

fn limit(job: &OwnedHandle, memory: Option<u64>) {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if let Some(bytes) = memory.and_then(|bytes| usize::try_from(bytes).ok()) {
        limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
        limits.ProcessMemoryLimit = bytes;
    }
    let length = u32::try_from(size_of_val(&limits)).expect("some hundred bytes");
    let limits: *const c_void = (&raw const limits).cast();
    // SAFETY: a live handle, and a structure of that class and length.
    unsafe {
        let class = JobObjectExtendedLimitInformation;
        SetInformationJobObject(job.as_raw_handle(), class, limits, length)
    };
}

/// How it ended, in words: an unhandled exception is the exit code of its process.
pub(super) fn ended(status: ExitStatus) -> String {
    let Some(code) = status.code() else { return status.to_string() };
    let name = match code.cast_unsigned() {
        0x8000_0003 => "STATUS_BREAKPOINT",
        0xC000_0005 => "STATUS_ACCESS_VIOLATION",
        0xC000_001D => "STATUS_ILLEGAL_INSTRUCTION",
        0xC000_0094 => "STATUS_INTEGER_DIVIDE_BY_ZERO",
        0xC000_00FD => "STATUS_STACK_OVERFLOW",
        0xC000_0374 => "STATUS_HEAP_CORRUPTION",
        0xC000_0409 => "STATUS_STACK_BUFFER_OVERRUN",
        status if status >= 0x8000_0000 => "an exception",
        _ => return format!("exited with code {code}"),
    };
    format!("killed by {name} ({:#010x})", code.cast_unsigned())
}
