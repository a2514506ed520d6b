//! `VirtualProtect`: checks in the order of VP-01 to VP-11, then one change.
//!
//! Windows never refuses a change for want of means. Here the process may be out of mappings to
//! split; that is told as out of memory, long after growth is refused.
//!
//! Deliberately not here: what `*pflOldProtect` holds after a failure (VP-14). It is not
//! written then.

use hostmem_interface::{Address, OutPointer, Protection, Refusal, Win32Error};

use super::manager::{LinuxManager, refuse};
use super::mapping_budget::Purpose;
use crate::arguments;
use crate::ledger::page_state::PageState;
use crate::ledger::pages_of;

impl LinuxManager {
    pub(super) fn protect(
        &self,
        address: Address,
        size: u64,
        protect: Protection,
        old: OutPointer,
    ) -> Result<Protection, Refusal> {
        arguments::check_protect(address.0, size, protect, old)?;
        let range = pages_of(address.0, size);
        let _quiet = self.without_writes(address.0);
        let mut space = self.space();
        let allocation = space.ledger.containing_mut(range.start);
        let allocation = allocation.filter(|one| range.end <= one.range().end);
        let allocation = allocation.ok_or(refuse(Win32Error::ERROR_INVALID_ADDRESS))?;
        if arguments::copies_on_write(protect) {
            return Err(refuse(Win32Error::ERROR_INVALID_PARAMETER));
        }
        if !allocation.runs(&range).all(|(_, state)| state.is_committed()) {
            return Err(refuse(Win32Error::ERROR_INVALID_ADDRESS));
        }
        let before = allocation.state(range.start).shown() | allocation.cache();
        let changed = self.budget.admits(Purpose::Change)
            && self.change(allocation, &range, PageState::committed(protect)).is_ok();
        if changed { Ok(before) } else { Err(refuse(Win32Error::ERROR_NOT_ENOUGH_MEMORY)) }
    }
}
