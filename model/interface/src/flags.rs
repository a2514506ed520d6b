//! The 32-bit words that travel through the interface, with every bit kept.
//!
//! A caller may pass any bits, and the model must say what happens then: so these are
//! transparent newtypes, not closed enumerations. Names and values are those of `winnt.h`,
//! `memoryapi.h` and `mscoree.idl`.
//!
//! Deliberately not here: which combinations are lawful (`hostmem-model`).

use std::fmt;

/// Declares a newtype over `u32` with named values, their text form and their parser.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $style:ident {
        $($(#[$value_doc:meta])* $constant:ident = $spelling:literal : $value:expr;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            $($(#[$value_doc])* pub const $constant: Self = Self($value);)*

            /// Every name of this word as in the Windows headers, with its value.
            pub const NAMES: &'static [(&'static str, u32)] = &[$(($spelling, $value)),*];

            /// Reads names (joined by `|` where the word is a set of flags) and numbers.
            ///
            /// # Errors
            /// The part that is neither a name of this word nor a 32-bit number.
            pub fn parse(text: &str) -> Result<Self, String> {
                parse_word(text, Self::NAMES, Style::$style).map(Self)
            }

            /// Whether all bits of `other` are set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any bit of `other` is set.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// This word without the bits of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The bits of both.
            #[must_use]
            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.or(other)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_word(f, self.0, Self::NAMES, Style::$style)
            }
        }
    };
}

/// How a word is spelled.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// A set of flags joined by `|`.
    Flags,
    /// One value of an enumeration.
    One,
}

words! {
    /// `flAllocationType` of `VirtualAlloc` (memoryapi.h).
    AllocationType, Flags {
        /// Back pages of a reservation with memory.
        COMMIT = "MEM_COMMIT": 0x1000;
        /// Take a range of addresses without memory behind it.
        RESERVE = "MEM_RESERVE": 0x2000;
        /// The contents are of no interest until written again.
        RESET = "MEM_RESET": 0x8_0000;
        /// Choose the highest suitable address.
        TOP_DOWN = "MEM_TOP_DOWN": 0x10_0000;
        /// Record which pages of the new reservation are written to.
        WRITE_WATCH = "MEM_WRITE_WATCH": 0x20_0000;
        /// Reserve for physical pages (AWE).
        PHYSICAL = "MEM_PHYSICAL": 0x40_0000;
        /// Undo an earlier reset if the contents are still there.
        RESET_UNDO = "MEM_RESET_UNDO": 0x100_0000;
        /// Back with large pages.
        LARGE_PAGES = "MEM_LARGE_PAGES": 0x2000_0000;
    }
}

words! {
    /// `dwFreeType` of `VirtualFree` (memoryapi.h).
    FreeType, Flags {
        /// Take the memory away, keep the reservation.
        DECOMMIT = "MEM_DECOMMIT": 0x4000;
        /// Give the whole reservation back.
        RELEASE = "MEM_RELEASE": 0x8000;
    }
}

words! {
    /// A page protection: one base value and modifiers (winnt.h).
    Protection, Flags {
        /// No access at all.
        NOACCESS = "PAGE_NOACCESS": 0x01;
        /// Read.
        READONLY = "PAGE_READONLY": 0x02;
        /// Read and write.
        READWRITE = "PAGE_READWRITE": 0x04;
        /// Copy on write: for sections only.
        WRITECOPY = "PAGE_WRITECOPY": 0x08;
        /// Execute (readable on x64).
        EXECUTE = "PAGE_EXECUTE": 0x10;
        /// Execute and read.
        EXECUTE_READ = "PAGE_EXECUTE_READ": 0x20;
        /// Execute, read and write.
        EXECUTE_READWRITE = "PAGE_EXECUTE_READWRITE": 0x40;
        /// Executable copy on write: for sections only.
        EXECUTE_WRITECOPY = "PAGE_EXECUTE_WRITECOPY": 0x80;
        /// Modifier: the first access raises `STATUS_GUARD_PAGE_VIOLATION`.
        GUARD = "PAGE_GUARD": 0x100;
        /// Modifier: not cached.
        NOCACHE = "PAGE_NOCACHE": 0x200;
        /// Modifier: write combined.
        WRITECOMBINE = "PAGE_WRITECOMBINE": 0x400;
    }
}

words! {
    /// `MEMORY_BASIC_INFORMATION.State`.
    RegionState, One {
        /// Backed with memory.
        COMMIT = "MEM_COMMIT": 0x1000;
        /// Reserved, without memory.
        RESERVE = "MEM_RESERVE": 0x2000;
        /// Belongs to no allocation.
        FREE = "MEM_FREE": 0x1_0000;
    }
}

