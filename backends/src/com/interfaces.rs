//! The interfaces as COM knows them: IIDs, slots and signatures.
//!
//! Source: mscoree.idl (.NET Framework 2.0 and later), in the order of the IDL, which is the
//! order of the slots; the documentation lists the methods by the alphabet. Enumerations are
//! 32-bit words, so that a number which nobody has named is a number and no more.
//!
//! Three interfaces are hostmem's own, and optional: a manager whose memory or machine is
//! simulated answers accesses through [`IHostmemInstruments`], because there is nothing to
//! touch; [`IHostmemWriteWatch`] has the two functions that the runtime takes from the system;
//! [`IHostmemReport`] tells what the manager knows of its heaps.
//!
//! Deliberately not here: what the methods mean (`hostmem-interface`), `IHostControl` and
//! the rest of the hosting interface.
#![allow(missing_docs, reason = "the names are those of mscoree.idl, and the macro adds its own")]
#![allow(
    missing_debug_implementations,
    reason = "the vtables that the macro makes are tables of functions"
)]
#![allow(clippy::too_many_arguments, reason = "the signatures are those of mscoree.idl")]

use std::ffi::{c_char, c_void};

use hostmem_interface::Machine;
use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

#[interface("7BC698D1-F9E3-4460-9CDE-D04248E9FA25")]
pub unsafe trait IHostMemoryManager: IUnknown {
    /// Slot 3.
    pub unsafe fn CreateMalloc(&self, dwMallocType: u32, ppMalloc: *mut *mut c_void) -> HRESULT;
    /// Slot 4.
    pub unsafe fn VirtualAlloc(
        &self,
        pAddress: *mut c_void,
        dwSize: usize,
        flAllocationType: u32,
        flProtect: u32,
        eCriticalLevel: u32,
        ppMem: *mut *mut c_void,
    ) -> HRESULT;
    /// Slot 5.
    pub unsafe fn VirtualFree(
        &self,
        lpAddress: *mut c_void,
        dwSize: usize,
        dwFreeType: u32,
    ) -> HRESULT;
    /// Slot 6.
    pub unsafe fn VirtualQuery(
        &self,
        lpAddress: *mut c_void,
        lpBuffer: *mut c_void,
        dwLength: usize,
        pResult: *mut usize,
    ) -> HRESULT;
    /// Slot 7.
    pub unsafe fn VirtualProtect(
        &self,
        lpAddress: *mut c_void,
        dwSize: usize,
        flNewProtect: u32,
        pflOldProtect: *mut u32,
    ) -> HRESULT;
    /// Slot 8.
    pub unsafe fn GetMemoryLoad(
        &self,
        pMemoryLoad: *mut u32,
        pAvailableBytes: *mut usize,
    ) -> HRESULT;
    /// Slot 9.
    pub unsafe fn RegisterMemoryNotificationCallback(&self, pCallback: *mut c_void) -> HRESULT;
    /// Slot 10.
    pub unsafe fn NeedsVirtualAddressSpace(
        &self,
        startAddress: *mut c_void,
        size: usize,
    ) -> HRESULT;
    /// Slot 11.
    pub unsafe fn AcquiredVirtualAddressSpace(
        &self,
        startAddress: *mut c_void,
        size: usize,
    ) -> HRESULT;
    /// Slot 12.
    pub unsafe fn ReleasedVirtualAddressSpace(&self, startAddress: *mut c_void) -> HRESULT;
}

#[interface("1831991C-CC53-4A31-B218-04E910446479")]
pub unsafe trait IHostMalloc: IUnknown {
    /// Slot 3.
    pub unsafe fn Alloc(
        &self,
        cbSize: usize,
        eCriticalLevel: u32,
        ppMem: *mut *mut c_void,
    ) -> HRESULT;
    /// Slot 4. `pszFileName` is a string of 8-bit characters.
    pub unsafe fn DebugAlloc(
        &self,
        cbSize: usize,
        eCriticalLevel: u32,
        pszFileName: *const c_char,
        iLineNo: i32,
        ppMem: *mut *mut c_void,
    ) -> HRESULT;
    /// Slot 5.
    pub unsafe fn Free(&self, pMem: *mut c_void) -> HRESULT;
}

#[interface("47EB8E57-0846-4546-AF76-6F42FCFC2649")]
pub unsafe trait ICLRMemoryNotificationCallback: IUnknown {
    /// Slot 3.
    pub unsafe fn OnMemoryNotification(&self, eMemoryAvailable: u32) -> HRESULT;
}

/// Bit of [`IHostmemInstruments::Abilities`]: `Read`, `Write` and `Execute` answer, and the
/// memory must not be touched.
pub const ABILITY_ACCESS: u32 = 1;
/// Bit of [`IHostmemInstruments::Abilities`]: `SetMemoryLoad` answers.
pub const ABILITY_LOAD_CONTROL: u32 = 2;
/// Bit of [`IHostmemInstruments::Abilities`]: nothing but the caller allocates in the
/// manager's address space, so the sizes of free regions are exact.
pub const ABILITY_PRIVATE_ARENA: u32 = 4;

