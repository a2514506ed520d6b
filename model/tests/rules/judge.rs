//! The judge: what it says of outcomes that the model would not have given.

use hostmem_interface::{
    Capabilities, Capability, Description, Fault, Grain, Hresult, MallocType, MemoryAvailable,
    MemoryBasicInformation, MemoryLoad, NtStatus, QueryAnswer, Refusal, RegionState, RegionType,
    Value, Win32Error,
};
use hostmem_model::{Judge, Judgement};

use super::*;
use crate::driver::description;

/// A judge who has followed these calls on a subject of that grain.
struct Bench {
    world: World,
    subject: Description,
}

impl Bench {
    fn new(calls: &[Call]) -> Self {
        Self { world: World::after(calls), subject: description(Machine::WINDOWS_X64) }
    }

    fn grain(mut self, grain: Grain) -> Self {
        self.subject.grain = grain;
        self
    }

    fn without(mut self, capability: Capability) -> Self {
        self.subject.capabilities = self.subject.capabilities.without(capability);
        self
    }

    fn judge(&self) -> Judge {
        Judge::new(self.world.0.state.clone(), &self.subject)
    }

    /// What is said of one outcome, in words.
    fn on(&self, call: &Call, outcome: Outcome) -> String {
        told(&mut self.judge(), call, &outcome, &[])
    }

    fn refused(&self, call: &Call, hresult: u32, win32: Option<u32>) -> String {
        let refusal = Refusal { hresult: Hresult(hresult), win32: win32.map(Win32Error) };
        self.on(call, Outcome::Refused(refusal))
    }

    fn region(&self, at: u64, region: MemoryBasicInformation) -> String {
        self.on(&query(at), Outcome::done(Value::Region(QueryAnswer::of(region))))
    }
}

fn told(judge: &mut Judge, call: &Call, outcome: &Outcome, notified: &[MemoryAvailable]) -> String {
    let verdict = judge.decide(call);
    match judge.judge(call, &verdict, outcome, notified) {
        Judgement::Agrees { rule, reading, .. } => {
            format!("{rule}{}", if reading { " read" } else { "" })
        }
        Judgement::Taken { start, end, otherwise } => {
            format!("taken {start} to {end} or {}", otherwise.rule)
        }
        Judgement::OutOfMemory(_) => "out of memory".to_owned(),
        Judgement::Diverges(it) => {
            assert_eq!(it.level(), it.rule.rule().level);
            assert!(!it.observed.is_empty());
            format!("not {}: {}", it.rule, it.expected)
        }
    }
}

fn address(at: u64) -> Outcome {
    Outcome::done(Value::Address(Address(at)))
}

fn with(code: u32, value: Value) -> Outcome {
    Outcome::Done { code: Hresult(code), value }
}

const WRAPPED: u32 = 0x8007_0000;

/// A refusal must carry the error, as finely as the subject can tell.
#[test]
fn refusals_by_grain() {
    let call = alloc(P, 0, R, RW);
    let wrong = "not VA-08: refused: ERROR_INVALID_PARAMETER";
    for grain in [Grain::Win32, Grain::Hresult] {
        let it = Bench::new(&[]).grain(grain);
        assert_eq!(it.refused(&call, WRAPPED | 87, Some(87)), "VA-08");
        assert_eq!(it.refused(&call, WRAPPED | 487, Some(487)), wrong);
        assert_eq!(it.refused(&call, WRAPPED | 487, None), wrong);
        assert_eq!(it.refused(&call, WRAPPED | 87, None), "VA-08");
        assert_eq!(it.refused(&call, 0x8000_4005, None), "VA-08", "says no more than failed");
        assert_eq!(it.on(&call, address(P)), wrong);
    }
    let yes_no = Bench::new(&[]).grain(Grain::YesNo);
    assert_eq!(yes_no.refused(&call, 0x8000_4005, Some(5)), "VA-08");
    assert_eq!(yes_no.on(&call, address(P)), wrong);
    let fault = Fault {
        status: NtStatus::STATUS_ACCESS_VIOLATION,
        access: hostmem_interface::AccessKind::Read,
        at: Address(P),
    };
    assert_eq!(yes_no.on(&call, Outcome::Faulted(fault)), wrong);
}

