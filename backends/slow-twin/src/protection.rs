//! Page protections: which values are well formed, and what they allow (PR-01..05, AF-02..03).
//!
//! Promise: each function answers for one rule, from the bits alone.
//!
//! Deliberately not here: when a call looks at which of these (`alloc`, `protect`).

use hostmem_interface::{AccessKind, Protection};

/// The modifiers that belong to an allocation, not to a page (PR-05, PR-06).
pub(crate) const CACHING: Protection =
    Protection(Protection::NOCACHE.0 | Protection::WRITECOMBINE.0);

const BASES: u32 = 0xFF;
const MODIFIERS: u32 = Protection::GUARD.0 | CACHING.0;

/// Exactly one base value, and no bit that has no name (PR-01, PR-04).
pub(crate) fn has_one_base(protect: Protection) -> bool {
    protect.0 & !(BASES | MODIFIERS) == 0 && (protect.0 & BASES).count_ones() == 1
}

/// At most one modifier, and none with `PAGE_NOACCESS` (PR-02, PR-02b).
pub(crate) fn modifiers_agree(protect: Protection) -> bool {
    match (protect.0 & MODIFIERS).count_ones() {
        0 => true,
        1 => !protect.contains(Protection::NOACCESS),
        _ => false,
    }
}

/// A copy-on-write value, which private memory never has (PR-03).
pub(crate) fn is_copy_on_write(protect: Protection) -> bool {
    protect.intersects(Protection::WRITECOPY | Protection::EXECUTE_WRITECOPY)
}

/// Whether the base value allows an access (AF-02, AF-03).
pub(crate) fn allows(protect: Protection, access: AccessKind) -> bool {
    let base = Protection(protect.0 & BASES);
    match access {
        AccessKind::Read => base != Protection::NOACCESS,
        AccessKind::Write => base == Protection::READWRITE || base == Protection::EXECUTE_READWRITE,
        AccessKind::Execute => {
            base == Protection::EXECUTE
                || base == Protection::EXECUTE_READ
                || base == Protection::EXECUTE_READWRITE
        }
    }
}
