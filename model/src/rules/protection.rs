//! Which protection values are well formed (PR-01 to PR-04), for `VirtualAlloc` and
//! `VirtualProtect` alike.
//!
//! Deliberately not here: when they are checked, which differs between the two.

use hostmem_interface::Protection;

use crate::rule::{PR_01, PR_02, PR_02B, PR_04, RuleId};

/// The base values.
const BASE: Protection = Protection(0xFF);
/// The modifiers.
const MODIFIERS: Protection =
    Protection(Protection::GUARD.0 | Protection::NOCACHE.0 | Protection::WRITECOMBINE.0);

/// The protections of sections, lawful in form but not on private memory.
#[must_use]
pub const fn is_copy_on_write(protect: Protection) -> bool {
    protect.intersects(Protection::WRITECOPY) || protect.intersects(Protection::EXECUTE_WRITECOPY)
}

/// The rule that the base value breaks, if any.
#[must_use]
pub const fn malformed_base(protect: Protection) -> Option<RuleId> {
    if (protect.0 & BASE.0).count_ones() != 1 {
        return Some(PR_01);
    }
    if protect.0 & !(BASE.0 | MODIFIERS.0) != 0 {
        return Some(PR_04);
    }
    None
}

/// The rule that the modifiers break, if any; the base value is well formed.
#[must_use]
pub const fn malformed_modifiers(protect: Protection) -> Option<RuleId> {
    let modifiers = protect.0 & MODIFIERS.0;
    if protect.intersects(Protection::NOACCESS) && modifiers & !Protection::WRITECOMBINE.0 != 0 {
        Some(PR_02)
    } else if modifiers.count_ones() > 1
        || protect.intersects(Protection::NOACCESS) && modifiers != 0
    {
        Some(PR_02B)
    } else {
        None
    }
}

/// The rule that the value breaks, if any. A modifier without a base value breaks PR-02.
#[must_use]
pub const fn malformed(protect: Protection) -> Option<RuleId> {
    // What nearly every call asks for: a base value alone.
    if protect.0.is_power_of_two() && protect.0 <= BASE.0 {
        return None;
    }
    if protect.0 & BASE.0 == 0 && protect.0 & MODIFIERS.0 != 0 {
        return Some(PR_02);
    }
    match malformed_base(protect) {
        Some(rule) => Some(rule),
        None => malformed_modifiers(protect),
    }
}
