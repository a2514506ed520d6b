//! Puts mistakes into an intent: arguments that no runtime passes, one or several at once.
//!
//! Which mistake wins is law too, so their combinations matter as much as each alone.
//!
//! Deliberately not here: explicit reservations at addresses that the case does not own,
//! which other memory of the process may hold.

use hostmem_interface::{AllocationType, FreeType, MallocType, OutPointer, Protection, WatchFlags};

use super::{Aim, Extent, Freed, Intent, Site, Target};
use crate::random::Draw;

/// Spoils one argument, or several.
#[must_use]
pub fn spoil(mut intent: Intent, draw: &mut Draw) -> Intent {
    let times = [1, 2, 3][draw.weighted(&[6, 3, 1])];
    for _ in 0..times {
        spoil_one(&mut intent, draw);
    }
    intent
}

fn spoil_one(intent: &mut Intent, draw: &mut Draw) {
    match intent {
        Intent::Alloc { site, extent, kind, protect, .. } => match draw.weighted(&[3, 3, 3, 3]) {
            0 => *site = spoiled_site(*site, draw),
            1 => *extent = spoiled_extent(draw, true),
            2 => *kind = spoiled_type(*kind, draw),
            _ => *protect = spoiled_protection(*protect, draw),
        },
        Intent::Free { aim, extent, kind } => match draw.index(3) {
            0 => *aim = spoiled_aim(draw),
            1 => *extent = spoiled_extent(draw, false),
            _ => *kind = spoiled_free(draw),
        },
        Intent::Protect { aim, extent, protect, old } => match draw.index(4) {
            0 => *aim = spoiled_aim(draw),
            1 => *extent = spoiled_extent(draw, false),
            2 => *protect = spoiled_protection(*protect, draw),
            _ => *old = OutPointer::Null,
        },
        Intent::Query { aim, buffer, length } => match draw.index(3) {
            0 => *aim = spoiled_aim(draw),
            1 => *buffer = OutPointer::Null,
            _ => *length = [0, 1, 47, 28, 49, 4096][draw.index(6)],
        },
        Intent::Read { aim, .. } | Intent::Write { aim, .. } | Intent::Execute { aim } => {
            *aim = spoiled_aim(draw);
        }
        Intent::GetWatch { aim, extent, flags, capacity, null } => match draw.index(6) {
            0 => *aim = spoiled_aim(draw),
            1 => *extent = spoiled_extent(draw, false),
            2 => *flags = WatchFlags([2, 3, 0x8000_0000][draw.index(3)]),
            3 => *capacity = 0,
            4 => null.addresses = OutPointer::Null,
            _ => {
                let which = draw.chance(1, 2);
                *(if which { &mut null.count } else { &mut null.granularity }) = OutPointer::Null;
            }
        },
        Intent::ResetWatch { aim, extent } => match draw.index(2) {
            0 => *aim = spoiled_aim(draw),
            _ => *extent = spoiled_extent(draw, false),
        },
        Intent::CreateMalloc(kind) => *kind = MallocType([4, 7, u32::MAX][draw.index(3)]),
        Intent::HeapFree(freed) => *freed = Freed::Wild(spoiled_aim(draw)),
        Intent::SetLoad(load, _) => *load = [101, 1000, u32::MAX][draw.index(3)],
        Intent::Released(aim) => *aim = spoiled_aim(draw),
        _ => {}
    }
}

/// Addresses that are nobody's, or somebody else's.
fn spoiled_aim(draw: &mut Draw) -> Aim {
    const TARGETS: [Target; 12] = [
        Target::Number(0),
        Target::Number(1),
        Target::Number(0xFFFF),
        Target::BelowEnd(0),
        Target::Number(0x8000_0000_0000),
        Target::Number(0xFFFF_8000_0000_0000),
        Target::Number(u64::MAX),
        Target::Tail,
        Target::Behind,
        Target::Gone,
        Target::Any,
        Target::Reserved,
    ];
    let target = *draw.pick(&TARGETS);
    super::kinds::aim(draw, target)
}

/// The same for `VirtualAlloc`: a reservation stays away from memory that nobody named.
fn spoiled_site(site: Site, draw: &mut Draw) -> Site {
    let aim = spoiled_aim(draw);
    let low = |aim: Aim| Aim { target: Target::Number(1 + draw_low(aim)), nudge: 0, ..aim };
    match aim.target {
        Target::Number(number) if number < 0x1_0000 => Site::At(low(aim)),
        Target::Behind => site,
        _ => Site::At(aim),
    }
}

/// Some address of the first 64 KiB that is not null.
fn draw_low(aim: Aim) -> u64 {
    u64::from(aim.share) % 0xFFFF
}

fn spoiled_extent(draw: &mut Draw, alloc: bool) -> Extent {
    let past = Extent::PastSpace(if alloc { 1 } else { draw.below(2) });
    match draw.weighted(&[4, 3, 2, 1, 2, 2]) {
        0 => Extent::Bytes(0),
        1 => Extent::Beyond(1 + draw.below(0x2_0000)),
        2 => past,
        3 => Extent::PastSpace(1 << draw.below(40)),
        4 => Extent::Bytes(u64::MAX - draw.below(0x2_0000)),
        _ => Extent::Beyond(1),
    }
}

fn spoiled_type(kind: AllocationType, draw: &mut Draw) -> AllocationType {
    const BITS: [u32; 14] = [
        0x1000,
        0x2000,
        0x8_0000,
        0x10_0000,
        0x20_0000,
        0x40_0000,
        0x100_0000,
        0x2000_0000,
        0x4000,
        0x8000,
        0x4_0000,
        0x4000_0000,
        1,
        0x8000_0000,
    ];
    match draw.weighted(&[8, 2, 1]) {
        0 => AllocationType(kind.0 ^ draw.pick(&BITS)),
        1 => AllocationType(*draw.pick(&BITS)) | AllocationType(*draw.pick(&BITS)),
        _ => AllocationType(0),
    }
}

fn spoiled_free(draw: &mut Draw) -> FreeType {
    FreeType([0, 0xC000, 0x1_0000, 0x4001, 0x8001, 0x8000, 0x4000, 0x1000][draw.index(8)])
}

/// Bits from 0x800 up differ between Windows versions, and stay out.
fn spoiled_protection(protect: Protection, draw: &mut Draw) -> Protection {
    match draw.weighted(&[4, 3, 2, 1]) {
        0 => Protection(protect.0 ^ (1 << draw.below(11))),
        1 => protect | Protection([0x100, 0x200, 0x400, 0x300, 0x600][draw.index(5)]),
        2 => Protection([0x08, 0x80, 0x108, 0x88][draw.index(4)]),
        _ => Protection([0, 0x100, 0x200, 0x500][draw.index(4)]),
    }
}
