//! `CreateMalloc` and `IHostMalloc`.

use hostmem_interface::{Address, MallocId, MallocType, Win32Error};

use crate::effect::Effect;
use crate::rule::{HM_01, HM_02, HM_03, HM_04, HM_05, HM_06, HM_08};
use crate::state::State;
use crate::verdict::{Answer, No, Permitted, Verdict};

const KNOWN: MallocType = MallocType(MallocType::THREADSAFE.0 | MallocType::EXECUTABLE.0);

/// What the law permits for `CreateMalloc`.
pub(super) fn create(kind: MallocType) -> Verdict {
    let effect = Effect::CreateMalloc(kind);
    if kind.without(KNOWN).0 != 0 {
        return Verdict::refuse(HM_02, Win32Error::ERROR_INVALID_PARAMETER)
            .or(Permitted::refused(HM_02, No::Any))
            .or(Permitted::success(HM_02, Answer::Malloc, effect));
    }
    Verdict::succeed(HM_01, Answer::Malloc, effect)
}

/// What the law permits for `Alloc` and `DebugAlloc`.
pub(super) fn alloc(malloc: MallocId, size: u64, debug: bool) -> Verdict {
    let effect = Effect::Alloc { malloc, size, address: None };
    Verdict::succeed(if debug { HM_08 } else { HM_03 }, Answer::Block(size), effect)
}

/// What the law permits for `Free`.
pub(super) fn free(state: &State, malloc: MallocId, address: Address) -> Verdict {
    if address.is_null() {
        return Verdict::succeed(HM_05, Answer::Nothing, Effect::None);
    }
    match state.heaps.block(address) {
        Some(block) if block.malloc == malloc => {
            Verdict::succeed(HM_04, Answer::Nothing, Effect::FreeBlock(address))
        }
        _ => Verdict::only(Permitted::refused(HM_06, No::NotOurs)),
    }
}
