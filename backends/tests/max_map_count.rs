//! The kernel's real limit of mappings, in a process of its own: the backend stops before it,
//! and the rest of the process never notices.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::thread;

use hostmem_backends::linux::{LinuxBackend, LinuxManager};
use hostmem_interface::dispatch::Host;
use hostmem_interface::{
    Address, AllocationType, CriticalLevel, FreeType, HostMemoryManager, Machine, MemoryAccess,
    Protection, Refusal,
};

const PAGE: u64 = 0x1000;
/// More than twice as many pages as there can be mappings by default.
const PAGES: u64 = 150_000;

fn alloc(manager: &LinuxManager, at: u64, size: u64, kind: u32) -> Result<u64, Refusal> {
    let kind = AllocationType(kind);
    let protect = Protection::READWRITE;
    let address = manager.virtual_alloc(Address(at), size, kind, protect, CriticalLevel::TASK)?;
    Ok(address.0)
}

fn read(manager: &LinuxManager, at: u64) -> bool {
    manager.read(Address(at), &mut [0]).is_ok()
}

/// What needs mappings in the rest of the process: large blocks and threads.
fn the_process_is_well() {
    let blocks: Vec<_> = (0..64).map(|_| vec![1_u8; 1 << 20]).collect();
    let threads: Vec<_> = (0..16).map(|number| thread::spawn(move || number)).collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("it only counts")).sum();
    assert_eq!((sum, blocks.len()), (120, 64));
}

#[test]
fn growth_and_decommit_stop_splitting_before_the_process_runs_out() {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit: u64 = text.trim().parse().unwrap();
    if limit > 100_000 {
        return; // out of this test's reach, and so of nobody's concern
    }
    let manager = LinuxBackend::default().manager(&Machine::WINDOWS_X64).unwrap();
    let every_other = |base: u64| (0..PAGES).step_by(2).map(move |page| base + page * PAGE);

    let scattered = alloc(&manager, 0, PAGES * PAGE, 0x2000).unwrap();
    let mut pages = every_other(scattered);
    let refused = pages.find_map(|page| alloc(&manager, page, PAGE, 0x1000).err());
    assert!(refused.unwrap().is_out_of_memory());
    the_process_is_well();
    manager.checkpoint().unwrap();
    manager.virtual_free(Address(scattered), 0, FreeType::RELEASE).unwrap();

    let whole = alloc(&manager, 0, PAGES * PAGE, 0x3000).unwrap();
    for page in every_other(whole) {
        manager.virtual_free(Address(page), PAGE, FreeType::DECOMMIT).unwrap();
    }
    the_process_is_well();
    for page in every_other(whole) {
        assert!(!read(&manager, page) && read(&manager, page + PAGE));
    }
    manager.checkpoint().unwrap();
    manager.virtual_free(Address(whole), 0, FreeType::RELEASE).unwrap();
    assert!(!read(&manager, whole));
    let again = alloc(&manager, 0, PAGES * PAGE, 0x3000).unwrap();
    assert!(read(&manager, again + PAGES / 2 * PAGE));
    manager.checkpoint().unwrap();
}
