//! Everything that can be said comes back as it was, and nothing else is understood.

use std::sync::Arc;

use hostmem_interface::{
    AccessKind, Address, AllocationType, Breakage, Call, Capabilities, Capability, CriticalLevel,
    Data, Description, Fault, FreeType, Grain, Hresult, Machine, MallocId, MallocType,
    MemoryAvailable, MemoryBasicInformation, MemoryLoad, NtStatus, OpenError, OutPointer, Outcome,
    Protection, QueryAnswer, Refusal, RegionState, RegionType, Reply, Value, WatchFlags,
    WatchPointers, Win32Error,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn address() -> impl Strategy<Value = Address> {
    any::<u64>().prop_map(Address)
}

fn pointer() -> impl Strategy<Value = OutPointer> {
    prop_oneof![Just(OutPointer::Valid), Just(OutPointer::Null)]
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(|bytes| Data::Bytes(bytes.into())),
        any::<(u64, u8)>().prop_map(|(size, byte)| Data::Fill { size, byte }),
    ]
}

fn pages_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        any::<u32>().prop_map(|kind| Call::CreateMalloc { kind: MallocType(kind) }),
        (address(), any::<(u64, u32, u32, u32)>()).prop_map(|(address, (size, a, b, c))| {
            Call::VirtualAlloc {
                address,
                size,
                kind: AllocationType(a),
                protect: Protection(b),
                critical: CriticalLevel(c),
            }
        }),
        (address(), any::<(u64, u32)>()).prop_map(|(address, (size, kind))| {
            Call::VirtualFree { address, size, kind: FreeType(kind) }
        }),
        (address(), pointer(), any::<u64>())
            .prop_map(|(address, buffer, length)| Call::VirtualQuery { address, buffer, length }),
        (address(), any::<(u64, u32)>(), pointer()).prop_map(|(address, (size, word), old)| {
            Call::VirtualProtect { address, size, protect: Protection(word), old }
        }),
        Just(Call::GetMemoryLoad),
        Just(Call::RegisterMemoryNotificationCallback),
        (address(), any::<u64>())
            .prop_map(|(address, size)| Call::NeedsVirtualAddressSpace { address, size }),
        (address(), any::<u64>())
            .prop_map(|(address, size)| Call::AcquiredVirtualAddressSpace { address, size }),
        address().prop_map(|address| Call::ReleasedVirtualAddressSpace { address }),
    ]
}

fn other_call() -> impl Strategy<Value = Call> {
    let watch = (address(), any::<(u64, u32, u64)>(), [pointer(), pointer(), pointer()]);
    prop_oneof![
        any::<(u32, u64, u32)>().prop_map(|(malloc, size, level)| {
            Call::Alloc { malloc: MallocId(malloc), size, critical: CriticalLevel(level) }
        }),
        (any::<(u32, u64, u32, i32)>(), ".*").prop_map(|((malloc, size, level, line), file)| {
            let file: Arc<str> = file.into();
            let (malloc, critical) = (MallocId(malloc), CriticalLevel(level));
            Call::DebugAlloc { malloc, size, critical, file, line }
        }),
        (any::<u32>(), address())
            .prop_map(|(malloc, address)| Call::Free { malloc: MallocId(malloc), address }),
        (address(), any::<u64>()).prop_map(|(address, size)| Call::Read { address, size }),
        (address(), data()).prop_map(|(address, data)| Call::Write { address, data }),
        address().prop_map(|address| Call::Execute { address }),
        watch.prop_map(|(address, (size, flags, capacity), [addresses, count, granularity])| {
            let null = WatchPointers { addresses, count, granularity };
            Call::GetWriteWatch { address, size, flags: WatchFlags(flags), capacity, null }
        }),
        (address(), any::<u64>())
            .prop_map(|(address, size)| Call::ResetWriteWatch { address, size }),
        any::<(u32, u64)>().prop_map(|(load, available)| Call::SetMemoryLoad { load, available }),
    ]
}

fn region() -> impl Strategy<Value = QueryAnswer> {
    any::<([u64; 4], [u32; 4])>().prop_map(|([written, base, allocation, size], words)| {
        QueryAnswer {
            written,
            information: MemoryBasicInformation {
                base_address: Address(base),
                allocation_base: Address(allocation),
                allocation_protect: Protection(words[0]),
                region_size: size,
                state: RegionState(words[1]),
                protect: Protection(words[2]),
                kind: RegionType(words[3]),
            },
        }
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Nothing),
        address().prop_map(Value::Address),
        any::<u32>().prop_map(|word| Value::Old(Protection(word))),
        region().prop_map(Value::Region),
        any::<u32>().prop_map(|id| Value::Malloc(MallocId(id))),
        any::<(u32, u64)>()
            .prop_map(|(load, available)| Value::Load(MemoryLoad { load, available })),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        (vec(address(), 0..9), any::<u32>())
            .prop_map(|(pages, granularity)| Value::Pages { pages, granularity }),
    ]
}

