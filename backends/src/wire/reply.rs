//! A [`Reply`] and a [`Description`] as bytes.
//!
//! Deliberately not here: any check of sense. A reply that decodes may still be a lie.

use hostmem_interface::{
    AccessKind, Breakage, Capabilities, Capability, Description, Fault, Grain, Hresult, Machine,
    MallocId, MemoryAvailable, MemoryBasicInformation, MemoryLoad, NtStatus, OpenError, Outcome,
    Protection, QueryAnswer, Refusal, RegionState, RegionType, Reply, Value, Win32Error,
};

use super::bytes::{Garbage, Reader, Writer};

pub(super) fn write(out: &mut Writer, reply: &Reply) {
    match reply {
        Reply::Outcome { outcome, notified } => {
            out.u8(0);
            write_outcome(out, outcome);
            out.list(notified, |out, one| out.u32(one.0));
        }
        Reply::Unsupported(why) => {
            out.u8(1);
            out.text(why);
        }
        Reply::Broken(how) => {
            out.u8(2);
            write_breakage(out, how);
        }
        Reply::Unreadable(why) => {
            out.u8(3);
            out.text(why);
        }
    }
}

pub(super) fn read(from: &mut Reader<'_>) -> Result<Reply, Garbage> {
    Ok(match from.u8()? {
        0 => Reply::Outcome {
            outcome: read_outcome(from)?,
            notified: from.list(|from| from.u32().map(MemoryAvailable))?,
        },
        1 => Reply::Unsupported(from.text()?),
        2 => Reply::Broken(read_breakage(from)?),
        3 => Reply::Unreadable(from.text()?),
        _ => return Err(Garbage("kind of reply")),
    })
}

fn write_breakage(out: &mut Writer, how: &Breakage) {
    let (kind, text) = match how {
        Breakage::Died(text) => (0, text),
        Breakage::Hung(text) => (1, text),
        Breakage::Lied(text) => (2, text),
        Breakage::Reported(text) => (3, text),
    };
    out.u8(kind);
    out.text(text);
}

fn read_breakage(from: &mut Reader<'_>) -> Result<Breakage, Garbage> {
    let kind = from.u8()?;
    let text = from.text()?;
    match kind {
        0 => Ok(Breakage::Died(text)),
        1 => Ok(Breakage::Hung(text)),
        2 => Ok(Breakage::Lied(text)),
        3 => Ok(Breakage::Reported(text)),
        _ => Err(Garbage("kind of breakage")),
    }
}

fn write_outcome(out: &mut Writer, outcome: &Outcome) {
    match outcome {
        Outcome::Done { code, value } => {
            out.u8(0);
            out.u32(code.0);
            write_value(out, value);
        }
        Outcome::Refused(refusal) => {
            out.u8(1);
            out.u32(refusal.hresult.0);
            out.option(refusal.win32, |out, error| out.u32(error.0));
        }
        Outcome::Faulted(fault) => {
            out.u8(2);
            out.u32(fault.status.0);
            out.u8(fault.access as u8);
            out.address(fault.at);
        }
    }
}

fn read_outcome(from: &mut Reader<'_>) -> Result<Outcome, Garbage> {
    Ok(match from.u8()? {
        0 => Outcome::Done { code: Hresult(from.u32()?), value: read_value(from)? },
        1 => Outcome::Refused(Refusal {
            hresult: Hresult(from.u32()?),
            win32: from.option(|from| from.u32().map(Win32Error))?,
        }),
        2 => Outcome::Faulted(Fault {
            status: NtStatus(from.u32()?),
            access: match from.u8()? {
                0 => AccessKind::Read,
                1 => AccessKind::Write,
                2 => AccessKind::Execute,
                _ => return Err(Garbage("kind of access")),
            },
            at: from.address()?,
        }),
        _ => return Err(Garbage("kind of outcome")),
    })
}

