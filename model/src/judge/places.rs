//! Whether a place that a subject chose, or shows, is one that the law leaves to it.

use hostmem_interface::{
    Address, Capability, MemoryBasicInformation, Protection, QueryAnswer, RegionState, RegionType,
    Value,
};

use super::{Fit, Judge, yes_if};
use crate::effect::Effect;
use crate::rule::VQ_06B;
use crate::verdict::Unowned;

/// The alignment of heap blocks on 64 bits.
const BLOCK_ALIGNMENT: u64 = 16;

impl Judge {
    pub(super) fn is_free_base(&self, base: Address, size: u64) -> bool {
        let machine = self.state.machine();
        base.is_aligned(machine.granularity)
            && base.0 >= machine.lowest
            && base.0 <= machine.highest
            && size <= machine.end() - base.0
            && !self.state.space.overlaps(base, size)
            && !self.state.heaps.overlap(base, size)
    }

    pub(super) fn is_free_block(&self, base: Address, size: u64) -> bool {
        let machine = self.state.machine();
        let owned = self.state.space.find(base).is_some()
            || self
                .state
                .space
                .next(base)
                .is_some_and(|next| next.base().0 < base.0.saturating_add(size));
        base.is_aligned(BLOCK_ALIGNMENT)
            && base.0 >= machine.lowest
            && base.0 <= machine.highest
            && size <= machine.end() - base.0
            && !owned
            && !self.state.heaps.overlap(base, size)
    }

    /// How a query of memory fits that the case does not own.
    pub(super) fn fit_unowned<'v>(
        &self,
        unowned: &Unowned,
        effect: &'v Effect,
        seen: &QueryAnswer,
    ) -> Fit<'v> {
        let region = &seen.information;
        if seen.written == 0 || self.is_unowned(unowned, region) {
            return yes_if(seen.written > 0, effect);
        }
        // That it is free, and how large, is documented; the other fields are not.
        let free = MemoryBasicInformation::free(region.base_address, region.region_size);
        if region.state == free.state && self.is_unowned(unowned, &free) {
            return Fit::But(VQ_06B, Value::Region(QueryAnswer::of(free)).to_string());
        }
        Fit::No
    }

    /// Whether a region is a sensible answer about memory that the case does not own.
    fn is_unowned(&self, unowned: &Unowned, seen: &MemoryBasicInformation) -> bool {
        let machine = self.state.machine();
        let Some(end) = seen.base_address.checked_add(seen.region_size) else { return false };
        let contains = seen.base_address <= unowned.at && unowned.at < end;
        let aligned = seen.base_address.is_aligned(machine.page) && end.is_aligned(machine.page);
        let clear = seen.base_address >= unowned.start && end <= unowned.end;
        if !(contains && aligned && clear) {
            return false;
        }
        if seen.state != RegionState::FREE {
            // Whose it is nobody knows, but it is no part of an allocation that ends before it.
            return self.state.space.find(seen.allocation_base).is_none();
        }
        let fields = seen.allocation_base.is_null()
            && seen.allocation_protect == Protection(0)
            && seen.protect == Protection::NOACCESS
            && seen.kind == RegionType(0);
        let alone = self.subject.capabilities.has(Capability::PrivateArena)
            && self.state.heaps.count() == 0
            && self.state.foreign().next().is_none();
        let exact = seen.base_address == unowned.at.align_down(machine.page) && end == unowned.end;
        fields && !unowned.acquired && (exact || !(unowned.between_owned && alone))
    }
}
