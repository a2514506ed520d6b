//! What is kept of a failure: the smallest scenario that shows it, as a file, the page that
//! shows it step by step ([`crate::viewer`]), the tests and programs that
//! [`crate::reproducer`] writes from it, and the exact command that does it again.
//!
//! Nothing is written unless something failed. Failures of one kind ([`super::shape`]) on one
//! backend share a file, which holds the smallest of them; between two of a size, that of the
//! earlier case. So what is left does not depend on which thread came first.
//!
//! Deliberately not here: shrinking, and counting what was folded ([`crate::report::fold`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hostmem_interface::scenario::{self, Scenario};

use super::plan::Case;
use super::shape;
use crate::backend::Named;
use crate::engine::Ran;
use crate::files::load::shown;
use crate::files::{NamedScenario, write};
use crate::known::Known;
use crate::output;
use crate::report::{CaseResult, Suite};
use crate::reproducer::{self, ENDINGS, Story};
use crate::viewer;

/// Where failures are written, below the current folder.
pub const FOLDER: &str = "hostmem-results";

/// What the name of a page ends in.
const PAGE: &str = "html";

/// How a user runs a case again.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// The program, as the user called it.
    pub program: String,
    /// The seed, if there is random work.
    pub seed: String,
    /// Where failing scenarios go.
    pub folder: PathBuf,
    /// What was written there already.
    pub kept: Kept,
}

/// The files that a run has written, and how large a case each holds.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<BTreeMap<PathBuf, Rank>>>);

/// Which of two cases of one kind is kept, the smaller one: steps, characters, place in the
/// run, name.
type Rank = (usize, usize, u64, String);

impl Kept {
    /// Has `write` write a file, unless it holds a smaller case already.
    fn smallest(
        &self,
        path: &Path,
        rank: Rank,
        write: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        // Held while it is written: two threads may have failures of one kind.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(path).is_some_and(|older| *older <= rank) {
            return Ok(());
        }
        write()?;
        kept.insert(path.to_owned(), rank);
        Ok(())
    }
}

impl Recipe {
    /// The command that runs this case on this backend.
    #[must_use]
    pub fn command(&self, case: &Case<'_>, backend: &Named) -> String {
        match case {
            Case::Scenario(scenario) => self.replay(&scenario.name, backend),
            Case::FailEach(scenario) => {
                format!("{} --fail-each", self.replay(&scenario.name, backend))
            }
            Case::Random(random) => {
                let (cases, ops) = ((random.index + 1).to_string(), random.ops.to_string());
                let (threads, name) = (random.threads.to_string(), random.name());
                let mut words = vec![
                    &self.program,
                    "check",
                    "--backend",
                    &backend.spec,
                    "--seed",
                    &self.seed,
                    "--profile",
                    &random.profile,
                    "--ops",
                    &ops,
                    "--cases",
                    &cases,
                    "--only",
                    &name,
                ];
                if random.threads > 1 {
                    words.extend(["--threads", &threads]);
                }
                if !random.swarm.is_empty() {
                    words.extend(["--swarm", &random.swarm]);
                }
                shell(&words)
            }
        }
    }

    /// The command that replays a file on this backend.
    #[must_use]
    pub fn replay(&self, file: &str, backend: &Named) -> String {
        // A path that begins with a dash is no option.
        let file = if file.starts_with('-') { format!("./{file}") } else { file.to_owned() };
        shell(&[&self.program, "replay", &file, "--backend", &backend.spec])
    }
}

/// Keeps what there is to keep of a failure.
pub(super) fn keep(ran: &mut Ran, case: &Case<'_>, backend: &Named, recipe: &Recipe) {
    ran.result.replay = Some(recipe.command(case, backend));
    let Some(failing) = ran.failing.take() else {
        if let Case::Scenario(scenario) = case {
            show(&mut ran.result, scenario, backend, recipe);
        }
        return;
    };
    let kind = match &ran.result.shrunk {
        Some(shrunk) => shrunk.kind.clone(),
        None => kind(ran.result.rule.as_deref().unwrap_or("broken"), &failing),
    };
    let path = recipe.folder.join(file_name(&kind, &backend.name));
    let index = match case {
        Case::Random(random) => random.index,
        Case::Scenario(_) | Case::FailEach(_) => 0,
    };
    let rank = (failing.steps.len(), scenario::write(&failing).len(), index, case.name());
    let put = || put(&path, &failing, &ran.result, backend, &recipe.program);
    match recipe.kept.smallest(&path, rank, put) {
        Ok(()) => {
            ran.result.replay = Some(recipe.replay(&shown(&path), backend));
            ran.result.view = view_of(&path);
            ran.result.file = Some(path);
        }
        // The failure itself is worth more than its file: the command above still finds it.
        Err(why) => output::complain(&why),
    }
}

/// Leaves what there is to leave of a failure in the folder of a run: the scenario's path.
///
/// # Errors
/// What the system refused, and where.
pub fn leave(
    failing: &Scenario,
    failure: &str,
    result: &CaseResult,
    backend: &Named,
    recipe: &Recipe,
) -> Result<PathBuf, String> {
    let path = recipe.folder.join(file_name(&kind(failure, failing), &backend.name));
    put(&path, failing, result, backend, &recipe.program)?;
    Ok(path)
}

