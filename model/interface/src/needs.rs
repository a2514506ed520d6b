//! Which capabilities a call asks for beyond the core.
//!
//! Deliberately not here: whether an access will fault, which only the state tells.

use crate::{
    AllocationType, Call, Capabilities, Capability, MemoryBasicInformation, OutPointer, Protection,
};

/// What a call needs.
#[must_use]
pub fn call_needs<A, M>(call: &Call<A, M>) -> Capabilities {
    let none = Capabilities::NONE;
    match call {
        Call::VirtualAlloc { kind, protect, .. } => {
            let types = [
                (AllocationType::WRITE_WATCH, Capability::WriteWatch),
                (AllocationType::TOP_DOWN, Capability::TopDown),
                (AllocationType::RESET, Capability::Reset),
                (AllocationType::RESET_UNDO, Capability::Reset),
            ];
            let wanted = types.into_iter().filter(|(bit, _)| kind.contains(*bit));
            wanted.fold(protection_needs(*protect), |all, (_, one)| all.with(one))
        }
        Call::VirtualProtect { protect, old, .. } => {
            let needs = protection_needs(*protect);
            if *old == OutPointer::Null { needs.with(Capability::Buffers) } else { needs }
        }
        Call::VirtualQuery { buffer, length, .. } => {
            let plain = *buffer == OutPointer::Valid && *length == MemoryBasicInformation::SIZE;
            let needs = none.with(Capability::Query);
            if plain { needs } else { needs.with(Capability::Buffers) }
        }
        Call::CreateMalloc { .. }
        | Call::Alloc { .. }
        | Call::DebugAlloc { .. }
        | Call::Free { .. } => none.with(Capability::Malloc),
        Call::GetMemoryLoad => none.with(Capability::MemoryLoad),
        Call::SetMemoryLoad { .. } => none.with(Capability::MemoryLoadControl),
        Call::RegisterMemoryNotificationCallback => none.with(Capability::Notifications),
        Call::NeedsVirtualAddressSpace { .. }
        | Call::AcquiredVirtualAddressSpace { .. }
        | Call::ReleasedVirtualAddressSpace { .. } => none.with(Capability::AddressSpaceNotices),
        Call::Read { .. } | Call::Write { .. } => none.with(Capability::Contents),
        Call::Execute { .. } => none.with(Capability::Contents).with(Capability::Execute),
        Call::GetWriteWatch { null, .. } => {
            let needs = none.with(Capability::WriteWatch);
            let nulls = [null.addresses, null.count, null.granularity];
            if nulls.contains(&OutPointer::Null) { needs.with(Capability::Buffers) } else { needs }
        }
        Call::ResetWriteWatch { .. } => none.with(Capability::WriteWatch),
        Call::VirtualFree { .. } => none,
    }
}

fn protection_needs(protect: Protection) -> Capabilities {
    let modifiers = [
        (Protection::GUARD, Capability::GuardPages),
        (Protection::NOCACHE, Capability::Nocache),
        (Protection::WRITECOMBINE, Capability::Nocache),
    ];
    let wanted = modifiers.into_iter().filter(|(bit, _)| protect.contains(*bit));
    wanted.fold(Capabilities::NONE, |all, (_, one)| all.with(one))
}
