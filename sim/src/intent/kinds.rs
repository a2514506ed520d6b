//! The kinds of operation, and how each is drawn: one row a kind.
//!
//! What is drawn here is well formed and mostly lawful; mistakes are put in afterwards
//! ([`super::spoil`]).
//!
//! Deliberately not here: how often which kind is drawn: the weights are a profile's.

use hostmem_interface::{
    AllocationType, CriticalLevel, FreeType, MallocType, MemoryBasicInformation, OutPointer,
    Protection, WatchFlags, WatchPointers,
};

use super::{Aim, Extent, Freed, Intent, Site, Target, Text};
use crate::random::Draw;

/// A kind of operation.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in a swarm.
    pub name: &'static str,
    /// How often among the others when everything is drawn.
    pub usual: u32,
    /// Draws one.
    pub draw: fn(&mut Draw) -> Intent,
}

const COMMIT: AllocationType = AllocationType::COMMIT;
const RESERVE: AllocationType = AllocationType::RESERVE;
const RW: Protection = Protection::READWRITE;

const fn kind(name: &'static str, usual: u32, draw: fn(&mut Draw) -> Intent) -> Kind {
    Kind { name, usual, draw }
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    kind("reserve", 8, |draw| reserve(draw, RESERVE)),
    kind("reserve-commit", 8, |draw| reserve(draw, RESERVE | COMMIT)),
    kind("commit-null", 3, |draw| reserve(draw, COMMIT)),
    kind("reserve-hole", 6, reserve_hole),
    kind("reserve-gone", 3, |draw| reserve_at(draw, Target::Gone)),
    kind("reserve-taken", 2, |draw| reserve_at(draw, Target::Any)),
    kind("reserve-tail", 1, |draw| reserve_at(draw, Target::Tail)),
    kind("top-down", 3, top_down),
    kind("watched", 3, |draw| reserve(draw, RESERVE | COMMIT | AllocationType::WRITE_WATCH)),
    kind("physical", 1, physical),
    kind("large-pages", 1, large_pages),
    kind("commit", 16, |draw| commit(draw, Target::Reserved, protection)),
    kind("recommit", 6, |draw| commit(draw, Target::Committed, protection)),
    kind("commit-guard", 4, |draw| commit(draw, Target::Committed, |_| RW | Protection::GUARD)),
    kind("commit-any", 4, |draw| commit(draw, Target::Any, protection)),
    kind("decommit", 10, decommit),
    kind("decommit-all", 2, decommit_all),
    kind("release", 8, release),
    kind("protect", 12, |draw| protect(draw, Target::Committed)),
    kind("protect-any", 3, |draw| protect(draw, Target::Any)),
    kind("query", 10, |draw| query(draw, Target::Any)),
    kind("query-gone", 2, |draw| query(draw, Target::Gone)),
    kind("query-behind", 3, |draw| query(draw, Target::Behind)),
    kind("query-tail", 2, |draw| query(draw, Target::Tail)),
    kind("query-low", 1, |draw| query_number(draw, 0x1_0000)),
    kind("walk", 2, walk),
    kind("read", 10, |draw| read(draw, Target::Committed)),
    kind("read-any", 3, |draw| read(draw, Target::Any)),
    kind("read-gone", 2, |draw| read(draw, Target::Gone)),
    kind("write", 16, |draw| write(draw, Target::Writable)),
    kind("write-any", 4, |draw| write(draw, Target::Any)),
    kind("fill", 4, fill),
    kind("execute", 4, |draw| Intent::Execute { aim: aim(draw, Target::Code) }),
    kind("execute-any", 2, |draw| Intent::Execute { aim: aim(draw, Target::Any) }),
    kind("hit-guard", 5, hit_guard),
    kind("get-watch", 6, get_watch),
    kind("get-watch-any", 1, get_watch_any),
    kind("reset-watch", 3, reset_watch),
    kind("write-watched", 5, |draw| write(draw, Target::Watched)),
    kind("reset", 4, |draw| reset(draw, AllocationType::RESET, Target::Writable)),
    kind("reset-any", 1, |draw| reset(draw, AllocationType::RESET, Target::Any)),
    kind("reset-undo", 2, |draw| reset(draw, AllocationType::RESET_UNDO, Target::Uncertain)),
    kind("read-uncertain", 3, |draw| read(draw, Target::Uncertain)),
    kind("heap", 2, |draw| Intent::CreateMalloc(MallocType(word(draw, 4)))),
    kind("alloc", 8, |draw| heap_alloc(draw, false)),
    kind("debug-alloc", 2, |draw| heap_alloc(draw, true)),
    kind("free", 6, |draw| Intent::HeapFree(Freed::Own(nth(draw)))),
    kind("free-null", 1, |_| Intent::HeapFree(Freed::Null)),
    kind("free-wrong", 2, free_wrong),
    kind("read-block", 2, |draw| access_block(draw, false)),
    kind("write-block", 4, |draw| access_block(draw, true)),
    kind("execute-block", 1, |draw| Intent::Execute { aim: aim(draw, Target::Block) }),
    kind("load", 2, |_| Intent::GetLoad),
    kind("set-load", 3, set_load),
    kind("register", 1, |_| Intent::Register),
    kind("needs", 1, |draw| Intent::Needs(notice_aim(draw), notice_size(draw))),
    kind("acquired", 1, |draw| Intent::Acquired(image(draw), notice_size(draw))),
    kind("released", 1, |draw| Intent::Released(image(draw))),
];