/// Lack of memory is `E_OUTOFMEMORY`, memory of others `HOST_E_INVALIDOPERATION`; an error
/// that is only wrapped will do for a Win32 subject.
#[test]
fn named_hresults() {
    let huge = alloc(0, END - 3 * GRANULE, R, RW);
    let free_none = free(P, 0, RELEASE);
    let win32 = Bench::new(&[alloc(0, GRANULE, R, RW)]);
    let win32_full = Bench::new(&[alloc(P, 0x4000_0000_0000, R, RW)]);
    let huge = if win32.world.says(&huge).starts_with("VA-07") {
        huge
    } else {
        alloc(0, 0x4000_0000_0000, R, RW)
    };
    let full = Bench::new(&[alloc(P, 0x4000_0000_0000, R, RW)]).grain(Grain::Hresult);
    for it in [&full, &win32_full] {
        assert!(it.world.says(&huge).starts_with("VA-07"));
        assert_eq!(it.refused(&huge, 0x8007_000E, Some(8)), "VA-07");
        assert_eq!(it.refused(&huge, 0x8007_000E, None), "VA-07");
        assert_eq!(it.refused(&huge, 0x8007_000E, Some(1455)), "VA-07");
        assert_eq!(it.refused(&huge, 0x8007_000E, Some(14)), "VA-07");
        assert!(it.refused(&huge, WRAPPED | 87, Some(87)).starts_with("not VA-07"));
    }
    let bare = "not HR-01: refused with E_OUTOFMEMORY";
    assert_eq!(win32_full.refused(&huge, WRAPPED | 8, Some(8)), "VA-07");
    assert_eq!(full.refused(&huge, WRAPPED | 8, Some(8)), bare);
    assert_eq!(full.refused(&huge, 0x8000_4005, None), bare);
    assert_eq!(win32_full.refused(&huge, 0x8000_4005, Some(8)), bare);
    let ours = "not HR-02: refused with HOST_E_INVALIDOPERATION";
    let hresult = Bench::new(&[]).grain(Grain::Hresult);
    let win32 = Bench::new(&[]);
    for it in [&hresult, &win32] {
        assert_eq!(it.refused(&free_none, 0x8013_1022, Some(487)), "VF-06");
        assert_eq!(it.refused(&free_none, 0x8013_1022, None), "VF-06");
        assert_eq!(it.refused(&free_none, 0x8000_4005, None), ours);
        assert!(it.refused(&free_none, WRAPPED | 87, Some(87)).starts_with("not VF-06"));
    }
    assert_eq!(win32.refused(&free_none, WRAPPED | 487, Some(487)), "VF-06");
    assert_eq!(hresult.refused(&free_none, WRAPPED | 487, Some(487)), ours);
}

/// A success code other than `S_OK` is none, but for queries and notices.
#[test]
fn success_codes() {
    let it = Bench::new(&[alloc(P, PAGE, R, RW)]);
    let not = |words: &str| format!("not HR-04: {words} with S_OK, or a failing HRESULT");
    assert_eq!(it.on(&free(P, 0, RELEASE), with(1, Value::Nothing)), not("ok"));
    assert_eq!(it.on(&free(P, 0, RELEASE), with(0, Value::Nothing)), "VF-14");
    assert_eq!(it.on(&acquire(0, 0), with(1, Value::Nothing)), "AS-02");
    assert_eq!(it.on(&let_go(0), with(1, Value::Nothing)), "AS-03");
    let needs = Call::NeedsVirtualAddressSpace { address: Address(0), size: 0 };
    assert_eq!(it.on(&needs, with(1, Value::Nothing)), "AS-01 read");
    let region = MemoryBasicInformation::free(Address(0), P);
    assert_eq!(it.on(&query(0), with(1, Value::Region(QueryAnswer::of(region)))), "VQ-11");
    let grained = |grain| Bench::new(&[alloc(P, PAGE, R, RW)]).grain(grain);
    let release = free(P, 0, RELEASE);
    assert_eq!(grained(Grain::Hresult).refused(&release, 1, None), not("ok"));
    assert_eq!(grained(Grain::Hresult).refused(&acquire(0, 0), 1, None), "AS-02");
    assert_eq!(grained(Grain::Hresult).refused(&acquire(0, 0), 0x8000_4005, None), "not AS-02: ok");
    assert_eq!(grained(Grain::YesNo).refused(&release, 1, None), "VF-14");
    assert_eq!(grained(Grain::Hresult).refused(&release, 0, None), "VF-14");
    let bad = free(P, 1, RELEASE);
    assert_eq!(grained(Grain::YesNo).refused(&query(END), 1, None), "VQ-07 read");
    assert!(grained(Grain::Hresult).on(&bad, with(1, Value::Nothing)).starts_with("not HR-04"));
    let short = Call::VirtualQuery { address: Address(P), buffer: OutPointer::Valid, length: 1 };
    assert!(
        grained(Grain::Hresult).refused(&short, 1, None).starts_with("VQ-08")
            || grained(Grain::Hresult).refused(&short, 1, None).starts_with("not VQ-08")
    );
}

