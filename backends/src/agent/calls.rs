//! A call as a flat array of numbers, in both directions.
//!
//! An address is two numbers: a slot and an offset. Slot k is what the k-th allocating call of
//! the case returned, counted from 0, or 0 if it was refused; slot -1 is 0, so that the offset
//! is the address. They are added modulo 2^64.
//!
//! Deliberately not here: accesses that are longer than a page, which are never sent whole.

use std::sync::Arc;

use hostmem_interface::{
    AllocationType, Call, CriticalLevel, Data, FreeType, MallocId, MallocType, OutPointer,
    Protection, WatchFlags, WatchPointers,
};

use super::methods::{self, METHODS};
use super::numbers::{Flat, Number, Taker, read_runs, write_runs};

/// The most bytes of one `Write`, and of the file name of a `DebugAlloc`.
const LONGEST: u64 = 1 << 20;

/// An address as a call carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// -1 for none.
    pub slot: i64,
    /// Added to it, modulo 2^64.
    pub offset: u64,
}

impl Packed {
    /// An address that is known.
    pub(super) const fn absolute(address: u64) -> Self {
        Self { slot: -1, offset: address }
    }

    fn write(self, into: &mut Flat) {
        into.push(self.slot.into());
        // Relative to a slot, a small step back is a small negative number.
        into.push(match self.slot {
            -1 => self.offset.into(),
            _ => self.offset.cast_signed().into(),
        });
    }

    fn read(from: &mut Taker<'_>) -> Result<Self, String> {
        let (slot, offset) = (from.any("a slot")?, from.any("an offset")?);
        let slot = i64::try_from(slot).ok().filter(|slot| *slot >= -1);
        let slot = slot.ok_or("a slot is -1 or a count from 0")?;
        // Both kinds of offset mean the same modulo 2^64.
        let offset = u64::try_from(offset)
            .or_else(|_| i64::try_from(offset).map(i64::cast_unsigned))
            .map_err(|_| format!("{offset} is no offset"))?;
        Ok(Self { slot, offset })
    }
}

/// The array of a call whose addresses are packed.
pub(super) fn write(call: &Call<Packed>) -> Flat {
    let mut flat = vec![methods::number(call.name()).into()];
    match call {
        Call::Alloc { malloc, .. }
        | Call::DebugAlloc { malloc, .. }
        | Call::Free { malloc, .. } => {
            flat.push(malloc.0.into());
        }
        _ => {}
    }
    if let Some(address) = call.address() {
        address.write(&mut flat);
    }
    write_rest(call, &mut flat);
    flat
}

fn write_rest(call: &Call<Packed>, flat: &mut Flat) {
    let mut put = |numbers: &[u64]| flat.extend(numbers.iter().map(|&number| Number::from(number)));
    match call {
        Call::VirtualAlloc { size, kind, protect, critical, .. } => {
            put(&[*size, kind.0.into(), protect.0.into(), critical.0.into()]);
        }
        Call::VirtualFree { size, kind, .. } => put(&[*size, kind.0.into()]),
        Call::VirtualQuery { length, buffer, .. } => put(&[*length, valid(*buffer)]),
        Call::VirtualProtect { size, protect, old, .. } => {
            put(&[*size, protect.0.into(), valid(*old)]);
        }
        Call::CreateMalloc { kind } => put(&[kind.0.into()]),
        Call::Alloc { size, critical, .. } => put(&[*size, critical.0.into()]),
        Call::DebugAlloc { size, critical, file, line, .. } => {
            put(&[*size, critical.0.into()]);
            flat.push((*line).into());
            flat.extend(file.bytes().map(Number::from));
        }
        Call::NeedsVirtualAddressSpace { size, .. }
        | Call::AcquiredVirtualAddressSpace { size, .. }
        | Call::Read { size, .. }
        | Call::ResetWriteWatch { size, .. } => put(&[*size]),
        Call::Write { data: Data::Fill { size, byte }, .. } => put(&[*size, (*byte).into()]),
        Call::Write { data: Data::Bytes(bytes), .. } => write_runs(bytes, flat),
        Call::GetWriteWatch { size, flags, capacity, null, .. } => {
            put(&[*size, flags.0.into(), *capacity, nulls(*null)]);
        }
        Call::SetMemoryLoad { load, available } => put(&[(*load).into(), *available]),
        Call::GetMemoryLoad
        | Call::RegisterMemoryNotificationCallback
        | Call::ReleasedVirtualAddressSpace { .. }
        | Call::Free { .. }
        | Call::Execute { .. } => {}
    }
}

const fn valid(pointer: OutPointer) -> u64 {
    match pointer {
        OutPointer::Valid => 1,
        OutPointer::Null => 0,
    }
}

/// The null out pointers of `GetWriteWatch`: 1 addresses, 2 count, 4 granularity.
fn nulls(pointers: WatchPointers) -> u64 {
    let bits = [(pointers.addresses, 1), (pointers.count, 2), (pointers.granularity, 4)];
    bits.iter().filter(|(pointer, _)| *pointer == OutPointer::Null).map(|(_, bit)| bit).sum()
}

/// What an array asks for.
pub(super) enum Asked {
    /// The slots and numbers of the caller's own, for [`methods::ECHO`].
    Echo(Packed, Flat),
    /// A call.
    Call(Call<Packed>),
}

