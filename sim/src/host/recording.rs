//! Keeps what the runtime asked and was answered, in the order in which it took effect, and makes
//! a scenario of it.
//!
//! Deliberately not here: what a scenario keeps and leaves out ([`crate::import`]).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::court::Testimony;
use crate::cli::Error;
use crate::files::write;
use crate::import::live::Heard;
use crate::import::{Summary, heard};

/// What was heard so far. A handle: copies share it.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Vec<Heard>>>);

impl Recording {
    /// Keeps one call; `injected` if a script refused it.
    pub fn keep(&self, said: Testimony, injected: bool) {
        let Testimony { thread, call, outcome } = said;
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Heard { thread, call, outcome, injected });
    }

    /// Writes the scenario of all that was heard; the account.
    ///
    /// # Errors
    /// If there is nothing in it, or it cannot be written.
    pub fn write(&self, path: &Path, program: &str, source: &str) -> Result<Summary, Error> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = std::mem::take(&mut *kept);
        let made = heard(calls, program, source).map_err(|why| Error::Usage(why.to_string()))?;
        write::scenario(path, &made.scenario)?;
        Ok(made.summary)
    }
}