/// A refusal for lack of memory ends a case, unless little was asked for and little is in use.
#[test]
fn lack_of_memory() {
    let refuse = |it: &Bench, call: &Call| it.refused(call, 0x8007_000E, Some(8));
    let mib = |count: u64| count << 20;
    let out = "out of memory";
    let empty = Bench::new(&[Call::CreateMalloc { kind: MallocType(0) }]);
    assert_eq!(refuse(&empty, &alloc(0, mib(64), RC, RW)), out);
    assert_eq!(refuse(&empty, &alloc(P, mib(64), R, RW)), out);
    let little = "not RS-01: success: only 0x0 bytes are in use";
    assert_eq!(refuse(&empty, &alloc(0, mib(64) - 1, RC, RW)), little);
    assert_eq!(refuse(&empty, &block(0, mib(64))), out);
    assert_eq!(refuse(&empty, &block(0, 1)), little);
    assert_eq!(refuse(&empty, &Call::CreateMalloc { kind: MallocType(0) }), little);
    let needs = Call::NeedsVirtualAddressSpace { address: Address(0), size: 0 };
    assert_eq!(refuse(&empty, &needs), "AS-01 read");
    assert_eq!(empty.refused(&needs, WRAPPED | 8, None), "not HR-01: refused with E_OUTOFMEMORY");
    assert!(refuse(&empty, &Call::GetMemoryLoad).starts_with("not ML-01"));
    assert!(refuse(&empty, &alloc(P, 0, R, RW)).starts_with("not VA-08"), "no success permitted");
    let half = Bench::new(&[alloc(P, mib(32), R, RW), alloc(P + mib(32), mib(32), R, RW)]);
    assert_eq!(refuse(&half, &alloc(0, PAGE, R, RW)), out);
    let less = Bench::new(&[alloc(P, mib(64) - PAGE, R, RW)]);
    assert_eq!(
        refuse(&less, &alloc(0, PAGE, R, RW)),
        "not RS-01: success: only 0x3fff000 bytes are in use"
    );
    let mut stated = Bench::new(&[alloc(P, mib(1), R, RW)]);
    stated.subject.machine.commit_limit = Some(mib(2));
    assert_eq!(refuse(&stated, &alloc(0, PAGE, R, RW)), out);
    let mut tight = Bench::new(&[Call::CreateMalloc { kind: MallocType(0) }]);
    tight.subject.machine.commit_limit = Some(mib(64) - 1);
    assert_eq!(refuse(&tight, &block(0, 1)), out, "a heap may take so much for itself");
    assert_eq!(refuse(&tight, &alloc(0, PAGE, R, RW)), little);
    let space = Machine { highest: 4 * GRANULE - 1, ..Machine::WINDOWS_X64 };
    let mut small = Bench { world: World::on(space), subject: description(space) };
    let half = GRANULE + GRANULE / 2;
    assert_eq!(refuse(&small, &alloc(0, half, R, RW)), out, "half of all that there is");
    assert_eq!(refuse(&small, &alloc(0, half - 1, R, RW)), little);
    assert_eq!(refuse(&small, &alloc(0, GRANULE, R, RW)), little);
    small.world.does(&alloc(GRANULE, 2 * GRANULE, R, RW));
    assert_eq!(refuse(&small, &alloc(0, PAGE, R, RW)), out);
    let mut shared = Bench { world: World::on(space), subject: description(space) };
    shared.world.does(&Call::CreateMalloc { kind: MallocType(0) });
    assert_eq!(refuse(&shared, &alloc(0, PAGE, R, RW)), out, "a heap may have taken it");
    let machine = Machine { commit_limit: Some(mib(2)), ..Machine::WINDOWS_X64 };
    let exact = Bench { world: World::on(machine), subject: description(machine) };
    assert_eq!(
        refuse(&exact, &alloc(0, mib(99), R, RW)),
        out,
        "a limit of commit is none of space"
    );
    assert!(refuse(&exact, &alloc(0, mib(1), RC, RW)).starts_with("not VA-12"));
}

/// An explicit reservation that is refused with 487 may be of memory that something else has.
#[test]
fn taken() {
    let it = Bench::new(&[]);
    let said = "taken 0x100000 to 0x102000 or VA-10";
    assert_eq!(it.refused(&alloc(P + 1, PAGE, R, RW), WRAPPED | 487, Some(487)), said);
    assert_eq!(it.refused(&alloc(P + 1, PAGE, R, RW), WRAPPED | 487, None), said);
    assert!(it.refused(&alloc(P, PAGE, R, RW), WRAPPED | 87, Some(87)).starts_with("not VA-17"));
    assert!(it.refused(&alloc(0, PAGE, R, RW), WRAPPED | 487, Some(487)).starts_with("not VA-12"));
    // Beyond the commit limit too: which of the two is told first is the manager's business.
    let machine = Machine { commit_limit: Some(PAGE), ..Machine::WINDOWS_X64 };
    let tight = Bench { world: World::on(machine), subject: description(machine) };
    let said_tight = "taken 0x100000 to 0x102000 or VA-27";
    assert_eq!(tight.refused(&alloc(P + 1, PAGE, RC, RW), WRAPPED | 487, Some(487)), said_tight);
    for other in [alloc(0, 2 * PAGE, RC, RW), alloc(0, 2 * PAGE, C, RW)] {
        let said = tight.refused(&other, WRAPPED | 487, Some(487));
        assert!(said.starts_with("not VA-27"), "{other:?}: {said}");
    }
    let yes_no = Bench::new(&[]).grain(Grain::YesNo);
    assert_eq!(yes_no.refused(&alloc(P + 1, PAGE, R, RW), 0x8000_4005, None), said);
}

/// A base of the subject's choice is free, aligned and inside user space.
#[test]
fn chosen_bases() {
    let it = Bench::new(&[alloc(P, PAGE, R, RW), Call::CreateMalloc { kind: MallocType(0) }]);
    let call = alloc(0, GRANULE + 1, R, RW);
    let good = |at: u64| it.on(&call, address(at)) == "VA-12";
    for at in [GRANULE, P + GRANULE, P - 2 * GRANULE, END - 2 * GRANULE] {
        assert!(good(at), "{at:#x}");
    }
    for at in [0, P, P - GRANULE, P + GRANULE + PAGE, END - GRANULE, END, u64::MAX - 0xFFFF] {
        assert!(!good(at), "{at:#x}");
    }
    assert!(it.on(&call, Outcome::ok()).starts_with("not VA-12"));
    let mut judge = it.judge();
    assert_eq!(told(&mut judge, &block(0, 20), &address(0x80_0000), &[]), "HM-03");
    assert!(told(&mut judge, &call, &address(0x80_0000), &[]).starts_with("not VA-12"));
    let block_at = |judge: &mut Judge, at| told(judge, &block(0, 32), &address(at), &[]);
    for bad in [0x80_0010, 0x80_0008, 0x7F_FFF0, P, P - 16, 16, END - 16, END, 0] {
        assert!(block_at(&mut judge, bad).starts_with("not HM-03"), "{bad:#x}");
    }
    for good in [0x80_0020, P - 32, GRANULE, END - 32, P + PAGE] {
        assert_eq!(block_at(&mut judge, good), "HM-03", "{good:#x}");
    }
}

