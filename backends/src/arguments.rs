//! Which arguments are well formed: every check of a call that needs no look at the memory.
//!
//! Shared by what keeps memory itself (`linux`) and by what answers for memory that is not
//! the case's (`win32`). Deliberately not here: the state of any memory.

use std::ops::Range;

use hostmem_interface::{
    AllocationType, FreeType, OutPointer, Protection, Refusal, WatchFlags, WatchPointers,
    Win32Error,
};

/// User space of 64-bit Windows (K-01).
pub(crate) const USER_SPACE: Range<u64> = 0x1_0000..0x7FFF_FFFF_0000;
/// The modifiers that belong to a whole allocation.
pub(crate) const CACHE: Protection = Protection(Protection::NOCACHE.0 | Protection::WRITECOMBINE.0);

const ACTIONS: AllocationType = AllocationType(
    AllocationType::COMMIT.0
        | AllocationType::RESERVE.0
        | AllocationType::RESET.0
        | AllocationType::RESET_UNDO.0,
);
const KNOWN: AllocationType = AllocationType(
    ACTIONS.0
        | AllocationType::TOP_DOWN.0
        | AllocationType::WRITE_WATCH.0
        | AllocationType::PHYSICAL.0
        | AllocationType::LARGE_PAGES.0,
);
const BASES: u32 = 0xFF;
const COPY: Protection = Protection(Protection::WRITECOPY.0 | Protection::EXECUTE_WRITECOPY.0);

const MALFORMED: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);
const NO_ACCESS: Refusal = Refusal::from_win32(Win32Error::ERROR_NOACCESS);

/// The arguments of `VirtualAlloc`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllocArguments {
    pub(crate) at: u64,
    pub(crate) size: u64,
    pub(crate) kind: AllocationType,
    pub(crate) protect: Protection,
}

impl AllocArguments {
    /// Whether a new allocation is asked for (VA-09).
    pub(crate) fn reserves(&self) -> bool {
        let commits = self.kind.contains(AllocationType::COMMIT);
        self.kind.contains(AllocationType::RESERVE) || (commits && self.at == 0)
    }

    /// VA-01 to VA-08, VA-30, VA-40 to VA-46.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let lawful = self.kind_is_lawful()
            && (self.at == 0 || self.at >= USER_SPACE.start)
            && check_protection(self.protect).is_ok()
            && self.size_is_lawful()
            && !(self.reserves() && copies_on_write(self.protect));
        if !lawful {
            return Err(MALFORMED);
        }
        if self.kind.contains(AllocationType::LARGE_PAGES) {
            return Err(Refusal::from_win32(Win32Error::ERROR_PRIVILEGE_NOT_HELD));
        }
        Ok(())
    }

    fn kind_is_lawful(&self) -> bool {
        let kind = self.kind;
        if kind.without(KNOWN).0 != 0 || !kind.intersects(ACTIONS) {
            return false;
        }
        let alone = |flag| !kind.contains(flag) || kind == flag;
        let reserves = kind.contains(AllocationType::RESERVE);
        let with_physical =
            AllocationType::RESERVE | AllocationType::TOP_DOWN | AllocationType::PHYSICAL;
        let physical = kind.contains(AllocationType::PHYSICAL);
        let large = kind.contains(AllocationType::LARGE_PAGES);
        let watched = kind.contains(AllocationType::WRITE_WATCH);
        alone(AllocationType::RESET)
            && alone(AllocationType::RESET_UNDO)
            && (!watched || reserves)
            && (!physical
                || (reserves
                    && kind.without(with_physical).0 == 0
                    && self.protect == Protection::READWRITE))
            && (!large || (reserves && kind.contains(AllocationType::COMMIT) && !watched))
    }

    fn size_is_lawful(&self) -> bool {
        let lowest = if self.at == 0 { USER_SPACE.start } else { self.at };
        self.size != 0 && lowest < USER_SPACE.end && self.size <= USER_SPACE.end - lowest
    }
}

/// Whether a range begins in user space or below it, and ends there.
fn in_user_space(at: u64, size: u64) -> bool {
    at < USER_SPACE.end && size <= USER_SPACE.end - at
}

/// `VirtualFree`: VF-01 to VF-04.
pub(crate) fn check_free(at: u64, size: u64, kind: FreeType) -> Result<(), Refusal> {
    let lawful_kind = kind == FreeType::DECOMMIT || (kind == FreeType::RELEASE && size == 0);
    if lawful_kind && in_user_space(at, size) { Ok(()) } else { Err(MALFORMED) }
}

/// `VirtualProtect`: VP-01 to VP-05b.
pub(crate) fn check_protect(
    at: u64,
    size: u64,
    protect: Protection,
    old: OutPointer,
) -> Result<(), Refusal> {
    let form = check_protection(protect);
    if form == Err(Malformed::Base) {
        return Err(MALFORMED);
    }
    if old == OutPointer::Null {
        return Err(NO_ACCESS);
    }
    if form.is_ok() && in_user_space(at, size) && size != 0 { Ok(()) } else { Err(MALFORMED) }
}

/// `GetWriteWatch`: WW-02, WW-03.
pub(crate) fn check_watch(
    size: u64,
    flags: WatchFlags,
    capacity: u64,
    null: WatchPointers,
) -> Result<(), Refusal> {
    if flags.without(WatchFlags::RESET).0 != 0 {
        return Err(MALFORMED);
    }
    if null.count == OutPointer::Null || null.granularity == OutPointer::Null {
        return Err(NO_ACCESS);
    }
    if capacity == 0 || size == 0 {
        return Err(MALFORMED);
    }
    if null.addresses == OutPointer::Null { Err(NO_ACCESS) } else { Ok(()) }
}

/// What is wrong with a protection word, the earliest check first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Not exactly one base value (PR-01).
    Base,
    /// Modifiers that exclude each other or the base, or unknown bits (PR-02, PR-02b, PR-04).
    Modifiers,
}

/// Whether a word is well formed; copy-on-write counts as that (see [`copies_on_write`]).
pub(crate) fn check_protection(protect: Protection) -> Result<(), Malformed> {
    if (protect.0 & BASES).count_ones() != 1 {
        return Err(Malformed::Base);
    }
    let modifiers = protect.0 & !BASES;
    let known = Protection::GUARD.or(CACHE).0;
    let one = modifiers.count_ones() <= 1 && modifiers & !known == 0;
    if modifiers == 0 || (one && !protect.contains(Protection::NOACCESS)) {
        Ok(())
    } else {
        Err(Malformed::Modifiers)
    }
}

/// Whether a well-formed word is one that private memory never has (PR-03).
pub(crate) fn copies_on_write(protect: Protection) -> bool {
    protect.intersects(COPY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_base_and_at_most_one_modifier_is_well_formed() {
        let check = |word| check_protection(Protection(word));
        let lawful = (0..0x800).filter(|&word| check(word).is_ok()).count();
        // Eight bases alone, and seven of them with each of three modifiers.
        assert_eq!(lawful, 8 + 7 * 3);
        assert_eq!(check(0), Err(Malformed::Base));
        assert_eq!(check(0x300), Err(Malformed::Base));
        assert_eq!(check(0x304), Err(Malformed::Modifiers));
        assert_eq!(check(0x101), Err(Malformed::Modifiers));
        assert_eq!(check(0x4000_0004), Err(Malformed::Modifiers));
    }
}
