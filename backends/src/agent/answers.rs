//! An answer as a flat array of numbers, in both directions.
//!
//! The first number says how the call ended:
//!
//! * 0: it succeeded, and the outputs follow, addresses absolute;
//! * up to 2^31 - 1: a Win32 error, behind which the HRESULT may follow. Of an adapter that
//!   declares `"hresult"`, a success code instead, with the outputs; of one that declares
//!   `"yes-no"`, any refusal;
//! * from 2^31 up: an HRESULT, or of an access the exception code of its fault, which kind of
//!   access it was (0 read, 1 write, 8 execute) and the address of the fault.
//!
//! Deliberately not here: whether the answer is right.

use hostmem_interface::{
    AccessKind, Address, Call, Capability, Description, Fault, Grain, Hresult, MallocId,
    MemoryBasicInformation, MemoryLoad, NtStatus, Outcome, Protection, QueryAnswer, Refusal,
    RegionState, RegionType, Value, Win32Error,
};

use super::numbers::{Flat, Number, Taker, read_runs, write_runs};

/// The first HRESULT that is a failure.
const FAILURE: u32 = 1 << 31;

/// The array of an outcome.
pub(super) fn write(outcome: &Outcome, grain: Grain) -> Flat {
    match outcome {
        Outcome::Done { code, value } => {
            let code = if grain == Grain::Hresult { code.0 } else { 0 };
            let mut flat = vec![code.into()];
            write_value(value, &mut flat);
            flat
        }
        Outcome::Refused(refusal) => match (grain, refusal.win32) {
            (Grain::YesNo, _) => vec![Number(1)],
            (Grain::Win32, Some(error)) => vec![error.0.into(), refusal.hresult.0.into()],
            _ => vec![refusal.hresult.0.into()],
        },
        Outcome::Faulted(fault) => {
            let kind: u8 = match fault.access {
                AccessKind::Read => 0,
                AccessKind::Write => 1,
                AccessKind::Execute => 8,
            };
            vec![fault.status.0.into(), kind.into(), fault.at.0.into()]
        }
    }
}

fn write_value(value: &Value, flat: &mut Flat) {
    match value {
        // The caller knows which heap it is: it counts.
        Value::Nothing | Value::Malloc(_) => {}
        Value::Address(address) => flat.push(address.0.into()),
        Value::Old(protect) => flat.push(protect.0.into()),
        Value::Region(QueryAnswer { written: 0, .. }) => {}
        Value::Region(QueryAnswer { information: at, .. }) => flat.extend([
            Number::from(at.base_address.0),
            at.allocation_base.0.into(),
            at.allocation_protect.0.into(),
            at.region_size.into(),
            at.state.0.into(),
            at.protect.0.into(),
            at.kind.0.into(),
        ]),
        Value::Load(load) => flat.extend([Number::from(load.load), load.available.into()]),
        Value::Bytes(bytes) => write_runs(bytes, flat),
        Value::Pages { pages, granularity } => {
            flat.push((*granularity).into());
            flat.extend(pages.iter().map(|page| Number::from(page.0)));
        }
    }
}

/// What an array answers to a call; `heap` is the number of the heap that it may have made.
///
/// # Errors
/// Why it is no answer to that call.
pub(super) fn read<A>(
    call: &Call<A>,
    flat: &[Number],
    who: &Description,
    heap: u32,
) -> Result<Outcome, String> {
    let mut from = Taker::new(flat);
    let code = from.u32("an error code, or 0")?;
    let access = matches!(call, Call::Read { .. } | Call::Write { .. } | Call::Execute { .. });
    let succeeded = match who.grain {
        _ if access => code == 0,
        Grain::Hresult => code < FAILURE,
        Grain::Win32 | Grain::YesNo => code == 0,
    };
    if succeeded {
        let value = read_value(call, &mut from, heap).and_then(|it| from.end().map(|()| it));
        let value = value.map_err(|why| format!("{why}{}", taken_for_success(code)))?;
        return Ok(Outcome::Done { code: Hresult(code), value });
    }
    if access {
        return read_fault(code, &mut from, who).map(Outcome::Faulted);
    }
    let refusal = match (code, from.is_empty()) {
        (FAILURE.., _) => Refusal::from_hresult(Hresult(code)),
        (_, false) => {
            let hresult = Hresult(from.u32("an HRESULT")?);
            Refusal { hresult, win32: Some(Win32Error(code)) }
        }
        // Only the error is said: the HRESULT is what the interface wants for it.
        (487, true) if matches!(call, Call::VirtualFree { .. } | Call::Free { .. }) => {
            Refusal::not_ours()
        }
        (_, true) => Refusal::from_win32(Win32Error(code)),
    };
    from.end()?;
    Ok(Outcome::Refused(refusal))
}

