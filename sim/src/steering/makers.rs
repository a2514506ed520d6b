//! How each rule can be reached: intents that lead there from any state, or nearly any.
//!
//! A maker need not succeed at once: where its aim does not exist, the first try makes it.
//!
//! Deliberately not here: rules that every case reaches by itself, and the law's *may*s,
//! which no test insists on.

use hostmem_interface::{
    AllocationType, CriticalLevel, FreeType, Machine, MallocType, MemoryBasicInformation,
    OutPointer, Protection, WatchFlags, WatchPointers,
};
use hostmem_model::RuleId;
use hostmem_model::rule as law;

use crate::intent::kinds::{image, nth};
use crate::intent::{Aim, Extent, Freed, Intent, Site, Target, Text};
use crate::random::Draw;

/// A way to a rule.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// The rule.
    pub rule: RuleId,
    /// Whether it takes a machine with a commit limit.
    pub limited: bool,
    /// The intents.
    pub make: fn(&mut Draw) -> Vec<Intent>,
}

const fn to(rule: RuleId, make: fn(&mut Draw) -> Vec<Intent>) -> Maker {
    Maker { rule, limited: false, make }
}

const RW: Protection = Protection::READWRITE;
const COMMIT: AllocationType = AllocationType::COMMIT;
const RESERVE: AllocationType = AllocationType::RESERVE;
const RESET: AllocationType = AllocationType::RESET;
const PAGE: Extent = Extent::Bytes(0x1000);
const NO_BASE: Protection = Protection(0x06);
const TWO_MODIFIERS: Protection = Protection(0x304);

const fn alloc(site: Site, extent: Extent, kind: AllocationType, protect: Protection) -> Intent {
    Intent::Alloc { site, extent, kind, protect, critical: CriticalLevel::TASK }
}

const fn anywhere(extent: Extent, kind: AllocationType, protect: Protection) -> Intent {
    alloc(Site::Anywhere, extent, kind, protect)
}

/// At one of a kind.
fn some(draw: &mut Draw, target: Target) -> Aim {
    Aim { nth: nth(draw), ..Aim::at(target) }
}

/// At the last page of one of a kind.
fn last(draw: &mut Draw, target: Target) -> Aim {
    Aim { share: u16::MAX, ..some(draw, target) }
}

fn at(draw: &mut Draw, target: Target) -> Site {
    Site::At(some(draw, target))
}

const fn number(number: u64) -> Aim {
    Aim::at(Target::Number(number))
}

const fn beyond() -> Aim {
    Aim::at(Target::BelowEnd(0))
}

const fn free(aim: Aim, extent: Extent, kind: FreeType) -> Intent {
    Intent::Free { aim, extent, kind }
}

const fn protect(aim: Aim, extent: Extent, protect: Protection) -> Intent {
    Intent::Protect { aim, extent, protect, old: OutPointer::Valid }
}

const fn protect_nowhere(aim: Aim) -> Intent {
    Intent::Protect { aim, extent: PAGE, protect: RW, old: OutPointer::Null }
}

const fn query(aim: Aim) -> Intent {
    query_with(aim, OutPointer::Valid, MemoryBasicInformation::SIZE)
}

const fn query_with(aim: Aim, buffer: OutPointer, length: u64) -> Intent {
    Intent::Query { aim, buffer, length }
}

const fn get_watch(aim: Aim, extent: Extent, flags: u32, capacity: u64) -> Intent {
    let null = WatchPointers {
        addresses: OutPointer::Valid,
        count: OutPointer::Valid,
        granularity: OutPointer::Valid,
    };
    Intent::GetWatch { aim, extent, flags: WatchFlags(flags), capacity, null }
}

fn word() -> Text {
    Text::Bytes(vec![0x5A; 8])
}

