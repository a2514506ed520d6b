//! `IHostMalloc` and `ICLRMemoryNotificationCallback` between Microsoft's definitions.
//!
//! Deliberately not here: heaps.

use std::ffi::c_void;

use windows::Win32::System::ClrHosting::{
    EMemoryAvailable, EMemoryCriticalLevel, ICLRMemoryNotificationCallback,
    ICLRMemoryNotificationCallback_Impl, IHostMalloc, IHostMalloc_Impl,
};
use windows_core::{Result, implement};

/// A heap that hands its calls on.
#[implement(IHostMalloc)]
pub(crate) struct Heap {
    pub(crate) inner: IHostMalloc,
    /// The manager, for as long as one of its heaps is in use.
    pub(crate) _manager: windows_core::IUnknown,
}

impl IHostMalloc_Impl for Heap_Impl {
    fn Alloc(&self, size: usize, level: EMemoryCriticalLevel, out: *mut *mut c_void) -> Result<()> {
        // SAFETY: the caller's arguments, handed on as they are; as in every method here.
        unsafe { self.inner.Alloc(size, level, out) }
    }

    fn DebugAlloc(
        &self,
        size: usize,
        level: EMemoryCriticalLevel,
        file: *const u8,
        line: i32,
        out: *mut *mut c_void,
    ) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.DebugAlloc(size, level, file, line, out) }
    }

    fn Free(&self, block: *const c_void) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.inner.Free(block) }
    }
}

/// A callback that hands on what it is told.
#[implement(ICLRMemoryNotificationCallback)]
pub(crate) struct Callback(pub(crate) ICLRMemoryNotificationCallback);

impl ICLRMemoryNotificationCallback_Impl for Callback_Impl {
    fn OnMemoryNotification(&self, available: EMemoryAvailable) -> Result<()> {
        // SAFETY: a live object, and a number.
        unsafe { self.0.OnMemoryNotification(available) }
    }
}
