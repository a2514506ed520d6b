//! Every method and capability that an adapter declares, asked for once.
//!
//! An adapter that exits, raises or hangs in one of them is found out here, with the line that
//! did it. Whether the answer is lawful is not looked at: it only has to be one.
//!
//! Deliberately not here: sending and reading them ([`super::smoke`]).

use std::sync::Arc;

use hostmem_interface::needs::call_needs;
use hostmem_interface::{
    AllocationType, Call, Capability, CriticalLevel, Data, Description, FreeType, MallocId,
    MallocType, MemoryBasicInformation, OutPointer, Protection, WatchFlags, WatchPointers,
};

use super::calls::Packed;

/// Calls for a fresh case whose slot 0 is a granule that may be read and written, as far as
/// `who` can do them.
pub(super) fn calls(who: &Description) -> Vec<Call<Packed>> {
    let mut calls = memory(who);
    calls.extend(heaps());
    calls.extend(load());
    calls.retain(|call| call_needs(call).missing_from(who.capabilities).is_none());
    calls
}

const fn at(slot: i64) -> Packed {
    Packed { slot, offset: 0 }
}

const fn protect(protect: Protection, old: OutPointer) -> Call<Packed> {
    Call::VirtualProtect { address: at(0), size: 0x1000, protect, old }
}

const fn query(length: u64, buffer: OutPointer) -> Call<Packed> {
    Call::VirtualQuery { address: at(0), length, buffer }
}

const fn allocate(kind: AllocationType, protect: Protection) -> Call<Packed> {
    let (address, critical) = (Packed::absolute(0), CriticalLevel::TASK);
    Call::VirtualAlloc { address, size: 0x1_0000, kind, protect, critical }
}

fn write(slot: i64, byte: u8) -> Call<Packed> {
    Call::Write { address: at(slot), data: Data::Bytes(Arc::new([byte])) }
}

const fn read(slot: i64) -> Call<Packed> {
    Call::Read { address: at(slot), size: 1 }
}

fn memory(who: &Description) -> Vec<Call<Packed>> {
    let (valid, null) = (OutPointer::Valid, OutPointer::Null);
    let both = AllocationType::RESERVE | AllocationType::COMMIT;
    let (writable, executable) = (Protection::READWRITE, Protection::EXECUTE_READWRITE);
    let mut calls = vec![
        protect(Protection::READONLY, valid),
        protect(writable, null),
        query(MemoryBasicInformation::SIZE, null),
        query(8, valid),
        protect(writable, valid),
        protect(writable | Protection::NOCACHE, valid),
        protect(writable | Protection::GUARD, valid),
    ];
    if who.capabilities.has(Capability::Faults) {
        let out_of_reach = protect(Protection::NOACCESS, valid);
        calls.extend([read(0), out_of_reach, read(0), write(0, 1), protect(writable, valid)]);
    }
    calls.extend([allocate(both, executable), write(1, 0xC3), Call::Execute { address: at(1) }]);
    if who.capabilities.has(Capability::WriteWatch) {
        calls.extend(watching(allocate(both | AllocationType::WRITE_WATCH, writable)));
    }
    calls.extend([
        allocate(both | AllocationType::TOP_DOWN, writable),
        Call::VirtualAlloc {
            address: at(0),
            size: 0x1000,
            kind: AllocationType::RESET,
            protect: writable,
            critical: CriticalLevel::TASK,
        },
        Call::VirtualFree { address: at(0), size: 0x1000, kind: FreeType::DECOMMIT },
    ]);
    calls
}

/// What is done with slot 2, which `watched` makes.
fn watching(watched: Call<Packed>) -> [Call<Packed>; 4] {
    let valid = OutPointer::Valid;
    let (address, size) = (at(2), 0x1_0000);
    let null = WatchPointers { addresses: valid, count: valid, granularity: valid };
    let (flags, capacity) = (WatchFlags(0), u64::MAX);
    [
        watched,
        write(2, 1),
        Call::GetWriteWatch { address, size, flags, capacity, null },
        Call::ResetWriteWatch { address, size },
    ]
}

fn heaps() -> [Call<Packed>; 4] {
    let (malloc, critical, size) = (MallocId(0), CriticalLevel::TASK, 100);
    [
        Call::CreateMalloc { kind: MallocType::THREADSAFE },
        Call::Alloc { malloc, size, critical },
        Call::DebugAlloc { malloc, size, critical, file: "smoke.c".into(), line: 7 },
        // Null is freed in every heap.
        Call::Free { malloc, address: Packed::absolute(0) },
    ]
}

fn load() -> [Call<Packed>; 6] {
    let (address, size) = (Packed::absolute(0x7000_0000), 0x1_0000);
    [
        Call::GetMemoryLoad,
        Call::RegisterMemoryNotificationCallback,
        Call::SetMemoryLoad { load: 99, available: 1 << 20 },
        Call::NeedsVirtualAddressSpace { address, size },
        Call::AcquiredVirtualAddressSpace { address, size },
        Call::ReleasedVirtualAddressSpace { address },
    ]
}
