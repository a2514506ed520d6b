//! Runs the built command as a user would.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A scenario that agrees everywhere.
pub(crate) const GOOD: &str = r#"{
  "format": "hostmem/1",
  "about": "a reservation succeeds",
  "steps": [
    { "call": "VirtualAlloc", "address": null, "size": "0x10000", "type": "MEM_RESERVE",
      "protect": "PAGE_NOACCESS", "bind": "p", "expect": "ok" }
  ]
}
"#;

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it said on standard output.
    pub(crate) stdout: String,
    /// What it said on standard error.
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("hostmem prints UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ended {
    /// Exit code 1, one line of complaint, and nothing else.
    #[track_caller]
    pub(crate) fn is_mistake(&self) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(!self.stderr.contains('\x1b'), "no colour in a pipe: {self:?}");
    }
}

/// The built command.
#[must_use]
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostmem"));
    command.stdin(Stdio::null());
    command
}

/// Runs the command to its end.
#[must_use]
pub(crate) fn hostmem(arguments: &[&str]) -> Ended {
    command().args(arguments).output().expect("the command starts").into()
}

/// Runs the command to its end in that folder.
#[must_use]
pub(crate) fn hostmem_in(folder: &Path, arguments: &[&str]) -> Ended {
    command().current_dir(folder).args(arguments).output().expect("the command starts").into()
}
