//! The Windows build under Wine, driven from Linux: the backend `wine`, and [`command`] for
//! anything else.
//!
//! The subject is `hostmem.exe agent --backend win32`, one process for many cases, so that the
//! judge runs here and Wine only answers.
//!
//! Deliberately not here: building `hostmem.exe` (`backends/windows.sh`), and the protocol
//! ([`crate::agent`]).

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs};

use hostmem_interface::{Backend, Machine, OpenError, Subject};

use crate::agent::{AgentBackend, Limits};
use crate::magic::begins_with;

/// Where the Windows build is, below the build folder.
const EXE: &str = "x86_64-win7-windows-gnu/release/hostmem.exe";
/// What makes it.
const SCRIPT: &str = "backends/windows.sh build";

/// The backend `wine`.
#[derive(Debug)]
pub struct WineBackend {
    agent: Result<AgentBackend, String>,
    /// Whether a program has started in the prefix. The first one starts Wine's server, and two
    /// that do so at once may miss each other.
    started: Mutex<bool>,
}

impl WineBackend {
    /// The first start of a prefix copies hundreds of files, and Wine keeps what it maps to itself.
    pub const LIMITS: Limits =
        Limits { time: Duration::from_secs(120), memory: 64 << 30, ..Limits::USUAL };

    /// The backend of that `hostmem.exe`, or of the one that was built beside this program.
    ///
    /// # Errors
    /// If there is no such file, or it is no program of Windows'. A build that was never made is
    /// none: the backend is then there and cannot be opened.
    pub fn new(exe: Option<&Path>, limits: Limits) -> Result<Self, String> {
        let exe = match exe {
            Some(exe) => Ok(program(exe).map_err(|error| format!("{}: {error}", exe.display()))?),
            None => built().ok_or(format!("no Windows build; run {SCRIPT}")),
        };
        Ok(Self { agent: exe.and_then(|exe| agent(&exe, limits)), started: Mutex::new(false) })
    }
}

impl Backend for WineBackend {
    fn name(&self) -> &'static str {
        "wine"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let agent = self.agent.as_ref().map_err(|why| OpenError::Unavailable(why.clone()))?;
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if *started {
            drop(started);
            return agent.open(machine);
        }
        let first = agent.open(machine);
        *started = first.is_ok();
        first
    }
}

/// The whole path of a program of Windows': one that begins as the PE format asks for.
fn program(exe: &Path) -> io::Result<PathBuf> {
    if !begins_with(exe, b"MZ")? {
        return Err(io::Error::other("not a Windows program"));
    }
    exe.canonicalize()
}

/// The build in the build folder that this program is in.
fn built() -> Option<PathBuf> {
    let here = env::current_exe().ok()?;
    here.ancestors().map(|folder| folder.join(EXE)).find(|exe| exe.is_file())
}

/// What every program under Wine is given. A prefix of its own, beside the build, keeps the
/// user's out of it; whoever sets `WINEPREFIX` has decided otherwise.
fn environment(exe: &Path) -> Result<Vec<(&'static str, OsString)>, String> {
    if !on_path("wine") {
        return Err(
            "no Wine; install the packages that `backends/windows.sh packages` tells".into()
        );
    }
    let mut set = vec![("WINEDLLOVERRIDES", OsString::from("mscoree,mshtml="))];
    if env::var_os("WINEDEBUG").is_none() {
        set.push(("WINEDEBUG", "-all".into()));
    }
    if env::var_os("WINEPREFIX").is_none() {
        let prefix = exe.with_file_name("wine-prefix");
        fs::create_dir_all(&prefix).map_err(|error| format!("{}: {error}", prefix.display()))?;
        set.push(("WINEPREFIX", prefix.into()));
    }
    Ok(set)
}

fn agent(exe: &Path, limits: Limits) -> Result<AgentBackend, String> {
    let set = environment(exe)?.into_iter();
    let set = set.map(|(name, value)| format!("{name}={}", value.to_string_lossy()));
    let mut words: Vec<String> = std::iter::once("env".to_owned()).chain(set).collect();
    words.extend(["wine".to_owned(), exe.to_string_lossy().into_owned()]);
    words.extend(["agent", "--backend", "win32"].map(str::to_owned));
    AgentBackend::new(&shell_words::join(words), limits)
}

/// The Windows build under Wine with these arguments, its streams this process's own.
///
/// # Errors
/// If there is no Windows build, or no Wine.
pub fn command(arguments: &[OsString]) -> Result<Command, String> {
    let exe = built().ok_or(format!("no Windows build; run {SCRIPT}"))?;
    let mut command = Command::new("wine");
    command.envs(environment(&exe)?).arg(exe).args(arguments);
    Ok(command)
}

fn on_path(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(OsStr::new(&folders)).any(|folder| folder.join(program).is_file())
}