fn write_value(out: &mut Writer, value: &Value) {
    match value {
        Value::Nothing => out.u8(0),
        Value::Address(address) => {
            out.u8(1);
            out.address(*address);
        }
        Value::Old(protect) => {
            out.u8(2);
            out.u32(protect.0);
        }
        Value::Region(QueryAnswer { written, information }) => {
            out.u8(3);
            out.u64(*written);
            out.address(information.base_address);
            out.address(information.allocation_base);
            out.u32(information.allocation_protect.0);
            out.u64(information.region_size);
            out.u32(information.state.0);
            out.u32(information.protect.0);
            out.u32(information.kind.0);
        }
        Value::Malloc(id) => {
            out.u8(4);
            out.u32(id.0);
        }
        Value::Load(load) => {
            out.u8(5);
            out.u32(load.load);
            out.u64(load.available);
        }
        Value::Bytes(bytes) => {
            out.u8(6);
            out.bytes(bytes);
        }
        Value::Pages { pages, granularity } => {
            out.u8(7);
            out.list(pages, |out, page| out.address(*page));
            out.u32(*granularity);
        }
    }
}

fn read_value(from: &mut Reader<'_>) -> Result<Value, Garbage> {
    Ok(match from.u8()? {
        0 => Value::Nothing,
        1 => Value::Address(from.address()?),
        2 => Value::Old(Protection(from.u32()?)),
        3 => Value::Region(QueryAnswer {
            written: from.u64()?,
            information: MemoryBasicInformation {
                base_address: from.address()?,
                allocation_base: from.address()?,
                allocation_protect: Protection(from.u32()?),
                region_size: from.u64()?,
                state: RegionState(from.u32()?),
                protect: Protection(from.u32()?),
                kind: RegionType(from.u32()?),
            },
        }),
        4 => Value::Malloc(MallocId(from.u32()?)),
        5 => Value::Load(MemoryLoad { load: from.u32()?, available: from.u64()? }),
        6 => Value::Bytes(from.bytes()?.to_vec()),
        7 => Value::Pages { pages: from.list(Reader::address)?, granularity: from.u32()? },
        _ => return Err(Garbage("kind of value")),
    })
}

pub(super) fn write_hello(out: &mut Writer, hello: &Result<Description, OpenError>) {
    match hello {
        Ok(description) => {
            out.u8(0);
            write_description(out, description);
        }
        Err(OpenError::Unavailable(why)) => {
            out.u8(1);
            out.text(why);
        }
        Err(OpenError::Machine(why)) => {
            out.u8(2);
            out.text(why);
        }
        Err(OpenError::Broken(how)) => {
            out.u8(3);
            write_breakage(out, how);
        }
    }
}

pub(super) fn read_hello(from: &mut Reader<'_>) -> Result<Result<Description, OpenError>, Garbage> {
    Ok(match from.u8()? {
        0 => Ok(read_description(from)?),
        1 => Err(OpenError::Unavailable(from.text()?)),
        2 => Err(OpenError::Machine(from.text()?)),
        3 => Err(OpenError::Broken(read_breakage(from)?)),
        _ => return Err(Garbage("kind of hello")),
    })
}

fn write_description(out: &mut Writer, description: &Description) {
    let Description { name, version, machine, capabilities, grain, absent } = description;
    out.text(name);
    out.text(version);
    for size in [machine.page, machine.granularity, machine.lowest, machine.highest] {
        out.u64(size);
    }
    out.option(machine.physical, Writer::u64);
    out.option(machine.commit_limit, Writer::u64);
    let words: Vec<Capability> = capabilities.iter().collect();
    out.list(&words, |out, one| out.u8(*one as u8));
    out.u8(*grain as u8);
    out.list(absent, |out, (capability, why)| {
        out.u8(*capability as u8);
        out.text(why);
    });
}

fn read_description(from: &mut Reader<'_>) -> Result<Description, Garbage> {
    Ok(Description {
        name: from.text()?,
        version: from.text()?,
        machine: Machine {
            page: from.u64()?,
            granularity: from.u64()?,
            lowest: from.u64()?,
            highest: from.u64()?,
            physical: from.option(Reader::u64)?,
            commit_limit: from.option(Reader::u64)?,
        },
        capabilities: Capabilities::from_iter(from.list(read_capability)?),
        grain: match from.u8()? {
            0 => Grain::Win32,
            1 => Grain::Hresult,
            2 => Grain::YesNo,
            _ => return Err(Garbage("grain")),
        },
        absent: from.list(|from| Ok((read_capability(from)?, from.text()?)))?,
    })
}

fn read_capability(from: &mut Reader<'_>) -> Result<Capability, Garbage> {
    let number = usize::from(from.u8()?);
    Capability::ALL.get(number).map(|it| it.1).ok_or(Garbage("capability"))
}
