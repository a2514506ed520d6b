//! `GetMemoryLoad`, the callback, and the harness's hand on a simulated machine.

use hostmem_interface::{MemoryLoad, Win32Error};

use crate::effect::Effect;
use crate::rule::{ML_01, ML_02, NT_01};
use crate::verdict::{Answer, Verdict};

/// What the law permits for `GetMemoryLoad`. The judge makes it exact where the subject's
/// machine is simulated.
pub(super) const fn get() -> Verdict {
    Verdict::succeed(ML_01, Answer::Load(None), Effect::None)
}

/// What the law permits for setting the load.
pub(super) const fn set(load: u32, available: u64) -> Verdict {
    if load > 100 {
        return Verdict::refuse(ML_02, Win32Error::ERROR_INVALID_PARAMETER);
    }
    let load = MemoryLoad { load, available };
    Verdict::succeed(ML_02, Answer::Nothing, Effect::SetLoad(load))
}

/// What the law permits for `RegisterMemoryNotificationCallback`.
pub(super) const fn register() -> Verdict {
    Verdict::succeed(NT_01, Answer::Nothing, Effect::Register)
}
