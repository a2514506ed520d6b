//! `hostmem import`: the log of a real program becomes a scenario.
//!
//! Deliberately not here: what is made of a log ([`crate::import`]).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Context, Error};
use crate::files::load::{FileError, is_packed, shown};
use crate::files::write;
use crate::import;
use crate::output::remark;
use crate::report::ExitStatus;

/// The most bytes of a log, unpacked: a bomb ends here, an hour of a real program does not.
const MAX_LOG: u64 = 16 << 30;

/// Turn a recorded trace of a real program into a scenario
///
/// Says on standard error what was kept and what was left out.
#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// A relay log of Wine: WINEDEBUG=+relay wine PROGRAM.exe 2> FILE
    WineRelay(Log),
    /// A log of strace: strace -f -e trace=memory -o FILE PROGRAM
    Strace(Log),
}

#[derive(Debug, Args)]
struct Log {
    /// The log (.zst if it is packed, - for standard input)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The scenario to write (.json or .json.zst), - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl Import {
    /// Runs the command.
    ///
    /// # Errors
    /// A log that cannot be read or makes no scenario, or a file that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let (log, made) = match &self.from {
            From::WineRelay(log) => (log, import::wine_relay(open(&log.file)?, &origin(&log.file))),
            From::Strace(log) => (log, import::strace(open(&log.file)?, &origin(&log.file))),
        };
        let wrong = |error| Error::Usage(format!("{}: {error}", shown(&log.file)));
        let made = made.map_err(wrong)?;
        if log.output == Path::new("-") {
            write::canonical(&made.scenario, false, &mut context.out)?;
            context.out.flush()?;
        } else {
            write::scenario(&log.output, &made.scenario)?;
        }
        remark(&made.summary.to_string());
        Ok(ExitStatus::Success)
    }
}

/// What the scenario says of where it comes from: the name, not the folder of some machine.
fn origin(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| shown(file));
    name.strip_suffix(".zst").map_or(name.clone(), str::to_owned)
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, FileError> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin().lock())));
    }
    let path = shown(file);
    let opened = File::open(file).and_then(|opened| {
        if opened.metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder"));
        }
        Ok(opened)
    });
    let opened = opened.map_err(|source| FileError::Read { path: path.clone(), source })?;
    if !is_packed(&path) {
        return Ok(Box::new(BufReader::new(opened.take(MAX_LOG))));
    }
    let unpacked = zstd::Decoder::new(opened);
    let unpacked = unpacked.map_err(|source| FileError::Packed { path, source })?;
    Ok(Box::new(BufReader::new(unpacked.take(MAX_LOG))))
}
