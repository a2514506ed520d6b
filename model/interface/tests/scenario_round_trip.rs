//! The canonical text of a scenario says all of it, reads back, and satisfies the schema.

use std::sync::{Arc, LazyLock};

use hostmem_interface::scenario::{
    self, Action, BytesExpectation, Expectation, Expected, FaultExpectation, Level, MachineRequest,
    Name, Outputs, Place, Scenario, Step, SymbolicCall, show_step,
};
use hostmem_interface::{
    AccessKind, Address, AllocationType, Call, Capability, CriticalLevel, Data, FreeType, Hresult,
    MallocType, MemoryAvailable, NtStatus, OutPointer, Protection, RegionState, RegionType,
    WatchFlags, WatchPointers, Win32Error,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// `p` (an address) is name 0, `m` (a heap) name 1: the first two steps bind them.
const P: Name = Name(0);
const M: Name = Name(1);

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::NULL),
        any::<u64>().prop_map(|at| Place::Absolute(Address(at))),
        (0..16u64).prop_map(|at| Place::Absolute(Address(at))),
        any::<u64>().prop_map(|offset| Place::Relative { name: P, offset }),
        (-16..16i64).prop_map(|offset| Place::Relative { name: P, offset: offset as u64 }),
    ]
}

fn pointer() -> impl Strategy<Value = OutPointer> {
    prop_oneof![Just(OutPointer::Valid), Just(OutPointer::Null)]
}

fn critical() -> impl Strategy<Value = CriticalLevel> {
    (0..4u32).prop_map(CriticalLevel)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Arc::from)
}

fn memory_call() -> impl Strategy<Value = SymbolicCall> {
    let size = any::<u64>;
    let word = any::<u32>;
    prop_oneof![
        (place(), size(), word(), word(), critical()).prop_map(
            |(address, size, kind, protect, critical)| {
                Call::VirtualAlloc {
                    address,
                    size,
                    kind: AllocationType(kind),
                    protect: Protection(protect),
                    critical,
                }
            }
        ),
        (place(), size(), word()).prop_map(|(address, size, kind)| Call::VirtualFree {
            address,
            size,
            kind: FreeType(kind)
        }),
        (place(), size(), word(), pointer()).prop_map(|(address, size, protect, old)| {
            Call::VirtualProtect { address, size, protect: Protection(protect), old }
        }),
        (place(), pointer(), prop_oneof![Just(48), size()])
            .prop_map(|(address, buffer, length)| Call::VirtualQuery { address, buffer, length }),
        Just(Call::GetMemoryLoad),
        Just(Call::RegisterMemoryNotificationCallback),
        (place(), size())
            .prop_map(|(address, size)| Call::NeedsVirtualAddressSpace { address, size }),
        (place(), size())
            .prop_map(|(address, size)| Call::AcquiredVirtualAddressSpace { address, size }),
        place().prop_map(|address| Call::ReleasedVirtualAddressSpace { address }),
        (word(), size()).prop_map(|(load, available)| Call::SetMemoryLoad { load, available }),
    ]
}