/// A critical level, as often as the runtime uses each (levels of corhost.cpp).
pub fn level(draw: &mut Draw) -> CriticalLevel {
    CriticalLevel([0, 1, 2][draw.weighted(&[7, 2, 1])])
}

/// A number below `bound`.
fn word(draw: &mut Draw, bound: u32) -> u32 {
    u32::try_from(draw.below(u64::from(bound))).expect("below a word")
}

/// Mostly one of the newest.
pub fn nth(draw: &mut Draw) -> u16 {
    let bits = draw.below(9);
    u16::try_from(draw.below(1 << bits)).expect("below 256")
}

fn share(draw: &mut Draw) -> u16 {
    u16::try_from(draw.below(1 << 16)).expect("below 2^16")
}

/// Some page of a kind, at its base, its end or inside.
pub fn aim(draw: &mut Draw, target: Target) -> Aim {
    let nudge = [0, 1, 8, 0x7FF, 0xFFF, 0xFFC][draw.weighted(&[12, 1, 2, 1, 1, 1])];
    let share = if draw.chance(2, 3) { share(draw) } else { 0 };
    Aim { target, nth: nth(draw), share, nudge }
}

fn extent(draw: &mut Draw) -> Extent {
    let few = |draw: &mut Draw| u16::try_from(1 + draw.below(8)).expect("few");
    match draw.weighted(&[6, 2, 2, 2]) {
        0 => Extent::Pages(few(draw)),
        1 => Extent::Share(share(draw)),
        2 => Extent::Bytes(draw.log_uniform(1, 0x4000)),
        _ => Extent::Beyond(0),
    }
}

/// A lawful protection, `PAGE_READWRITE` most of the time.
pub fn protection(draw: &mut Draw) -> Protection {
    const BASES: [Protection; 6] = [
        Protection::READWRITE,
        Protection::EXECUTE_READWRITE,
        Protection::READONLY,
        Protection::NOACCESS,
        Protection::EXECUTE,
        Protection::EXECUTE_READ,
    ];
    const MODIFIERS: [Protection; 4] =
        [Protection(0), Protection::GUARD, Protection::NOCACHE, Protection::WRITECOMBINE];
    let base = BASES[draw.weighted(&[10, 4, 3, 2, 1, 2])];
    let modifier = MODIFIERS[draw.weighted(&[24, 4, 1, 1])];
    if base == Protection::NOACCESS { base } else { base | modifier }
}

fn size(draw: &mut Draw) -> Extent {
    match draw.weighted(&[4, 4, 1]) {
        0 => Extent::Bytes(draw.between(1, 24) << 12),
        1 => Extent::Bytes(draw.between(1, 16) << 16),
        _ => Extent::Bytes(draw.log_uniform(1, 64 << 20)),
    }
}

fn reserve(draw: &mut Draw, kind: AllocationType) -> Intent {
    let (extent, protect, critical) = (size(draw), protection(draw), level(draw));
    Intent::Alloc { site: Site::Anywhere, extent, kind, protect, critical }
}

fn reserve_hole(draw: &mut Draw) -> Intent {
    let offsets = [0, 0x1_0000, 0x8000, 0x10, 0xFFFF, 0x1010];
    let offset = offsets[draw.weighted(&[6, 2, 1, 1, 1, 1])];
    let kind = if draw.chance(1, 3) { RESERVE | COMMIT } else { RESERVE };
    let (extent, protect, critical) = (size(draw), protection(draw), level(draw));
    Intent::Alloc { site: Site::Hole(offset), extent, kind, protect, critical }
}

