//! One results file: read, begun, resumed, and added to a line at a time.
//!
//! While a process adds to a file it holds a lock on it, which ends with the process, however
//! that ends. What a full disk or a signal left of a last line is cut off before anything is
//! added.
//!
//! Deliberately not here: flushing to the medium after each line. A process that is killed
//! loses nothing that it wrote; only a machine that loses its power may, and then the lines
//! that are whole still count.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Campaign, Entry, FORMAT};
use crate::campaign::plan::Place;
use crate::files::load::shown;

/// What is wrong with a results file.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It cannot be read.
    #[error("{0}: cannot be read: {1}")]
    Read(String, io::Error),
    /// It cannot be written.
    #[error("{0}: cannot be written: {1}; the lines before are kept, --resume goes on from there")]
    Write(String, io::Error),
    /// There is something already.
    #[error("{0}: there are results in it; --resume goes on with them, or name another file")]
    Exists(String),
    /// Another process adds to it.
    #[error("{0}: another process writes to it")]
    Locked(String),
    /// A line is not what it should be.
    #[error("{0}:{1}: {2}")]
    Line(String, usize, String),
    /// It is of another campaign.
    #[error("{0}:1: these results are of another campaign: {1}; that one was asked for by: {2}")]
    Differs(String, String, String),
}

/// What a results file holds.
#[derive(Debug)]
pub struct Contents {
    /// What was asked for; `None` if not even that was written.
    pub campaign: Option<Campaign>,
    /// What came of it, each with the number of its line.
    pub entries: Vec<(usize, Entry)>,
    /// How many bytes the whole lines have.
    whole: u64,
    /// A torn line behind them; empty if there is none.
    pub torn: Vec<u8>,
}

/// Reads a file. A last line without an end is what a killed process leaves: it is dropped.
///
/// # Errors
/// A file that cannot be read, or a whole line that is not what it should be.
pub fn read(path: &Path) -> Result<Contents, ResultsError> {
    let failed = |error| ResultsError::Read(shown(path), error);
    read_from(path, &File::open(path).map_err(failed)?)
}

fn read_from(path: &Path, file: &File) -> Result<Contents, ResultsError> {
    let mut contents = Contents { campaign: None, entries: Vec::new(), whole: 0, torn: Vec::new() };
    let (mut input, mut line) = (BufReader::new(file), Vec::new());
    for number in 1.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        let length = read.map_err(|error| ResultsError::Read(shown(path), error))?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            contents.torn = line;
            break;
        }
        contents
            .take(&line, number)
            .map_err(|what| ResultsError::Line(shown(path), number, what))?;
        contents.whole += length as u64;
    }
    Ok(contents)
}

impl Contents {
    fn take(&mut self, line: &[u8], number: usize) -> Result<(), String> {
        let Some(campaign) = &self.campaign else {
            self.campaign = Some(header(line)?);
            return Ok(());
        };
        let entry: Entry = serde_json::from_slice(line)
            .map_err(|error| format!("this is no line of results: {}", place_in_line(&error)))?;
        if let Some(what) = entry.wrong(campaign.backends.len()) {
            return Err(what);
        }
        self.entries.push((number, entry));
        Ok(())
    }

    /// Whether it is of that campaign, or was torn while its head was written.
    fn is_of(&self, campaign: &Campaign, path: &Path) -> Result<(), ResultsError> {
        let Some(theirs) = &self.campaign else {
            // Anything else that has no whole line is somebody's file, not ours to cut.
            if line_of(campaign).starts_with(&self.torn) {
                return Ok(());
            }
            let what = header(&self.torn).err().unwrap_or_default();
            return Err(ResultsError::Line(shown(path), 1, what));
        };
        let differences = theirs.differences(campaign, true);
        if differences.is_empty() {
            return Ok(());
        }
        Err(ResultsError::Differs(shown(path), told(&differences), theirs.options()))
    }

    /// The entries by their places.
    fn by_place(self, path: &Path) -> Result<BTreeMap<Place, Entry>, ResultsError> {
        let mut known = BTreeMap::new();
        for (number, entry) in self.entries {
            let place = entry.place();
            if known.insert(place, entry).is_some() {
                let what = format!("case {} on backend {} twice", place.case, place.on);
                return Err(ResultsError::Line(shown(path), number, what));
            }
        }
        Ok(known)
    }
}