/// The exception that a simulated access raised; see `HostmemFault` in hostmem.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct HostmemFault {
    /// `EXCEPTION_RECORD.ExceptionCode`; 0: none.
    pub status: u32,
    /// 0 read, 1 write, 8 execute: `ExceptionInformation[0]`.
    pub access: u32,
    /// `ExceptionInformation[1]`
    pub address: u64,
}

/// The byte at an address is not `c3`, the only code that is ever run: what `Execute`
/// answers. `ERROR_BAD_FORMAT` as an `HRESULT`.
pub const NOT_RETURN: HRESULT = HRESULT(0x8007_000B_u32.cast_signed());

#[interface("6E1A7C52-3B0D-4C0A-9D55-8F2B6A40C1E7")]
pub unsafe trait IHostmemInstruments: IUnknown {
    /// Slot 3.
    pub unsafe fn Abilities(&self, pAbilities: *mut u32) -> HRESULT;
    /// Slot 4. `S_FALSE` with the fault filled in if the access faulted.
    pub unsafe fn Read(
        &self,
        address: u64,
        size: usize,
        bytes: *mut u8,
        fault: *mut HostmemFault,
    ) -> HRESULT;
    /// Slot 5.
    pub unsafe fn Write(
        &self,
        address: u64,
        size: usize,
        bytes: *const u8,
        fault: *mut HostmemFault,
    ) -> HRESULT;
    /// Slot 6. `byte` receives what is there with [`NOT_RETURN`].
    pub unsafe fn Execute(&self, address: u64, byte: *mut u8, fault: *mut HostmemFault) -> HRESULT;
    /// Slot 7.
    pub unsafe fn SetMemoryLoad(&self, load: u32, available: u64) -> HRESULT;
}

#[interface("A0C34F0E-6B0B-4F0D-8E59-0D5C9B8E2A31")]
pub unsafe trait IHostmemWriteWatch: IUnknown {
    /// Slot 3: the function of Win32, with an `HRESULT`.
    pub unsafe fn GetWriteWatch(
        &self,
        dwFlags: u32,
        lpBaseAddress: *mut c_void,
        dwRegionSize: usize,
        lpAddresses: *mut *mut c_void,
        lpdwCount: *mut usize,
        lpdwGranularity: *mut u32,
    ) -> HRESULT;
    /// Slot 4.
    pub unsafe fn ResetWriteWatch(
        &self,
        lpBaseAddress: *mut c_void,
        dwRegionSize: usize,
    ) -> HRESULT;
}

/// Who is told of a leak: the context that was passed on, and a line of text.
pub type TellLeak = unsafe extern "system" fn(context: *mut c_void, line: *const c_char);

#[interface("3D7B6C1A-94E5-4B6E-9C0F-52D1A7E4F0B6")]
pub unsafe trait IHostmemReport: IUnknown {
    /// Slot 3: a line for each block that is not freed.
    pub unsafe fn Leaks(&self, tell: Option<TellLeak>, context: *mut c_void) -> HRESULT;
}

/// The machine that a manager is to show, in bytes; [`UNSTATED`] where it states nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HostmemMachine {
    /// Page size.
    pub page: u64,
    /// Allocation granularity.
    pub granularity: u64,
    /// The lowest address.
    pub lowest: u64,
    /// The highest address, inclusive.
    pub highest: u64,
    /// Physical memory.
    pub physical: u64,
    /// The most that may be committed at once.
    pub commit_limit: u64,
}

/// A limit that is not stated.
pub const UNSTATED: u64 = u64::MAX;

impl From<Machine> for HostmemMachine {
    fn from(machine: Machine) -> Self {
        let Machine { page, granularity, lowest, highest, physical, commit_limit } = machine;
        let [physical, commit_limit] = [physical, commit_limit].map(|it| it.unwrap_or(UNSTATED));
        Self { page, granularity, lowest, highest, physical, commit_limit }
    }
}

impl From<HostmemMachine> for Machine {
    fn from(machine: HostmemMachine) -> Self {
        let HostmemMachine { page, granularity, lowest, highest, physical, commit_limit } = machine;
        let stated = |bytes| (bytes != UNSTATED).then_some(bytes);
        let (physical, commit_limit) = (stated(physical), stated(commit_limit));
        Self { page, granularity, lowest, highest, physical, commit_limit }
    }
}

/// `HostmemCreateManagerOn`: optional, for a library whose managers can show other machines.
pub type CreateManagerOn = unsafe extern "system" fn(
    backend: *const c_char,
    machine: *const HostmemMachine,
    manager: *mut *mut c_void,
) -> HRESULT;

/// The name under which a library exports it.
pub const CREATE_MANAGER_ON: &str = "HostmemCreateManagerOn";

/// `HostmemLacks`: optional, the names of the capabilities that the managers do not have, with
/// spaces between them.
pub type Lacks = unsafe extern "system" fn() -> *const c_char;

/// The name under which a library exports it.
pub const LACKS: &str = "HostmemLacks";

/// `HostmemCreateManager`: the one function that a shared library has to export, under this
/// name and with C linkage.
pub type CreateManager =
    unsafe extern "system" fn(backend: *const c_char, manager: *mut *mut c_void) -> HRESULT;

/// The name under which a library exports it.
pub const CREATE_MANAGER: &str = "HostmemCreateManager";
