//! Turns an intent into steps.
//!
//! Where there is nothing to aim at, the steps make it instead. Two limits hold in every
//! state, whatever an intent says: a case commits at most [`MOST_COMMITTED`] bytes at a
//! time, because real memory stands behind it; and code is run only where the byte is known
//! to be a `ret`, or where running it must fault, because any other byte makes a case
//! unreadable.

use std::sync::Arc;

use hostmem_interface::scenario::{Action, Name, Place, Step};
use hostmem_interface::{
    AccessKind, Address, AllocationType, Call, CriticalLevel, Data, MallocType, Protection,
};

use super::aim::Found;
use super::{Aim, Extent, Freed, Intent, Site, Target, Text};
use crate::script::Script;
use crate::view::{Binding, View};

/// The most bytes that a case has committed at once.
pub const MOST_COMMITTED: u64 = 640 << 20;

/// The code that is run: `ret`.
pub const RET: u8 = 0xC3;

const COMMIT: AllocationType = AllocationType::COMMIT;
const RESERVE: AllocationType = AllocationType::RESERVE;
const WRITE_WATCH: AllocationType = AllocationType::WRITE_WATCH;

impl Intent {
    /// The steps that carry the intent out in this state.
    #[must_use]
    pub fn realise(&self, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        self.write(&mut script);
        script.steps()
    }

    /// Writes the steps.
    pub fn write(&self, script: &mut Script<'_>) {
        match self {
            Self::Alloc { site, extent, kind, protect, critical } => {
                script.level = *critical;
                write_alloc(script, *site, *extent, *kind, *protect);
            }
            Self::Free { aim, extent, kind } => with(script, aim, |script, found| {
                let size = found.reach(script.view(), *extent);
                script.call(Call::VirtualFree { address: found.place, size, kind: *kind });
            }),
            Self::Protect { aim, extent, protect, old } => with(script, aim, |script, found| {
                let size = found.reach(script.view(), *extent);
                let address = found.place;
                script.call(Call::VirtualProtect { address, size, protect: *protect, old: *old });
            }),
            Self::Query { aim, buffer, length } => with(script, aim, |script, found| {
                let (address, buffer, length) = (found.place, *buffer, *length);
                script.call(Call::VirtualQuery { address, buffer, length });
            }),
            Self::Walk { over, behind } => write_walk(script, *over, *behind),
            Self::Read { aim, size } => {
                with(script, aim, |script, found| script.read(found.place, u64::from(*size)));
            }
            Self::Write { aim, text } => with(script, aim, |script, found| {
                script.call(Call::Write { address: found.place, data: text.data() });
            }),
            Self::Execute { aim } => with(script, aim, write_execute),
            Self::GetWatch { aim, extent, flags, capacity, null } => {
                with(script, aim, |script, found| {
                    let size = found.reach(script.view(), *extent);
                    let (address, flags, capacity, null) = (found.place, *flags, *capacity, *null);
                    script.call(Call::GetWriteWatch { address, size, flags, capacity, null });
                });
            }
            Self::ResetWatch { aim, extent } => with(script, aim, |script, found| {
                script.reset_watch(found.place, found.reach(script.view(), *extent));
            }),
            other => other.write_rest(script),
        }
    }

    fn write_rest(&self, script: &mut Script<'_>) {
        match self {
            Self::CreateMalloc(kind) => drop(script.create_malloc(*kind)),
            Self::HeapAlloc { heap, size, critical, debug } => {
                script.level = *critical;
                write_heap_alloc(script, *heap, *size, *debug);
            }
            Self::HeapFree(freed) => write_free(script, *freed),
            Self::GetLoad => script.call(Call::GetMemoryLoad),
            Self::SetLoad(load, available) => {
                script.call(Call::SetMemoryLoad { load: *load, available: *available });
            }
            Self::Register => script.call(Call::RegisterMemoryNotificationCallback),
            Self::Needs(aim, size) => with(script, aim, |script, found| {
                script.call(Call::NeedsVirtualAddressSpace { address: found.place, size: *size });
            }),
            Self::Acquired(aim, size) => with(script, aim, |script, found| {
                let (address, size) = (found.place, *size);
                script.call(Call::AcquiredVirtualAddressSpace { address, size });
            }),
            Self::Released(aim) => with(script, aim, |script, found| {
                script.call(Call::ReleasedVirtualAddressSpace { address: found.place });
            }),
            _ => unreachable!("written above"),
        }
    }
}

impl Text {
    fn data(&self) -> Data {
        match self {
            Self::Bytes(bytes) => Data::Bytes(Arc::from(bytes.as_slice())),
            Self::Fill(size, byte) => Data::Fill { size: u64::from(*size), byte: *byte },
        }
    }
}