fn header(line: &[u8]) -> Result<Campaign, String> {
    let wrong = |what: &str| format!("{what}; expected the head of a results file, `{FORMAT}`");
    let campaign: Campaign = serde_json::from_slice(line)
        .map_err(|error| wrong(&format!("this is none: {}", place_in_line(&error))))?;
    if campaign.results != FORMAT {
        return Err(wrong(&format!("the format is `{}`", campaign.results)));
    }
    if campaign.backends.is_empty() {
        return Err(wrong("it names no backend"));
    }
    Ok(campaign)
}

/// The error without its line, which is always 1: each line is a document of its own.
fn place_in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let bare = text.split(" at line ").next().unwrap_or(&text);
    format!("{bare} in column {}", error.column())
}

/// A file that results are added to.
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    file: File,
    /// How many bytes the whole lines have; `None` for what is no file on a disk.
    whole: Option<u64>,
}

impl ResultsFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If there are results in it, or it cannot be written.
    pub fn begin(path: &Path, campaign: &Campaign) -> Result<Self, ResultsError> {
        let mut file = Self::open(path)?;
        let length = file.file.metadata().map(|it| if it.is_file() { it.len() } else { 0 });
        if length.map_err(|error| file.failed(error))? > 0 {
            return Err(ResultsError::Exists(shown(path)));
        }
        file.add(campaign)?;
        Ok(file)
    }

    /// Goes on with a file, or begins it if there is none; gives what is in it already.
    ///
    /// # Errors
    /// If it is of another campaign, damaged, or cannot be written.
    pub fn resume(
        path: &Path,
        campaign: &Campaign,
    ) -> Result<(Self, BTreeMap<Place, Entry>), ResultsError> {
        let mut file = Self::open(path)?;
        if file.whole.is_none() {
            file.add(campaign)?;
            return Ok((file, BTreeMap::new()));
        }
        let contents = read_from(path, &file.file)?;
        contents.is_of(campaign, path)?;
        file.cut(contents.whole)?;
        if contents.campaign.is_none() {
            file.add(campaign)?;
        }
        Ok((file, contents.by_place(path)?))
    }

    fn open(path: &Path) -> Result<Self, ResultsError> {
        let failed = |error| ResultsError::Write(shown(path), error);
        let exists = std::fs::metadata(path).ok();
        let device = exists.is_some_and(|it| !it.is_file() && !it.is_dir());
        // Devices and pipes may not be readable, and have no length.
        let mut options = File::options();
        options.append(true).create(!device).read(!device);
        let file = options.open(path).map_err(failed)?;
        if !device && !lock(&file) {
            return Err(ResultsError::Locked(shown(path)));
        }
        Ok(Self { path: path.to_owned(), file, whole: (!device).then_some(0) })
    }

    /// Cuts off what follows the whole lines.
    fn cut(&mut self, whole: u64) -> Result<(), ResultsError> {
        let length = self.file.metadata().map_err(|error| self.failed(error))?.len();
        if length > whole {
            self.file.set_len(whole).map_err(|error| self.failed(error))?;
        }
        self.whole = Some(whole);
        Ok(())
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it cannot be written whole; then it is not written at all, where that can be helped.
    pub fn add(&mut self, line: &impl Serialize) -> Result<(), ResultsError> {
        let bytes = line_of(line);
        // One write: nothing of this program is between the parts of a line.
        if let Err(error) = self.file.write_all(&bytes) {
            if let Some(whole) = self.whole {
                // A torn line is recognised in any case.
                let _ = self.file.set_len(whole);
            }
            return Err(self.failed(error));
        }
        self.whole = self.whole.map(|whole| whole + bytes.len() as u64);
        Ok(())
    }

    /// Has the medium keep what was added.
    ///
    /// # Errors
    /// If it does not.
    pub fn finish(self) -> Result<(), ResultsError> {
        if self.whole.is_some() {
            self.file.sync_data().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> ResultsError {
        ResultsError::Write(shown(&self.path), error)
    }
}

/// The bytes of a line, with its end.
#[must_use]
pub fn line_of(line: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("it has no keys but strings");
    bytes.push(b'\n');
    bytes
}

/// Differences in words.
fn told(differences: &[(String, String, String)]) -> String {
    let one = |(name, theirs, mine): &(String, String, String)| {
        format!("{name} is {theirs} there and {mine} here")
    };
    differences.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Takes the lock of a file; says whether it was free.
#[cfg(unix)]
fn lock(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;

    // A file system without locks is no reason to refuse.
    flock(file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
}

/// Takes the lock of a file; says whether it was free.
#[cfg(not(unix))]
fn lock(_file: &File) -> bool {
    true
}
