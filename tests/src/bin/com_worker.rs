//! A worker for the tests of `com:PATH`, which have no `hostmem` binary: the same main
//! function as behind `hostmem __com-worker`.
//!
//! Deliberately not here: anything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(any(target_os = "linux", windows))]
    return hostmem_backends::com::worker::main(std::env::args_os().skip(1));
    #[cfg(not(any(target_os = "linux", windows)))]
    ExitCode::from(1)
}