/// Writes about what is aimed at, or makes something of the kind.
fn with(script: &mut Script<'_>, aim: &Aim, write: impl FnOnce(&mut Script<'_>, Found<'_>)) {
    match aim.find(script.view()) {
        Some(found) => write(script, found),
        None => make(script, aim.target),
    }
}

/// Makes something to aim at.
fn make(script: &mut Script<'_>, target: Target) {
    const SIZE: u64 = 0x2_0000;
    let writable = Protection::READWRITE;
    let both = RESERVE | COMMIT;
    let (size, kind, protect) = match target {
        Target::Block => {
            write_heap_alloc(script, 0, 48, None);
            return;
        }
        Target::Gone => {
            script.hole(SIZE);
            return;
        }
        Target::Uncertain => {
            make_uncertain(script);
            return;
        }
        Target::ReservedGuard { touched: true } => {
            let name = script.reserve(SIZE, RESERVE, writable | Protection::GUARD);
            script.commit(Place::Relative { name, offset: 0x1000 }, 0x1000, writable);
            return;
        }
        Target::ReservedGuard { touched: false } => (SIZE, RESERVE, writable | Protection::GUARD),
        Target::Any | Target::Reserved | Target::Behind => (SIZE, RESERVE, Protection::NOACCESS),
        Target::Tail => (0x3000, both, writable),
        Target::Guarded => (SIZE, both, writable | Protection::GUARD),
        Target::Code => (SIZE, both, Protection::EXECUTE_READWRITE),
        Target::Watched => (SIZE, both | WRITE_WATCH, writable),
        Target::WatchedGuard => (SIZE, both | WRITE_WATCH, writable | Protection::GUARD),
        Target::Uncached => (SIZE, both, writable | Protection::NOCACHE),
        Target::Physical => (SIZE, RESERVE | AllocationType::PHYSICAL, writable),
        Target::Committed | Target::Writable | Target::Number(_) | Target::BelowEnd(_) => {
            (SIZE, both, writable)
        }
    };
    script.reserve(size, kind, protect);
}

/// Bytes that are written and then declared to be of no interest.
fn make_uncertain(script: &mut Script<'_>) {
    let found = match Aim::at(Target::Writable).find(script.view()) {
        Some(found) => found.place,
        None => {
            let name = script.reserve(0x1_0000, RESERVE | COMMIT, Protection::READWRITE);
            Place::Relative { name, offset: 0 }
        }
    };
    script.write(found, &[0x5A; 8]);
    script.reset(found, script.view().state.machine().page);
}

fn write_alloc(
    script: &mut Script<'_>,
    site: Site,
    extent: Extent,
    kind: AllocationType,
    protect: Protection,
) {
    let found = match site {
        Site::Anywhere => Found { place: Place::NULL, address: Address::NULL, allocation: None },
        Site::Hole(offset) => {
            let size = affordable(script.view(), extent.bytes(), kind);
            let name = script.hole(size.saturating_add(u64::from(offset)).clamp(1, 1 << 40));
            let place = Place::Relative { name, offset: u64::from(offset) };
            script.alloc(place, size, kind, protect);
            return;
        }
        Site::At(aim) => match aim.find(script.view()) {
            // Where a block was, its heap still is: that place cannot be reserved.
            Some(found) if kind.contains(RESERVE) && owner(script.view(), &found).is_some() => {
                return make(script, Target::Gone);
            }
            Some(found) => found,
            None => return make(script, aim.target),
        },
    };
    let size = found.reach(script.view(), extent);
    let size = affordable(script.view(), size, kind);
    script.alloc(found.place, size, kind, protect);
}

/// A size of which no more is committed than a case may have; sizes beyond user space are
/// refused anyway, and stay.
fn affordable(view: &View<'_>, size: u64, kind: AllocationType) -> u64 {
    let machine = view.state.machine();
    let absurd = size >= machine.end() - machine.lowest;
    if absurd || !kind.intersects(COMMIT) {
        return size;
    }
    // A simulated machine's limit is there to be reached.
    let most = machine.commit_limit.map_or(MOST_COMMITTED, |limit| limit + (1 << 20));
    let left = most.saturating_sub(view.state.space.committed());
    size.min(left.max(machine.page))
}

impl Extent {
    /// The bytes of an extent that is not relative to anything.
    fn bytes(self) -> u64 {
        match self {
            Self::Bytes(bytes) | Self::Beyond(bytes) => bytes,
            Self::Pages(pages) => u64::from(pages) * 0x1000,
            Self::Share(share) => u64::from(share),
            Self::PastSpace(more) => u64::MAX - more,
        }
    }
}

