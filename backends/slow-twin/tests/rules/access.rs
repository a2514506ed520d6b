//! Section 12: faults and contents.

use hostmem_interface::{Address, ExecuteError, MemoryAccess, Protection};

use crate::support::{BOTH, END, NA, PAGE, RELEASE, RESERVE, RO, RW, Twin, fault};

#[test]
fn what_each_protection_allows() {
    let twin = Twin::new(); // AF-02, AF-03
    let table = [
        (Protection::NOACCESS, false, false, false),
        (Protection::READONLY, true, false, false),
        (Protection::READWRITE, true, true, false),
        (Protection::EXECUTE, true, false, true),
        (Protection::EXECUTE_READ, true, false, true),
        (Protection::EXECUTE_READWRITE, true, true, true),
    ];
    let p = twin.some(PAGE, BOTH, RW);
    assert_eq!(twin.poke(p, &[0xC3]), Ok(()));
    for (protect, read, write, execute) in table {
        assert!(twin.protect(p, PAGE, protect).is_ok());
        assert_eq!(twin.peek(p).is_ok(), read, "{protect}");
        assert_eq!(twin.poke(p + 1, &[1]).is_ok(), write, "{protect}");
        assert_eq!(twin.0.execute(Address(p)).is_ok(), execute, "{protect}");
    }
}

#[test]
fn faults_tell_kind_and_address() {
    let twin = Twin::new(); // AF-01, AF-03
    let p = twin.some(PAGE, RESERVE, RW);
    for at in [0, p, p + PAGE, END, u64::MAX] {
        assert_eq!(twin.peek(at), Err(fault("ACCESS_VIOLATION", "read", at)));
        assert_eq!(twin.poke(at, &[1]), Err(fault("ACCESS_VIOLATION", "write", at)));
        let Err(ExecuteError::Fault(seen)) = twin.0.execute(Address(at)) else {
            panic!("no fault at {at:#x}")
        };
        assert_eq!(seen.to_string(), fault("ACCESS_VIOLATION", "execute", at));
    }
}

#[test]
fn a_straddling_access_faults_on_its_second_page_and_shows_nothing() {
    let twin = Twin::new(); // AF-04, AF-05
    let p = twin.some(2 * PAGE, BOTH, RW);
    assert_eq!(twin.protect(p + PAGE, PAGE, RO), Ok(RW));
    let at = p + PAGE - 2;
    assert_eq!(twin.poke(at, &[1; 4]), Err(fault("ACCESS_VIOLATION", "write", p + PAGE)));
    assert_eq!(twin.peek(at), Ok(0));
    assert_eq!(twin.protect(p, PAGE, NA), Ok(RW));
    assert_eq!(twin.peek_word(p + PAGE - 1), Err(fault("ACCESS_VIOLATION", "read", p + PAGE - 1)));
}

#[test]
fn an_access_may_wrap_around_the_end_of_everything() {
    let twin = Twin::new();
    let at = u64::MAX - 3;
    assert_eq!(twin.peek_word(at), Err(fault("ACCESS_VIOLATION", "read", at)));
}

#[test]
fn only_a_return_is_run() {
    let twin = Twin::new();
    let p = twin.some(PAGE, BOTH, Protection::EXECUTE_READWRITE);
    assert_eq!(twin.0.execute(Address(p)), Err(ExecuteError::NotReturn(0)));
    assert_eq!(twin.poke(p, &[0xC3]), Ok(()));
    assert_eq!(twin.0.execute(Address(p)), Ok(()));
}

#[test]
fn memory_is_zero_after_release_and_words_cross_pages() {
    let twin = Twin::new(); // ZF-01
    let p = twin.some(2 * PAGE, BOTH, RW);
    let word = 0x1122_3344_5566_7788_u64;
    assert_eq!(twin.poke(p + PAGE - 3, &word.to_le_bytes()), Ok(()));
    assert_eq!(twin.peek_word(p + PAGE - 3), Ok(word));
    assert_eq!(twin.free(p, 0, RELEASE), Ok(()));
    assert_eq!(twin.alloc(p, 2 * PAGE, BOTH, RW), Ok(p));
    assert_eq!(twin.peek_word(p + PAGE - 3), Ok(0));
}
