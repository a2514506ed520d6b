//! The system's view against the record: what was granted and not given back is still there,
//! whole.

use super::ledger::regions;
use super::manager::Win32Manager;

impl Win32Manager {
    /// Compares the two.
    ///
    /// # Errors
    /// The first allocation that is not what it was.
    pub(super) fn compare_views(&self) -> Result<(), String> {
        for whole in self.ledger().allocations() {
            for region in regions(&whole) {
                if region.allocation_base.0 != whole.start || region.end().0 > whole.end {
                    return Err(format!(
                        "the allocation from {:#x} to {:#x} was granted, and the system now shows \
                         an allocation at {} from {} to {}",
                        whole.start,
                        whole.end,
                        region.allocation_base,
                        region.base_address,
                        region.end()
                    ));
                }
            }
        }
        Ok(())
    }
}
