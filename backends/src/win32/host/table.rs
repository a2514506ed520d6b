//! The functions that are answered here, by name.

use std::ffi::c_void;

use super::{ending, hooks, lookups, views};

/// Functions of the system's core that concern memory, and begin with no telling word.
const OTHERS: [&str; 8] = [
    "GetWriteWatch",
    "ResetWriteWatch",
    "GlobalMemoryStatus",
    "GlobalMemoryStatusEx",
    "CreateMemoryResourceNotification",
    "DiscardVirtualMemory",
    "OfferVirtualMemory",
    "ReclaimVirtualMemory",
];
/// How the names of others begin, in all their variants.
const WORDS: [&str; 3] = ["Virtual", "MapViewOfFile", "UnmapViewOfFile"];
/// Functions that look like it, and move or change no memory.
const HARMLESS: [&str; 2] = ["VirtualLock", "VirtualUnlock"];

/// What stands in for a function of the system's.
pub(super) fn replacement(name: &str) -> Option<*const c_void> {
    Some(match name {
        "VirtualAlloc" => hooks::virtual_alloc as *const c_void,
        "VirtualAllocExNuma" => hooks::virtual_alloc_ex_numa as *const c_void,
        "VirtualFree" => hooks::virtual_free as *const c_void,
        "VirtualProtect" => hooks::virtual_protect as *const c_void,
        "VirtualQuery" => hooks::virtual_query as *const c_void,
        "GetWriteWatch" => hooks::get_write_watch as *const c_void,
        "ResetWriteWatch" => hooks::reset_write_watch as *const c_void,
        "GlobalMemoryStatusEx" => hooks::global_memory_status_ex as *const c_void,
        "CreateMemoryResourceNotification" => hooks::create_notification as *const c_void,
        "MapViewOfFile" => views::map_view_of_file as *const c_void,
        "MapViewOfFileEx" => views::map_view_of_file_ex as *const c_void,
        "UnmapViewOfFile" => views::unmap_view_of_file as *const c_void,
        "GetProcAddress" => lookups::get_proc_address as *const c_void,
        "LoadLibraryExW" => lookups::load_library_ex_w as *const c_void,
        "ExitProcess" => ending::exit_process as *const c_void,
        "TerminateProcess" => ending::terminate_process as *const c_void,
        "RaiseFailFastException" => ending::raise_fail_fast_exception as *const c_void,
        "SetUnhandledExceptionFilter" => ending::set_unhandled_exception_filter as *const c_void,
        _ => return None,
    })
}

/// Whether a function has to do with virtual memory, by its name.
pub(super) fn concerns_memory(name: &str) -> bool {
    let begins = WORDS.iter().any(|word| name.starts_with(word));
    (begins || OTHERS.contains(&name)) && !HARMLESS.contains(&name)
}
