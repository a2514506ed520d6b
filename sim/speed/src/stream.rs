//! One seeded stream of lawful calls on a given number of live reservations, which every
//! contestant replays.
//!
//! 1 % reserve, 1 % release, 55 % commit of the next 1 to 16 pages (the cursor wraps), 8 %
//! decommit of 1 to 16, 15 % protect of 1 to 4 committed pages, 20 % query, three quarters of
//! them inside a live reservation and the rest anywhere. Reservations have 64 KiB (50 %), 128
//! or 256 KiB (15 % each), 1 or 4 MiB (10 % each), at random granules of a 64 TiB arena.
//!
//! A [`Wish`] is drawn, and means something in every state; a [`Plan`] knows what is live and
//! makes a lawful [`Op`] of it. So the same operations can be drawn by anyone.
//!
//! Deliberately not here: what an operation does.

use std::collections::BTreeMap;

use hostmem::random::Draw;
use hostmem_interface::{
    Address, AllocationType, Call, CriticalLevel, FreeType, MemoryBasicInformation, OutPointer,
    Protection,
};

/// Bytes of a page.
pub const PAGE: u64 = 0x1000;
/// Bytes of a granule.
const GRANULE: u64 = 0x1_0000;
/// Where reservations lie.
pub const ARENA: std::ops::Range<u64> = 8 << 40..72 << 40;
/// The protections that `VirtualProtect` gives; the first is that of a commit.
pub const PROTECTIONS: [Protection; 4] = [
    Protection::READWRITE,
    Protection::READONLY,
    Protection::EXECUTE_READ,
    Protection::EXECUTE_READWRITE,
];

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A reservation of the whole range.
    Reserve,
    /// Its release.
    Release,
    /// A commit, read-write.
    Commit,
    /// A decommit.
    Decommit,
    /// A change of protection.
    Protect,
    /// A query of the first address.
    Query,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// First address.
    pub at: u64,
    /// How many pages.
    pub pages: u32,
    /// What.
    pub kind: Kind,
    /// Which of [`PROTECTIONS`].
    pub protect: u8,
}

impl Op {
    /// The range in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::from(self.pages) * PAGE
    }

    /// The operation as a call of the interface.
    #[must_use]
    pub fn call(&self) -> Call {
        let (address, size) = (Address(self.at), self.size());
        let protect = PROTECTIONS[usize::from(self.protect)];
        let alloc = |kind, protect| Call::VirtualAlloc {
            address,
            size,
            kind,
            protect,
            critical: CriticalLevel::TASK,
        };
        match self.kind {
            Kind::Reserve => alloc(AllocationType::RESERVE, Protection::NOACCESS),
            Kind::Commit => alloc(AllocationType::COMMIT, protect),
            Kind::Release => Call::release(address),
            Kind::Decommit => Call::VirtualFree { address, size, kind: FreeType::DECOMMIT },
            Kind::Protect => {
                Call::VirtualProtect { address, size, protect, old: OutPointer::Valid }
            }
            Kind::Query => Call::VirtualQuery {
                address,
                buffer: OutPointer::Valid,
                length: MemoryBasicInformation::SIZE,
            },
        }
    }
}

/// An operation before anybody knows what is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What.
    pub kind: Kind,
    /// Which live reservation, as a share of them; or which place of the arena.
    pub which: u32,
    /// Which page of it, as a share; or how large a reservation.
    pub share: u16,
    /// How many pages, less one.
    pub more: u8,
    /// Of a query: whether it is anywhere. Of a protection: which.
    pub variant: u8,
}

impl Wish {
    /// The next wish of a stream.
    pub fn draw(draw: &mut Draw) -> Self {
        let word = draw.word();
        let [a, b, c, d, share, more, variant, roll] = word.to_le_bytes();
        let percent = u32::from(roll) * 100 / 256;
        let kind = match percent {
            0 => Kind::Reserve,
            1 => Kind::Release,
            2..57 => Kind::Commit,
            57..65 => Kind::Decommit,
            65..80 => Kind::Protect,
            _ => Kind::Query,
        };
        let share = u16::from_le_bytes([share, more]);
        Self { kind, which: u32::from_le_bytes([a, b, c, d]), share, more, variant }
    }
}

/// What is known of a live reservation.
#[derive(Clone, Debug)]
struct Live {
    base: u64,
    pages: u32,
    cursor: u32,
    /// A bit for each committed page.
    committed: Vec<u64>,
}

impl Live {
    fn is_committed(&self, page: u32) -> bool {
        self.committed[page as usize / 64] >> (page % 64) & 1 != 0
    }

    fn set(&mut self, first: u32, count: u32, committed: bool) {
        for page in first..first + count {
            let (word, bit) = (&mut self.committed[page as usize / 64], 1 << (page % 64));
            *word = if committed { *word | bit } else { *word & !bit };
        }
    }

    /// The first committed page at or behind a page, then from the beginning on.
    fn committed_from(&self, page: u32) -> Option<u32> {
        (page..self.pages).chain(0..page).find(|page| self.is_committed(*page))
    }
}

/// What is live, and so which operations are lawful.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    live: Vec<Live>,
    taken: BTreeMap<u64, u64>,
}

