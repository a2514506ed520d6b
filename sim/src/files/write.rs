//! Writes files whole or not at all: into a temporary file beside the target, renamed over it
//! at the end. A full disk leaves what was there before.
//!
//! The temporary file is made first of all ([`Atomic::new`]), so that a target that cannot be
//! written is an error before hours of work, not after.
//!
//! Deliberately not here: locks between processes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use hostmem_interface::scenario::{self, Scenario};
use tempfile::NamedTempFile;

use super::load::{is_packed, shown};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be written: {source}; nothing was changed there")]
pub struct WriteError {
    path: String,
    source: io::Error,
}

/// How hard scenarios are packed: recordings are written once and shipped.
const PACKED_LEVEL: i32 = 19;

#[derive(Debug)]
enum Target {
    Beside(BufWriter<NamedTempFile>),
    // A terminal, a pipe or a device: there is nothing to rename over.
    Direct(BufWriter<File>),
}

/// A file on its way.
#[derive(Debug)]
pub struct Atomic {
    path: PathBuf,
    target: Target,
}

impl Atomic {
    /// Begins to write `path`, whose folder must exist.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn new(path: &Path) -> Result<Self, WriteError> {
        // Through a link, the file behind it is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let target = open(&path).map_err(|source| wrong(&path, source))?;
        Ok(Self { path, target })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If the last bytes did not fit, or the target could not be replaced.
    pub fn finish(self) -> Result<(), WriteError> {
        let path = self.path;
        let done = match self.target {
            Target::Direct(mut out) => out.flush(),
            Target::Beside(out) => {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error);
                file.and_then(|file| {
                    file.as_file().sync_all()?;
                    file.persist(&path).map(drop).map_err(|error| error.error)
                })
            }
        };
        done.map_err(|source| wrong(&path, source))
    }

    /// Says of an error that it came from writing this file.
    #[must_use]
    pub fn wrong(&self, source: io::Error) -> WriteError {
        wrong(&self.path, source)
    }
}

impl Write for Atomic {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Beside(out) => out.write(bytes),
            Target::Direct(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Beside(out) => out.flush(),
            Target::Direct(out) => out.flush(),
        }
    }
}

fn wrong(path: &Path, source: io::Error) -> WriteError {
    WriteError { path: shown(path), source }
}

fn open(path: &Path) -> io::Result<Target> {
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder"));
    }
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Ok(Target::Direct(BufWriter::new(File::options().write(true).open(path)?)));
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hostmem-").suffix(".tmp");
    #[cfg(unix)]
    {
        // A temporary file is private by default; a report is not.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(before) = before {
        file.as_file().set_permissions(before.permissions())?;
    }
    Ok(Target::Beside(BufWriter::new(file)))
}

/// Writes bytes.
///
/// # Errors
/// If they could not all be written; then nothing was.
pub fn bytes(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let mut file = Atomic::new(path)?;
    file.write_all(bytes).map_err(|source| file.wrong(source))?;
    file.finish()
}

/// Writes a scenario in its canonical form, packed if the name ends in `.zst`.
///
/// # Errors
/// If it could not be written; then nothing was.
pub fn scenario(path: &Path, scenario: &Scenario) -> Result<(), WriteError> {
    let mut file = Atomic::new(path)?;
    let packed = is_packed(&shown(path));
    canonical(scenario, packed, &mut file).map_err(|source| file.wrong(source))?;
    file.finish()
}

/// Writes the canonical form of a scenario.
///
/// # Errors
/// Those of `out`.
pub fn canonical(scenario: &Scenario, packed: bool, out: &mut impl Write) -> io::Result<()> {
    if !packed {
        return scenario::write_to(scenario, out);
    }
    let mut encoder = zstd::Encoder::new(out, PACKED_LEVEL)?;
    encoder.include_checksum(true)?;
    let mut buffered = BufWriter::new(&mut encoder);
    scenario::write_to(scenario, &mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    encoder.finish()?.flush()
}