fn other_call() -> impl Strategy<Value = SymbolicCall> {
    let size = any::<u64>;
    let null = (pointer(), pointer(), pointer()).prop_map(|(addresses, count, granularity)| {
        WatchPointers { addresses, count, granularity }
    });
    prop_oneof![
        any::<u32>().prop_map(|kind| Call::CreateMalloc { kind: MallocType(kind) }),
        (size(), critical()).prop_map(|(size, critical)| Call::Alloc { malloc: M, size, critical }),
        (size(), critical(), text(), 0..i32::MAX).prop_map(|(size, critical, file, line)| {
            Call::DebugAlloc { malloc: M, size, critical, file, line }
        }),
        place().prop_map(|address| Call::Free { malloc: M, address }),
        (place(), 0..=scenario::MAX_READ).prop_map(|(address, size)| Call::Read { address, size }),
        (place(), vec(any::<u8>(), 0..40))
            .prop_map(|(address, bytes)| Call::Write { address, data: Data::Bytes(bytes.into()) }),
        (place(), 0..1u64 << 20, any::<u8>()).prop_map(|(address, size, byte)| Call::Write {
            address,
            data: Data::Fill { size, byte }
        }),
        place().prop_map(|address| Call::Execute { address }),
        (place(), size(), any::<u32>(), size(), null).prop_map(
            |(address, size, flags, capacity, null)| Call::GetWriteWatch {
                address,
                size,
                flags: WatchFlags(flags),
                capacity,
                null,
            }
        ),
        (place(), size()).prop_map(|(address, size)| Call::ResetWriteWatch { address, size }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let hresult = prop_oneof![Just(Hresult::E_OUTOFMEMORY), (1..u32::MAX).prop_map(Hresult)];
    prop_oneof![
        8 => memory_call().prop_map(Action::Call),
        8 => other_call().prop_map(Action::Call),
        1 => (option::of(place()), option::of(place())).prop_map(|(from, to)| Action::Walk { from, to }),
        1 => (1..u64::MAX, hresult, option::of(critical())).prop_map(|(count, hresult, level)| {
            Action::FailNext { method: "VirtualAlloc".into(), count, hresult, critical_at_most: level }
        }),
    ]
}

fn region() -> impl Strategy<Value = Outputs> {
    let one = (option::of(place()), option::of(place()), option::of(any::<u32>()));
    let two = (option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u32>()));
    (one, two, option::of(any::<u32>()), option::of(any::<u32>())).prop_map(
        |(
            (base_address, allocation_base, allocation_protect),
            (size, least, state),
            protect,
            kind,
        )| {
            Outputs {
                base_address,
                allocation_base,
                allocation_protect: allocation_protect.map(Protection),
                region_size: size,
                region_size_at_least: least,
                state: state.map(RegionState),
                protect: protect.map(Protection),
                kind: kind.map(RegionType),
                ..Outputs::default()
            }
        },
    )
}

/// Outputs that the call has.
fn outputs(action: &Action) -> BoxedStrategy<Outputs> {
    let none = Outputs::default;
    match action {
        Action::Call(Call::VirtualQuery { .. }) => region().boxed(),
        Action::Call(Call::VirtualAlloc { .. } | Call::Alloc { .. } | Call::DebugAlloc { .. }) => {
            (option::of(place()), option::of(1..u64::MAX))
                .prop_map(move |(address, aligned)| Outputs { address, aligned, ..none() })
                .boxed()
        }
        Action::Call(Call::VirtualProtect { .. }) => option::of(any::<u32>())
            .prop_map(move |old| Outputs { old: old.map(Protection), ..none() })
            .boxed(),
        Action::Call(Call::GetMemoryLoad) => (option::of(any::<u32>()), option::of(any::<u64>()))
            .prop_map(move |(load, available)| Outputs { load, available, ..none() })
            .boxed(),
        Action::Call(Call::Read { .. }) => option::of(prop_oneof![
            vec(vec(any::<u8>(), 0..9), 1..3).prop_map(BytesExpectation::Bytes),
            any::<u8>().prop_map(BytesExpectation::Fill),
        ])
        .prop_map(move |bytes| Outputs { bytes, ..none() })
        .boxed(),
        Action::Call(Call::GetWriteWatch { .. }) => {
            (option::of(vec(place(), 0..4)), option::of(any::<u32>()))
                .prop_map(move |(pages, granularity)| Outputs { pages, granularity, ..none() })
                .boxed()
        }
        Action::Walk { .. } => (option::of(any::<bool>()), option::of(any::<bool>()))
            .prop_map(move |(contiguous, no_adjacent_free)| Outputs {
                contiguous,
                no_adjacent_free,
                ..none()
            })
            .boxed(),
        _ => Just(none()).boxed(),
    }
}

fn faults() -> impl Strategy<Value = Expected> {
    let access = prop_oneof![
        Just(None),
        Just(Some(AccessKind::Read)),
        Just(Some(AccessKind::Write)),
        Just(Some(AccessKind::Execute))
    ];
    (vec(any::<u32>(), 1..3), access, option::of(place())).prop_map(|(list, access, at)| {
        let fault = |status| FaultExpectation { status: NtStatus(status), access, at };
        Expected::Fault(list.into_iter().map(fault).collect())
    })
}

fn refusal() -> impl Strategy<Value = Expected> {
    let both = (vec(any::<u32>(), 0..3), vec(any::<u32>(), 0..3));
    both.prop_filter("says something", |(a, b)| !(a.is_empty() && b.is_empty())).prop_map(
        |(win32, hresult)| Expected::Error {
            win32: win32.into_iter().map(Win32Error).collect(),
            hresult: hresult.into_iter().map(Hresult).collect(),
        },
    )
}

fn expectation(action: &Action) -> BoxedStrategy<Option<Expectation>> {
    let done = outputs(action).prop_map(|outputs| Expected::Done(Box::new(outputs)));
    let outcome = match action {
        Action::Walk { .. } | Action::FailNext { .. } => done.boxed(),
        Action::Call(Call::Read { .. } | Call::Write { .. } | Call::Execute { .. }) => {
            prop_oneof![done, faults()].boxed()
        }
        _ => prop_oneof![done, refusal()].boxed(),
    };
    let notified = option::of(vec((0..5u32).prop_map(MemoryAvailable), 0..3));
    let full =
        (outcome, notified).prop_map(|(outcome, notified)| Some(Expectation { outcome, notified }));
    prop_oneof![1 => Just(None), 4 => full].boxed()
}

fn step() -> impl Strategy<Value = Step> {
    action().prop_flat_map(|action| {
        let expect = expectation(&action);
        (Just(action), any::<u32>(), option::of(text()), expect).prop_map(
            |(action, thread, note, expect)| Step {
                thread,
                note,
                expect: expect.map(Box::new),
                ..Step::new(action)
            },
        )
    })
}

fn machine() -> impl Strategy<Value = MachineRequest> {
    let pages = option::of((4..20u32).prop_map(|bits| 1u64 << bits));
    (pages, option::of(any::<u64>()), option::of(any::<u64>())).prop_map(
        |(page, physical, limit)| MachineRequest {
            page: page.map(|page| page.min(0x1_0000)),
            physical,
            commit_limit: limit,
            ..MachineRequest::default()
        },
    )
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let level = prop_oneof![Just(Level::Must), Just(Level::Should), Just(Level::May)];
    let header = (any::<String>(), vec(any::<String>(), 0..3), level, option::of(any::<String>()));
    let needs = vec(0..Capability::ALL.len(), 0..4);
    (header, needs, machine(), vec(step(), 0..12), any::<u64>()).prop_map(
        |((about, rules, level, source), needs, machine, rest, with)| {
            let first = Action::Hole { size: 0x10000 };
            let second = Action::Call(Call::CreateMalloc { kind: MallocType::THREADSAFE });
            let mut steps = vec![
                Step { bind: Some(P), ..Step::new(first) },
                Step { bind: Some(M), ..Step::new(second) },
            ];
            steps.extend(rest);
            // Two overlapping ones at the end.
            for thread in 0..2 {
                let action = Action::Call(Call::GetMemoryLoad);
                steps.push(Step { with: Some(with), thread, ..Step::new(action) });
            }
            let names = vec!["p".into(), "_m2".into()];
            let needs = needs.into_iter().map(|index| Capability::ALL[index].1).collect();
            Scenario { about, rules, level, source, needs, machine, names, steps }
        },
    )
}

fn without_positions(mut scenario: Scenario) -> Scenario {
    for step in &mut scenario.steps {
        step.position = scenario::Position::default();
    }
    scenario
}

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&scenario::schema()).expect("a valid schema"));
/// How every step begins.
const START: &str = "{ \"call\"";

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(scenario in scenarios()) {
        let text = scenario::write(&scenario);
        let read = scenario::read(text.as_bytes());
        prop_assert!(read.is_ok(), "{}\n{text}", read.unwrap_err());
        let read = read.unwrap();
        prop_assert_eq!(scenario::write(&read), &text[..]);
        for step in &read.steps {
            let line = text.lines().nth(step.position.line as usize - 1).unwrap();
            prop_assert!(line[step.position.column as usize - 1..].starts_with(START));
            prop_assert!(show_step(&read, step).contains(step.action.name()));
        }
        prop_assert_eq!(without_positions(read), scenario);
    }

    #[test]
    fn what_is_written_satisfies_the_schema(scenario in scenarios()) {
        let json = serde_json::from_str(&scenario::write(&scenario)).unwrap();
        let result = SCHEMA.validate(&json);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

#[test]
fn the_canonical_text_is_the_one_of_the_format() {
    let text = r#"{
  "format": "hostmem/1",
  "about": "MEM_RELEASE with a size other than zero is refused and changes nothing",
  "rules": ["VF-01"],
  "level": "should",
  "source": "Win32 VirtualFree, parameter dwSize",
  "needs": ["contents", "malloc"],
  "machine": { "page": "0x1000", "commit_limit": "0x100000" },
  "steps": [
    { "call": "VirtualAlloc", "address": null, "size": "0x20000", "type": "MEM_RESERVE", "protect": "PAGE_NOACCESS", "critical": "eProcessCritical", "bind": "p", "expect": { "aligned": "0x10000" } },
    { "call": "VirtualFree", "address": "p-1", "size": 9, "type": "MEM_RELEASE|0x10", "thread": 2, "with": 1, "note": "\"quoted\"", "expect": { "error": ["ERROR_INVALID_PARAMETER", "0x3e7"] } },
    { "call": "Write", "address": "p+0x10", "size": "0xa", "fill": 204, "expect": { "fault": "STATUS_ACCESS_VIOLATION", "access": "write", "at": "p+0x10" } },
    { "call": "GetWriteWatch", "address": 1, "size": 0, "flags": "WRITE_WATCH_FLAG_RESET", "capacity": 64, "null": ["count"], "expect": "fails" },
    { "call": "VirtualQuery", "address": "p", "length": 47, "buffer": "null", "expect": { "State": "MEM_RESERVE", "Protect": "0" } }
  ]
}
"#;
    let read = scenario::read(text.as_bytes()).unwrap();
    assert_eq!(scenario::write(&read), text);
    let lines: Vec<_> = read.steps.iter().map(|step| show_step(&read, step)).collect();
    assert_eq!(
        lines,
        [
            "p = VirtualAlloc(null, 0x20000, MEM_RESERVE, PAGE_NOACCESS, eProcessCritical)",
            "[thread 2] VirtualFree(p-1, 9, MEM_RELEASE|0x10)",
            "Write(p+0x10, 0xa bytes of cc)",
            "GetWriteWatch(1, 0, WRITE_WATCH_FLAG_RESET, 64 pages, null count)",
            "VirtualQuery(p, 47 bytes, null buffer)",
        ]
    );
}

