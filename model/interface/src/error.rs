//! How a manager says no: `HRESULT`, the Win32 error behind it, and a refusal made of both.
//!
//! Deliberately not here: which error is right when (`hostmem-model`), and the failures of
//! a subject or its transport ([`crate::Breakage`]).

use std::fmt;

/// Declares an error-code newtype with names for the values that the interface uses.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$value_doc:meta])* $constant:ident = $value:expr;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            $($(#[$value_doc])* pub const $constant: Self = Self($value);)*

            /// Every value that has a name, spelled as in the Windows headers.
            pub const NAMES: &'static [(&'static str, u32)] =
                &[$((stringify!($constant), $value)),*];

            /// Reads a name or a 32-bit number, decimal or hexadecimal.
            ///
            /// # Errors
            /// The text, if it is neither.
            pub fn parse(text: &str) -> Result<Self, String> {
                if let Some(&(_, value)) = Self::NAMES.iter().find(|(name, _)| *name == text) {
                    return Ok(Self(value));
                }
                parse_number(text).map(Self).ok_or_else(|| text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match Self::NAMES.iter().find(|(_, value)| *value == self.0) {
                    Some((name, _)) => f.write_str(name),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }
    };
}

fn parse_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { u32::from_str_radix(digits, radix).ok() } else { None }
}

codes! {
    /// A Win32 error code, as `GetLastError` gives it (winerror.h).
    Win32Error {
        /// 5
        ERROR_ACCESS_DENIED = 5;
        /// 6
        ERROR_INVALID_HANDLE = 6;
        /// 8: no address space or memory for the request.
        ERROR_NOT_ENOUGH_MEMORY = 8;
        /// 14
        ERROR_OUTOFMEMORY = 14;
        /// 24: a buffer is too short.
        ERROR_BAD_LENGTH = 24;
        /// 50
        ERROR_NOT_SUPPORTED = 50;
        /// 87: an argument is malformed.
        ERROR_INVALID_PARAMETER = 87;
        /// 120
        ERROR_CALL_NOT_IMPLEMENTED = 120;
        /// 487: the address does not fit the state of the memory.
        ERROR_INVALID_ADDRESS = 487;
        /// 998: an out pointer cannot be written.
        ERROR_NOACCESS = 998;
        /// 1314: the caller lacks a privilege.
        ERROR_PRIVILEGE_NOT_HELD = 1314;
        /// 1455: the commit limit is reached.
        ERROR_COMMITMENT_LIMIT = 1455;
        /// 0x80000001: `VirtualLock` on a guard page.
        STATUS_GUARD_PAGE_VIOLATION = 0x8000_0001;
    }
}

codes! {
    /// A COM result (winerror.h, corerror.h). Failure if the top bit is set.
    Hresult {
        /// Success: the only code that the runtime takes for one.
        S_OK = 0;
        /// A success that the runtime takes for a failure where it compares with `S_OK`.
        S_FALSE = 1;
        /// Not implemented.
        E_NOTIMPL = 0x8000_4001;
        /// The interface is not supported.
        E_NOINTERFACE = 0x8000_4002;
        /// A null pointer where none may be.
        E_POINTER = 0x8000_4003;
        /// Unspecified failure.
        E_FAIL = 0x8000_4005;
        /// Catastrophic failure.
        E_UNEXPECTED = 0x8000_FFFF;
        /// Access denied.
        E_ACCESSDENIED = 0x8007_0005;
        /// Out of address space, commit or memory.
        E_OUTOFMEMORY = 0x8007_000E;
        /// `HRESULT_FROM_WIN32(ERROR_INVALID_PARAMETER)`.
        E_INVALIDARG = 0x8007_0057;
        /// The host found a deadlock.
        HOST_E_DEADLOCK = 0x8013_1020;
        /// The host interrupted a wait.
        HOST_E_INTERRUPTED = 0x8013_1021;
        /// The memory was not allocated through the host.
        HOST_E_INVALIDOPERATION = 0x8013_1022;
        /// The runtime is not available.
        HOST_E_CLRNOTAVAILABLE = 0x8013_1023;
        /// The call timed out.
        HOST_E_TIMEOUT = 0x8013_1024;
        /// The caller does not own the lock.
        HOST_E_NOT_OWNER = 0x8013_1025;
        /// An event was cancelled while a thread waited on it.
        HOST_E_ABANDONED = 0x8013_1026;
        /// Process exit: thread abort escalation.
        HOST_E_EXITPROCESS_THREADABORT = 0x8013_1027;
        /// Process exit: domain unload escalation.
        HOST_E_EXITPROCESS_ADUNLOAD = 0x8013_1028;
        /// Process exit: timeout escalation.
        HOST_E_EXITPROCESS_TIMEOUT = 0x8013_1029;
        /// Process exit: out-of-memory escalation.
        HOST_E_EXITPROCESS_OUTOFMEMORY = 0x8013_102A;
        /// Process exit: stack-overflow escalation.
        HOST_E_EXITPROCESS_STACKOVERFLOW = 0x8013_102B;
    }
}