/// A region of unowned memory lies between its owned neighbours; free memory says nothing
/// else, and is exact where nothing but the case allocates.
#[test]
fn unowned_regions() {
    let calls = [alloc(P, PAGE, R, RW), alloc(P + GRANULE, PAGE, R, RW)];
    let free = |at: u64, end: u64| MemoryBasicInformation::free(Address(at), end - at);
    let (gap, end) = (P + PAGE, P + GRANULE);
    let it = Bench::new(&calls);
    let shared = Bench::new(&calls).without(Capability::PrivateArena);
    let heaps = Bench::new(&[&calls[..], &[Call::CreateMalloc { kind: MallocType(0) }]].concat());
    let mapped = Bench::new(&[&calls[..], &[acquire(0x80_0000, PAGE)]].concat());
    let exact = free(gap, end);
    for bench in [&it, &shared, &heaps, &mapped] {
        assert_eq!(bench.region(gap, exact), "VQ-06");
        assert_eq!(bench.region(gap + 5, exact), "VQ-06");
        assert_eq!(bench.region(5 * GRANULE, free(5 * GRANULE, P)), "VQ-06");
        assert_eq!(
            bench.region(5 * GRANULE, free(5 * GRANULE, 6 * GRANULE)),
            "VQ-06",
            "not between"
        );
        let bad = |region: MemoryBasicInformation| {
            assert!(bench.region(gap, region).starts_with("not VQ-06: "), "{region:?}");
        };
        // That it is free, and how large, is what is certain.
        let odd = |region: MemoryBasicInformation| {
            assert!(bench.region(gap, region).starts_with("not VQ-06b: "), "{region:?}");
        };
        bad(free(gap, end + PAGE));
        bad(free(gap - PAGE, end));
        bad(free(gap + PAGE, end));
        bad(free(gap, end - 5));
        bad(MemoryBasicInformation { base_address: Address(gap + 1), ..exact });
        bad(MemoryBasicInformation { region_size: u64::MAX, ..exact });
        bad(MemoryBasicInformation { region_size: 0, ..exact });
        odd(MemoryBasicInformation { allocation_base: Address(gap), ..exact });
        odd(MemoryBasicInformation { allocation_protect: Protection(1), ..exact });
        odd(MemoryBasicInformation { protect: Protection(0), ..exact });
        odd(MemoryBasicInformation { kind: RegionType::PRIVATE, ..exact });
        bad(MemoryBasicInformation { protect: Protection(0), ..free(gap, end + PAGE) });
        let foreign = MemoryBasicInformation {
            state: RegionState::COMMIT,
            kind: RegionType::IMAGE,
            ..free(gap, gap + PAGE)
        };
        assert_eq!(bench.region(gap, foreign), "VQ-06");
        let nothing = QueryAnswer { written: 0, information: exact };
        assert!(bench.on(&query(gap), Outcome::done(Value::Region(nothing))).starts_with("not"));
    }
    let part = free(gap, end - PAGE);
    assert!(it.region(gap, part).starts_with("not VQ-06"));
    assert!(it.region(gap + PAGE, exact).starts_with("not VQ-06"), "not from the page on");
    for bench in [&shared, &heaps, &mapped] {
        assert_eq!(bench.region(gap, part), "VQ-06");
        assert_eq!(bench.region(gap + PAGE, exact), "VQ-06");
    }
    let here = free(0x80_0000, END);
    assert!(mapped.region(0x80_0000, here).starts_with("not AS-04"));
    let commit =
        MemoryBasicInformation { state: RegionState::COMMIT, ..free(0x80_0000, 0x80_1000) };
    assert_eq!(mapped.region(0x80_0000, commit), "AS-04");
}

/// An owned region is exact, and a full answer.
#[test]
fn owned_regions() {
    let mut it = Bench::new(&[alloc(P, PAGE, RC, RW)]);
    let right = crate::driver::dump::region(&mut it.world.0, Address(P));
    assert_eq!(it.region(P, right), "VQ-01");
    assert!(
        it.region(P, MemoryBasicInformation { region_size: 2 * PAGE, ..right }).starts_with("not")
    );
    for (written, agrees) in [(47, false), (48, true), (49, true)] {
        let answer = Value::Region(QueryAnswer { written, information: right });
        assert_eq!(it.on(&query(P), Outcome::done(answer)) == "VQ-01", agrees);
    }
    let nothing = |written| Value::Region(QueryAnswer { written, information: right });
    assert_eq!(it.on(&query(END), Outcome::done(nothing(0))), "VQ-07 read");
    assert!(it.on(&query(END), Outcome::done(nothing(48))).starts_with("not VQ-07"));
}

