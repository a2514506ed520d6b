//! Identifiers and enumerations, ours and Microsoft's: if two differ, this does not compile.
//!
//! Deliberately not here: slots and signatures, which calls check.

use hostmem_backends::com::interfaces as ours;
use hostmem_backends::com::layout::MEMORY_BASIC_INFORMATION;
use hostmem_interface::{CriticalLevel, MallocType, MemoryAvailable};
use windows::Win32::System::ClrHosting as theirs;
use windows_core::{GUID, Interface};

const fn same(left: GUID, right: GUID) -> bool {
    left.to_u128() == right.to_u128()
}

const _: () = {
    assert!(same(ours::IHostMemoryManager::IID, theirs::IHostMemoryManager::IID));
    assert!(same(ours::IHostMalloc::IID, theirs::IHostMalloc::IID));
    assert!(same(
        ours::ICLRMemoryNotificationCallback::IID,
        theirs::ICLRMemoryNotificationCallback::IID
    ));
    assert!(CriticalLevel::TASK.0 == theirs::eTaskCritical.0.cast_unsigned());
    assert!(CriticalLevel::APP_DOMAIN.0 == theirs::eAppDomainCritical.0.cast_unsigned());
    assert!(CriticalLevel::PROCESS.0 == theirs::eProcessCritical.0.cast_unsigned());
    assert!(MallocType::THREADSAFE.0 == theirs::MALLOC_THREADSAFE.0.cast_unsigned());
    assert!(MallocType::EXECUTABLE.0 == theirs::MALLOC_EXECUTABLE.0.cast_unsigned());
    assert!(MemoryAvailable::LOW.0 == theirs::eMemoryAvailableLow.0.cast_unsigned());
    assert!(MemoryAvailable::NEUTRAL.0 == theirs::eMemoryAvailableNeutral.0.cast_unsigned());
    assert!(MemoryAvailable::HIGH.0 == theirs::eMemoryAvailableHigh.0.cast_unsigned());
    assert!(
        size_of::<theirs::IHostMemoryManager_Vtbl>() == size_of::<ours::IHostMemoryManager_Vtbl>()
    );
    assert!(size_of::<theirs::IHostMalloc_Vtbl>() == size_of::<ours::IHostMalloc_Vtbl>());
    assert!(
        size_of::<MEMORY_BASIC_INFORMATION>()
            == size_of::<windows::Win32::System::Memory::MEMORY_BASIC_INFORMATION>()
    );
};
