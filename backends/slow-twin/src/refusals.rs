//! The refusals that the calls give, under the names of their Win32 errors.
//!
//! Deliberately not here: when they are given.

use hostmem_interface::{Refusal, Win32Error};

/// 87
pub(crate) const INVALID_PARAMETER: Refusal =
    Refusal::from_win32(Win32Error::ERROR_INVALID_PARAMETER);
/// 487
pub(crate) const INVALID_ADDRESS: Refusal = Refusal::from_win32(Win32Error::ERROR_INVALID_ADDRESS);
/// 487 as `HOST_E_INVALIDOPERATION`
pub(crate) const NOT_OURS: Refusal = Refusal::not_ours();
/// 8
pub(crate) const NOT_ENOUGH_MEMORY: Refusal =
    Refusal::from_win32(Win32Error::ERROR_NOT_ENOUGH_MEMORY);
/// 1455
pub(crate) const COMMITMENT_LIMIT: Refusal =
    Refusal::from_win32(Win32Error::ERROR_COMMITMENT_LIMIT);
/// 24
pub(crate) const BAD_LENGTH: Refusal = Refusal::from_win32(Win32Error::ERROR_BAD_LENGTH);
/// 998
pub(crate) const NOACCESS: Refusal = Refusal::from_win32(Win32Error::ERROR_NOACCESS);
/// 1314
pub(crate) const PRIVILEGE_NOT_HELD: Refusal =
    Refusal::from_win32(Win32Error::ERROR_PRIVILEGE_NOT_HELD);

/// Refuses unless a check holds: lets the order of checks be read as a list.
pub(crate) fn ensure(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}