fn breakage() -> impl Strategy<Value = Breakage> {
    prop_oneof![
        ".*".prop_map(Breakage::Died),
        ".*".prop_map(Breakage::Hung),
        ".*".prop_map(Breakage::Lied),
        ".*".prop_map(Breakage::Reported),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let access = prop::sample::select(&[AccessKind::Read, AccessKind::Write, AccessKind::Execute]);
    prop_oneof![
        (any::<u32>(), value())
            .prop_map(|(code, value)| Outcome::Done { code: Hresult(code), value }),
        any::<(u32, Option<u32>)>().prop_map(|(code, win32)| {
            let (hresult, win32) = (Hresult(code), win32.map(Win32Error));
            Outcome::Refused(Refusal { hresult, win32 })
        }),
        (any::<u32>(), access, address()).prop_map(|(status, access, at)| {
            Outcome::Faulted(Fault { status: NtStatus(status), access, at })
        }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let notified = vec(any::<u32>().prop_map(MemoryAvailable), 0..4);
    prop_oneof![
        (outcome(), notified).prop_map(|(outcome, notified)| Reply::Outcome { outcome, notified }),
        ".*".prop_map(Reply::Unsupported),
        breakage().prop_map(Reply::Broken),
        ".*".prop_map(Reply::Unreadable),
    ]
}

fn capability() -> impl Strategy<Value = Capability> {
    prop::sample::select(&Capability::ALL[..]).prop_map(|(_, capability)| capability)
}

fn description() -> impl Strategy<Value = Description> {
    let machine = any::<([u64; 4], Option<u64>, Option<u64>)>();
    let grain = prop::sample::select(&[Grain::Win32, Grain::Hresult, Grain::YesNo]);
    let absent = vec((capability(), ".*"), 0..4);
    (".*", ".*", machine, vec(capability(), 0..16), grain, absent).prop_map(
        |(name, version, (sizes, physical, commit_limit), capabilities, grain, absent)| {
            let [page, granularity, lowest, highest] = sizes;
            Description {
                name,
                version,
                machine: Machine { page, granularity, lowest, highest, physical, commit_limit },
                capabilities: Capabilities::from_iter(capabilities),
                grain,
                absent,
            }
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let refused = prop_oneof![
        ".*".prop_map(OpenError::Unavailable),
        ".*".prop_map(OpenError::Machine),
        breakage().prop_map(OpenError::Broken),
    ];
    prop_oneof![
        4 => reply().prop_map(Response::Reply),
        1 => description().prop_map(|it| Response::Hello(Ok(it))),
        1 => refused.prop_map(|it| Response::Hello(Err(it))),
        1 => Just(Response::Checked(Ok(()))),
        1 => ".*".prop_map(|why| Response::Checked(Err(why))),
        1 => vec(".*", 0..4).prop_map(Response::Listed),
    ]
}

proptest! {
    #[test]
    fn a_request_comes_back(
        number: u64,
        lane: u32,
        call in prop_oneof![pages_call(), other_call()],
    ) {
        for request in [Request::Call(call), Request::Checkpoint, Request::Close] {
            let bytes = encode_request(number, lane, &request);
            prop_assert_eq!(decode_request(&bytes), Ok((number, lane, request)));
            for end in 0..bytes.len() {
                prop_assert!(decode_request(&bytes[..end]).is_err(), "a piece of a request");
            }
        }
    }

    #[test]
    fn a_response_comes_back(number: u64, response in response()) {
        let bytes = encode_response(number, &response);
        prop_assert_eq!(decode_response(&bytes), Ok((number, response)));
    }

    #[test]
    fn garbage_is_refused_or_understood_but_never_a_panic(
        mut bytes in vec(any::<u8>(), 0..200),
        kind in 0_u8..5,
    ) {
        if let Some(byte) = bytes.get_mut(8) {
            *byte = kind;
        }
        drop(decode_response(&bytes));
        drop(decode_request(&bytes));
        drop(read_frame(&mut &bytes[..]));
    }
}

#[test]
fn a_frame_is_whole_or_nothing() {
    let mut pipe = Vec::new();
    write_frame(&mut pipe, b"word").unwrap();
    assert_eq!(read_frame(&mut &pipe[..]).unwrap().as_deref(), Some(&b"word"[..]));
    assert_eq!(read_frame(&mut &pipe[..0]).unwrap(), None);
    for end in 1..pipe.len() {
        assert!(read_frame(&mut &pipe[..end]).is_err());
    }
    assert!(read_frame(&mut &[0xFF; 8][..]).is_err(), "a length that no frame has");
}
