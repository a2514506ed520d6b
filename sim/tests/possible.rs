//! Which states steps that overlapped may leave, told from what they answered.

use hostmem::run::possible::{Heard, Possible, follows, furthest, orders, same};
use hostmem_interface::{
    Address, AllocationType, Backend as _, Call, CriticalLevel, FreeType, Machine,
    MemoryBasicInformation, OutPointer, Outcome, Protection, Refusal, Reply, Subject, Win32Error,
};
use hostmem_model::{Judge, ModelBackend, State};

/// The model, and a judge that has followed it so far.
struct Pair {
    subject: Box<dyn Subject>,
    judge: Judge,
}

impl Pair {
    fn new() -> Self {
        let subject = ModelBackend.open(&Machine::WINDOWS_X64).expect("the model opens");
        let judge = Judge::new(State::new(Machine::WINDOWS_X64), subject.description());
        Self { subject, judge }
    }

    fn answer(&self, call: &Call) -> Outcome {
        let Reply::Outcome { outcome, .. } = self.subject.call(call) else { panic!("{call:?}") };
        outcome
    }

    /// One step that overlaps nothing.
    fn step(&mut self, call: &Call) -> Outcome {
        let outcome = self.answer(call);
        assert!(follows(&mut self.judge, &Heard { call, outcome: &outcome, notified: &[] }));
        outcome
    }

    fn reserve(&mut self) -> Address {
        let outcome =
            self.step(&alloc(Address::NULL, AllocationType::RESERVE, Protection::READWRITE));
        outcome.address().expect("there is room")
    }

    /// The subject carries the calls out in one order; what that tells of the states.
    fn together(&self, calls: &[Call], order: &[usize]) -> Vec<Possible> {
        let mut outcomes: Vec<Option<Outcome>> = calls.iter().map(|_| None).collect();
        for at in order {
            outcomes[*at] = Some(self.answer(&calls[*at]));
        }
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        let heard: Vec<Heard<'_>> = calls
            .iter()
            .zip(&outcomes)
            .map(|(call, outcome)| Heard { call, outcome, notified: &[] })
            .collect();
        orders(&self.judge, &heard)
    }
}

fn alloc(address: Address, kind: AllocationType, protect: Protection) -> Call {
    let critical = CriticalLevel::TASK;
    Call::VirtualAlloc { address, size: 0x1000, kind, protect, critical }
}

fn commit(address: Address, protect: Protection) -> Call {
    alloc(address, AllocationType::COMMIT, protect)
}

fn query(address: Address) -> Call {
    let length = MemoryBasicInformation::SIZE;
    Call::VirtualQuery { address, buffer: OutPointer::Valid, length }
}

#[test]
fn answers_that_do_not_tell_the_order_leave_two_states_until_one_does() {
    for order in [[0, 1], [1, 0]] {
        let mut pair = Pair::new();
        let at = pair.reserve();
        let calls = [commit(at, Protection::READONLY), commit(at, Protection::READWRITE)];
        let mut possible = pair.together(&calls, &order);
        assert_eq!(possible[0].order, [0, 1], "that of the file first");
        assert_eq!(possible.len(), 2);
        assert!(!same(&possible[0].judge.state, &possible[1].judge.state));
        let outcome = pair.answer(&query(at));
        let heard = Heard { call: &query(at), outcome: &outcome, notified: &[] };
        possible.retain_mut(|it| follows(&mut it.judge, &heard));
        let left: Vec<&[usize]> = possible.iter().map(|it| &it.order[..]).collect();
        assert_eq!(left, [&order[..]]);
    }
}

#[test]
fn steps_that_do_not_meet_and_equal_steps_leave_one_state() {
    let mut pair = Pair::new();
    let (one, other) = (pair.reserve(), pair.reserve());
    let apart = [commit(one, Protection::READWRITE), commit(other, Protection::READONLY)];
    assert_eq!(pair.together(&apart, &[1, 0]).len(), 1);
    let mut pair = Pair::new();
    let at = pair.reserve();
    let equal = [commit(at, Protection::READWRITE), commit(at, Protection::READWRITE)];
    assert_eq!(pair.together(&equal, &[1, 0]).len(), 1);
}

#[test]
fn an_answer_that_another_step_explains_is_lawful_and_one_that_nothing_explains_is_not() {
    let release = |address| Call::VirtualFree { address, size: 0, kind: FreeType::RELEASE };
    // What a reservation gets may be released at once by somebody who guessed where it is.
    let mut pair = Pair::new();
    let at = pair.reserve();
    pair.step(&release(at));
    let calls = [release(at), alloc(Address::NULL, AllocationType::RESERVE, Protection::READWRITE)];
    let explained = pair.together(&calls, &[1, 0]);
    assert_eq!(explained.len(), 1);
    assert_eq!(explained[0].order, [1, 0]);
    // A place that was still taken, and is not any more when somebody looks.
    let mut pair = Pair::new();
    let at = pair.reserve();
    let calls = [release(at), alloc(at, AllocationType::RESERVE, Protection::READWRITE)];
    let explained = pair.together(&calls, &[1, 0]);
    assert_eq!(explained.len(), 1);
    assert_eq!(explained[0].order, [1, 0]);
    // Released twice, both times with success.
    let mut pair = Pair::new();
    let at = pair.reserve();
    let done = Outcome::ok();
    let call = release(at);
    let heard = || Heard { call: &call, outcome: &done, notified: &[] };
    let twice = [heard(), heard()];
    assert!(orders(&pair.judge, &twice).is_empty());
    assert_eq!(orders(&pair.judge, &twice[..1]).len(), 1);
}

/// A manager that refuses the loser of a race in another way than the law asks for is blamed for
/// that, whichever of the two it was.
#[test]
fn the_longest_lawful_beginning_does_not_depend_on_who_won() {
    let mut pair = Pair::new();
    let call = Call::VirtualFree { address: pair.reserve(), size: 0, kind: FreeType::RELEASE };
    let won = Outcome::ok();
    let lost = Outcome::Refused(Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER));
    for (outcomes, order) in [([&won, &lost], [0, 1]), ([&lost, &won], [1, 0])] {
        let heard = outcomes.map(|outcome| Heard { call: &call, outcome, notified: &[] });
        assert!(orders(&pair.judge, &heard).is_empty());
        assert_eq!(furthest(&pair.judge, &heard, &|_, _| false), order);
    }
}
