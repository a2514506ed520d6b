//! Logs of real programs become scenarios.
//!
//! Promise: an imported scenario is lawful. A manager that keeps the law of Win32 can carry
//! out every step, wherever it places memory, and every expectation is a fact of the law that
//! the recording shows. What would not be so is left out, and counted.
//!
//! Map: [`error`] and [`summary`] are what a caller sees besides the scenario. `lines` reads;
//! `relay` takes one line of a Wine relay log apart, `calls` pairs calls with returns, `wine`
//! says what each becomes; `strace` and `linux` do the same for `strace` logs. `journal` keeps
//! the order of returns, `regions` who owned which recorded address, `draft` names and holes.
//!
//! [`live`] takes what `hostmem host` heard itself, which has the answers too, in the same way.
//!
//! Deliberately not here: contents (no log has the program's writes), what a query answered in a
//! relay log (it has only the buffer's address), decompression and files.

mod calls;
mod draft;
mod error;
mod journal;
mod lines;
mod linux;
pub mod live;
mod regions;
mod relay;
mod strace;
mod summary;
#[cfg(test)]
mod tests;
mod wine;

use std::io::BufRead;

use hostmem_interface::scenario::{MAX_STEPS, Scenario};

pub use error::ImportError;
pub use summary::{Reason, Summary, Tally};

/// What a log became.
#[derive(Clone, Debug)]
pub struct Import {
    /// The scenario.
    pub scenario: Scenario,
    /// What was kept and what was left out.
    pub summary: Summary,
}

/// Imports a relay log of Wine (`WINEDEBUG=+relay`, as text).
///
/// `origin` names the log in the scenario's `about` and `source`: the file's name.
///
/// # Errors
/// If the log cannot be read, is damaged, or holds nothing that can be replayed.
pub fn wine_relay(text: impl BufRead, origin: &str) -> Result<Import, ImportError> {
    let log = calls::read(text)?;
    let modules = log.modules.clone();
    let wine::Translation { draft, summary, .. } = wine::Translation::of(log);
    let mut import = finish(draft, summary)?;
    let program = modules.iter().find(|path| path.to_ascii_lowercase().ends_with(".exe"));
    let name = program.map_or("a program", |path| path.rsplit('\\').next().unwrap_or(path));
    import.scenario.about =
        format!("What {name} asked of virtual memory, as Wine's relay log {origin} has it");
    let mut source = format!("Wine relay log {origin}");
    if !modules.is_empty() {
        source.push_str(" of ");
        source.push_str(&modules.join(" with "));
    }
    import.scenario.source = Some(source);
    Ok(import)
}

/// Imports an `strace` log of one process (`strace -f -e trace=memory`).
///
/// Linux has no reserve and commit: the mapping is in the module `linux`, and in short a
/// `PROT_NONE` mapping is a reservation, `mprotect` commits, a fixed `PROT_NONE` mapping
/// decommits, `munmap` of the last pages releases.
///
/// `origin` names the log in the scenario's `about` and `source`: the file's name.
///
/// # Errors
/// If the log cannot be read, is damaged, or holds nothing that can be replayed.
pub fn strace(text: impl BufRead, origin: &str) -> Result<Import, ImportError> {
    let linux::Translation { draft, summary, .. } = linux::Translation::of(strace::read(text)?);
    let mut import = finish(draft, summary)?;
    import.scenario.about = format!(
        "What a Linux program asked of memory, in Win32 calls, as strace log {origin} has it"
    );
    import.scenario.source = Some(format!(
        "strace log {origin}; mmap, mprotect, munmap and madvise as the Win32 calls nearest to them"
    ));
    Ok(import)
}

/// Makes a scenario of calls that were heard as they were made, in the order in which they took
/// effect.
///
/// `program` names what ran in the scenario's `about`, `source` says where and how.
///
/// # Errors
/// If nothing is left that can be replayed, or it is too much.
pub fn heard(calls: Vec<live::Heard>, program: &str, source: &str) -> Result<Import, ImportError> {
    let log = live::log(calls);
    let wine::Translation { draft, summary, .. } = wine::Translation::of(log);
    let mut import = finish(draft, summary)?;
    import.scenario.about =
        format!("What {program} asked of virtual memory, and what it was answered");
    import.scenario.source = Some(source.to_owned());
    Ok(import)
}

/// Writes the draft down and completes the account.
fn finish(draft: draft::Draft, mut summary: Summary) -> Result<Import, ImportError> {
    let draft::Finished { scenario, holes, threads } = draft.finish();
    summary.steps = scenario.steps.len() as u64;
    (summary.holes, summary.threads) = (holes, threads);
    if scenario.steps.is_empty() {
        return Err(ImportError::NothingLeft { summary: Box::new(summary) });
    }
    if scenario.steps.len() > MAX_STEPS {
        return Err(ImportError::TooManyCalls { line: summary.lines, limit: MAX_STEPS });
    }
    Ok(Import { scenario, summary })
}
