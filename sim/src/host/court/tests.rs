//! A court hears made-up testimony.

use hostmem_interface::{
    AllocationType, CriticalLevel, Description, FreeType, Protection, Refusal, WatchFlags,
    WatchPointers, Win32Error,
};

use super::*;

fn court() -> Court {
    let free = |at: Address| Some(MemoryBasicInformation::free(at.align_down(0x1000), 0x1000));
    Court::new(&Description::new("toy"), None, Box::new(free), Box::new(drop))
}

fn alloc(at: u64, size: u64, kind: AllocationType) -> Call {
    Call::VirtualAlloc {
        address: Address(at),
        size,
        kind,
        protect: Protection::READWRITE,
        critical: CriticalLevel::TASK,
    }
}

fn release(at: u64) -> Call {
    Call::VirtualFree { address: Address(at), size: 0, kind: FreeType::RELEASE }
}

fn at(base: u64) -> Outcome {
    Outcome::done(Value::Address(Address(base)))
}

fn said(call: Call, outcome: Outcome) -> Testimony {
    Testimony { thread: 1, call, outcome }
}

fn hear(court: &Court, call: Call, outcome: Outcome) {
    let entry = court.enter(&call).expect("the runtime's own memory");
    court.leave(entry, said(call, outcome));
}

const RESERVE: AllocationType = AllocationType::RESERVE;
const COMMIT: AllocationType = AllocationType::COMMIT;
const WATCHED: AllocationType =
    AllocationType(AllocationType::RESERVE.0 | AllocationType::WRITE_WATCH.0);

fn report(pages: &[u64]) -> Outcome {
    let pages = pages.iter().map(|page| Address(*page)).collect();
    Outcome::done(Value::Pages { pages, granularity: 0x1000 })
}

fn get_watch() -> Call {
    Call::GetWriteWatch {
        address: Address(0x10_0000),
        size: 0x4000,
        flags: WatchFlags(0),
        capacity: 8,
        null: WatchPointers::default(),
    }
}

#[test]
fn a_wrong_answer_is_found_and_the_court_goes_on() {
    let court = court();
    hear(&court, alloc(0, 0x1_0000, RESERVE), at(0x10_0000));
    hear(&court, alloc(0x10_0000, 0x1000, COMMIT), at(0x10_1000));
    let findings = court.findings();
    assert_eq!((findings.judged, findings.divergences()), (2, 1));
    assert_eq!(findings.first[0].number, 2);
    assert_eq!(findings.diverging.keys().copied().collect::<Vec<_>>(), ["VA-13"]);
    // The subject shows free memory: so that is what it is.
    hear(&court, alloc(0x10_0000, 0x1_0000, RESERVE), at(0x10_0000));
    assert_eq!(court.findings().divergences(), 1);
}

#[test]
fn calls_that_overlap_may_have_taken_effect_in_any_order() {
    let court = court();
    hear(&court, alloc(0, 0x1_0000, RESERVE), at(0x10_0000));
    let (free, again) = (release(0x10_0000), alloc(0, 0x1_0000, RESERVE));
    let slow = court.enter(&free).expect("judged");
    let fast = court.enter(&again).expect("judged");
    // The place is given to another before the release is back.
    court.leave(fast, said(again, at(0x10_0000)));
    assert_eq!(court.findings().judged, 1, "a call is in flight");
    court.leave(slow, said(free, Outcome::ok()));
    let findings = court.findings();
    assert_eq!((findings.judged, findings.sets, findings.divergences()), (3, 1, 0));
}

#[test]
fn a_call_that_had_ended_comes_first() {
    let court = court();
    hear(&court, alloc(0, 0x1_0000, RESERVE), at(0x10_0000));
    let load = court.enter(&Call::GetMemoryLoad).expect("judged");
    // Both while the load is asked for, but one after the other: no order explains the second.
    let again = alloc(0, 0x1_0000, RESERVE);
    hear(&court, again, at(0x10_0000));
    hear(&court, release(0x10_0000), Outcome::ok());
    let told = hostmem_interface::MemoryLoad { load: 1, available: 1 };
    court.leave(load, said(Call::GetMemoryLoad, Outcome::done(Value::Load(told))));
    let findings = court.findings();
    assert_eq!(findings.sets, 1);
    assert!(findings.diverging.contains_key("VA-12"), "{findings:?}");
}

#[test]
fn what_is_reported_as_written_must_have_memory_and_stays_so() {
    let court = court();
    hear(&court, alloc(0, 0x4000, WATCHED), at(0x10_0000));
    hear(&court, alloc(0x10_0000, 0x2000, COMMIT), at(0x10_0000));
    hear(&court, get_watch(), report(&[0x10_1000]));
    hear(&court, get_watch(), report(&[0x10_0000, 0x10_1000]));
    assert_eq!(court.findings().divergences(), 0);
    hear(&court, get_watch(), report(&[0x10_0000]));
    assert_eq!(court.findings().divergences(), 1, "a mark was lost");
}

#[test]
fn a_page_without_memory_cannot_have_been_written() {
    let court = court();
    hear(&court, alloc(0, 0x4000, WATCHED), at(0x10_0000));
    hear(&court, alloc(0x10_0000, 0x2000, COMMIT), at(0x10_0000));
    let decommit =
        Call::VirtualFree { address: Address(0x10_1000), size: 0x1000, kind: FreeType::DECOMMIT };
    hear(&court, decommit, Outcome::ok());
    // It had memory, and its mark outlives that; the third page never had any.
    hear(&court, get_watch(), report(&[0x10_1000]));
    assert_eq!(court.findings().divergences(), 0);
    hear(&court, get_watch(), report(&[0x10_1000, 0x10_2000]));
    assert_eq!(court.findings().divergences(), 1);
}

#[test]
fn a_refusal_for_lack_of_memory_is_lawful_and_changes_nothing() {
    let court = court();
    hear(&court, alloc(0, 1 << 30, RESERVE), at(0x10_0000));
    let refusal = Refusal::from_win32(Win32Error::ERROR_COMMITMENT_LIMIT);
    hear(&court, alloc(0x10_0000, 0x1000, COMMIT), refusal.into());
    let findings = court.findings();
    assert_eq!((findings.out_of_memory, findings.divergences()), (1, 0));
    assert_eq!(court.terms(Address(0x10_0000)).map(|(_, size)| size), Some(1 << 30));
}

/// Both releases in flight, one refused in another way than the law asks for: whichever is back
/// first, the refusal is what is wrong.
#[test]
fn of_calls_in_no_lawful_order_the_one_that_fits_least_is_named() {
    let free = release(0x10_0000);
    let wrong = Outcome::Refused(Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER));
    for answers in [[Outcome::ok(), wrong.clone()], [wrong.clone(), Outcome::ok()]] {
        let court = court();
        hear(&court, alloc(0, 0x1_0000, RESERVE), at(0x10_0000));
        let entries = [(); 2].map(|()| court.enter(&free).expect("judged"));
        for (entry, outcome) in entries.into_iter().zip(answers) {
            court.leave(entry, said(free.clone(), outcome));
        }
        let findings = court.findings();
        assert_eq!(findings.diverging.keys().copied().collect::<Vec<_>>(), ["VF-06"]);
    }
}