#[test]
fn everything_that_is_left_out_or_written_otherwise_reads_the_same() {
    let text = r#"{"$schema": ["ignored"], "steps": [
        {"expect": {}, "bind": "p", "protect": 4, "call": "VirtualAlloc", "type": " MEM_RESERVE | 4096 ",
         "size": "00065536", "address": 0, "thread": "0", "critical": 0},
        {"call": "VirtualQuery", "address": "p+0x0", "length": "0x30"},
        {"call": "VirtualQuery", "address": "65536", "expect": {"error": 87}}
    ], "level": "must", "about": "caf\u00e9", "format": "hostmem/1"}"#;
    let read = scenario::read(text.as_bytes()).unwrap();
    assert_eq!(read.about, "café");
    let canonical = scenario::write(&read);
    let steps: Vec<_> = canonical.lines().filter(|line| line.contains("call")).collect();
    assert_eq!(
        steps,
        [
            r#"    { "call": "VirtualAlloc", "address": null, "size": "0x10000", "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_READWRITE", "bind": "p", "expect": "ok" },"#,
            r#"    { "call": "VirtualQuery", "address": "p" },"#,
            r#"    { "call": "VirtualQuery", "address": "0x10000", "expect": { "error": "ERROR_INVALID_PARAMETER" } }"#,
        ]
    );
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let step =
        |step: &str| format!(r#"{{"format": "hostmem/1", "about": "x", "steps": [{step}]}}"#);
    let wrong = [
        r#"{"format": "hostmem/2", "about": "x", "steps": [{"call": "GetMemoryLoad"}]}"#.to_owned(),
        r#"{"format": "hostmem/1", "about": "x", "steps": []}"#.to_owned(),
        r#"{"format": "hostmem/1", "steps": [{"call": "GetMemoryLoad"}]}"#.to_owned(),
        r#"{"format": "hostmem/1", "about": "x", "need": [], "steps": [{"call": "GetMemoryLoad"}]}"#.to_owned(),
        step("{}"),
        step(r#"{"call": "VirtualAlocc"}"#),
        step(r#"{"call": "GetMemoryLoad", "address": null}"#),
        step(r#"{"call": "GetMemoryLoad", "expect": {"fault": "STATUS_ACCESS_VIOLATION"}}"#),
        step(r#"{"call": "GetMemoryLoad", "expect": "okay"}"#),
        step(r#"{"call": "VirtualFree", "address": null, "size": 0}"#),
        step(r#"{"call": "VirtualFree", "address": null, "size": -1, "type": 0}"#),
        step(r#"{"call": "VirtualFree", "address": null, "size": 0.5, "type": 0}"#),
        step(r#"{"call": "VirtualFree", "address": "p q", "size": 0, "type": 0}"#),
        step(r#"{"call": "VirtualFree", "address": null, "size": 0, "type": "MEM_RELASE"}"#),
        step(r#"{"call": "VirtualFree", "address": null, "size": 0, "type": 0, "bind": "p"}"#),
        step(r#"{"call": "Hole", "size": 1}"#),
        step(r#"{"call": "Write", "address": null}"#),
        step(r#"{"call": "Write", "address": null, "bytes": "abc"}"#),
        step(r#"{"call": "Write", "address": null, "bytes": "00", "fill": 1}"#),
        step(r#"{"call": "Read", "address": null, "size": 1, "expect": {"bytes": "00", "fill": 0}}"#),
    ];
    for text in wrong {
        assert!(scenario::read(text.as_bytes()).is_err(), "read: {text}");
        let json = serde_json::from_str(&text).unwrap();
        assert!(!SCHEMA.is_valid(&json), "valid: {text}");
    }
}
