//! A worker for the tests of `com:PATH`, which have no `hostmem` binary: the same main
//! function as behind `hostmem __com-worker LIBRARY [ARGUMENT]`.
//!
//! Deliberately not here: anything else.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        #[cfg(target_os = "linux")]
        [library, rest @ ..] => {
            hostmem_backends::com::worker::main(Path::new(library), rest.first().map(|it| &**it))
        }
        _ => {
            let _ = Path::new("");
            ExitCode::from(1)
        }
    }
}