fn write_walk(script: &mut Script<'_>, over: Option<u16>, behind: u8) {
    let Some(nth) = over else {
        script.act(Action::Walk { from: None, to: None });
        return;
    };
    let aim = Aim { nth, ..Aim::at(Target::Any) };
    let Some(found) = aim.find(script.view()) else {
        return make(script, Target::Any);
    };
    let machine = *script.view().state.machine();
    let base = found.allocation.map_or(found.address, |found| found.base());
    let size = found.allocation.map_or(machine.page, |found| found.size());
    let more = u64::from(behind) * machine.granularity;
    let from = script.place(base);
    let Place::Relative { name, offset } = from else {
        return make(script, Target::Any);
    };
    let to = Place::Relative { name, offset: offset.wrapping_add(size).wrapping_add(more) };
    script.act(Action::Walk { from: Some(from), to: Some(to) });
}

/// Runs code that is a `ret`, after writing it where that is possible, or code that must
/// fault. Anywhere else a query is as near as one can get.
fn write_execute(script: &mut Script<'_>, found: Found<'_>) {
    let state = script.view().state;
    let at = found.address;
    if let Some((_, block)) = state.heaps.holding(at) {
        let executable = state
            .heaps
            .kind(block.malloc)
            .is_some_and(|kind| kind.contains(MallocType::EXECUTABLE));
        if executable {
            script.write(found.place, &[RET]);
            script.call(Call::Execute { address: found.place });
        } else {
            script.query(found.place);
        }
        return;
    }
    let page = state.space.find(at).map(|found| found.state(found.page_of(at)));
    let runs = page.is_some_and(|page| page.permits(AccessKind::Execute) && !page.is_guarded());
    let writable = page.is_some_and(|page| page.permits(AccessKind::Write) && !page.is_guarded());
    let ready = state.contents.likeliest(at, 1) == [RET] && !state.contents.is_uncertain(at, 1);
    if runs && !ready && !writable {
        script.query(found.place);
        return;
    }
    // Also where it must not run: code that does not fault is then found out.
    if writable && !ready {
        script.write(found.place, &[RET]);
    }
    script.call(Call::Execute { address: found.place });
}

/// The n-th newest heap.
fn heap(view: &View<'_>, nth: u16) -> Option<Name> {
    let heaps = || {
        let all = view.bound.iter().enumerate().rev();
        all.filter(|(_, binding)| matches!(binding, Binding::Malloc)).map(|(number, _)| number)
    };
    let nth = usize::from(nth) % heaps().count().max(1);
    heaps().nth(nth).and_then(|number| u32::try_from(number).ok()).map(Name)
}

fn write_heap_alloc(script: &mut Script<'_>, nth: u16, size: u64, debug: Option<i32>) {
    let Some(malloc) = heap(script.view(), nth) else {
        script.create_malloc(MallocType::THREADSAFE);
        return;
    };
    let critical: CriticalLevel = script.level;
    match debug {
        None => drop(script.heap_alloc(malloc, size)),
        Some(line) => {
            let file: Arc<str> = Arc::from("gc.cpp");
            let call = Call::DebugAlloc { malloc, size, critical, file, line };
            script.bind(Action::Call(call));
        }
    }
}

fn write_free(script: &mut Script<'_>, freed: Freed) {
    let Some(newest) = heap(script.view(), 0) else {
        script.create_malloc(MallocType::THREADSAFE);
        return;
    };
    let (aim, own) = match freed {
        Freed::Null => {
            script.heap_free(newest, Place::NULL);
            return;
        }
        Freed::Own(nth) => (Aim { nth, ..Aim::at(Target::Block) }, true),
        Freed::Foreign(nth) => (Aim { nth, ..Aim::at(Target::Block) }, false),
        Freed::Inside(nth, offset) => {
            (Aim { nth, ..Aim::at(Target::Block) }.nudged(i64::from(offset)), true)
        }
        Freed::Wild(aim) => (aim, true),
    };
    with(script, &aim, |script, found| {
        let owner = owner(script.view(), &found);
        let malloc = match (owner, own) {
            (Some(owner), true) => Some(owner),
            (Some(owner), false) => other_heap(script.view(), owner),
            (None, _) => Some(newest),
        };
        match malloc {
            Some(malloc) => script.heap_free(malloc, found.place),
            None => drop(script.create_malloc(MallocType::EXECUTABLE)),
        }
    });
}

/// The heap of a block that was found.
fn owner(view: &View<'_>, found: &Found<'_>) -> Option<Name> {
    let Place::Relative { name, .. } = found.place else { return None };
    match view.bound.get(name.0 as usize) {
        Some(Binding::Range { malloc, .. }) => *malloc,
        _ => None,
    }
}

fn other_heap(view: &View<'_>, than: Name) -> Option<Name> {
    let named = (0u32..).map(Name).zip(view.bound);
    let mut heaps = named.filter(|(_, binding)| matches!(binding, Binding::Malloc));
    heaps.find(|(name, _)| *name != than).map(|(name, _)| name)
}