/// Values are compared: addresses, old protections, pages, bytes, faults.
#[test]
fn values() {
    let it = Bench::new(&[
        alloc(P, 2 * PAGE, RC | WATCH, RW),
        write(P, &[7, 8]),
        Call::CreateMalloc { kind: MallocType(0) },
    ]);
    let old = |protect| Outcome::done(Value::Old(Protection(protect)));
    assert_eq!(it.on(&protect(P, 1, RO), old(RW)), "VP-10");
    assert!(it.on(&protect(P, 1, RO), old(RO)).starts_with("not VP-10"));
    assert_eq!(it.on(&alloc(P, 1, C, RW), address(P)), "VA-22");
    assert!(it.on(&alloc(P, 1, C, RW), address(P + PAGE)).starts_with("not VA-22"));
    let reset = alloc(P + 1, PAGE, RESET, RW);
    for (at, agrees) in [
        (P, true),
        (P + PAGE, true),
        (P + 2 * PAGE, true),
        (P - PAGE, false),
        (P + 3 * PAGE, false),
        (P + 1, false),
    ] {
        assert_eq!(it.on(&reset, address(at)) == "VA-42c read", agrees, "{at:#x}");
    }
    let bytes = |bytes: &[u8]| Outcome::done(Value::Bytes(bytes.to_vec()));
    assert_eq!(it.on(&read(P, 2), bytes(&[7, 8])), "AF-03");
    for (wrong, rule) in [(&[7, 9][..], "ZF-02"), (&[7], "AF-03"), (&[7, 8, 0], "AF-03")] {
        assert!(it.on(&read(P, 2), bytes(wrong)).starts_with(&format!("not {rule}")), "{wrong:?}");
    }
    let pages = |pages: &[u64], granularity| {
        let pages = pages.iter().map(|at| Address(*at)).collect();
        Outcome::done(Value::Pages { pages, granularity })
    };
    assert_eq!(it.on(&watch(P, PAGE, 0, 4), pages(&[P], 0x1000)), "WW-01");
    assert!(it.on(&watch(P, PAGE, 0, 4), pages(&[], 0x1000)).starts_with("not WW-01"));
    assert!(it.on(&watch(P, PAGE, 0, 4), pages(&[P], 0x2000)).starts_with("not WW-01"));
    let fault = |at, access| {
        let status = NtStatus::STATUS_ACCESS_VIOLATION;
        Outcome::Faulted(Fault { status, access, at: Address(at) })
    };
    let (reads, writes) =
        (hostmem_interface::AccessKind::Read, hostmem_interface::AccessKind::Write);
    assert_eq!(it.on(&read(P - 1, 1), fault(P - 1, reads)), "AF-01");
    assert!(it.on(&read(P - 1, 1), fault(P - 2, reads)).starts_with("not AF-01"));
    assert!(it.on(&read(P - 1, 1), fault(P - 1, writes)).starts_with("not AF-01"));
    assert!(it.on(&read(P - 1, 1), bytes(&[0])).starts_with("not AF-01"));
    for code in [0, 1] {
        assert!(it.refused(&read(P - 1, 1), code, None).starts_with("not AF-01"), "{code}");
    }
    let create = Call::CreateMalloc { kind: MallocType(0) };
    assert_eq!(it.on(&create, Outcome::done(Value::Malloc(MallocId(1)))), "HM-01");
    assert!(it.on(&create, Outcome::ok()).starts_with("not HM-01"));
}

/// Blocks of a heap: an access that leaves one faults inside it, and their bytes bind.
#[test]
fn values_of_blocks() {
    let it = Bench::new(&[Call::CreateMalloc { kind: MallocType(0) }]);
    let bytes = |bytes: &[u8]| Outcome::done(Value::Bytes(bytes.to_vec()));
    let (reads, writes) =
        (hostmem_interface::AccessKind::Read, hostmem_interface::AccessKind::Write);
    let fault = |at, access| {
        let status = NtStatus::STATUS_ACCESS_VIOLATION;
        Outcome::Faulted(Fault { status, access, at: Address(at) })
    };
    let mut judge = it.judge();
    told(&mut judge, &block(0, 20), &address(0x80_0000), &[]);
    let over = read(0x80_0010, 8);
    for (at, kind, agrees) in [
        (0x80_0010, reads, true),
        (0x80_0017, reads, true),
        (0x80_0018, reads, false),
        (0x80_000F, reads, false),
        (0x80_0014, writes, false),
    ] {
        let said = told(&mut judge, &over, &fault(at, kind), &[]);
        assert_eq!(said == "HM-07", agrees, "{at:#x}: {said}");
    }
    let guard = Fault {
        status: NtStatus::STATUS_GUARD_PAGE_VIOLATION,
        access: reads,
        at: Address(0x80_0014),
    };
    assert!(told(&mut judge, &over, &Outcome::Faulted(guard), &[]).starts_with("not HM-07"));
    assert_eq!(told(&mut judge, &read(0x80_0000, 2), &bytes(&[1, 2]), &[]), "HM-07");
    assert!(told(&mut judge, &read(0x80_0000, 2), &bytes(&[1, 3]), &[]).starts_with("not HM-07"));
    assert!(told(&mut judge, &read(0x80_0000, 2), &bytes(&[1]), &[]).starts_with("not HM-07"));
}

/// What a subject showed of a page in doubt binds it from then on.
#[test]
fn what_was_seen_binds() {
    let it = Bench::new(&[alloc(P, PAGE, RC, RW), fill(P, 9, 7), alloc(P, PAGE, RESET, RW)]);
    let bytes = |byte| Outcome::done(Value::Bytes(vec![byte]));
    let mut judge = it.judge();
    assert_eq!(told(&mut judge, &read(P, 1), &bytes(7), &[]), "VA-42e");
    assert_eq!(told(&mut judge, &read(P, 1), &bytes(0), &[]), "VA-42e");
    assert!(told(&mut judge, &read(P, 1), &bytes(7), &[]).starts_with("not ZF-01"));
}

