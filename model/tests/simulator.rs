//! The model as a manager: calls through the traits reach its state.

use hostmem_interface::{
    Address, AllocationType, Backend, Call, CriticalLevel, ExecuteError, HostMemoryManager,
    Machine, MemoryAccess, MemoryBasicInformation, OutPointer, Outcome, Protection, RegionState,
    Reply, Subject, Value,
};
use hostmem_model::{ModelBackend, Simulator};

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