/// What may explain an answer that is no success: a Win32 error where HRESULTs are told.
fn taken_for_success(code: u32) -> String {
    match code {
        0 => String::new(),
        _ => {
            format!(" ({code} was read as a success: `errors` is `hresult`; did you mean `win32`?)")
        }
    }
}

fn read_fault(code: u32, from: &mut Taker<'_>, who: &Description) -> Result<Fault, String> {
    if code < FAILURE && who.capabilities.has(Capability::Faults) {
        return Err(format!(
            "{code} is no exception code: an access violation is {}, a guard page {}",
            NtStatus::STATUS_ACCESS_VIOLATION.0,
            NtStatus::STATUS_GUARD_PAGE_VIOLATION.0
        ));
    }
    if from.is_empty() && !who.capabilities.has(Capability::Faults) {
        // It never said that it could tell more.
        let at = Address::NULL;
        return Ok(Fault { status: NtStatus(code), access: AccessKind::Read, at });
    }
    let access = match from.any("the kind of access")? {
        0 => AccessKind::Read,
        1 => AccessKind::Write,
        8 => AccessKind::Execute,
        other => {
            return Err(format!("{other} is no kind of access: 0 read, 1 write, 8 execute"));
        }
    };
    let at = Address(from.u64("the address of the fault")?);
    from.end()?;
    Ok(Fault { status: NtStatus(code), access, at })
}

fn read_value<A>(call: &Call<A>, from: &mut Taker<'_>, heap: u32) -> Result<Value, String> {
    Ok(match call {
        Call::VirtualAlloc { .. } | Call::Alloc { .. } | Call::DebugAlloc { .. } => {
            Value::Address(Address(from.u64("an address")?))
        }
        Call::VirtualProtect { .. } => Value::Old(Protection(from.u32("the old protection")?)),
        Call::VirtualQuery { .. } => Value::Region(read_region(from)?),
        Call::CreateMalloc { .. } => Value::Malloc(MallocId(heap)),
        Call::GetMemoryLoad => Value::Load(MemoryLoad {
            load: from.u32("the load in percent")?,
            available: from.u64("the bytes available")?,
        }),
        Call::Read { size, .. } => {
            let bytes = read_runs(from, *size)?;
            if bytes.len() as u64 != *size {
                let few = bytes.len();
                return Err(format!("it has {few} bytes, and {size} were asked for"));
            }
            Value::Bytes(bytes)
        }
        Call::GetWriteWatch { capacity, .. } => {
            let granularity = from.u32("the granularity")?;
            let mut pages = Vec::new();
            while !from.is_empty() {
                pages.push(Address(from.u64("a page")?));
            }
            if pages.len() as u64 > *capacity {
                let many = pages.len();
                return Err(format!("it has {many} pages, and there is room for {capacity}"));
            }
            Value::Pages { pages, granularity }
        }
        _ => Value::Nothing,
    })
}

fn read_region(from: &mut Taker<'_>) -> Result<QueryAnswer, String> {
    if from.is_empty() {
        let information = MemoryBasicInformation::default();
        return Ok(QueryAnswer { written: 0, information });
    }
    let information = MemoryBasicInformation {
        base_address: Address(from.u64("BaseAddress")?),
        allocation_base: Address(from.u64("AllocationBase")?),
        allocation_protect: Protection(from.u32("AllocationProtect")?),
        region_size: from.u64("RegionSize")?,
        state: RegionState(from.u32("State")?),
        protect: Protection(from.u32("Protect")?),
        kind: RegionType(from.u32("Type")?),
    };
    Ok(QueryAnswer { written: MemoryBasicInformation::SIZE, information })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostmem_interface::{Capabilities, Machine, MallocId};

    #[test]
    fn a_win32_error_where_hresults_are_told_is_guessed() {
        let who = |grain| Description {
            name: String::new(),
            version: String::new(),
            machine: Machine::default(),
            capabilities: Capabilities::ALL,
            grain,
            absent: Vec::new(),
        };
        let call: Call = Call::Alloc {
            malloc: MallocId(0),
            size: 1,
            critical: hostmem_interface::CriticalLevel::TASK,
        };
        let answer = [Number(87)];
        let why = read(&call, &answer, &who(Grain::Hresult), 0).unwrap_err();
        assert!(why.contains("an address (87 was read as a success"), "{why}");
        assert!(why.ends_with("did you mean `win32`?)"), "{why}");
        let refused = read(&call, &answer, &who(Grain::Win32), 0).unwrap();
        assert_eq!(refused, Outcome::Refused(Refusal::from_win32(Win32Error(87))));
    }
}