/// Every rule that some cases miss, and a way to it.
pub const MAKERS: &[Maker] = &[
    // VirtualAlloc.
    to(law::VA_01, |_| vec![anywhere(PAGE, AllocationType(0x4000_2000), RW)]),
    to(law::VA_02, |_| vec![anywhere(PAGE, AllocationType(0x60_2000), RW)]),
    to(law::VA_03, |_| vec![alloc(Site::At(number(0xF000)), PAGE, RESERVE, RW)]),
    to(law::VA_04, |d| vec![alloc(at(d, Target::Any), PAGE, COMMIT, NO_BASE)]),
    to(law::VA_05, |_| vec![alloc(Site::At(beyond()), PAGE, RESERVE, RW)]),
    to(law::VA_06, |_| vec![anywhere(Extent::PastSpace(1), RESERVE, RW)]),
    // All of user space, where something is taken already.
    to(law::VA_07, |_| {
        let everything = Machine::WINDOWS_X64.end() - Machine::WINDOWS_X64.lowest;
        vec![anywhere(PAGE, RESERVE, RW), anywhere(Extent::Bytes(everything), RESERVE, RW)]
    }),
    to(law::VA_08, |d| vec![alloc(at(d, Target::Any), Extent::Bytes(0), COMMIT, RW)]),
    to(law::VA_09, |_| vec![anywhere(PAGE, COMMIT, RW)]),
    to(law::VA_10, |_| vec![alloc(Site::Hole(0x1010), Extent::Bytes(0x7000), RESERVE, RW)]),
    to(law::VA_12, |_| vec![anywhere(Extent::Bytes(0xFFFC), RESERVE, RW)]),
    to(law::VA_13, |d| vec![alloc(at(d, Target::Reserved), Extent::Pages(1), COMMIT, RW)]),
    to(law::VA_15, |d| vec![alloc(at(d, Target::Any), PAGE, RESERVE, RW)]),
    to(law::VA_16, |d| vec![alloc(at(d, Target::Tail), PAGE, COMMIT, RW)]),
    to(law::VA_17, |_| vec![alloc(Site::Hole(0), Extent::Bytes(0x1_0000), RESERVE, RW)]),
    to(law::VA_20, |d| vec![alloc(at(d, Target::Gone), PAGE, COMMIT, RW)]),
    to(law::VA_21, |d| vec![alloc(at(d, Target::Any), Extent::Beyond(1), COMMIT, RW)]),
    to(law::VA_22, |d| vec![alloc(at(d, Target::Writable), Extent::Pages(1), COMMIT, RW); 2]),
    to(law::VA_23, |d| {
        let site = at(d, Target::Writable);
        vec![alloc(site, Extent::Pages(1), COMMIT, Protection::READONLY)]
    }),
    to(law::VA_24, |d| {
        let site = at(d, Target::Writable);
        vec![alloc(site, Extent::Pages(1), COMMIT, RW | Protection::GUARD)]
    }),
    Maker {
        rule: law::VA_27,
        limited: true,
        make: |_| vec![anywhere(Extent::Bytes(1 << 40), RESERVE | COMMIT, RW)],
    },
    to(law::VA_30, |d| {
        vec![alloc(at(d, Target::Any), Extent::Pages(1), COMMIT, Protection::WRITECOPY)]
    }),
    to(law::VA_30B, |d| vec![alloc(at(d, Target::Any), PAGE, RESERVE, Protection::WRITECOPY)]),
    to(law::VA_31, |d| vec![alloc(at(d, Target::Any), PAGE, RESERVE, NO_BASE)]),
    to(law::VA_40, |d| vec![alloc(at(d, Target::Writable), PAGE, RESET | COMMIT, RW)]),
    to(law::VA_41, |d| vec![alloc(at(d, Target::Writable), PAGE, RESET, NO_BASE)]),
    to(law::VA_42, |d| vec![alloc(at(d, Target::Writable), PAGE, RESET, RW)]),
    to(law::VA_42D, |d| vec![alloc(at(d, Target::Gone), PAGE, RESET, RW)]),
    to(law::VA_42E, |_| vec![Intent::Read { aim: Aim::at(Target::Uncertain), size: 8 }; 2]),
    to(law::VA_43, |d| vec![alloc(at(d, Target::Uncertain), PAGE, AllocationType::RESET_UNDO, RW)]),
    to(law::VA_44, |d| {
        vec![alloc(at(d, Target::Any), PAGE, COMMIT | AllocationType::WRITE_WATCH, RW)]
    }),
    to(law::VA_45, |_| {
        let kind = RESERVE | COMMIT | AllocationType::PHYSICAL;
        vec![anywhere(PAGE, kind, RW)]
    }),
    to(law::VA_45B, |_| vec![anywhere(PAGE, RESERVE | AllocationType::PHYSICAL, RW)]),
    to(law::VA_46, |_| vec![anywhere(PAGE, RESERVE | AllocationType::LARGE_PAGES, RW)]),
    to(law::VA_50, |_| vec![anywhere(PAGE, RESERVE | AllocationType::TOP_DOWN, RW)]),
    to(law::VA_51, |_| vec![alloc(Site::Hole(0), PAGE, RESERVE | AllocationType::TOP_DOWN, RW)]),
    to(law::PR_01, |_| vec![anywhere(PAGE, RESERVE, NO_BASE)]),
    to(law::PR_02, |_| vec![anywhere(PAGE, RESERVE, Protection::GUARD)]),
    to(law::PR_02B, |_| vec![anywhere(PAGE, RESERVE, TWO_MODIFIERS)]),
    to(law::PR_03, |_| vec![anywhere(PAGE, RESERVE, Protection::WRITECOPY)]),
    to(law::PR_05, |d| vec![query(some(d, Target::Uncached)); 2]),
    // VirtualFree.
    to(law::VF_01, |d| vec![free(some(d, Target::Any), PAGE, FreeType::RELEASE)]),
    to(law::VF_02, |d| vec![free(some(d, Target::Any), Extent::Bytes(0), FreeType(0))]),
    to(law::VF_03, |d| vec![free(some(d, Target::Gone), PAGE, FreeType::RELEASE); 2]),
    to(law::VF_04, |_| vec![free(beyond(), PAGE, FreeType::DECOMMIT)]),
    to(law::VF_05, |_| vec![free(number(0), Extent::Bytes(0), FreeType::RELEASE)]),
    to(law::VF_06, |d| vec![free(some(d, Target::Gone), Extent::Bytes(0), FreeType::RELEASE); 2]),
    to(law::VF_07, |d| vec![free(some(d, Target::Any), Extent::Beyond(1), FreeType::DECOMMIT)]),
    to(law::VF_08, |d| vec![free(last(d, Target::Any), Extent::Bytes(0), FreeType::DECOMMIT)]),
    to(law::VF_09, |d| vec![free(last(d, Target::Any), Extent::Bytes(0), FreeType::RELEASE)]),
    to(law::VF_10, |d| {
        vec![free(some(d, Target::Committed), Extent::Pages(1), FreeType::DECOMMIT)]
    }),
    to(law::VF_11, |d| vec![free(some(d, Target::Reserved), Extent::Pages(1), FreeType::DECOMMIT)]),
    to(law::VF_12, |d| vec![free(some(d, Target::Any), Extent::Bytes(0), FreeType::DECOMMIT)]),
    to(law::VF_14, |d| vec![free(some(d, Target::Any), Extent::Bytes(0), FreeType::RELEASE)]),
    // VirtualProtect.
    to(law::VP_01, |d| vec![protect(some(d, Target::Any), PAGE, NO_BASE)]),
    to(law::VP_02, |d| vec![protect_nowhere(some(d, Target::Committed)); 2]),
    to(law::VP_03, |d| vec![protect_nowhere(some(d, Target::Gone)); 2]),
    to(law::VP_04, |_| vec![protect(beyond(), PAGE, RW)]),
    to(law::VP_05, |d| vec![protect(some(d, Target::Any), Extent::Bytes(0), RW)]),
    to(law::VP_05B, |d| vec![protect(some(d, Target::Any), PAGE, TWO_MODIFIERS)]),
    to(law::VP_06, |d| vec![protect(some(d, Target::Gone), PAGE, RW); 2]),
    to(law::VP_07, |d| vec![protect(some(d, Target::Any), Extent::Beyond(1), RW)]),
    to(law::VP_08, |d| vec![protect(some(d, Target::Reserved), Extent::Pages(1), RW)]),
    to(law::VP_09, |_| {
        let whole = Extent::Beyond(0);
        vec![
            anywhere(Extent::Bytes(0x3000), COMMIT, RW),
            protect(Aim::at(Target::Any), whole, Protection::READONLY),
        ]
    }),
    to(law::VP_10, |d| vec![protect(some(d, Target::Writable), Extent::Pages(1), RW)]),
    to(law::VP_11, |d| {
        vec![protect(some(d, Target::Any), Extent::Pages(1), Protection::WRITECOPY)]
    }),
    to(law::VP_11B, |d| {
        vec![protect(some(d, Target::Reserved), Extent::Pages(1), Protection::WRITECOPY); 2]
    }),
    // VirtualQuery.
    to(law::VQ_01, |_| vec![anywhere(PAGE, COMMIT, RW), query(Aim::at(Target::Any))]),
    to(law::VQ_02, |d| vec![query(some(d, Target::Any).nudged(0x10))]),
    to(law::VQ_03, |d| vec![query(last(d, Target::Reserved)); 2]),
    to(law::VQ_04, |_| {
        vec![
            anywhere(PAGE, RESERVE, Protection::NOACCESS),
            alloc(Site::At(Aim::at(Target::Any)), Extent::Beyond(0), COMMIT, RW),
            query(Aim::at(Target::Any)),
        ]
    }),
    to(law::VQ_05, |_| {
        vec![
            anywhere(Extent::Bytes(0x3000), RESERVE, RW),
            alloc(Site::At(Aim::at(Target::Any)), Extent::Pages(1), COMMIT, RW),
            query(Aim::at(Target::Any)),
        ]
    }),
    to(law::VQ_06, |d| vec![query(some(d, Target::Gone)); 2]),
    to(law::VQ_07, |_| vec![query(beyond())]),
    to(law::VQ_08, |d| vec![query_with(some(d, Target::Any), OutPointer::Valid, 47)]),
    to(law::VQ_09, |_| vec![query_with(beyond(), OutPointer::Valid, 0)]),
    to(law::VQ_10, |d| vec![query_with(some(d, Target::Any), OutPointer::Null, 48)]),
    to(law::VQ_11, |_| vec![query(number(0x1234))]),
    to(law::VQ_13, |d| vec![Intent::Walk { over: Some(nth(d)), behind: 2 }]),
    // Guard pages and accesses.
    to(law::GP_01, |d| vec![query(some(d, Target::Guarded)); 2]),
    to(law::GP_02, |d| vec![Intent::Read { aim: some(d, Target::Guarded), size: 4 }; 2]),
    to(law::GP_04, |d| vec![protect(some(d, Target::Guarded), Extent::Pages(1), RW); 2]),
    to(law::GP_06, |d| {
        let aim = some(d, Target::ReservedGuard { touched: false });
        vec![Intent::Read { aim, size: 1 }; 2]
    }),
    to(law::GP_07, |d| {
        let aim = some(d, Target::ReservedGuard { touched: true });
        vec![Intent::Write { aim, text: word() }; 2]
    }),
    to(law::GP_09, |d| {
        let aim = some(d, Target::WatchedGuard);
        vec![Intent::Write { aim, text: word() }; 2]
    }),
    to(law::AF_01, |d| vec![Intent::Read { aim: some(d, Target::Gone), size: 8 }; 2]),
    to(law::AF_02, |d| vec![Intent::Execute { aim: some(d, Target::Code) }; 2]),
    to(law::AF_04, |d| {
        let aim = last(d, Target::Writable).nudged(0xFFC);
        vec![anywhere(PAGE, COMMIT, RW), Intent::Write { aim: Aim { nth: 0, ..aim }, text: word() }]
    }),
    // Write watch.
    to(law::WW_01, |_| {
        let kind = COMMIT | RESERVE | AllocationType::WRITE_WATCH;
        vec![
            anywhere(Extent::Bytes(0x2000), kind, RW),
            Intent::Write { aim: Aim::at(Target::Watched), text: word() },
            get_watch(Aim::at(Target::Watched), Extent::Beyond(0), 0, 100),
        ]
    }),
    to(law::WW_02, |d| vec![get_watch(some(d, Target::Watched), PAGE, 2, 1); 2]),
    to(law::WW_03, |d| vec![get_watch(some(d, Target::Watched), Extent::Bytes(0), 0, 1); 2]),
    to(law::WW_04, |d| vec![get_watch(some(d, Target::Watched), Extent::Beyond(1), 0, 1); 2]),
    to(law::WW_04B, |d| vec![get_watch(some(d, Target::Gone), PAGE, 0, 1); 2]),
    to(law::WW_05, |_| {
        vec![
            anywhere(Extent::Bytes(0x2000), RESERVE | AllocationType::WRITE_WATCH, RW),
            get_watch(Aim::at(Target::Watched), Extent::Beyond(0), 0, 100),
        ]
    }),
    to(law::WW_06, |d| vec![get_watch(some(d, Target::Watched), Extent::Pages(1), 1, 100); 2]),
    // Heaps.
    to(law::HM_01, |_| vec![Intent::CreateMalloc(MallocType(3))]),
    to(law::HM_03, |d| vec![block(d, None); 2]),
    to(law::HM_04, |_| vec![Intent::HeapFree(Freed::Own(0)); 3]),
    to(law::HM_05, |_| vec![Intent::HeapFree(Freed::Null); 2]),
    to(law::HM_06, |_| vec![Intent::HeapFree(Freed::Wild(Aim::at(Target::Any))); 3]),
    to(law::HM_07, |d| vec![Intent::Write { aim: some(d, Target::Block), text: word() }; 3]),
    to(law::HM_08, |d| vec![block(d, Some(77)); 2]),
    to(law::HM_09, |d| {
        vec![
            Intent::CreateMalloc(MallocType::EXECUTABLE),
            block(d, None),
            Intent::Execute { aim: Aim::at(Target::Block) },
        ]
    }),
    // Memory load and notices.
    to(law::ML_01, |_| vec![Intent::GetLoad]),
    to(law::ML_02, |_| vec![Intent::SetLoad(101, 0)]),
    to(law::NT_01, |_| vec![Intent::Register]),
    to(law::NT_02, |_| {
        vec![Intent::Register, Intent::SetLoad(99, 1 << 20), Intent::SetLoad(9, 8 << 30)]
    }),
    to(law::AS_01, |_| vec![Intent::Needs(number(0), 0)]),
    to(law::AS_02, |_| vec![Intent::Acquired(number(0x7FF6_0000_0000), 0x1_0000)]),
    to(law::AS_03, |_| vec![Intent::Released(number(0x7FF6_0000_0000))]),
    to(law::AS_04, |d| {
        let image = image(d);
        vec![Intent::Acquired(image, 0x1_0000), query(image)]
    }),
];

fn block(draw: &mut Draw, debug: Option<i32>) -> Intent {
    let size = 16 + draw.below(100);
    Intent::HeapAlloc { heap: 0, size, critical: CriticalLevel::TASK, debug }
}
