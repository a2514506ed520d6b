//! Write watch of a foreign manager, if it has `IHostmemWriteWatch`.
//!
//! The buffer that the manager is given has room for every page of the range, and a fence
//! behind: more pages than there are, or than were asked for, are a lie.
//!
//! Deliberately not here: which writes are marked, which the judge knows.

use std::ffi::c_void;
use std::ptr::null_mut;

use hostmem_interface::{
    Address, Hresult, OutPointer, Refusal, WatchAnswer, WatchFlags, WatchPointers, WriteWatch,
};

use super::import::{Held, lied, said, unwritten};
use super::interfaces::IHostmemWriteWatch;
use super::layout::{address, pointer, size};

/// The most pages of one report: 4 GiB of memory.
const MOST: u64 = 1 << 20;
/// Entries behind the buffer that nobody may write.
const BEHIND: usize = 8;

/// Whether the interface is more than a name: a manager that cannot watch may have it and say
/// `E_NOTIMPL`.
pub(super) fn works(watch: &IHostmemWriteWatch) -> bool {
    // SAFETY: a live object; an address is only a number.
    let told = unsafe { watch.ResetWriteWatch(null_mut(), 0) };
    told.0.cast_unsigned() != Hresult::E_NOTIMPL.0
}

/// An out pointer as a scenario wants it.
fn out<T>(wanted: OutPointer, valid: *mut T) -> *mut T {
    match wanted {
        OutPointer::Valid => valid,
        OutPointer::Null => null_mut(),
    }
}

impl WriteWatch for Held {
    fn get_write_watch(
        &self,
        at: Address,
        bytes: u64,
        flags: WatchFlags,
        capacity: u64,
        null: WatchPointers,
    ) -> Result<WatchAnswer, Refusal> {
        let watch = self.watch.as_ref().expect("asked for only if there");
        let room = size(capacity.min(bytes.div_ceil(self.page).saturating_add(1)).min(MOST));
        let mut pages = vec![unwritten(); room + BEHIND];
        let (mut count, mut granularity) = (size(capacity), u32::MAX);
        let told = {
            let pages: *mut *mut c_void = out(null.addresses, pages.as_mut_ptr());
            let count = out(null.count, &raw mut count);
            let granularity = out(null.granularity, &raw mut granularity);
            // SAFETY: a live object; valid or null out pointers; no range has more pages than
            // there is room for, and the fence shows a manager that thinks otherwise.
            unsafe {
                let (at, bytes) = (pointer(at), size(bytes));
                watch.GetWriteWatch(flags.0, at, bytes, pages, count, granularity)
            }
        };
        if pages[room..].iter().any(|it| *it != unwritten()) {
            lied("GetWriteWatch wrote more addresses than the range has pages");
        }
        said(told)?;
        if count > room || granularity == u32::MAX {
            lied(format!("GetWriteWatch returned S_OK with {count} pages of at most {room}"));
            count = 0;
        }
        let pages = pages[..count].iter().map(|page| address(*page)).collect();
        Ok(WatchAnswer { pages, granularity })
    }

    fn reset_write_watch(&self, at: Address, bytes: u64) -> Result<(), Refusal> {
        let watch = self.watch.as_ref().expect("asked for only if there");
        // SAFETY: a live object; the range is only numbers.
        said(unsafe { watch.ResetWriteWatch(pointer(at), size(bytes)) })
    }
}
