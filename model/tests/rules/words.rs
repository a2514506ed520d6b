//! The words of every answer, and the refusals that the model gives.

use hostmem_interface::{
    AccessKind, Fault, Hresult, MemoryBasicInformation, MemoryLoad, NtStatus, Win32Error,
};
use hostmem_model::effect::Effect;
use hostmem_model::judge::expected;
use hostmem_model::rule::{VA_12, VA_42};
use hostmem_model::verdict::{Answer, No, Permitted, Unowned, Verdict};

use super::*;

/// Each kind of answer in words.
#[test]
fn answers_in_words() {
    let at = Address(0x1000);
    let error = Win32Error::ERROR_INVALID_ADDRESS;
    let status = NtStatus::STATUS_ACCESS_VIOLATION;
    let fault = Fault { status, access: AccessKind::Read, at };
    let unowned = Unowned {
        at,
        start: Address(0),
        end: Address(0x2000),
        between_owned: true,
        acquired: false,
    };
    let load = MemoryLoad { load: 3, available: 4 };
    let free = MemoryBasicInformation::free(at, 0x1000);
    for (answer, words) in [
        (Answer::Refused(No::Win32(error)), "refused: ERROR_INVALID_ADDRESS"),
        (Answer::Refused(No::Memory(error)), "refused for lack of memory (ERROR_INVALID_ADDRESS)"),
        (Answer::Refused(No::NotOurs), "refused: ERROR_INVALID_ADDRESS (HOST_E_INVALIDOPERATION)"),
        (Answer::Refused(No::Any), "refused"),
        (Answer::Nothing, "ok"),
        (Answer::Address(at), "0x1000"),
        (Answer::AddressIn(at, Address(0x3000)), "a page address from 0x1000 to 0x3000"),
        (
            Answer::AnyBase { size: 16, top_down: true },
            "the base of 0x10 free bytes, aligned to the granularity",
        ),
        (Answer::Old(Protection::READONLY), "old PAGE_READONLY"),
        (
            Answer::Region(free),
            "BaseAddress 0x1000, AllocationBase 0x0, AllocationProtect 0, RegionSize 0x1000, \
             State MEM_FREE, Protect PAGE_NOACCESS, Type 0x0",
        ),
        (Answer::Unowned(unowned), "a region at 0x1000 inside 0x0 to 0x2000, free or foreign"),
        (Answer::NoBytes, "ok, nothing written"),
        (Answer::Bytes(at, 3), "the 3 bytes written at 0x1000 before"),
        (Answer::BlockBytes(at, 3), "3 bytes at 0x1000, as far as they were written before"),
        (Answer::Fault(fault), "fault: STATUS_ACCESS_VIOLATION on read at 0x1000"),
        (
            Answer::FaultIn(fault, 8),
            "fault: STATUS_ACCESS_VIOLATION on read at 0x1000 or up to 8 bytes on",
        ),
        (Answer::Pages(vec![at], 0x1000), "1 written pages 0x1000, granularity 0x1000"),
        (Answer::Malloc, "a new heap"),
        (Answer::Block(7), "a block of 7 bytes, aligned to 16"),
        (Answer::Load(Some(load)), "load 3 %, 4 bytes available"),
        (Answer::Load(None), "a load from 0 to 100 %"),
    ] {
        assert_eq!(answer.to_string(), words);
    }
}

/// A verdict in words has each answer once; it permits success if any reading does.
#[test]
fn verdicts_in_words() {
    let no = || Permitted::refused(VA_42, No::Win32(Win32Error::ERROR_INVALID_ADDRESS));
    let yes = Permitted::success(VA_12, Answer::Nothing, Effect::None);
    let verdict = Verdict::only(no()).or(no()).or_all(Verdict::only(yes).or(no()));
    assert_eq!(expected(&verdict), "refused: ERROR_INVALID_ADDRESS, or ok");
    assert_eq!(verdict.readings().count(), 4);
    assert!(verdict.permits_success() && !Verdict::only(no()).permits_success());
}

/// Each way to say no has its codes.
#[test]
fn refusals_have_codes() {
    let codes = |no: No| (no.refusal().win32.map(|error| error.0), no.refusal().hresult);
    let (any, memory) = (Win32Error::ERROR_NOACCESS, Win32Error::ERROR_COMMITMENT_LIMIT);
    assert_eq!(codes(No::Win32(any)), (Some(998), Hresult(0x8007_03E6)));
    assert_eq!(codes(No::Memory(memory)), (Some(1455), Hresult::E_OUTOFMEMORY));
    assert_eq!(codes(No::NotOurs), (Some(487), Hresult::HOST_E_INVALIDOPERATION));
    assert_eq!(codes(No::Any), (Some(87), Hresult::E_INVALIDARG));
}
