//! The `hostmem` command: everything is in the library ([`hostmem::cli`]).

use std::process::ExitCode;

fn main() -> ExitCode {
    hostmem::cli::main(&hostmem::parts::parts())
}