words! {
    /// `MEMORY_BASIC_INFORMATION.Type`; 0 for free memory.
    RegionType, One {
        /// Private memory: what `VirtualAlloc` makes.
        PRIVATE = "MEM_PRIVATE": 0x2_0000;
        /// A mapped view of a section.
        MAPPED = "MEM_MAPPED": 0x4_0000;
        /// A mapped image.
        IMAGE = "MEM_IMAGE": 0x100_0000;
    }
}

words! {
    /// `EMemoryCriticalLevel` (mscoree.idl): what a failure of the request endangers.
    CriticalLevel, One {
        /// Only the requesting task.
        TASK = "eTaskCritical": 0;
        /// The application domain.
        APP_DOMAIN = "eAppDomainCritical": 1;
        /// The process.
        PROCESS = "eProcessCritical": 2;
    }
}

words! {
    /// `EMemoryAvailable` (mscoree.idl). There is no 0.
    MemoryAvailable, One {
        /// Very little physical memory is left.
        LOW = "eMemoryAvailableLow": 1;
        /// Neither low nor high.
        NEUTRAL = "eMemoryAvailableNeutral": 2;
        /// Plenty.
        HIGH = "eMemoryAvailableHigh": 3;
    }
}

words! {
    /// `MALLOC_TYPE` of `CreateMalloc` (mscoree.idl).
    MallocType, Flags {
        /// Callable from many threads at once.
        THREADSAFE = "MALLOC_THREADSAFE": 1;
        /// Blocks may hold code.
        EXECUTABLE = "MALLOC_EXECUTABLE": 2;
    }
}

words! {
    /// `dwFlags` of `GetWriteWatch` (memoryapi.h).
    WatchFlags, Flags {
        /// Clear the mark of each page that is reported.
        RESET = "WRITE_WATCH_FLAG_RESET": 1;
    }
}

fn parse_word(text: &str, names: &[(&str, u32)], style: Style) -> Result<u32, String> {
    let part = |part: &str| -> Result<u32, String> {
        let part = part.trim();
        if let Some(&(_, value)) = names.iter().find(|(name, _)| *name == part) {
            return Ok(value);
        }
        let number = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(digits, 16).ok()
            }
            None if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
                part.parse().ok()
            }
            _ => None,
        };
        number.ok_or_else(|| part.to_owned())
    };
    match style {
        Style::Flags => text.split('|').try_fold(0, |word, piece| Ok(word | part(piece)?)),
        Style::One => part(text),
    }
}

fn write_word(
    f: &mut fmt::Formatter<'_>,
    word: u32,
    names: &[(&str, u32)],
    style: Style,
) -> fmt::Result {
    if style == Style::One {
        return match names.iter().find(|(_, value)| *value == word) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{word:#x}"),
        };
    }
    let mut rest = word;
    let mut separator = "";
    for &(name, value) in names {
        if word & value == value {
            write!(f, "{separator}{name}")?;
            separator = "|";
            rest &= !value;
        }
    }
    match (rest, separator) {
        (0, "") => f.write_str("0"),
        (0, _) => Ok(()),
        _ => write!(f, "{separator}{rest:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_its_value() {
        for (name, value) in Protection::NAMES {
            assert_eq!(Protection::parse(name), Ok(Protection(*value)));
        }
        assert_eq!(AllocationType::parse("MEM_COMMIT|0x40"), Ok(AllocationType(0x1040)));
        assert_eq!(CriticalLevel::parse("eProcessCritical"), Ok(CriticalLevel::PROCESS));
    }

    #[test]
    fn unknown_bits_survive_the_text_form() {
        for word in [0, 1, 0x104, 0x8000_0003, u32::MAX] {
            let text = Protection(word).to_string();
            assert_eq!(Protection::parse(&text), Ok(Protection(word)), "{text}");
        }
        assert_eq!(RegionState(7).to_string(), "0x7");
    }

    #[test]
    fn a_name_of_another_word_is_refused_with_the_part_that_is_wrong() {
        assert_eq!(FreeType::parse("MEM_RELEASE|MEM_COMMIT"), Err("MEM_COMMIT".to_owned()));
        assert_eq!(Protection::parse("0x100000000"), Err("0x100000000".to_owned()));
        assert_eq!(Protection::parse(""), Err(String::new()));
        assert_eq!(Protection::parse("+4"), Err("+4".to_owned()));
    }
}