/// The inverse of [`write`].
pub(super) fn read(flat: &[Number]) -> Result<Asked, String> {
    let mut from = Taker::new(flat);
    let number = from.any("the method")?;
    let method = METHODS.iter().find(|method| i128::from(method.number) == number);
    let method = method.ok_or_else(|| format!("{number} is no method"))?;
    if method.number == methods::ECHO {
        let place = Packed::read(&mut from)?;
        return Ok(Asked::Echo(place, flat[3..].to_vec()));
    }
    let call = read_call(method.name, &mut from).and_then(|call| from.end().map(|()| call));
    call.map(Asked::Call).map_err(|why| format!("{} ({}): {why}", method.name, method.arguments))
}

fn read_call(name: &str, from: &mut Taker<'_>) -> Result<Call<Packed>, String> {
    let mut heap = || from.u32("a heap").map(MallocId);
    let malloc = match name {
        "Alloc" | "DebugAlloc" | "Free" => heap()?,
        _ => MallocId(0),
    };
    match name {
        "CreateMalloc" => Ok(Call::CreateMalloc { kind: MallocType(from.u32("a kind")?) }),
        "Alloc" => {
            let (size, critical) = sized(from)?;
            Ok(Call::Alloc { malloc, size, critical })
        }
        "DebugAlloc" => {
            let (size, critical) = sized(from)?;
            let line = from.i32("a line")?;
            let mut file = Vec::new();
            while !from.is_empty() && (file.len() as u64) < LONGEST {
                file.push(from.u8("a byte of the file's name")?);
            }
            let file = String::from_utf8(file).map_err(|_| "the file's name is not UTF-8")?;
            Ok(Call::DebugAlloc { malloc, size, critical, file: file.into(), line })
        }
        "GetMemoryLoad" => Ok(Call::GetMemoryLoad),
        "RegisterMemoryNotificationCallback" => Ok(Call::RegisterMemoryNotificationCallback),
        "SetMemoryLoad" => Ok(Call::SetMemoryLoad {
            load: from.u32("a load")?,
            available: from.u64("the bytes available")?,
        }),
        _ => {
            let address = Packed::read(from)?;
            read_addressed(name, malloc, address, from)
        }
    }
}

fn sized(from: &mut Taker<'_>) -> Result<(u64, CriticalLevel), String> {
    Ok((from.u64("a size")?, CriticalLevel(from.u32("a critical level")?)))
}

fn read_addressed(
    name: &str,
    malloc: MallocId,
    address: Packed,
    from: &mut Taker<'_>,
) -> Result<Call<Packed>, String> {
    let size = |from: &mut Taker<'_>| from.u64("a size");
    let protect = |from: &mut Taker<'_>| from.u32("a protection").map(Protection);
    Ok(match name {
        "VirtualAlloc" => Call::VirtualAlloc {
            address,
            size: size(from)?,
            kind: AllocationType(from.u32("an allocation type")?),
            protect: protect(from)?,
            critical: CriticalLevel(from.u32("a critical level")?),
        },
        "VirtualFree" => Call::VirtualFree {
            address,
            size: size(from)?,
            kind: FreeType(from.u32("a free type")?),
        },
        "VirtualQuery" => {
            Call::VirtualQuery { address, length: from.u64("a length")?, buffer: pointer(from)? }
        }
        "VirtualProtect" => Call::VirtualProtect {
            address,
            size: size(from)?,
            protect: protect(from)?,
            old: pointer(from)?,
        },
        "Free" => Call::Free { malloc, address },
        "NeedsVirtualAddressSpace" => Call::NeedsVirtualAddressSpace { address, size: size(from)? },
        "AcquiredVirtualAddressSpace" => {
            Call::AcquiredVirtualAddressSpace { address, size: size(from)? }
        }
        "ReleasedVirtualAddressSpace" => Call::ReleasedVirtualAddressSpace { address },
        "Read" => Call::Read { address, size: size(from)? },
        "Write" => Call::Write { address, data: Data::Bytes(Arc::from(read_runs(from, LONGEST)?)) },
        "Execute" => Call::Execute { address },
        "GetWriteWatch" => Call::GetWriteWatch {
            address,
            size: size(from)?,
            flags: WatchFlags(from.u32("flags")?),
            capacity: from.u64("a capacity")?,
            null: watch_pointers(from)?,
        },
        "ResetWriteWatch" => Call::ResetWriteWatch { address, size: size(from)? },
        _ => unreachable!("{name} has no address"),
    })
}

fn pointer(from: &mut Taker<'_>) -> Result<OutPointer, String> {
    match from.any("1 for a valid pointer, 0 for a null one")? {
        1 => Ok(OutPointer::Valid),
        0 => Ok(OutPointer::Null),
        other => Err(format!("{other} is neither 1 (a valid pointer) nor 0 (a null one)")),
    }
}

fn watch_pointers(from: &mut Taker<'_>) -> Result<WatchPointers, String> {
    let bits = from.u8("which pointers are null")?;
    let at = |bit: u8| if bits & bit == 0 { OutPointer::Valid } else { OutPointer::Null };
    match bits {
        0..8 => Ok(WatchPointers { addresses: at(1), count: at(2), granularity: at(4) }),
        _ => Err(format!("{bits} is no sum of 1 (addresses), 2 (count) and 4 (granularity)")),
    }
}