/// Pages that nobody wrote are zeros, and a read across two allocations is held against each.
#[test]
fn bytes_of_each_allocation() {
    let second = P + GRANULE;
    let it = Bench::new(&[
        alloc(P, GRANULE, RC, RW),
        alloc(second, GRANULE, RC, RW),
        write(second - 1, &[1]),
        write(second, &[2]),
    ]);
    let bytes = |bytes: &[u8]| Outcome::done(Value::Bytes(bytes.to_vec()));
    assert_eq!(it.on(&read(second - 1, 2), bytes(&[1, 2])), "AF-03");
    for wrong in [[1, 1], [2, 2], [2, 1]] {
        assert!(it.on(&read(second - 1, 2), bytes(&wrong)).starts_with("not ZF-02"), "{wrong:?}");
    }
    assert_eq!(it.on(&read(P, 2), bytes(&[0, 0])), "AF-03");
    // What was due is told as a reader would: zeros, or what was written.
    let told = |at, size, seen: &[u8]| it.on(&read(at, size), bytes(seen));
    let written = "the 2 bytes written at 0x10ffff before";
    assert_eq!(told(P, 2, &[0, 1]), "not ZF-01: 2 zeros at 0x100000");
    assert_eq!(told(second - 1, 2, &[1, 1]), format!("not ZF-02: {written}"));
    assert_eq!(told(P, 2, &[0]), "not AF-03: 2 zeros at 0x100000");
    assert_eq!(told(second - 1, 2, &[1]), format!("not AF-03: {written}"));
    for wrong in [[0, 1], [1, 0], [3, 3]] {
        assert!(it.on(&read(P, 2), bytes(&wrong)).starts_with("not ZF-01"), "{wrong:?}");
    }
}

/// A simulated machine tells exactly the load that was set; a real one any percentage.
#[test]
fn loads() {
    let set = Call::SetMemoryLoad { load: 5, available: 6 };
    let load = |load, available| Outcome::done(Value::Load(MemoryLoad { load, available }));
    let it = Bench::new(std::slice::from_ref(&set));
    assert_eq!(it.on(&Call::GetMemoryLoad, load(5, 6)), "ML-01");
    assert_eq!(it.on(&Call::GetMemoryLoad, load(5, 7)), "not ML-02: load 5 %, 6 bytes available");
    let real = Bench::new(&[set]).without(Capability::MemoryLoadControl);
    assert_eq!(real.on(&Call::GetMemoryLoad, load(100, 7)), "ML-01");
    assert!(real.on(&Call::GetMemoryLoad, load(101, 7)).starts_with("not ML-01"));
}

/// A simulated machine notifies exactly when the class changes; a real one only of changes.
#[test]
fn notifications() {
    let (low, high) = (MemoryAvailable::LOW, MemoryAvailable::HIGH);
    let register = Call::RegisterMemoryNotificationCallback;
    let it = Bench::new(std::slice::from_ref(&register));
    let set = |load, available| Call::SetMemoryLoad { load, available };
    let ok = Outcome::ok();
    let judge =
        |call: &Call, notified: &[MemoryAvailable]| told(&mut it.judge(), call, &ok, notified);
    assert_eq!(judge(&set(1, 0), &[low]), "ML-02");
    assert_eq!(judge(&set(100, 0), &[low]), "ML-02");
    assert_eq!(judge(&set(1, 0), &[]), "not NT-02: notifications [eMemoryAvailableLow]");
    assert_eq!(judge(&set(1, 0), &[low, low]), "not NT-02: notifications [eMemoryAvailableLow]");
    assert_eq!(judge(&set(1, 1 << 40), &[]), "ML-02");
    assert_eq!(judge(&acquire(0, 0), &[high]), "not NT-02: notifications []");
    // A load that cannot be is refused, so nothing changes and nobody is told.
    let (over, bad) = (set(101, 0), it.world.says(&set(101, 0)));
    assert!(bad.contains("refused"), "{bad}");
    let refusal = Refusal { hresult: Hresult(WRAPPED | 87), win32: Some(Win32Error(87)) };
    let said = told(&mut it.judge(), &over, &Outcome::Refused(refusal), &[]);
    assert!(!said.starts_with("not "), "{said}");
    let real = Bench::new(&[register]).without(Capability::MemoryLoadControl);
    let mut follow = real.judge();
    assert_eq!(told(&mut follow, &acquire(0, 0), &ok, &[low, high]), "AS-02");
    assert_eq!(told(&mut follow, &acquire(0, 0), &ok, &[]), "AS-02");
    assert!(told(&mut follow, &acquire(0, 0), &ok, &[high]).starts_with("not NT-02"));
    let deaf = Bench::new(&[]).without(Capability::MemoryLoadControl);
    assert_eq!(deaf.on(&acquire(0, 0), ok.clone()), "AS-02");
    assert!(told(&mut deaf.judge(), &acquire(0, 0), &ok, &[low]).starts_with("not NT-02"));
}

/// Only lawful outcomes are followed.
#[test]
fn only_the_lawful_is_followed() {
    let it = Bench::new(&[]);
    let mut judge = it.judge();
    told(&mut judge, &alloc(0, PAGE, R, RW), &address(P + 1), &[]);
    told(&mut judge, &alloc(0, PAGE, R, RW), &address(P), &[MemoryAvailable::LOW]);
    assert!(judge.state.space.is_empty());
    told(&mut judge, &alloc(0, PAGE, R, RW), &address(P), &[]);
    assert_eq!(judge.state.space.len(), 1);
    assert_eq!(Capabilities::ALL, it.subject.capabilities);
}

