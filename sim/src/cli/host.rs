//! `hostmem host`: a real .NET program on memory that hostmem answers for.
//!
//! The host is a Windows program. On Linux it is started under Wine, with the same arguments.
//!
//! Deliberately not here: what is done with a request ([`crate::host`]).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{Context, Error};
use crate::report::ExitStatus;

/// Run a .NET program with every memory request of its runtime answered by hostmem
///
/// The program's output, arguments and exit code are its own. A divergence of a must rule exits
/// with 2 instead, and a recording that cannot be written with 1.
#[derive(Debug, Args)]
pub struct Host {
    /// Judge every answer by the law
    #[arg(long)]
    check: bool,
    /// Answer from hostmem's own arena instead of the system
    #[arg(long)]
    serve: bool,
    /// Write the calls and their answers as a scenario (.json or .json.zst); implies --check
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Have memory run short as a script says (see HOST.md); implies --check
    #[arg(long, value_name = "SCRIPT")]
    pressure: Option<PathBuf>,
    /// The runtime: a folder with coreclr.dll, or an installation of .NET
    #[arg(long, value_name = "DIR")]
    runtime: Option<PathBuf>,
    /// Set a property of the runtime, such as System.GC.Server=true
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Fail for a divergence of any rule
    #[arg(long)]
    strict: bool,
    /// Tell of the calls even if nothing else is asked for
    #[arg(long)]
    counts: bool,
    /// Tell nothing on standard error
    #[arg(long, short, conflicts_with = "counts")]
    quiet: bool,
    /// The program
    #[arg(value_name = "APP.dll")]
    app: PathBuf,
    /// Its arguments
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Host {
    /// Runs the command. Returns only if the program did not run: its exit code is that of the
    /// process.
    ///
    /// # Errors
    /// No runtime, no program, a script or a recording that is no use, no Wine.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        use std::io::Write as _;
        // All that a user could have wrong is found out here, before Wine is started.
        let usage = Error::Usage;
        crate::host::program::assembly(&self.app).map_err(usage)?;
        if let Some(path) = &self.pressure {
            crate::host::pressure::load(path).map_err(|why| usage(why.to_string()))?;
        }
        context.out.flush()?;
        let code = self.hosted()?;
        std::process::exit(code)
    }

    #[cfg(windows)]
    fn hosted(self) -> Result<i32, Error> {
        use hostmem_backends::win32::host::Program;

        use crate::files::load::shown;
        use crate::host::{pressure, program, session};

        let runtime = program::runtime(self.runtime.as_deref()).map_err(Error::Usage)?;
        let runtime = std::path::absolute(runtime).map_err(Error::Output)?;
        let assembly = program::assembly(&self.app).map_err(Error::Usage)?;
        let script = self.pressure.as_deref().map(pressure::load).transpose();
        let script = script.map_err(|why| Error::Usage(why.to_string()))?;
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let name = self.app.file_name().map(|name| shown(name.as_ref()));
        let asked = self.check || self.serve || self.record.is_some() || script.is_some();
        let made = Program {
            host: std::env::current_exe().map(|path| text(&path)).unwrap_or_default(),
            properties: program::properties(&runtime, &assembly, &self.properties)
                .map_err(Error::Usage)?,
            assembly: text(&assembly),
            arguments: self.arguments.iter().map(|it| it.to_string_lossy().into_owned()).collect(),
        };
        let options = session::Options {
            check: self.check,
            serve: self.serve,
            record: self.record,
            pressure: script,
            summary: (asked || self.counts) && !self.quiet,
            strict: self.strict,
            name: name.unwrap_or_default(),
        };
        session::run(&runtime, &made, options)
    }

    /// The Windows build does it, under Wine.
    #[cfg(target_os = "linux")]
    fn hosted(self) -> Result<i32, Error> {
        use std::os::unix::process::ExitStatusExt as _;

        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        let mut command = hostmem_backends::wine::command(&arguments).map_err(Error::Usage)?;
        let status = command.status().map_err(|error| Error::Usage(format!("wine: {error}")))?;
        let killed = || 128 + status.signal().unwrap_or(0);
        Ok(status.code().unwrap_or_else(killed))
    }

    #[cfg(not(any(windows, target_os = "linux")))]
    fn hosted(self) -> Result<i32, Error> {
        let why = "a .NET program is hosted on Windows, or on Linux under Wine";
        Err(Error::Usage(why.to_owned()))
    }
}