/// The page beside a kept scenario, if there is one.
#[must_use]
pub fn view_of(path: &Path) -> Option<PathBuf> {
    let page = path.with_extension(PAGE);
    page.exists().then_some(page)
}

/// Leaves a page that shows a scenario of the user's, or of those that ship, which fails.
fn show(result: &mut CaseResult, case: &NamedScenario, backend: &Named, recipe: &Recipe) {
    let name = case.name.trim_end_matches(".zst").trim_end_matches(".json");
    let name = name.trim_start_matches("./").replace(['/', '\\', ':', ' '], "-");
    let path = recipe.folder.join(file_name(&name, &backend.name)).with_extension(PAGE);
    let replay = result.replay.clone().unwrap_or_default();
    match make_folder(&path).and_then(|()| page(&path, case, result, backend, &replay)) {
        Ok(()) => result.view = Some(path),
        Err(why) => output::complain(&why),
    }
}

fn page(
    path: &Path,
    case: &NamedScenario,
    found: &CaseResult,
    backend: &Named,
    replay: &str,
) -> Result<(), String> {
    let how = viewer::How { backend: Some(backend), replay, found: Some(found) };
    let viewed = viewer::view(case, &how, &Known::default()).map_err(|error| error.to_string())?;
    write::bytes(path, viewed.html.as_bytes()).map_err(|error| error.to_string())
}

fn make_folder(path: &Path) -> Result<(), String> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("{}: the folder cannot be made: {error}", folder.display()))
}

/// Writes a scenario and what goes with it, making its folder first.
fn put(
    path: &Path,
    failing: &Scenario,
    result: &CaseResult,
    backend: &Named,
    program: &str,
) -> Result<(), String> {
    make_folder(path)?;
    write::scenario(path, failing).map_err(|error| error.to_string())?;
    let (name, suite) = (shown(path), Suite::Files);
    let case = NamedScenario { name, suite, scenario: failing.clone() };
    let recipe = Recipe { program: program.to_owned(), ..Recipe::default() };
    let shows = path.with_extension(PAGE);
    let replay = recipe.replay(&case.name, backend);
    if let Err(why) = page(&shows, &case, result, backend, &replay) {
        // An earlier run may have left one, of another case of this kind.
        drop(std::fs::remove_file(&shows));
        output::complain(&why);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let story = Story::of(result, &name, &backend.spec);
    let files = reproducer::files(failing, &story);
    for ending in ENDINGS {
        let beside = path.with_extension(ending);
        match files.iter().find(|(written, _)| *written == ending) {
            Some((_, text)) => {
                write::bytes(&beside, text.as_bytes()).map_err(|error| error.to_string())?;
            }
            // An earlier run may have left one, of another case of this kind.
            None => drop(std::fs::remove_file(&beside)),
        }
    }
    Ok(())
}

/// What kind of failure a case is: the rule, or how the subject broke, and its shape.
#[must_use]
pub fn kind(failure: &str, failing: &Scenario) -> String {
    format!("{failure}.{}", shape::of(failing))
}

/// A name that is the same for the same kind of failure and fits any file system.
#[must_use]
pub fn file_name(kind: &str, backend: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let backend: String = backend.chars().map(|c| if fits(c) { c } else { '-' }).take(40).collect();
    format!("{kind}.{backend}.json")
}

/// Words as a POSIX shell reads them back.
#[must_use]
pub fn shell(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The folder for failures of a run.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(FOLDER).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(shell(&["hostmem", "replay", "a.json"]), "hostmem replay a.json");
        assert_eq!(shell(&["agent:./x --y", "it's", ""]), r"'agent:./x --y' 'it'\''s' ''");
    }

    #[test]
    fn a_file_name_has_nothing_that_a_file_system_minds() {
        let name = file_name("VF-01.0f3ac9d1", "agent:./x --y");
        assert_eq!(name, "VF-01.0f3ac9d1.agent---x---y.json");
    }

    #[test]
    fn the_smallest_is_kept_whoever_comes_first() {
        let ranks = [(4, 9, 0), (3, 9, 5), (3, 9, 2), (5, 1, 1)];
        let ranks = ranks.map(|(steps, length, at)| (steps, length, at, String::new()));
        for turn in 0..ranks.len() {
            let (kept, mut held) = (Kept::default(), None);
            for at in 0..ranks.len() {
                let rank = &ranks[(turn + at) % ranks.len()];
                let write = || {
                    held = Some(rank);
                    Ok(())
                };
                kept.smallest(Path::new("a.json"), rank.clone(), write).unwrap();
            }
            assert_eq!(held, Some(&ranks[2]));
        }
    }

    #[test]
    fn what_could_not_be_written_is_not_kept() {
        let kept = Kept::default();
        let path = Path::new("a.json");
        let rank = |steps| (steps, 1, 0, String::new());
        assert!(kept.smallest(path, rank(1), || Err("full".to_owned())).is_err());
        let mut written = false;
        let write = || {
            written = true;
            Ok(())
        };
        kept.smallest(path, rank(2), write).unwrap();
        assert!(written);
    }
}