/// This share of a number, in parts of 2^32.
fn part(whole: u64, share: u32) -> u64 {
    let product = u128::from(whole) * u128::from(share);
    u64::try_from(product >> 32).expect("a part is smaller than the whole")
}

fn small(value: u64) -> u32 {
    u32::try_from(value).expect("a count of pages")
}

impl Plan {
    /// A plan, and the operations that make `count` reservations, each with a commit.
    #[must_use]
    pub fn with(count: usize, draw: &mut Draw) -> (Self, Vec<Op>) {
        let mut plan = Self::default();
        let mut ops = Vec::new();
        for _ in 0..count {
            let wish = Wish { kind: Kind::Reserve, ..Wish::draw(draw) };
            ops.push(plan.reserve(&wish));
            let newest = plan.live.len() - 1;
            ops.push(plan.commit(newest, wish.more));
        }
        (plan, ops)
    }

    /// How many reservations are live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// The next operations of a stream.
    #[must_use]
    pub fn ops(&mut self, count: usize, draw: &mut Draw) -> Vec<Op> {
        (0..count).map(|_| self.realise(&Wish::draw(draw))).collect()
    }

    /// The lawful operation that comes nearest to a wish.
    pub fn realise(&mut self, wish: &Wish) -> Op {
        if self.live.is_empty() {
            return self.reserve(wish);
        }
        let at = part(self.live.len() as u64, wish.which);
        let which = usize::try_from(at).expect("an index");
        match wish.kind {
            Kind::Reserve => self.reserve(wish),
            Kind::Release => self.release(which),
            Kind::Commit => self.commit(which, wish.more),
            Kind::Decommit => self.decommit(which, wish),
            Kind::Protect => self.protect(which, wish),
            Kind::Query if wish.variant.is_multiple_of(4) => self.query_anywhere(wish),
            Kind::Query => {
                let live = &self.live[which];
                let page = part(u64::from(live.pages), u32::from(wish.share) << 16);
                Op { at: live.base + page * PAGE, pages: 1, kind: Kind::Query, protect: 0 }
            }
        }
    }

    fn reserve(&mut self, wish: &Wish) -> Op {
        let granules: u64 = match (u32::from(wish.share) * 100) >> 16 {
            0..50 => 1,
            50..65 => 2,
            65..80 => 4,
            80..90 => 16,
            _ => 64,
        };
        let size = granules * GRANULE;
        let room = (ARENA.end - ARENA.start) / GRANULE - granules;
        let mut base = ARENA.start + part(room, wish.which) * GRANULE;
        while let Some(behind) = self.in_the_way(base, base + size) {
            base = behind;
        }
        self.taken.insert(base, base + size);
        let pages = small(size / PAGE);
        let committed = vec![0; (pages as usize).div_ceil(64)];
        self.live.push(Live { base, pages, cursor: 0, committed });
        Op { at: base, pages, kind: Kind::Reserve, protect: 0 }
    }

    /// The end of what is taken of a range.
    fn in_the_way(&self, start: u64, end: u64) -> Option<u64> {
        let (_, behind) = self.taken.range(..end).next_back()?;
        (*behind > start).then_some(*behind)
    }

    fn release(&mut self, which: usize) -> Op {
        let Live { base, pages, .. } = self.live.swap_remove(which);
        self.taken.remove(&base);
        Op { at: base, pages, kind: Kind::Release, protect: 0 }
    }

    fn commit(&mut self, which: usize, more: u8) -> Op {
        let live = &mut self.live[which];
        let first = live.cursor;
        let count = (u32::from(more % 16) + 1).min(live.pages - first);
        live.set(first, count, true);
        live.cursor = (first + count) % live.pages;
        Op { at: live.base + u64::from(first) * PAGE, pages: count, kind: Kind::Commit, protect: 0 }
    }

    fn decommit(&mut self, which: usize, wish: &Wish) -> Op {
        let live = &mut self.live[which];
        let first = small(part(u64::from(live.pages), u32::from(wish.share) << 16));
        let pages = (u32::from(wish.variant % 16) + 1).min(live.pages - first);
        live.set(first, pages, false);
        Op { at: live.base + u64::from(first) * PAGE, pages, kind: Kind::Decommit, protect: 0 }
    }

    fn protect(&mut self, which: usize, wish: &Wish) -> Op {
        let live = &self.live[which];
        let from = small(part(u64::from(live.pages), u32::from(wish.share) << 16));
        let Some(first) = live.committed_from(from) else { return self.commit(which, wish.more) };
        let most = (u32::from(wish.more % 4) + 1).min(live.pages - first);
        let pages = (1..most).take_while(|more| live.is_committed(first + more)).count();
        let (at, pages) = (live.base + u64::from(first) * PAGE, small(pages as u64 + 1));
        Op { at, pages, kind: Kind::Protect, protect: wish.variant % 4 }
    }

    fn query_anywhere(&self, wish: &Wish) -> Op {
        let at = ARENA.start + part((ARENA.end - ARENA.start) / PAGE, wish.which) * PAGE;
        Op { at, pages: 1, kind: Kind::Query, protect: 0 }
    }
}