fn reserve_at(draw: &mut Draw, target: Target) -> Intent {
    let kind = if draw.chance(1, 3) { RESERVE | COMMIT } else { RESERVE };
    let (aim, extent) = (aim(draw, target), extent(draw));
    let (protect, critical) = (protection(draw), level(draw));
    Intent::Alloc { site: Site::At(aim), extent, kind, protect, critical }
}

fn top_down(draw: &mut Draw) -> Intent {
    let top_down = AllocationType::TOP_DOWN;
    match draw.weighted(&[4, 1, 1]) {
        0 => reserve(draw, RESERVE | top_down),
        1 => Intent::Alloc {
            site: Site::Hole(0),
            extent: size(draw),
            kind: RESERVE | top_down,
            protect: protection(draw),
            critical: level(draw),
        },
        _ => Intent::Alloc {
            site: Site::At(aim(draw, Target::Any)),
            extent: extent(draw),
            kind: COMMIT | top_down,
            protect: protection(draw),
            critical: level(draw),
        },
    }
}

fn physical(draw: &mut Draw) -> Intent {
    let kind = RESERVE | AllocationType::PHYSICAL;
    let extent = size(draw);
    Intent::Alloc { site: Site::Anywhere, extent, kind, protect: RW, critical: level(draw) }
}

fn large_pages(draw: &mut Draw) -> Intent {
    let kind = RESERVE | COMMIT | AllocationType::LARGE_PAGES;
    let extent = Extent::Bytes(draw.between(1, 4) << 21);
    Intent::Alloc { site: Site::Anywhere, extent, kind, protect: RW, critical: level(draw) }
}

fn commit(draw: &mut Draw, target: Target, protect: fn(&mut Draw) -> Protection) -> Intent {
    let (site, extent) = (Site::At(aim(draw, target)), extent(draw));
    let (protect, critical) = (protect(draw), level(draw));
    Intent::Alloc { site, extent, kind: COMMIT, protect, critical }
}

fn decommit(draw: &mut Draw) -> Intent {
    let target = if draw.chance(1, 4) { Target::Any } else { Target::Committed };
    Intent::Free { aim: aim(draw, target), extent: extent(draw), kind: FreeType::DECOMMIT }
}

/// The first page of some allocation.
fn base(draw: &mut Draw, target: Target) -> Aim {
    Aim { share: 0, ..aim(draw, target) }
}

fn decommit_all(draw: &mut Draw) -> Intent {
    let aim = base(draw, Target::Any);
    Intent::Free { aim, extent: Extent::Bytes(0), kind: FreeType::DECOMMIT }
}

fn release(draw: &mut Draw) -> Intent {
    let aim = base(draw, Target::Any);
    Intent::Free { aim, extent: Extent::Bytes(0), kind: FreeType::RELEASE }
}

fn protect(draw: &mut Draw, target: Target) -> Intent {
    let (aim, extent, protect) = (aim(draw, target), extent(draw), protection(draw));
    Intent::Protect { aim, extent, protect, old: OutPointer::Valid }
}

fn query(draw: &mut Draw, target: Target) -> Intent {
    let length = MemoryBasicInformation::SIZE;
    Intent::Query { aim: aim(draw, target), buffer: OutPointer::Valid, length }
}

fn query_number(draw: &mut Draw, below: u64) -> Intent {
    let aim = Aim::at(Target::Number(draw.below(below)));
    let length = MemoryBasicInformation::SIZE + draw.below(2) * 16;
    Intent::Query { aim, buffer: OutPointer::Valid, length }
}

fn walk(draw: &mut Draw) -> Intent {
    let behind = u8::try_from(draw.below(4)).expect("below 4");
    let over = if draw.chance(1, 16) { None } else { Some(nth(draw)) };
    Intent::Walk { over, behind }
}

/// Accesses of a machine word and others, also across the end of a page.
fn access(draw: &mut Draw, target: Target) -> (Aim, u32) {
    let size = [8, 4, 2, 1, 3, 16, 64][draw.weighted(&[8, 4, 2, 2, 1, 1, 1])];
    let straddles = draw.chance(1, 6);
    let mut aim = aim(draw, target);
    if straddles {
        aim.nudge = 0x1000 - i64::from(size / 2).max(1);
    }
    (aim, size)
}

fn read(draw: &mut Draw, target: Target) -> Intent {
    let (aim, size) = access(draw, target);
    let size = if draw.chance(1, 10) { word(draw, 0x5000) + 1 } else { size };
    Intent::Read { aim, size }
}

fn write(draw: &mut Draw, target: Target) -> Intent {
    let (aim, size) = access(draw, target);
    Intent::Write { aim, text: Text::Bytes(draw.bytes(size as usize)) }
}

