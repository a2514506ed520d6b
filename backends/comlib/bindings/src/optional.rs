//! hostmem's own interfaces, handed on as they are, so that simulated memory can be accessed.
//!
//! Deliberately not here: definitions of Microsoft's. These are ours alone.
#![allow(clippy::too_many_arguments, reason = "the signatures are those of hostmem.h")]

use std::ffi::c_void;

use hostmem_backends::com::interfaces::{
    HostmemFault, IHostmemInstruments, IHostmemInstruments_Impl, IHostmemReport,
    IHostmemReport_Impl, IHostmemWriteWatch, IHostmemWriteWatch_Impl, TellLeak,
};
use hostmem_interface::Hresult;
use windows_core::{HRESULT, Interface};

use crate::manager::Between_Impl;

impl Between_Impl {
    /// Asks the inner manager, if it has that interface.
    fn with<I: Interface>(&self, ask: impl FnOnce(I) -> HRESULT) -> HRESULT {
        let missing = HRESULT(Hresult::E_NOTIMPL.0.cast_signed());
        self.inner.cast::<I>().map_or(missing, ask)
    }
}

// SAFETY of every call below: the caller's arguments, handed on as they are.
impl IHostmemInstruments_Impl for Between_Impl {
    unsafe fn Abilities(&self, abilities: *mut u32) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemInstruments| unsafe { inner.Abilities(abilities) })
    }

    unsafe fn Read(
        &self,
        at: u64,
        size: usize,
        bytes: *mut u8,
        fault: *mut HostmemFault,
    ) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemInstruments| unsafe { inner.Read(at, size, bytes, fault) })
    }

    unsafe fn Write(
        &self,
        at: u64,
        size: usize,
        bytes: *const u8,
        fault: *mut HostmemFault,
    ) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemInstruments| unsafe { inner.Write(at, size, bytes, fault) })
    }

    unsafe fn Execute(&self, at: u64, byte: *mut u8, fault: *mut HostmemFault) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemInstruments| unsafe { inner.Execute(at, byte, fault) })
    }

    unsafe fn SetMemoryLoad(&self, load: u32, available: u64) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemInstruments| unsafe { inner.SetMemoryLoad(load, available) })
    }
}

impl IHostmemWriteWatch_Impl for Between_Impl {
    unsafe fn GetWriteWatch(
        &self,
        flags: u32,
        base: *mut c_void,
        size: usize,
        addresses: *mut *mut c_void,
        count: *mut usize,
        granularity: *mut u32,
    ) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemWriteWatch| unsafe {
            inner.GetWriteWatch(flags, base, size, addresses, count, granularity)
        })
    }

    unsafe fn ResetWriteWatch(&self, base: *mut c_void, size: usize) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemWriteWatch| unsafe { inner.ResetWriteWatch(base, size) })
    }
}

impl IHostmemReport_Impl for Between_Impl {
    unsafe fn Leaks(&self, tell: Option<TellLeak>, context: *mut c_void) -> HRESULT {
        // SAFETY: see above.
        self.with(|inner: IHostmemReport| unsafe { inner.Leaks(tell, context) })
    }
}
