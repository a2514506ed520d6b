//! A [`Call`] as bytes: a number for its method, then its arguments in order.
//!
//! Deliberately not here: calls that name addresses relatively. They are resolved before.

use hostmem_interface::{
    AllocationType, Call, CriticalLevel, Data, FreeType, MallocId, MallocType, OutPointer,
    Protection, WatchFlags, WatchPointers,
};

use super::bytes::{Garbage, Reader, Writer};

pub(super) fn write(out: &mut Writer, call: &Call) {
    match call {
        Call::CreateMalloc { kind } => {
            out.u8(0);
            out.u32(kind.0);
        }
        Call::VirtualAlloc { address, size, kind, protect, critical } => {
            out.u8(1);
            out.address(*address);
            out.u64(*size);
            out.u32(kind.0);
            out.u32(protect.0);
            out.u32(critical.0);
        }
        Call::VirtualFree { address, size, kind } => {
            out.u8(2);
            out.address(*address);
            out.u64(*size);
            out.u32(kind.0);
        }
        Call::VirtualQuery { address, buffer, length } => {
            out.u8(3);
            out.address(*address);
            pointer(out, *buffer);
            out.u64(*length);
        }
        Call::VirtualProtect { address, size, protect, old } => {
            out.u8(4);
            out.address(*address);
            out.u64(*size);
            out.u32(protect.0);
            pointer(out, *old);
        }
        Call::GetMemoryLoad => out.u8(5),
        Call::RegisterMemoryNotificationCallback => out.u8(6),
        Call::NeedsVirtualAddressSpace { address, size } => {
            out.u8(7);
            out.address(*address);
            out.u64(*size);
        }
        Call::AcquiredVirtualAddressSpace { address, size } => {
            out.u8(8);
            out.address(*address);
            out.u64(*size);
        }
        Call::ReleasedVirtualAddressSpace { address } => {
            out.u8(9);
            out.address(*address);
        }
        _ => write_rest(out, call),
    }
}

fn write_rest(out: &mut Writer, call: &Call) {
    match call {
        Call::Alloc { malloc, size, critical } => {
            out.u8(10);
            out.u32(malloc.0);
            out.u64(*size);
            out.u32(critical.0);
        }
        Call::DebugAlloc { malloc, size, critical, file, line } => {
            out.u8(11);
            out.u32(malloc.0);
            out.u64(*size);
            out.u32(critical.0);
            out.text(file);
            out.u32(line.cast_unsigned());
        }
        Call::Free { malloc, address } => {
            out.u8(12);
            out.u32(malloc.0);
            out.address(*address);
        }
        Call::Read { address, size } => {
            out.u8(13);
            out.address(*address);
            out.u64(*size);
        }
        Call::Write { address, data } => {
            out.u8(14);
            out.address(*address);
            write_data(out, data);
        }
        Call::Execute { address } => {
            out.u8(15);
            out.address(*address);
        }
        Call::GetWriteWatch { address, size, flags, capacity, null } => {
            out.u8(16);
            out.address(*address);
            out.u64(*size);
            out.u32(flags.0);
            out.u64(*capacity);
            pointer(out, null.addresses);
            pointer(out, null.count);
            pointer(out, null.granularity);
        }
        Call::ResetWriteWatch { address, size } => {
            out.u8(17);
            out.address(*address);
            out.u64(*size);
        }
        Call::SetMemoryLoad { load, available } => {
            out.u8(18);
            out.u32(*load);
            out.u64(*available);
        }
        other => unreachable!("{} is written above", other.name()),
    }
}

pub(super) fn read(from: &mut Reader<'_>) -> Result<Call, Garbage> {
    let method = from.u8()?;
    Ok(match method {
        0 => Call::CreateMalloc { kind: MallocType(from.u32()?) },
        1 => Call::VirtualAlloc {
            address: from.address()?,
            size: from.u64()?,
            kind: AllocationType(from.u32()?),
            protect: Protection(from.u32()?),
            critical: CriticalLevel(from.u32()?),
        },
        2 => Call::VirtualFree {
            address: from.address()?,
            size: from.u64()?,
            kind: FreeType(from.u32()?),
        },
        3 => Call::VirtualQuery {
            address: from.address()?,
            buffer: read_pointer(from)?,
            length: from.u64()?,
        },
        4 => Call::VirtualProtect {
            address: from.address()?,
            size: from.u64()?,
            protect: Protection(from.u32()?),
            old: read_pointer(from)?,
        },
        5 => Call::GetMemoryLoad,
        6 => Call::RegisterMemoryNotificationCallback,
        7 => Call::NeedsVirtualAddressSpace { address: from.address()?, size: from.u64()? },
        8 => Call::AcquiredVirtualAddressSpace { address: from.address()?, size: from.u64()? },
        9 => Call::ReleasedVirtualAddressSpace { address: from.address()? },
        _ => return read_rest(from, method),
    })
}

fn read_rest(from: &mut Reader<'_>, method: u8) -> Result<Call, Garbage> {
    Ok(match method {
        10 => Call::Alloc {
            malloc: MallocId(from.u32()?),
            size: from.u64()?,
            critical: CriticalLevel(from.u32()?),
        },
        11 => Call::DebugAlloc {
            malloc: MallocId(from.u32()?),
            size: from.u64()?,
            critical: CriticalLevel(from.u32()?),
            file: from.text()?.into(),
            line: from.u32()?.cast_signed(),
        },
        12 => Call::Free { malloc: MallocId(from.u32()?), address: from.address()? },
        13 => Call::Read { address: from.address()?, size: from.u64()? },
        14 => Call::Write { address: from.address()?, data: read_data(from)? },
        15 => Call::Execute { address: from.address()? },
        16 => Call::GetWriteWatch {
            address: from.address()?,
            size: from.u64()?,
            flags: WatchFlags(from.u32()?),
            capacity: from.u64()?,
            null: WatchPointers {
                addresses: read_pointer(from)?,
                count: read_pointer(from)?,
                granularity: read_pointer(from)?,
            },
        },
        17 => Call::ResetWriteWatch { address: from.address()?, size: from.u64()? },
        18 => Call::SetMemoryLoad { load: from.u32()?, available: from.u64()? },
        _ => return Err(Garbage("method")),
    })
}

fn pointer(out: &mut Writer, pointer: OutPointer) {
    out.u8(u8::from(pointer == OutPointer::Null));
}

fn read_pointer(from: &mut Reader<'_>) -> Result<OutPointer, Garbage> {
    match from.u8()? {
        0 => Ok(OutPointer::Valid),
        1 => Ok(OutPointer::Null),
        _ => Err(Garbage("out pointers")),
    }
}

fn write_data(out: &mut Writer, data: &Data) {
    match data {
        Data::Bytes(bytes) => {
            out.u8(0);
            out.bytes(bytes);
        }
        Data::Fill { size, byte } => {
            out.u8(1);
            out.u64(*size);
            out.u8(*byte);
        }
    }
}

fn read_data(from: &mut Reader<'_>) -> Result<Data, Garbage> {
    match from.u8()? {
        0 => Ok(Data::Bytes(from.bytes()?.into())),
        1 => Ok(Data::Fill { size: from.u64()?, byte: from.u8()? }),
        _ => Err(Garbage("data")),
    }
}
