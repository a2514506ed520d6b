//! [`ComBackend`]: the backend `com:PATH`, a manager in a shared library.
//!
//! Each subject is a process of its own that loads the library ([`super::worker`]), on a time
//! limit per call.
//!
//! Deliberately not here: machines. The interface has no word for pages, granularity and
//! limits, so those of 64-bit Windows are assumed, unless the library can make a manager that
//! shows others (`HostmemCreateManagerOn`).

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hostmem_interface::{Backend, Breakage, Call, Description, Machine, OpenError, Reply, Subject};

use super::worker::machine_text;
use crate::child::ChildProcess;
use crate::magic::begins_with;
use crate::wire::{Request, Response};

/// The hidden argument that makes the `hostmem` command a worker.
pub const WORKER_ARGUMENT: &str = "__com-worker";

/// What every library begins with that this system can load.
const MAGIC: &[u8] = if cfg!(windows) { b"MZ" } else { b"\x7fELF" };

/// A program that calls [`super::worker::main`] with the arguments which are added to these:
/// the machine, the library, and the backend's argument if there is one.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments before those.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// This very program with [`WORKER_ARGUMENT`].
    ///
    /// # Errors
    /// If the system does not tell where it is.
    pub fn this_program() -> io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self { program, arguments: vec![WORKER_ARGUMENT.into()] })
    }
}

/// The backend `com:PATH`.
#[derive(Clone, Debug)]
pub struct ComBackend {
    /// Its name in reports.
    pub name: String,
    /// The shared library, with a directory: else the system searches elsewhere.
    pub library: PathBuf,
    /// What the library's `HostmemCreateManager` is given; null if nothing.
    pub argument: Option<String>,
    /// What loads it.
    pub worker: WorkerCommand,
    /// How long a call may take.
    pub limit: Duration,
    /// How much writable memory its process may have, in bytes, if that is limited.
    pub memory: Option<u64>,
}

impl ComBackend {
    /// How long a call may take unless somebody says otherwise.
    pub const LIMIT: Duration = Duration::from_secs(10);

    /// The backend of `com:PATH`, or `com:PATH#ARGUMENT` if there is no file of that name.
    ///
    /// # Errors
    /// If there is no such file, or it is no library, with the reason.
    pub fn named(text: &str, worker: WorkerCommand) -> Result<Self, String> {
        let whole = |path: &str| PathBuf::from(path).canonicalize();
        // A file's name may hold a number sign too, and so may the argument.
        let split = |at: usize| (&text[..at], Some(text[at + 1..].to_owned()));
        let mut ways =
            std::iter::once((text, None)).chain(text.rmatch_indices('#').map(|(at, _)| split(at)));
        let (path, argument) = ways
            .find(|(path, _)| whole(path).is_ok())
            .unwrap_or_else(|| text.find('#').map_or((text, None), split));
        let library = whole(path).map_err(|error| format!("{path}: {error}"))?;
        if !library.is_file() {
            return Err(format!("{path} is no file"));
        }
        if !begins_with(&library, MAGIC).map_err(|error| format!("{path}: {error}"))? {
            return Err(format!("{path} is no shared library"));
        }
        Ok(Self {
            name: format!("com:{text}"),
            library,
            argument,
            worker,
            limit: Self::LIMIT,
            memory: None,
        })
    }
}

impl Backend for ComBackend {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let mut command = Command::new(&self.worker.program);
        command.args(&self.worker.arguments).arg(machine_text(*machine));
        command.arg(&self.library).args(&self.argument);
        let (child, description) = ChildProcess::start(&mut command, self.limit, self.memory)?;
        Ok(Box::new(ComSubject { child, description }))
    }
}

/// A manager in a process of its own.
#[derive(Debug)]
struct ComSubject {
    child: ChildProcess,
    description: Description,
}

impl ComSubject {
    fn answered_oddly(&self, what: &str) -> Breakage {
        self.child.broke(Breakage::Lied(format!("the worker's answer to {what} is to another")))
    }

    fn listed(&self, request: &Request, what: &str) -> Result<Vec<String>, Breakage> {
        match self.child.ask(request, what)? {
            Response::Listed(found) => Ok(found),
            _ => Err(self.answered_oddly(what)),
        }
    }
}

impl Subject for ComSubject {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, call: &Call) -> Reply {
        match self.child.ask(&Request::Call(call.clone()), call.name()) {
            Ok(Response::Reply(Reply::Broken(how))) => Reply::Broken(self.child.broke(how)),
            Ok(Response::Reply(reply)) => reply,
            Ok(_) => Reply::Broken(self.answered_oddly(call.name())),
            Err(how) => Reply::Broken(how),
        }
    }

    /// The thread in the library's process that carries this one's calls is there afterwards.
    fn begin_thread(&self) {
        // What breaks here breaks the next call, which tells.
        let _ = self.checkpoint();
    }

    fn checkpoint(&self) -> Result<(), String> {
        match self.child.ask(&Request::Checkpoint, "a checkpoint") {
            Ok(Response::Checked(Ok(()))) => Ok(()),
            Ok(Response::Checked(Err(lie))) => {
                Err(self.child.broke(Breakage::Lied(lie)).to_string())
            }
            Ok(_) => Err(self.answered_oddly("a checkpoint").to_string()),
            Err(how) => Err(how.to_string()),
        }
    }

    fn leaks(&self) -> Vec<String> {
        let found = self.listed(&Request::Leaks, "a question for leaks");
        found.unwrap_or_else(|how| vec![how.to_string()])
    }

    fn close(&self) -> Result<(), Breakage> {
        let found = self.listed(&Request::Close, "the last Release");
        self.child.broke(Breakage::Died("it was closed".to_owned()));
        let found = found?;
        if found.is_empty() { Ok(()) } else { Err(Breakage::Lied(found.join("; "))) }
    }
}
