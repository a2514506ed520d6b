//! Section 3: protection values.

use hostmem_interface::{Protection, RegionState};

use crate::support::{BOTH, PAGE, PARAMETER, RESERVE, RO, RW, Twin};

const LEGAL: [u32; 6] = [0x01, 0x02, 0x04, 0x10, 0x20, 0x40];

#[test]
fn exactly_one_base_and_no_copy_on_write() {
    let twin = Twin::new(); // PR-01, PR-03
    let p = twin.some(PAGE, BOTH, RW);
    for base in 0..=0xFF {
        let legal = LEGAL.contains(&base);
        let protect = Protection(base);
        assert_eq!(twin.alloc(0, PAGE, BOTH, protect).is_ok(), legal, "{base:#x}");
        assert_eq!(twin.alloc(0, PAGE, RESERVE, protect).is_ok(), legal, "{base:#x}");
        let refused = twin.protect(p, PAGE, protect).err();
        assert_eq!(refused, (!legal).then_some(87), "{base:#x}");
    }
}

#[test]
fn at_most_one_modifier_and_none_without_access() {
    let twin = Twin::new(); // PR-02
    let p = twin.some(PAGE, BOTH, RW);
    for modifiers in 1..8 {
        for base in LEGAL {
            let protect = Protection(base | modifiers << 8);
            let legal = modifiers.is_power_of_two() && base != 1;
            assert_eq!(twin.alloc(0, PAGE, RESERVE, protect).is_ok(), legal, "{protect}");
            assert_eq!(twin.protect(p, PAGE, protect).is_ok(), legal, "{protect}");
        }
        assert_eq!(twin.alloc(0, PAGE, RESERVE, Protection(modifiers << 8)), PARAMETER);
    }
}

#[test]
fn bits_without_a_name_are_malformed() {
    let twin = Twin::new(); // PR-04
    for bit in 11..32 {
        assert_eq!(twin.alloc(0, PAGE, BOTH, Protection(4 | 1 << bit)), PARAMETER);
    }
}

#[test]
fn caching_belongs_to_the_allocation() {
    for modifier in [Protection::NOCACHE, Protection::WRITECOMBINE] {
        let twin = Twin::new(); // PR-05, PR-06
        let p = twin.some(2 * PAGE, BOTH, RW | modifier);
        assert_eq!(twin.query(p).allocation_protect, RW | modifier);
        assert_eq!(twin.protect(p, PAGE, RO), Ok(RW | modifier));
        assert_eq!(twin.seen(p), (RegionState::COMMIT, RO | modifier, PAGE));
        let plain = twin.some(PAGE, BOTH, RW);
        assert_eq!(twin.protect(plain, PAGE, RO | modifier), Ok(RW));
        assert_eq!(twin.seen(plain), (RegionState::COMMIT, RO, PAGE));
    }
}