fn fill(draw: &mut Draw) -> Intent {
    let size = word(draw, 0x6000) + 1;
    let byte = if draw.chance(1, 4) { 0 } else { 0xA5 };
    Intent::Write { aim: aim(draw, Target::Writable), text: Text::Fill(size, byte) }
}

fn hit_guard(draw: &mut Draw) -> Intent {
    let target = if draw.chance(1, 5) { Target::WatchedGuard } else { Target::Guarded };
    match draw.weighted(&[4, 4, 1]) {
        0 => read(draw, target),
        1 => write(draw, target),
        _ => Intent::Execute { aim: aim(draw, target) },
    }
}

fn watch_aim(draw: &mut Draw) -> (Aim, Extent) {
    let whole = draw.chance(1, 2);
    let aim = aim(draw, Target::Watched);
    if whole {
        return (Aim { share: 0, nudge: 0, ..aim }, Extent::Beyond(0));
    }
    (aim, extent(draw))
}

fn get_watch(draw: &mut Draw) -> Intent {
    let (aim, extent) = watch_aim(draw);
    let flags = WatchFlags(word(draw, 2));
    let capacity = [100, 1, 2, 1000][draw.weighted(&[4, 1, 1, 1])];
    Intent::GetWatch { aim, extent, flags, capacity, null: WatchPointers::default() }
}

/// Most memory is not watched.
fn get_watch_any(draw: &mut Draw) -> Intent {
    let (aim, extent) = (aim(draw, Target::Any), extent(draw));
    let (flags, null) = (WatchFlags(0), WatchPointers::default());
    Intent::GetWatch { aim, extent, flags, capacity: 100, null }
}

fn reset_watch(draw: &mut Draw) -> Intent {
    let (aim, extent) = watch_aim(draw);
    Intent::ResetWatch { aim, extent }
}

fn reset(draw: &mut Draw, kind: AllocationType, target: Target) -> Intent {
    let mut aim = aim(draw, target);
    let extent = if draw.chance(1, 8) {
        extent(draw)
    } else {
        aim.nudge = 0;
        Extent::Pages(u16::try_from(1 + draw.below(4)).expect("few"))
    };
    Intent::Alloc { site: Site::At(aim), extent, kind, protect: RW, critical: level(draw) }
}

fn heap_alloc(draw: &mut Draw, debug: bool) -> Intent {
    let size = if draw.chance(1, 10) { draw.log_uniform(512, 0x1_0000) } else { draw.below(512) };
    let debug = debug.then(|| i32::try_from(draw.below(40_000)).expect("a line number"));
    Intent::HeapAlloc { heap: nth(draw), size, critical: level(draw), debug }
}

fn free_wrong(draw: &mut Draw) -> Intent {
    Intent::HeapFree(match draw.weighted(&[1, 1, 1, 1]) {
        0 => Freed::Foreign(nth(draw)),
        1 => Freed::Inside(nth(draw), 16),
        2 => Freed::Wild(Aim { share: 0, nudge: 0, ..aim(draw, Target::Gone) }),
        _ => Freed::Wild(aim(draw, Target::Any)),
    })
}

fn access_block(draw: &mut Draw, write: bool) -> Intent {
    let mut aim = Aim { nudge: 0, ..aim(draw, Target::Block) };
    let mut size = if write { 1_u32 << draw.below(4) } else { 8 };
    if draw.chance(1, 4) {
        // The last byte, alone: blocks are not rounded up for whoever uses them.
        aim.share = u16::MAX;
        size = 1;
    }
    if write {
        return Intent::Write { aim, text: Text::Bytes(draw.bytes(size as usize)) };
    }
    Intent::Read { aim, size }
}

fn set_load(draw: &mut Draw) -> Intent {
    let load = word(draw, 101);
    let available = [16 << 20, 64 << 20, 100 << 20, 192 << 20, 4 << 30][draw.index(5)];
    Intent::SetLoad(load, available)
}

/// Where a mapping of the runtime's own might be: far from anything that managers choose.
pub fn image(draw: &mut Draw) -> Aim {
    Aim::at(Target::Number(0x7FF6_0000_0000 + (draw.below(64) << 24)))
}

fn notice_aim(draw: &mut Draw) -> Aim {
    if draw.chance(1, 2) { Aim::at(Target::Number(0)) } else { image(draw) }
}

fn notice_size(draw: &mut Draw) -> u64 {
    if draw.chance(1, 3) { 0 } else { draw.log_uniform(0x1000, 50 << 20) }
}
