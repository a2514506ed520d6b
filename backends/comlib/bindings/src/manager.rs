//! `IHostMemoryManager` between Microsoft's definitions.
//!
//! Deliberately not here: what the methods mean.

use std::ffi::c_void;

use hostmem_backends::com::interfaces::{IHostmemInstruments, IHostmemReport, IHostmemWriteWatch};
use windows::Win32::System::ClrHosting::{
    EMemoryCriticalLevel, ICLRMemoryNotificationCallback, IHostMalloc, IHostMemoryManager,
    IHostMemoryManager_Impl,
};
use windows_core::{IUnknownImpl as _, Ref, Result, implement};

use crate::heap::{Callback, Heap};

/// A manager that hands its calls on.
#[implement(IHostMemoryManager, IHostmemInstruments, IHostmemWriteWatch, IHostmemReport)]
pub(crate) struct Between {
    pub(crate) inner: IHostMemoryManager,
}

impl Between {
    /// Takes over a reference to the manager that does the work.
    pub(crate) fn around(inner: IHostMemoryManager) -> IHostMemoryManager {
        Self { inner }.into()
    }
}

impl IHostMemoryManager_Impl for Between_Impl {
    fn CreateMalloc(&self, kind: u32) -> Result<IHostMalloc> {
        // SAFETY: the caller's arguments, handed on as they are; as in every method here.
        let inner = unsafe { self.inner.CreateMalloc(kind) }?;
        Ok(Heap { inner, _manager: self.to_interface() }.into())
    }

    fn VirtualAlloc(
        &self,
        at: *const c_void,
        size: usize,
        kind: u32,
        protect: u32,
        level: EMemoryCriticalLevel,
        out: *mut *mut c_void,
    ) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.VirtualAlloc(at, size, kind, protect, level, out) }
    }

    fn VirtualFree(&self, at: *const c_void, size: usize, kind: u32) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.VirtualFree(at, size, kind) }
    }

    fn VirtualQuery(
        &self,
        at: *const c_void,
        buffer: *mut c_void,
        length: usize,
        written: *mut usize,
    ) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.VirtualQuery(at, buffer, length, written) }
    }

    fn VirtualProtect(&self, at: *const c_void, size: usize, protect: u32) -> Result<u32> {
        // SAFETY: as above.
        unsafe { self.inner.VirtualProtect(at, size, protect) }
    }

    fn GetMemoryLoad(&self, load: *mut u32, available: *mut usize) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.GetMemoryLoad(load, available) }
    }

    fn RegisterMemoryNotificationCallback(
        &self,
        callback: Ref<'_, ICLRMemoryNotificationCallback>,
    ) -> Result<()> {
        let between = callback.as_ref().map(|given| Callback(given.clone()).into());
        let between: Option<ICLRMemoryNotificationCallback> = between;
        // SAFETY: as above; a null callback stays one.
        unsafe { self.inner.RegisterMemoryNotificationCallback(between.as_ref()) }
    }

    fn NeedsVirtualAddressSpace(&self, start: *const c_void, size: usize) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.NeedsVirtualAddressSpace(start, size) }
    }

    fn AcquiredVirtualAddressSpace(&self, start: *const c_void, size: usize) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.AcquiredVirtualAddressSpace(start, size) }
    }

    fn ReleasedVirtualAddressSpace(&self, start: *const c_void) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.ReleasedVirtualAddressSpace(start) }
    }
}