/// A second rule tells of the HRESULT, or of the notifications.
#[test]
fn codes_and_notifications_are_second_rules() {
    let calls = [alloc(P, PAGE, R, RW)];
    let also = |bench: &Bench, call: &Call, outcome: Outcome| {
        let mut judge = bench.judge();
        let verdict = judge.decide(call);
        match judge.judge(call, &verdict, &outcome, &[]) {
            Judgement::Agrees { also, .. } => also.map(|rule| rule.to_string()).unwrap_or_default(),
            other => format!("{other:?}"),
        }
    };
    let bare = |code| Outcome::Refused(Refusal::from_hresult(Hresult(code)));
    let it = Bench::new(&calls);
    let needs = Call::NeedsVirtualAddressSpace { address: Address(0), size: 0 };
    assert_eq!(also(&it, &needs, bare(0x8007_000E)), "HR-01");
    assert_eq!(also(&it, &free(0, 0, RELEASE), bare(0x8013_1022)), "HR-02");
    assert_eq!(also(&it, &alloc(P, 0, R, RW), bare(0x8000_4005)), "HR-03");
    assert_eq!(also(&it, &needs, with(1, Value::Nothing)), "HR-05");
    assert_eq!(also(&it, &needs, Outcome::ok()), "");
    let set = Call::SetMemoryLoad { load: 1, available: 1 << 40 };
    assert_eq!(also(&it, &set, Outcome::ok()), "");
    let registered = Bench::new(&[Call::RegisterMemoryNotificationCallback]);
    assert_eq!(also(&registered, &set, Outcome::ok()), "NT-02");
    assert_eq!(also(&registered, &needs, Outcome::ok()), "");
}

/// The model can go on from where a subject is, whose heaps are not where its own would be.
#[test]
fn the_model_goes_on_from_a_subjects_state() {
    let it = Bench::new(&[Call::CreateMalloc { kind: MallocType(0) }]);
    let mut judge = it.judge();
    let top = END - (1 << 20);
    assert_eq!(told(&mut judge, &block(0, 16), &address(top), &[]), "HM-03");
    let mut actor = Actor::new(judge.state);
    let Reply::Outcome { outcome, .. } = actor.act(&block(0, 16)) else { panic!("it answers") };
    assert_eq!(outcome, address(top - (1 << 20)));
    let Reply::Outcome { outcome, .. } = actor.act(&alloc(0, 1 << 20, R | DOWN, RW)) else {
        panic!("it answers")
    };
    assert_eq!(outcome, address(top - (2 << 20)), "behind both");
}

/// A modifier that shows where it should not, or not where it should, is no fault of the region.
#[test]
fn modifiers_in_queries() {
    use hostmem_interface::Protection as P_;
    let it = Bench::new(&[alloc(P, 2 * PAGE, RC, RW)]);
    let right = MemoryBasicInformation {
        base_address: Address(P),
        allocation_base: Address(P),
        allocation_protect: P_::READWRITE,
        region_size: 2 * PAGE,
        state: RegionState::COMMIT,
        protect: P_::READWRITE,
        kind: RegionType::PRIVATE,
    };
    assert_eq!(it.region(P, right), "VQ-01");
    for (modifier, rule) in
        [(P_::WRITECOMBINE, "PR-06"), (P_::NOCACHE, "PR-05"), (P_::GUARD, "VQ-01")]
    {
        let named = format!("not {rule}: ");
        let protect = P_::READWRITE | modifier;
        let shown = it.region(P, MemoryBasicInformation { protect, ..right });
        assert!(shown.starts_with(&named), "{shown}");
        let both = MemoryBasicInformation { protect, allocation_protect: protect, ..right };
        assert!(it.region(P, both).starts_with(&named));
        let shorter = MemoryBasicInformation { protect, region_size: PAGE, ..right };
        assert!(it.region(P, shorter).starts_with("not VQ-01: "));
    }
}