codes! {
    /// An exception code (ntstatus.h), as an access fault carries it.
    NtStatus {
        /// The access was to an armed guard page; the guard is gone now.
        STATUS_GUARD_PAGE_VIOLATION = 0x8000_0001;
        /// The page does not allow the access.
        STATUS_ACCESS_VIOLATION = 0xC000_0005;
        /// The page could not be brought in.
        STATUS_IN_PAGE_ERROR = 0xC000_0006;
    }
}

const FACILITY_WIN32: u32 = 0x8007_0000;

impl Hresult {
    /// Whether the code is a success (`SUCCEEDED`): the top bit is clear.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 & 0x8000_0000 == 0
    }

    /// `HRESULT_FROM_WIN32`: facility WIN32 around the low 16 bits; a value with the top bit
    /// set is one already.
    #[must_use]
    pub const fn from_win32(error: Win32Error) -> Self {
        if error.0 == 0 || error.0 & 0x8000_0000 != 0 {
            Self(error.0)
        } else {
            Self(FACILITY_WIN32 | (error.0 & 0xFFFF))
        }
    }

    /// The Win32 errors that this code stands for where a subject reports nothing finer:
    /// facility WIN32 carries one, `E_OUTOFMEMORY` is 8 or 1455, and
    /// `HOST_E_INVALIDOPERATION` stands for 487. Empty if it says no more than "failed".
    #[must_use]
    pub fn win32(self) -> Vec<Win32Error> {
        match self {
            Self::E_OUTOFMEMORY => {
                vec![Win32Error::ERROR_NOT_ENOUGH_MEMORY, Win32Error::ERROR_COMMITMENT_LIMIT]
            }
            Self::HOST_E_INVALIDOPERATION => vec![Win32Error::ERROR_INVALID_ADDRESS],
            Self(code) if code & 0xFFFF_0000 == FACILITY_WIN32 => vec![Win32Error(code & 0xFFFF)],
            _ => Vec::new(),
        }
    }
}

/// A manager's refusal: always an `HRESULT`, and the Win32 error where the manager has one.
///
/// A success code other than `S_OK` can stand here too: the runtime treats it as a failure
/// wherever it compares with `S_OK` (spec: `IHostMemoryManager`, the caller's tests).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refusal {
    /// What the COM caller sees.
    pub hresult: Hresult,
    /// What `GetLastError` would say, if the manager knows.
    pub win32: Option<Win32Error>,
}

impl Refusal {
    /// The refusal that hostmem's own managers give for a Win32 error: out of memory is
    /// `E_OUTOFMEMORY`, anything else `HRESULT_FROM_WIN32`.
    #[must_use]
    pub const fn from_win32(error: Win32Error) -> Self {
        let hresult = match error {
            Win32Error::ERROR_NOT_ENOUGH_MEMORY | Win32Error::ERROR_COMMITMENT_LIMIT => {
                Hresult::E_OUTOFMEMORY
            }
            _ => Hresult::from_win32(error),
        };
        Self { hresult, win32: Some(error) }
    }

    /// A refusal for which there is no Win32 error.
    #[must_use]
    pub const fn from_hresult(hresult: Hresult) -> Self {
        Self { hresult, win32: None }
    }

    /// `HOST_E_INVALIDOPERATION` over 487: the memory was not allocated through this host.
    #[must_use]
    pub const fn not_ours() -> Self {
        Self {
            hresult: Hresult::HOST_E_INVALIDOPERATION,
            win32: Some(Win32Error::ERROR_INVALID_ADDRESS),
        }
    }

    /// Whether this says "out of address space, commit or memory" in either code.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        match self.win32 {
            Some(error) => matches!(
                error,
                Win32Error::ERROR_NOT_ENOUGH_MEMORY
                    | Win32Error::ERROR_COMMITMENT_LIMIT
                    | Win32Error::ERROR_OUTOFMEMORY
            ),
            None => self.hresult == Hresult::E_OUTOFMEMORY,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.win32 {
            Some(error) => write!(f, "{error} ({})", self.hresult),
            None => write!(f, "{}", self.hresult),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hresult_from_win32_is_the_macro_of_winerror_h() {
        assert_eq!(Hresult::from_win32(Win32Error(87)), Hresult::E_INVALIDARG);
        assert_eq!(Hresult::from_win32(Win32Error(487)), Hresult(0x8007_01E7));
        assert_eq!(Hresult::from_win32(Win32Error(0)), Hresult::S_OK);
        assert_eq!(Hresult::from_win32(Win32Error(0x8000_0001)), Hresult(0x8000_0001));
    }

    #[test]
    fn a_bare_hresult_stands_for_the_errors_that_the_format_names() {
        assert_eq!(Hresult(0x8007_01E7).win32(), [Win32Error::ERROR_INVALID_ADDRESS]);
        assert_eq!(Hresult::E_OUTOFMEMORY.win32().len(), 2);
        assert!(Hresult::E_FAIL.win32().is_empty());
    }

    #[test]
    fn names_and_numbers_read_back() {
        assert_eq!(Win32Error::parse("ERROR_NOACCESS"), Ok(Win32Error(998)));
        assert_eq!(Hresult::parse("0x80131022"), Ok(Hresult::HOST_E_INVALIDOPERATION));
        assert_eq!(Win32Error::parse("487"), Ok(Win32Error::ERROR_INVALID_ADDRESS));
        assert_eq!(Win32Error::parse("ERROR_NO"), Err("ERROR_NO".to_owned()));
    }
}
