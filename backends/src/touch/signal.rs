//! The handler of SIGSEGV and SIGBUS: ours are turned into answers, the rest is passed on.
//!
//! It only reads and writes the interrupted thread's registers: async-signal-safe, and the
//! same on an alternate stack. `SA_ONSTACK` is set because Rust's own handler, which comes
//! next in the chain, recognises a stack overflow and needs a stack to do so.
//!
//! Deliberately not here: blocking, unblocking or restoring signals beyond what the kernel
//! does for every handler.

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::install;

/// Says why memory cannot be touched.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn install() -> Result<(), String> {
    Err(format!("memory is touched by code for x86-64, and this is {}", std::env::consts::ARCH))
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::ffi::{c_int, c_void};
    use std::sync::OnceLock;
    use std::{io, mem, ptr};

    use hostmem_interface::{AccessKind, NtStatus};

    use super::super::landing::{NO_ADDRESS, faulted};
    use super::super::stubs;

    const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];
    /// Bits of the processor's page fault error code.
    const ERROR_WRITE: i64 = 1 << 1;
    const ERROR_FETCH: i64 = 1 << 4;
    /// `si_code` of faults for which the kernel has no address.
    const SI_KERNEL: c_int = 0x80;

    /// A handler with SA_SIGINFO.
    type Action = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

    /// Who was to handle the signals before us, in the order of [`SIGNALS`].
    static PREVIOUS: OnceLock<Result<[libc::sigaction; 2], String>> = OnceLock::new();
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();

    pub(in super::super) fn install() -> Result<(), String> {
        let asked = || Ok([ask(SIGNALS[0])?, ask(SIGNALS[1])?]);
        // The previous handlers are known before ours can run and want them.
        if let Err(why) = PREVIOUS.get_or_init(asked) {
            return Err(why.clone());
        }
        INSTALLED.get_or_init(|| SIGNALS.iter().try_for_each(|&signal| replace(signal))).clone()
    }

    /// The present action for a signal.
    fn ask(signal: c_int) -> Result<libc::sigaction, String> {
        // SAFETY: an all-zero `sigaction` is a valid value of that plain struct.
        let mut present: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: a null new action only asks; `present` is writable.
        let failed = unsafe { libc::sigaction(signal, ptr::null(), &raw mut present) } != 0;
        if failed { Err(format!("sigaction: {}", io::Error::last_os_error())) } else { Ok(present) }
    }

    fn replace(signal: c_int) -> Result<(), String> {
        // SAFETY: an all-zero `sigaction` is a valid value of that plain struct.
        let mut ours: libc::sigaction = unsafe { mem::zeroed() };
        ours.sa_sigaction = on_fault as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: `ours` is initialised, and its handler is async-signal-safe.
        let failed = unsafe { libc::sigaction(signal, &raw const ours, ptr::null_mut()) } != 0;
        if failed { Err(format!("sigaction: {}", io::Error::last_os_error())) } else { Ok(()) }
    }

    extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes a valid `ucontext_t` to a handler with SA_SIGINFO, and
        // nobody else refers to it while the handler runs.
        let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        // SAFETY: likewise a valid `siginfo_t`.
        let info_read = unsafe { &*info };
        if !claim(info_read, registers) {
            pass_on(signal, info, context);
        }
    }

    /// Lands a fault of ours; whether it was one.
    fn claim(info: &libc::siginfo_t, registers: &mut [i64; 23]) -> bool {
        let at = register(registers, libc::REG_RIP);
        let error = registers[libc::REG_ERR as usize];
        // SAFETY: SIGSEGV and SIGBUS carry an address; for those that somebody sent instead
        // it is an unspecified integer, and is not used.
        let address = unsafe { info.si_addr() } as u64;
        if info.si_code <= 0 {
            return false; // sent by a process, not raised by an instruction
        }
        if error & ERROR_FETCH != 0 && at == address {
            // A fetch that failed: ours if the call stub is the caller. The stack pointer is
            // the thread's own; a thread without a stack could not have got here alive.
            let stack = register(registers, libc::REG_RSP);
            let Ok(stack) = usize::try_from(stack) else { return false };
            // SAFETY: a call pushed its return address there before the fetch failed.
            let caller = unsafe { ptr::with_exposed_provenance::<u64>(stack).read() };
            if caller != stubs::return_of_call() {
                return false;
            }
        } else if !stubs::is_access(at) {
            return false;
        }
        let kind = if error & ERROR_FETCH != 0 {
            AccessKind::Execute
        } else if error & ERROR_WRITE != 0 {
            AccessKind::Write
        } else {
            AccessKind::Read
        };
        let mut status = faulted(NtStatus::STATUS_ACCESS_VIOLATION, kind);
        status |= if info.si_code == SI_KERNEL { NO_ADDRESS } else { 0 };
        set(registers, libc::REG_RAX, status);
        set(registers, libc::REG_RDX, address);
        set(registers, libc::REG_RIP, stubs::land as *const () as u64);
        true
    }

    fn register(registers: &[i64; 23], which: c_int) -> u64 {
        registers[which as usize].cast_unsigned()
    }

    fn set(registers: &mut [i64; 23], which: c_int, value: u64) {
        registers[which as usize] = value.cast_signed();
    }

    /// Does with a foreign fault what would have been done without us.
    fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let Some(Ok(previous)) = PREVIOUS.get() else { return };
        let action = &previous[usize::from(signal != SIGNALS[0])];
        match action.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => die_of(signal),
            handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: whoever installed this address with SA_SIGINFO gave it this type.
                let call = unsafe { mem::transmute::<usize, Action>(handler) };
                call(signal, info, context);
            }
            handler => {
                // SAFETY: whoever installed this address without SA_SIGINFO gave it this type.
                let call = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
                call(signal);
            }
        }
    }

    /// Restores the default action: the instruction faults again, and the process dies of it.
    fn die_of(signal: c_int) {
        // SAFETY: `signal` and `raise` are async-signal-safe; the raised signal stays pending
        // until this handler returns, and covers signals that were sent, not raised.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        // SAFETY: as above.
        unsafe { libc::raise(signal) };
    }
}
