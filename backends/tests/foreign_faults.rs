//! Faults that are not ours, in a process of its own: they reach whoever handled them before,
//! or end the process as they always did.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(unsafe_code, reason = "the test installs a signal handler and forks")]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{mem, ptr};

use hostmem_backends::linux::LinuxBackend;
use hostmem_interface::{
    Address, AllocationType, CriticalLevel, HostMemoryManager, Machine, MemoryAccess, Protection,
};

const PAGE: usize = 0x1000;
/// The page that the first handler opens, as a garbage collector's barrier would.
static BARRIER: AtomicUsize = AtomicUsize::new(0);
static OPENED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn open_barrier(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`.
    let at = unsafe { (*info).si_addr() } as usize;
    let barrier = BARRIER.load(Ordering::Relaxed);
    if barrier == 0 || at & !(PAGE - 1) != barrier {
        // SAFETY: async-signal-safe, and does not return.
        unsafe { libc::_exit(99) };
    }
    OPENED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the page is this test's own.
    unsafe { libc::mprotect(barrier as *mut c_void, PAGE, libc::PROT_READ | libc::PROT_WRITE) };
}

fn install_first() {
    // SAFETY: an all-zero `sigaction` is a valid value of that plain struct.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = open_barrier as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the action is initialised.
    let failed = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
    assert_eq!(failed, 0);
}

/// An inaccessible page.
fn barrier() -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at a place of the kernel's choice.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    BARRIER.store(page as usize, Ordering::Relaxed);
    page.cast()
}

/// How a child that does this ends: (signal, exit code).
fn fate_of(act: impl FnOnce()) -> (c_int, c_int) {
    // SAFETY: the child only touches memory and exits, which is safe after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        act();
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is writable, and the child is ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    let signal = if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 };
    (signal, libc::WEXITSTATUS(status))
}

extern "C" fn fault_and_recover(argument: *mut c_void) -> *mut c_void {
    // SAFETY: the starter passes this, and waits.
    let (manager, at) = unsafe { &*argument.cast::<(&dyn MemoryAccess, u64)>() };
    for _ in 0..1000 {
        assert!(manager.read(Address(*at), &mut [0; 4]).is_err());
        assert!(manager.write(Address(*at), &[0; 8]).is_err());
    }
    ptr::null_mut()
}

#[test]
fn a_foreign_fault_goes_to_the_handler_that_was_there_and_ours_do_not() {
    install_first();
    let manager = LinuxBackend::default().manager(&Machine::WINDOWS_X64).unwrap();
    let (kind, protect) = (AllocationType::RESERVE, Protection::NOACCESS);
    let at = manager.virtual_alloc(Address::NULL, 1, kind, protect, CriticalLevel::TASK).unwrap();
    let page = barrier();
    for round in 1..=3_u8 {
        assert!(manager.read(at, &mut [0]).is_err());
        // SAFETY: the page is this test's own; the handler opens it.
        unsafe { page.write_volatile(round) };
        assert_eq!(OPENED.load(Ordering::Relaxed), usize::from(round));
        // SAFETY: as above.
        assert_eq!(unsafe { page.read_volatile() }, round);
        // SAFETY: as above.
        unsafe { libc::mprotect(page.cast(), PAGE, libc::PROT_NONE) };
    }

    // A call of a pointer into nowhere is not taken for one of ours.
    let wild = move || {
        // SAFETY: never returns: the fetch faults.
        let call = unsafe { mem::transmute::<usize, extern "C" fn()>(0x10) };
        call();
    };
    assert_eq!(fate_of(wild), (0, 99));
    // Rust's own handler, which is next for SIGBUS, gives up at the first signal that is not a
    // stack overflow, and the second one ends the process.
    let twice = || {
        for _ in 0..2 {
            // SAFETY: a signal to the child itself.
            unsafe { libc::raise(libc::SIGBUS) };
        }
    };
    assert_eq!(fate_of(twice), (libc::SIGBUS, 0));

    // A thread that Rust did not start has no alternate stack.
    let access: &dyn MemoryAccess = &manager;
    let mut argument = (access, at.0);
    let mut thread = mem::MaybeUninit::uninit();
    let argument = (&raw mut argument).cast();
    // SAFETY: the argument outlives the thread, which is joined below.
    let started = unsafe {
        libc::pthread_create(thread.as_mut_ptr(), ptr::null(), fault_and_recover, argument)
    };
    assert_eq!(started, 0);
    // SAFETY: it was just started.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: started above, joined once.
    assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
}
