//! The model as a manager: calls through the traits reach its state.

use hostmem_interface::{
    Address, AllocationType, Backend, Call, CriticalLevel, ExecuteError, HostMemoryManager,
    Machine, MemoryAccess, MemoryBasicInformation, OutPointer, Outcome, Protection, RegionState,
    Reply, Subject, Value,
};
use hostmem_model::actor::Actor;
use hostmem_model::effect::Pages;
use hostmem_model::rules::decide;
use hostmem_model::space::Allocation;
use hostmem_model::{ModelBackend, Simulator, State};

const IMAGE: Address = Address(0x7FF6_0000_0000);

fn outcome(subject: &dyn Subject, call: &Call) -> Outcome {
    match subject.call(call) {
        Reply::Outcome { outcome, .. } => outcome,
        other => panic!("{call:?}: {other:?}"),
    }
}

fn state_at(subject: &dyn Subject, address: Address) -> RegionState {
    let (buffer, length) = (OutPointer::Valid, MemoryBasicInformation::SIZE);
    match outcome(subject, &Call::VirtualQuery { address, buffer, length }).value() {
        Some(Value::Region(answer)) => answer.information.state,
        other => panic!("{other:?}"),
    }
}

/// A mapping of the runtime's own shows while it is there, and its place can be had again.
#[test]
fn notices_reach_the_state() {
    let subject = ModelBackend.open(&Machine::WINDOWS_X64).expect("a machine in order");
    assert!(subject.one_at_a_time());
    assert_eq!(state_at(&*subject, IMAGE), RegionState::FREE);
    let acquired = Call::AcquiredVirtualAddressSpace { address: IMAGE, size: 0x2_0000 };
    assert_eq!(outcome(&*subject, &acquired), Outcome::ok());
    assert_eq!(state_at(&*subject, IMAGE), RegionState::COMMIT);
    let released = Call::ReleasedVirtualAddressSpace { address: IMAGE };
    assert_eq!(outcome(&*subject, &released), Outcome::ok());
    assert_eq!(state_at(&*subject, IMAGE), RegionState::FREE);
    let reserve = Call::VirtualAlloc {
        address: IMAGE,
        size: 0x1000,
        kind: AllocationType::RESERVE,
        protect: Protection::NOACCESS,
        critical: CriticalLevel::TASK,
    };
    assert_eq!(outcome(&*subject, &reserve), Outcome::done(Value::Address(IMAGE)));
}

/// Code that may be executed but is no `ret` is told from code that returned.
#[test]
fn only_a_return_instruction_returns() {
    let memory = Simulator::new(Machine::WINDOWS_X64);
    let (size, kind) = (0x1000, AllocationType(0x3000));
    let protect = Protection::EXECUTE_READWRITE;
    let base = memory.virtual_alloc(IMAGE, size, kind, protect, CriticalLevel::TASK);
    assert_eq!(base, Ok(IMAGE));
    assert_eq!(memory.execute(IMAGE), Err(ExecuteError::NotReturn(0)));
    memory.write(IMAGE, &[0xC3]).expect("a page that may be written");
    assert_eq!(memory.execute(IMAGE), Ok(()));
}

/// An effect remembers where its allocation was found. In another state of the same memory
/// that place may be another's, or nobody's; the effect means the same.
#[test]
fn an_effect_means_the_same_wherever_the_allocation_is_held() {
    let at = |granule: u64| Address(granule << 16);
    let call = |address, size, kind| Call::VirtualAlloc {
        address,
        size,
        kind,
        protect: Protection::READWRITE,
        critical: CriticalLevel::TASK,
    };
    let reserved = |order: &[u64]| {
        let mut state = State::new(Machine::WINDOWS_X64);
        for granule in order {
            let reserve = call(at(*granule), 0x1_0000, AllocationType::RESERVE);
            state.apply(&decide(&state, &reserve).first.effect);
        }
        state
    };
    let committed = |state: &State| -> Vec<(Address, u64)> {
        state.space.iter().map(|it| (it.base(), it.committed_pages())).collect()
    };
    let decided = reserved(&[5, 6, 7]);
    let commit = decide(&decided, &call(at(7), 0x3000, AllocationType::COMMIT)).first.effect;
    for order in [&[5, 6, 7][..], &[7, 6, 5], &[7]] {
        let mut state = reserved(order);
        state.apply(&commit);
        let others = committed(&state).into_iter().filter(|(base, _)| *base != at(7));
        assert!(others.into_iter().all(|(_, pages)| pages == 0), "{order:?}");
        assert_eq!(state.space.find(at(7)).map(Allocation::committed_pages), Some(3));
    }
}

/// Pages of other allocations, or other pages, are others.
#[test]
fn effects_on_other_pages_are_others() {
    let pages = |base, range| Pages::of(Address(base), range);
    assert_eq!(pages(0x1_0000, 0..2), pages(0x1_0000, 0..2));
    assert_ne!(pages(0x1_0000, 0..2), pages(0x2_0000, 0..2));
    assert_ne!(pages(0x1_0000, 0..2), pages(0x1_0000, 0..3));
}

/// The second lawful answer to a query behind user space can be had too.
#[test]
fn a_query_may_write_nothing() {
    let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
    let address = Address(Machine::WINDOWS_X64.end());
    let (buffer, length) = (OutPointer::Valid, MemoryBasicInformation::SIZE);
    let query = Call::VirtualQuery { address, buffer, length };
    let (reply, liked) = actor.act_preferring(&query, Outcome::is_done);
    let Reply::Outcome { outcome, .. } = reply else { panic!("{reply:?}") };
    let written = match outcome.value() {
        Some(Value::Region(answer)) => answer.written,
        other => panic!("{other:?}"),
    };
    assert!(liked && written == 0);
}

/// The runs of a part of an allocation are cut at its ends.
#[test]
fn runs_are_cut_at_the_ends_of_what_was_asked_for() {
    let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
    let call = |address, size, kind| Call::VirtualAlloc {
        address: Address(address),
        size,
        kind,
        protect: Protection::READONLY,
        critical: CriticalLevel::TASK,
    };
    actor.act(&call(0x1_0000, 0x8000, AllocationType::RESERVE));
    actor.act(&call(0x1_2000, 0x2000, AllocationType::COMMIT));
    let allocation = actor.state.space.find(Address(0x1_0000)).expect("it was reserved");
    let runs: Vec<_> = allocation.runs(1..5).map(|(run, at)| (run, at.protection())).collect();
    let (reserved, committed) = (Protection(0), Protection::READONLY);
    assert_eq!(runs, [(1..2, reserved), (2..4, committed), (4..5, reserved)]);
}
