//! The law, one file for each kind of call, its checks in the documented order.
//!
//! Every function here reads a [`State`] and gives a [`Verdict`]; none changes anything.
//!
//! Map: [`alloc`], [`free`], [`protect`], [`query`] are the four calls of Win32;
//! [`protection`] the values that two of them share; [`access`] what a program does to
//! memory; [`watch`] write watch; [`malloc`] heaps; [`pressure`] memory load and
//! notifications; [`notice`] address-space notices.

pub mod access;
pub mod alloc;
pub mod free;
pub mod malloc;
pub mod notice;
pub mod pressure;
pub mod protect;
pub mod protection;
pub mod query;
pub mod reset;
pub mod watch;

use hostmem_interface::{Address, Call, Machine};

use crate::state::State;
use crate::verdict::Verdict;

/// What the law permits as an answer to `call`.
#[must_use]
pub fn decide(state: &State, call: &Call) -> Verdict {
    match call {
        Call::VirtualAlloc { address, size, kind, protect, .. } => {
            alloc::decide(state, *address, *size, *kind, *protect)
        }
        Call::VirtualFree { address, size, kind } => free::decide(state, *address, *size, *kind),
        Call::VirtualProtect { address, size, protect, old } => {
            protect::decide(state, *address, *size, *protect, *old)
        }
        Call::VirtualQuery { address, buffer, length } => {
            query::decide(state, *address, *buffer, *length)
        }
        Call::Read { address, size } => access::read(state, *address, *size),
        Call::Write { address, data } => access::write(state, *address, data),
        Call::Execute { address } => access::execute(state, *address),
        Call::GetWriteWatch { address, size, flags, capacity, null } => {
            watch::get(state, *address, *size, *flags, *capacity, *null)
        }
        Call::ResetWriteWatch { address, size } => watch::reset(state, *address, *size),
        Call::CreateMalloc { kind } => malloc::create(*kind),
        Call::Alloc { malloc, size, .. } => malloc::alloc(*malloc, *size, false),
        Call::DebugAlloc { malloc, size, .. } => malloc::alloc(*malloc, *size, true),
        Call::Free { malloc, address } => malloc::free(state, *malloc, *address),
        Call::GetMemoryLoad => pressure::get(),
        Call::SetMemoryLoad { load, available } => pressure::set(*load, *available),
        Call::RegisterMemoryNotificationCallback => pressure::register(),
        Call::NeedsVirtualAddressSpace { .. } => notice::needs(),
        Call::AcquiredVirtualAddressSpace { address, size } => notice::acquired(*address, *size),
        Call::ReleasedVirtualAddressSpace { address } => notice::released(*address),
    }
}

/// Whether `address` lies behind user space.
const fn beyond(machine: &Machine, address: Address) -> bool {
    address.0 > machine.highest
}

/// Whether `[address, address + size)` leaves user space or wraps.
const fn leaves(machine: &Machine, address: Address, size: u64) -> bool {
    size > machine.end().saturating_sub(address.0)
}
