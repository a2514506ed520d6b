//! The `hostmem` command: everything is in the library ([`hostmem::cli`]).

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(any(target_os = "linux", windows))]
    if let Some(code) = worker() {
        return code;
    }
    hostmem::cli::main(&hostmem::parts::parts())
}

/// The other end of `com:PATH`: this program, run again with an argument that is no command.
#[cfg(any(target_os = "linux", windows))]
fn worker() -> Option<ExitCode> {
    use hostmem_backends::com::{WORKER_ARGUMENT, worker};

    let mut arguments = std::env::args_os().skip(1);
    let own = arguments.next().is_some_and(|first| first == WORKER_ARGUMENT);
    own.then(|| worker::main(arguments))
}
