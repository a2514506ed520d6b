//! `MEMORY_BASIC_INFORMATION` byte by byte, as `VirtualQuery` writes it.
//!
//! Source: winnt.h. On 64 bits it has 48 bytes: `PartitionId` of newer SDKs lies in what was
//! padding before. Every offset is asserted here, and again by a C++ compiler against
//! hostmem.h (`tests/tests/com.rs`).
//!
//! Deliberately not here: the meaning of the fields.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};

use hostmem_interface::{Address, MemoryBasicInformation, Protection, RegionState, RegionType};

/// `MEMORY_BASIC_INFORMATION` of 64-bit Windows.
#[allow(non_snake_case, reason = "the names are those of winnt.h")]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MEMORY_BASIC_INFORMATION {
    /// The queried address rounded down to its page.
    pub BaseAddress: *mut c_void,
    /// The base of the allocation; null if free.
    pub AllocationBase: *mut c_void,
    /// The protection when the memory was reserved.
    pub AllocationProtect: u32,
    /// 0; padding in older SDKs.
    pub PartitionId: u16,
    /// Bytes from `BaseAddress` to the end of the run.
    pub RegionSize: usize,
    /// `MEM_COMMIT`, `MEM_RESERVE` or `MEM_FREE`.
    pub State: u32,
    /// The protection of the pages.
    pub Protect: u32,
    /// `MEM_PRIVATE`, `MEM_MAPPED`, `MEM_IMAGE` or 0.
    pub Type: u32,
}

const _: () = {
    assert!(size_of::<MEMORY_BASIC_INFORMATION>() == 48);
    assert!(size_of::<MEMORY_BASIC_INFORMATION>() as u64 == MemoryBasicInformation::SIZE);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, BaseAddress) == 0);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, AllocationBase) == 8);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, AllocationProtect) == 16);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, PartitionId) == 20);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, RegionSize) == 24);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, State) == 32);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, Protect) == 36);
    assert!(offset_of!(MEMORY_BASIC_INFORMATION, Type) == 40);
};

/// An address as the interface passes it. Only the number counts.
pub(super) fn pointer(address: Address) -> *mut c_void {
    // Exact on 64 bits, the only ones that this module is built for.
    std::ptr::with_exposed_provenance_mut(usize::try_from(address.0).expect("64-bit pointers"))
}

/// The number of a pointer.
pub(super) fn address(pointer: *const c_void) -> Address {
    Address(pointer.expose_provenance() as u64)
}

/// A byte count as the interface passes it.
pub(super) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("64-bit sizes")
}

impl From<MemoryBasicInformation> for MEMORY_BASIC_INFORMATION {
    fn from(region: MemoryBasicInformation) -> Self {
        Self {
            BaseAddress: pointer(region.base_address),
            AllocationBase: pointer(region.allocation_base),
            AllocationProtect: region.allocation_protect.0,
            PartitionId: 0,
            RegionSize: size(region.region_size),
            State: region.state.0,
            Protect: region.protect.0,
            Type: region.kind.0,
        }
    }
}

impl From<MEMORY_BASIC_INFORMATION> for MemoryBasicInformation {
    fn from(region: MEMORY_BASIC_INFORMATION) -> Self {
        Self {
            base_address: address(region.BaseAddress),
            allocation_base: address(region.AllocationBase),
            allocation_protect: Protection(region.AllocationProtect),
            region_size: region.RegionSize as u64,
            state: RegionState(region.State),
            protect: Protection(region.Protect),
            kind: RegionType(region.Type),
        }
    }
}
