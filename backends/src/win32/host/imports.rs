//! The import table of a loaded module: which functions it takes from the system, and how one
//! is given to it instead.
//!
//! Only addresses inside the image are looked at, and only slots of `KERNEL32.dll` and of the
//! API sets that stand for it are written.

use std::ffi::{CStr, c_char, c_void};

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::Memory::{PAGE_READWRITE, VirtualProtect};

/// Bytes of an entry of the import directory.
const DESCRIPTOR: u32 = 20;
/// The bit of an import by number.
const BY_ORDINAL: u64 = 1 << 63;
/// Offsets of the PE format: from the image to the address of its header, and from there.
const HEADER_AT: u32 = 0x3C;
const IMAGE_SIZE: u32 = 0x50;
const IMPORT_DIRECTORY: u32 = 0x90;

/// A loaded image of 64 bits.
#[derive(Clone, Copy)]
pub(super) struct Image {
    base: *const u8,
    size: u32,
}

/// A slot of an import table.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    /// The function that is asked for.
    pub(super) name: &'a str,
    at: *mut *const c_void,
}

impl Slot<'_> {
    /// What the module calls now.
    pub(super) fn target(self) -> *const c_void {
        // SAFETY: a slot of a loaded image, aligned as the format demands.
        unsafe { self.at.read() }
    }

    /// Has the module call something else; says whether that could be done.
    pub(super) fn set(self, function: *const c_void) -> bool {
        let mut before = 0;
        let page = self.at.cast::<c_void>();
        // SAFETY: the slot is part of a loaded image; it stays readable throughout.
        let open = unsafe { VirtualProtect(page, 8, PAGE_READWRITE, &raw mut before) };
        if open == 0 {
            return false;
        }
        // SAFETY: writable now, and written in one piece: a call meanwhile takes the one or the
        // other.
        unsafe { self.at.write_volatile(function) };
        // SAFETY: as it was.
        unsafe { VirtualProtect(page, 8, before, &raw mut before) };
        true
    }
}

impl Image {
    /// The image of a module.
    ///
    /// # Safety
    /// The module is loaded, and stays so.
    pub(super) unsafe fn of(module: HMODULE) -> Self {
        // Handles of data files have their low bits set.
        let base = module.cast::<u8>().cast_const();
        let first = Self { base, size: 0x1000 };
        let size = first.number(first.header() + IMAGE_SIZE);
        Self { base, size }
    }

    fn header(self) -> u32 {
        self.number(HEADER_AT)
    }

    /// A value at an offset; zero if it is not inside.
    fn value<T: Copy + Default>(self, at: u32) -> T {
        let end = u64::from(at) + size_of::<T>() as u64;
        if end > u64::from(self.size) {
            return T::default();
        }
        // SAFETY: inside the image, which is mapped readable, and a plain number.
        unsafe { self.base.add(at as usize).cast::<T>().read_unaligned() }
    }

    fn number(self, at: u32) -> u32 {
        self.value(at)
    }

    fn text(&self, at: u32) -> &str {
        if at >= self.size {
            return "";
        }
        // SAFETY: names in an image end with a zero, and the image stays loaded.
        let text = unsafe { CStr::from_ptr(self.base.add(at as usize).cast::<c_char>()) };
        text.to_str().unwrap_or_default()
    }

    /// Every slot of functions of the system's core.
    pub(super) fn slots(&self) -> Vec<Slot<'_>> {
        let mut slots = Vec::new();
        let mut at = self.number(self.header() + IMPORT_DIRECTORY);
        while at != 0 && self.number(at + 16) != 0 {
            let (names, from) = (self.number(at), self.text(self.number(at + 12)));
            if names != 0 && is_core(from) {
                self.slots_of(names, self.number(at + 16), &mut slots);
            }
            at += DESCRIPTOR;
        }
        slots
    }

    fn slots_of<'a>(&'a self, names: u32, first: u32, slots: &mut Vec<Slot<'a>>) {
        for index in 0.. {
            let entry: u64 = self.value(names + index * 8);
            if entry == 0 {
                return;
            }
            let Ok(name) = u32::try_from(entry & !BY_ORDINAL) else { continue };
            let slot = first + index * 8;
            if entry & BY_ORDINAL == 0 && slot + 8 <= self.size {
                // SAFETY: inside the image.
                let at = unsafe { self.base.add(slot as usize) };
                // Two bytes of a hint stand before the name.
                slots.push(Slot { name: self.text(name + 2), at: at.cast_mut().cast() });
            }
        }
    }
}

fn is_core(dll: &str) -> bool {
    let dll = dll.to_ascii_lowercase();
    ["kernel32.dll", "kernelbase.dll"].contains(&&*dll) || dll.starts_with("api-ms-win-core-")
}
