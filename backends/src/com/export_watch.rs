//! What a host has beside its memory, as hostmem's own interfaces: write watch, and what it
//! knows of its heaps.
//!
//! A host without write watch says `E_NOTIMPL` to both functions.
//!
//! Deliberately not here: the hosting interface itself ([`super::export`]).

use std::ffi::{CString, c_void};

use hostmem_interface::{WatchFlags, WatchPointers};
use windows_core::HRESULT;

use super::export::{
    ComManager_Impl, E_NOTIMPL, E_POINTER, OK, boundary, null_told, out_pointer, put, told,
};
use super::interfaces::{IHostmemReport_Impl, IHostmemWriteWatch_Impl, TellLeak};
use super::layout::{address, pointer};

impl IHostmemWriteWatch_Impl for ComManager_Impl {
    unsafe fn GetWriteWatch(
        &self,
        flags: u32,
        at: *mut c_void,
        bytes: usize,
        pages: *mut *mut c_void,
        count: *mut usize,
        granularity: *mut u32,
    ) -> HRESULT {
        // SAFETY: null or readable (hostmem.h). What is not given is no reason to complain.
        let capacity = if count.is_null() { 1 } else { unsafe { count.read_unaligned() } };
        boundary(|| {
            let Some(watch) = self.host.watch() else { return E_NOTIMPL };
            let null = WatchPointers {
                addresses: out_pointer(pages),
                count: out_pointer(count),
                granularity: out_pointer(granularity),
            };
            let (flags, most) = (WatchFlags(flags), capacity as u64);
            match watch.get_write_watch(address(at), bytes as u64, flags, most, null) {
                // A host that does not look at its arguments.
                Ok(_) if pages.is_null() || count.is_null() || granularity.is_null() => E_POINTER,
                Ok(answer) => {
                    let found = answer.pages.iter().take(capacity);
                    // SAFETY: the caller's array has room for `capacity` addresses, and the
                    // other two are writable.
                    unsafe {
                        for (at, page) in found.clone().enumerate() {
                            put(pages.add(at), pointer(*page));
                        }
                        put(count, found.len());
                        put(granularity, answer.granularity);
                    }
                    OK
                }
                Err(refusal) => null_told(refusal),
            }
        })
    }

    unsafe fn ResetWriteWatch(&self, at: *mut c_void, bytes: usize) -> HRESULT {
        boundary(|| match self.host.watch() {
            Some(watch) => told(watch.reset_write_watch(address(at), bytes as u64)),
            None => E_NOTIMPL,
        })
    }
}

impl IHostmemReport_Impl for ComManager_Impl {
    unsafe fn Leaks(&self, tell: Option<TellLeak>, context: *mut c_void) -> HRESULT {
        let Some(tell) = tell else { return E_POINTER };
        boundary(|| {
            for line in self.host.leaks() {
                // A file name of the caller's may hold anything but a null byte: it was a string.
                let line = CString::new(line.replace('\0', " ")).unwrap_or_default();
                // SAFETY: the caller's function with the caller's context (hostmem.h).
                unsafe { tell(context, line.as_ptr()) };
            }
            OK
        })
    }
}
