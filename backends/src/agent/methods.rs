//! The methods of the protocol: the one table behind the calls, the schema and the page.
//!
//! A number stays what it is for ever; a new method gets the next one.
//!
//! Deliberately not here: what an argument means (Win32 and mscoree.idl say), and how it is
//! packed ([`super::calls`]).

use hostmem_interface::Capability;

/// The number of [`METHODS`]' first row, which asks no manager anything.
pub const ECHO: u8 = 0;

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The first number of a call.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// The numbers behind the method's; `…` stands for any number of them.
    pub arguments: &'static str,
    /// The numbers behind the 0 of a success.
    pub outputs: &'static str,
    /// Without this it is never sent.
    pub needs: Option<Capability>,
}

const fn method(
    number: u8,
    name: &'static str,
    arguments: &'static str,
    outputs: &'static str,
    needs: Option<Capability>,
) -> Method {
    Method { number, name, arguments, outputs, needs }
}

/// Every method.
pub const METHODS: [Method; 20] = {
    use Capability as C;
    [
        method(ECHO, "Echo", "slot, offset, n…", "address, n…", None),
        method(1, "VirtualAlloc", "slot, offset, size, type, protect, critical", "address", None),
        method(2, "VirtualFree", "slot, offset, size, type", "", None),
        method(
            3,
            "VirtualQuery",
            "slot, offset, length, buffer",
            "BaseAddress, AllocationBase, AllocationProtect, RegionSize, State, Protect, Type",
            Some(C::Query),
        ),
        method(4, "VirtualProtect", "slot, offset, size, protect, old", "old protect", None),
        method(5, "CreateMalloc", "kind", "", Some(C::Malloc)),
        method(6, "Alloc", "heap, size, critical", "address", Some(C::Malloc)),
        method(7, "DebugAlloc", "heap, size, critical, line, file…", "address", Some(C::Malloc)),
        method(8, "Free", "heap, slot, offset", "", Some(C::Malloc)),
        method(9, "GetMemoryLoad", "", "load, available", Some(C::MemoryLoad)),
        method(10, "RegisterMemoryNotificationCallback", "", "", Some(C::Notifications)),
        method(
            11,
            "NeedsVirtualAddressSpace",
            "slot, offset, size",
            "",
            Some(C::AddressSpaceNotices),
        ),
        method(
            12,
            "AcquiredVirtualAddressSpace",
            "slot, offset, size",
            "",
            Some(C::AddressSpaceNotices),
        ),
        method(13, "ReleasedVirtualAddressSpace", "slot, offset", "", Some(C::AddressSpaceNotices)),
        method(14, "Read", "slot, offset, size", "(count, byte)…", Some(C::Contents)),
        method(15, "Write", "slot, offset, (count, byte)…", "", Some(C::Contents)),
        method(16, "Execute", "slot, offset", "", Some(C::Execute)),
        method(
            17,
            "GetWriteWatch",
            "slot, offset, size, flags, capacity, null",
            "granularity, page…",
            Some(C::WriteWatch),
        ),
        method(18, "ResetWriteWatch", "slot, offset, size", "", Some(C::WriteWatch)),
        method(19, "SetMemoryLoad", "load, available", "", Some(C::MemoryLoadControl)),
    ]
};

/// The number of the method of that name.
///
/// # Panics
/// If there is no such method.
#[must_use]
pub fn number(name: &str) -> u8 {
    let method = METHODS.iter().find(|method| method.name == name);
    method.map(|method| method.number).expect("every call of the interface is a method")
}
