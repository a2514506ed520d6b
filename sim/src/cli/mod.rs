//! The command line: one file a command, each a thin function over the library.
//!
//! Map: [`options`] has what several commands share, [`judge`] runs a plan and tells of it for
//! `check` and `replay`, [`known`] deals with known differences, [`failed`] finds a failure in a
//! result; [`check`], [`replay`], [`shrink`], [`merge`], [`conform`], [`diff`], [`exhaust`],
//! [`import`], [`host`], [`list`], [`explain`], [`schema`], [`fmt`], [`view`] and [`agent`] are the
//! commands.
//!
//! A command gives an [`ExitStatus`], or an [`Error`]: a mistake of the user's, which is told
//! in one line and exits with 1.
//!
//! Deliberately not here: anything that another program could not do through the library.

#[cfg(any(target_os = "linux", windows))]
pub mod agent;
pub mod check;
pub mod conform;
pub mod diff;
pub mod exhaust;
pub mod explain;
pub mod failed;
pub mod fmt;
pub mod host;
pub mod import;
pub mod judge;
pub mod known;
pub mod list;
pub mod merge;
pub mod options;
pub mod replay;
pub mod schema;
pub mod shrink;
pub mod view;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backend::BackendError;
use crate::campaign::stop::Stop;
use crate::files::load::shown;
use crate::files::select::SelectError;
use crate::files::{FileError, WriteError};
use crate::known::file::KnownError;
use crate::output::{Output, complain, remark};
use crate::panics;
use crate::parts::Parts;
use crate::report::ExitStatus;
use crate::results::file::ResultsError;

const EXIT_CODES: &str = "\
Exit codes:
  0    nothing worse than tolerated, skipped or a should/may divergence
  1    a mistake in the command line, a backend that cannot be started, input that cannot be read
       or is not all there, or results that cannot be kept
  2    a divergence from a must rule (with --strict: from any)
  3    a backend broke, or a step ran out of time
  4    a known difference differs no more, something required is missing, a canary survived, or
       hostmem contradicts itself
  70   an internal error of hostmem
  130  interrupted
Of several, the first of 70, 4, 3, 2, 130, 1.";

/// The commit that this was built from, where that is known.
pub const COMMIT: Option<&str> = option_env!("HOSTMEM_COMMIT");

/// Checks that a virtual-memory manager behaves as the CLR hosting interface
/// `IHostMemoryManager` and Win32 say.
///
/// `hostmem check` is the main job and needs no options.
#[derive(Debug, Parser)]
#[command(name = "hostmem", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Replay(replay::Replay),
    Merge(merge::Merge),
    Conform(conform::Conform),
    Diff(diff::Diff),
    Exhaust(exhaust::Exhaust),
    Host(host::Host),
    Import(import::Import),
    List(list::List),
    Explain(explain::Explain),
    Shrink(shrink::Shrink),
    View(view::View),
    Schema(schema::Schema),
    Fmt(fmt::Fmt),
    #[cfg(any(target_os = "linux", windows))]
    Agent(agent::Agent),
}

/// The names of every command.
#[must_use]
pub fn command_names() -> Vec<String> {
    let command = <Cli as clap::CommandFactory>::command();
    command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect()
}

/// A mistake of the user's, or something that the system refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Input that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Output that cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Results that cannot be kept, gone on with or merged.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A backend that cannot be had.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A selection that means nothing.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Standard output could not be written.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// A list of known differences that is no use.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// Anything else.
    #[error("{0}")]
    Usage(String),
}

/// What a command is run with.
pub struct Context<'a> {
    /// The engine, the backends, the profiles.
    pub parts: &'a Parts<'a>,
    /// The program, as the user called it.
    pub program: String,
    /// Where results go.
    pub out: Output<'a>,
    /// Has a request to end the process end the run instead.
    pub listen: fn(&'static Stop),
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("program", &self.program).finish_non_exhaustive()
    }
}

/// The command, as a process runs it.
#[must_use]
pub fn main(parts: &Parts<'_>) -> ExitCode {
    panics::install();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let work = || run(arguments, parts, Output::stdout(), listen);
    // The hook has told of the panic already.
    let status = panics::catch(AssertUnwindSafe(work)).unwrap_or(ExitStatus::Internal);
    ExitCode::from(status.code())
}

/// The command, for given arguments (the first names the program).
pub fn run(
    arguments: Vec<OsString>,
    parts: &Parts<'_>,
    out: Output<'_>,
    listen: fn(&'static Stop),
) -> ExitStatus {
    let name = arguments.first().map(|name| name.to_string_lossy().into_owned());
    // Quoted with the rest of a command; a shell on Windows takes the slashes of both kinds.
    let program = shown(Path::new(name.as_deref().unwrap_or("hostmem")));
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return told(&error),
    };
    let mut context = Context { parts, program, out, listen };
    let done = dispatch(cli.command, &mut context);
    let flushed = context.out.flush();
    match done.and_then(|status| flushed.map(|()| status).map_err(Error::from)) {
        Ok(status) => status,
        Err(error) => {
            complain(&error.to_string());
            ExitStatus::Usage
        }
    }
}

fn dispatch(command: Command, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
    match command {
        Command::Check(command) => command.run(context),
        Command::Replay(command) => command.run(context),
        Command::Merge(command) => command.run(context),
        Command::Conform(command) => command.run(context),
        Command::Diff(command) => command.run(context),
        Command::Exhaust(command) => command.run(context),
        Command::Host(command) => command.run(context),
        Command::Import(command) => command.run(context),
        Command::List(command) => command.run(context),
        Command::Explain(command) => command.run(context),
        Command::Shrink(command) => command.run(context),
        Command::View(command) => command.run(context),
        Command::Schema(command) => command.run(context),
        Command::Fmt(command) => command.run(context),
        #[cfg(any(target_os = "linux", windows))]
        Command::Agent(command) => command.run(context),
    }
}

/// Help and version are answers; anything else that clap says is a mistake of the user's.
fn told(error: &clap::Error) -> ExitStatus {
    // clap gives 2 to mistakes; here that means a divergence. A closed pipe is no error.
    let _ = error.print();
    if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Success }
}

/// Has Ctrl-C and a request to terminate end the run in good order.
fn listen(stop: &'static Stop) {
    // Only fails where there is a handler already: then the process simply dies of it.
    let _ = ctrlc::set_handler(move || {
        stop.interrupt();
        // A subject that hangs can make it last: whoever waits should know what for.
        remark("\ninterrupted: what has begun is finished; interrupt again to end at once");
    });
}