/// Where the rule that decides is uncertain of the error alone, a success breaks a certain one.
#[test]
fn a_success_breaks_what_is_certain() {
    let reserved = alloc(P + 2 * GRANULE, PAGE, R, RW);
    let it = Bench::new(&[alloc(P, PAGE, RC, RW), alloc(P + GRANULE, PAGE, RC, RW), reserved]);
    let ok = || Outcome::ok();
    let old = || Outcome::done(Value::Old(Protection(RW)));
    let free_there = 0x4000_0000;
    for (call, success, wrong, certain) in [
        (protect(P, GRANULE + PAGE, RO), old(), "VP-07", "SM-03"),
        (protect(free_there, PAGE, RO), old(), "VP-06", "SM-03"),
        (protect(P, u64::MAX, RO), old(), "VP-04", "SM-03"),
        (clear(0x50_0000, PAGE), ok(), "WW-04b", "SM-03"),
        (protect_null(free_there, PAGE, RO), old(), "VP-03", "VP-02"),
        (free(END - PAGE, 2 * PAGE, DECOMMIT), ok(), "VF-04", "SM-03"),
        (free(free_there, 1, RELEASE), ok(), "VF-03", "VF-01"),
        (free(free_there, 0, RELEASE | DECOMMIT), ok(), "VF-03", "VF-02"),
        (alloc(END, PAGE, C, RW), address(END), "VA-05", "SM-03"),
        (alloc(P, END, C, RW), address(P), "VA-06", "SM-03"),
        (alloc(free_there, PAGE, C, 0), address(free_there), "VA-31", "VA-04"),
        // Wine lets that pass, for the sake of programs that do it.
        (free(PAGE, 0, RELEASE), ok(), "VF-05", "VF-05"),
        // Where user space ends is the same uncertainty for both.
        (alloc(END - PAGE, 2 * PAGE, R, RW), address(END - GRANULE), "VA-06", "VA-06"),
        (protect(P, PAGE, COW), old(), "VP-11", "VP-11"),
        (protect(P + 2 * GRANULE, PAGE, COW), old(), "VP-11b", "VP-11"),
        (alloc(free_there, PAGE, C, COW), address(free_there), "VA-30b", "VA-30"),
    ] {
        let refused = it.refused(&call, WRAPPED | 5, Some(5));
        assert!(refused.starts_with(&format!("not {wrong}: ")), "{call:?}: {refused}");
        let done = it.on(&call, success);
        assert!(done.starts_with(&format!("not {certain}: ")), "{call:?}: {done}");
    }
}

/// What an unaligned range means is uncertain at its ends only.
#[test]
fn written_pages_of_an_unaligned_range() {
    let setup = [alloc(P, 8 * PAGE, RC | WATCH, RW), fill(P, 8 * PAGE, 1)];
    let it = Bench::new(&setup);
    // Pages 1 to 4, of which 2 and 3 lie in it as a whole.
    let call = |capacity| watch(P + PAGE + 1, 4 * PAGE - 2, 0, capacity);
    let told = |call: &Call, pages: &[u64], granularity| {
        let pages = pages.iter().map(|page| Address(P + page * PAGE)).collect();
        let said = it.on(call, Outcome::done(Value::Pages { pages, granularity }));
        said.split(": ").next().map(str::to_owned).expect("a rule")
    };
    for (pages, said) in [
        (&[1, 2, 3, 4][..], "WW-07"),
        (&[2, 3], "not WW-07"),
        (&[1, 2, 3], "not WW-07"),
        (&[1, 2, 4], "not WW-01"),
        (&[1, 3, 2, 4], "not WW-01"),
        (&[1, 2, 3, 4, 5], "not WW-01"),
        (&[0, 1, 2, 3, 4], "not WW-01"),
    ] {
        assert_eq!(told(&call(9), pages, 0x1000), said, "{pages:?}");
    }
    assert_eq!(told(&call(9), &[1, 2, 3, 4], 0x2000), "not WW-01");
    // Where one end is aligned, nothing beyond it is touched.
    let end = watch(P + PAGE + 1, 3 * PAGE - 1, 0, 9);
    assert_eq!(told(&end, &[1, 2, 3], 0x1000), "WW-07");
    assert_eq!(told(&end, &[1, 2, 3, 4], 0x1000), "not WW-01");
    let start = watch(P + PAGE, 2 * PAGE + 1, 0, 9);
    assert_eq!(told(&start, &[1, 2], 0x1000), "not WW-07");
    assert_eq!(told(&start, &[0, 1, 2, 3], 0x1000), "not WW-01");
    // With room for two, either may be those that are told.
    assert_eq!(told(&call(2), &[1, 2], 0x1000), "WW-07");
    assert_eq!(told(&call(2), &[2, 3], 0x1000), "not WW-07");
    assert_eq!(told(&call(2), &[2, 5], 0x1000), "not WW-01");
}

/// What nobody owns is no part of an allocation beside it.
#[test]
fn foreign_memory_does_not_belong_to_the_case() {
    let it = Bench::new(&[alloc(P, PAGE, R, RW)]);
    let at = P + PAGE;
    let shown = |base| {
        it.region(
            at,
            MemoryBasicInformation {
                base_address: Address(at),
                allocation_base: Address(base),
                allocation_protect: Protection(RW),
                region_size: GRANULE - PAGE,
                state: RegionState::RESERVE,
                protect: Protection(0),
                kind: RegionType::PRIVATE,
            },
        )
    };
    assert_eq!(shown(at), "VQ-06");
    assert!(shown(P).starts_with("not VQ-06: "), "the rest of a granule is free");
}

/// Zeros are called zeros, whatever they were before.
#[test]
fn what_is_certainly_zero() {
    let written = [alloc(P, 2 * PAGE, RC, RW), fill(P, PAGE, 1), fill(P + PAGE, PAGE, 2)];
    let it = Bench::new(&[&written[..], &[fill(P, 8, 0), alloc(P, PAGE, RESET, RW)]].concat());
    let mut judge = it.judge();
    let mut says = |at: u64, seen: &[u8]| {
        let bytes = Outcome::done(Value::Bytes(seen.to_vec()));
        told(&mut judge, &read(at, seen.len() as u64), &bytes, &[])
    };
    assert_eq!(says(P, &[7]), "not VA-42e: the 1 bytes written at 0x100000 before");
    assert_eq!(says(P + 8, &[0]), "VA-42e", "so it was turned to zero");
    assert_eq!(says(P + 9, &[1]), "not ZF-01: 1 zeros at 0x100009");
    assert_eq!(says(P + PAGE, &[1]), "not ZF-02: the 1 bytes written at 0x101000 before");
}
