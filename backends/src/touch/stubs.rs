//! The instructions that may fault, one function each.
//!
//! The faulting instruction is the first of its function, so the table of faulting addresses
//! is the table of functions; a call is known by its return address. They follow the System V
//! convention and return two registers: `rax` (0, or what the handler learned) and `rdx` (the
//! value read, or the fault's address): a [`super::landing::Landing`].
//!
//! Deliberately not here: a stub that loops. A copy is one `rep movsb`, and faults as one.

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::*;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::naked_asm;

    use super::super::landing::Landing;

    /// Declares a stub: its faulting instruction, then a return with `rax` = 0.
    macro_rules! stub {
        ($(#[$doc:meta])* $name:ident($($argument:ident),*) = $instruction:literal) => {
            $(#[$doc])*
            #[unsafe(naked)]
            pub(in super::super) unsafe extern "sysv64" fn $name($($argument: u64),*) -> Landing {
                naked_asm!($instruction, "xor eax, eax", "ret")
            }
        };
    }

    stub!(/// Reads a byte.
        load1(_at) = "movzx edx, byte ptr [rdi]");
    stub!(/// Reads 2 bytes.
        load2(_at) = "movzx edx, word ptr [rdi]");
    stub!(/// Reads 4 bytes.
        load4(_at) = "mov edx, dword ptr [rdi]");
    stub!(/// Reads 8 bytes.
        load8(_at) = "mov rdx, qword ptr [rdi]");
    stub!(/// Writes a byte.
        store1(_at, _value) = "mov byte ptr [rdi], sil");
    stub!(/// Writes 2 bytes.
        store2(_at, _value) = "mov word ptr [rdi], si");
    stub!(/// Writes 4 bytes.
        store4(_at, _value) = "mov dword ptr [rdi], esi");
    stub!(/// Writes 8 bytes.
        store8(_at, _value) = "mov qword ptr [rdi], rsi");
    stub!(/// Copies from touched memory; the unused argument puts the length into `rcx`.
        copy_from(_into, _at, _unused, _length) = "rep movsb");
    stub!(/// Copies to touched memory; the unused argument puts the length into `rcx`.
        copy_to(_at, _from, _unused, _length) = "rep movsb");

    /// Calls code. A fetch that fails faults at the code's address with the return address
    /// pushed, and continues at [`land`]: every call has its return, as shadow stacks demand.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "sysv64" fn call(_at: u64) -> Landing {
        naked_asm!("xor eax, eax", "call rdi", "ret")
    }

    /// Where a faulting stub continues: back to whoever called last.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "sysv64" fn land() {
        naked_asm!("ret")
    }

    /// Whether the instruction at `at` is one of the faulting loads, stores and copies.
    pub(in super::super) fn is_access(at: u64) -> bool {
        let loads = [load1 as *const (), load2 as _, load4 as _, load8 as _];
        let stores = [store1 as *const (), store2 as _, store4 as _, store8 as _];
        let copies = [copy_from as *const (), copy_to as _];
        loads.iter().chain(&stores).chain(&copies).any(|&stub| stub as u64 == at)
    }

    /// The address to which code called by [`call`] returns: behind two instructions of two
    /// bytes each.
    pub(in super::super) fn return_of_call() -> u64 {
        (call as *const ()) as u64 + 4
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use absent::*;

#[cfg(not(target_arch = "x86_64"))]
mod absent {
    //! Without stubs [`super::super::Touch`] cannot be obtained, so none of these ever runs.
    use super::super::landing::Landing;

    macro_rules! absent {
        ($($name:ident($($argument:ident),*))*) => {$(
            pub(in super::super) unsafe fn $name($($argument: u64),*) -> Landing {
                unreachable!("memory is never touched on this architecture")
            }
        )*};
    }
    absent! {
        load1(_at) load2(_at) load4(_at) load8(_at)
        store1(_at, _value) store2(_at, _value) store4(_at, _value) store8(_at, _value)
        copy_from(_into, _at, _unused, _length) copy_to(_at, _from, _unused, _length) call(_at)
    }
}
