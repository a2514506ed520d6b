//! The three address-space notices, with the meaning that the runtime gives them: the first
//! is a request for room after a mapping failed, the others news of mappings.

use hostmem_interface::{Address, Win32Error};

use crate::effect::Effect;
use crate::rule::{AS_01, AS_02, AS_03};
use crate::verdict::{Answer, No, Permitted, Verdict};

/// What the law permits for `NeedsVirtualAddressSpace`.
pub(super) fn needs() -> Verdict {
    let decline = No::Memory(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
    Verdict::succeed(AS_01, Answer::Nothing, Effect::None).or(Permitted::refused(AS_01, decline))
}

/// What the law permits for `AcquiredVirtualAddressSpace`.
pub(super) const fn acquired(address: Address, size: u64) -> Verdict {
    Verdict::succeed(AS_02, Answer::Nothing, Effect::Acquire(address, size))
}

/// What the law permits for `ReleasedVirtualAddressSpace`.
pub(super) const fn released(address: Address) -> Verdict {
    Verdict::succeed(AS_03, Answer::Nothing, Effect::ReleaseForeign(address))
}
