//! The bytes of a range that may cross from pages into heap blocks and back: a long access
//! goes over whatever lies side by side.
//!
//! Deliberately not here: who may make the access ([`crate::rules`]).

use hostmem_interface::{Address, Data};

use crate::state::State;

/// A part of a range that lies in one allocation or in one heap block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    at: Address,
    length: u64,
    block: bool,
}

impl State {
    /// Whether any byte of `[at, at + size)` lies in a heap block.
    #[must_use]
    pub fn meets_block(&self, at: Address, size: u64) -> bool {
        let inside = self.heaps.blocks_from(at).next();
        self.heaps.holding(at).is_some()
            || inside
                .is_some_and(|(base, block)| block.size > 0 && base.0 < at.0.saturating_add(size))
    }

    /// Whether a read that gave `seen` at `at` is possible.
    #[must_use]
    pub fn permits_bytes(&self, at: Address, seen: &[u8]) -> bool {
        self.stretches(at, seen.len() as u64).into_iter().all(|stretch| {
            let part = &seen[offset(at, stretch)..][..length(stretch)];
            if stretch.block {
                self.heaps.permit(stretch.at, part)
            } else {
                self.contents.permit(stretch.at, part)
            }
        })
    }

    /// What a read of `size` bytes at `at` most likely gives.
    #[must_use]
    pub fn likeliest_bytes(&self, at: Address, size: u64) -> Vec<u8> {
        let parts = self.stretches(at, size).into_iter().map(|stretch| {
            if stretch.block {
                self.heaps.likeliest(stretch.at, stretch.length)
            } else {
                self.contents.likeliest(stretch.at, stretch.length)
            }
        });
        parts.collect::<Vec<_>>().concat()
    }

    /// A read gave `seen` at `at`: settles what it settles.
    pub(crate) fn saw_bytes(&mut self, at: Address, seen: &[u8]) {
        for stretch in self.stretches(at, seen.len() as u64) {
            let part = &seen[offset(at, stretch)..][..length(stretch)];
            if stretch.block {
                self.heaps.saw(stretch.at, part);
            } else {
                self.contents.saw(stretch.at, part);
            }
        }
    }

    /// The first `size` bytes of `data` were written at `at`; they mark what they touched
    /// (WW-08).
    pub(crate) fn write_bytes(&mut self, at: Address, data: &Data, size: u64) {
        for stretch in self.stretches(at, size) {
            let from = stretch.at.0 - at.0;
            if stretch.block {
                self.heaps.write(stretch.at, data, from, stretch.length);
            } else {
                self.contents.write(stretch.at, data, from, stretch.length);
                self.mark(stretch.at, stretch.length);
            }
        }
    }

    fn mark(&mut self, at: Address, size: u64) {
        let Some(allocation) = self.space.find(at).filter(|it| it.terms().watched) else { return };
        let last = at.wrapping_add(size - 1);
        let pages = allocation.page_of(at)..allocation.page_of(last) + 1;
        let base = allocation.base();
        self.space.allocation_mut(base).mark(pages);
    }

    /// The parts of a range, all of which is in allocations and blocks.
    fn stretches(&self, at: Address, size: u64) -> Vec<Stretch> {
        let mut parts = Vec::new();
        let end = at.wrapping_add(size);
        let mut here = at;
        while here < end {
            let held = self.heaps.holding(here);
            let until = match held {
                Some((base, block)) => base.wrapping_add(block.size),
                None => self.space.find(here).expect("an access that was made is inside").end(),
            };
            let length = until.min(end).0 - here.0;
            parts.push(Stretch { at: here, length, block: held.is_some() });
            here = here.wrapping_add(length);
        }
        parts
    }
}

fn offset(at: Address, stretch: Stretch) -> usize {
    usize::try_from(stretch.at.0 - at.0).expect("an offset into what was read")
}

fn length(stretch: Stretch) -> usize {
    usize::try_from(stretch.length).expect("a part of what was read")
}

#[cfg(test)]
mod tests {
    use hostmem_interface::{
        AllocationType, Call, CriticalLevel, Machine, MallocId, MallocType, Protection,
    };

    use super::*;
    use crate::actor::Actor;
    use crate::effect::Effect;

    /// A write that begins in an allocation may end in the block behind it.
    #[test]
    fn a_write_may_cross_from_pages_into_a_block() {
        let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
        let base = Address(0x10_0000);
        actor.act(&Call::VirtualAlloc {
            address: base,
            size: 0x1_0000,
            kind: AllocationType::RESERVE | AllocationType::COMMIT | AllocationType::WRITE_WATCH,
            protect: Protection::READWRITE,
            critical: CriticalLevel::TASK,
        });
        let block = Address(0x11_0000);
        let state = &mut actor.state;
        state.apply(&Effect::CreateMalloc(MallocType(0)));
        state.apply(&Effect::Alloc { malloc: MallocId(0), size: 0x2000, address: Some(block) });
        let at = Address(0x10_FF00);
        let data = Data::Fill { size: 0x1200, byte: 7 };
        actor.act(&Call::Write { address: at, data });
        assert!(actor.state.meets_block(at, 0x1200) && !actor.state.meets_block(base, 0x1_0000));
        assert!(actor.state.permits_bytes(at, &[7; 0x1200]));
        assert!(!actor.state.permits_bytes(at, &[8; 0x1200]));
        assert_eq!(actor.state.likeliest_bytes(at, 0x1200), [7; 0x1200]);
        let marked = actor.state.space.find(base).expect("allocated").marked(0..16);
        assert_eq!(marked.collect::<Vec<_>>(), [15]);
    }
}
