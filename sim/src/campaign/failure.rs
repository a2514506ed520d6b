//! What is kept of a failure: the smallest scenario that shows it, as a file, and the exact
//! command that does it again.
//!
//! Nothing is written unless something failed.
//!
//! Deliberately not here: shrinking.

use std::path::{Path, PathBuf};

use super::plan::Case;
use crate::backend::Named;
use crate::engine::Ran;
use crate::files::write;
use crate::output;

/// Where failures are written, below the current folder.
pub const FOLDER: &str = "hostmem-results";

/// How a user runs a case again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The program, as the user called it.
    pub program: String,
    /// The seed, if there is random work.
    pub seed: String,
    /// Where failing scenarios go.
    pub folder: PathBuf,
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

    fn replay(&self, file: &str, backend: &Named) -> String {
        // A path that begins with a dash is no option.
        let file = if file.starts_with('-') { format!("./{file}") } else { file.to_owned() };
        shell(&[&self.program, "replay", &file, "--backend", &backend.spec])
    }
}

/// Keeps what there is to keep of a failure.
pub(super) fn keep(ran: &mut Ran, case: &Case<'_>, backend: &Named, recipe: &Recipe) {
    ran.result.replay = Some(recipe.command(case, backend));
    let Some(scenario) = &ran.failing else { return };
    let rule = ran.result.rule.as_deref().unwrap_or("broken");
    let path = recipe.folder.join(file_name(rule, &case.name(), &recipe.seed, &backend.name));
    let made = std::fs::create_dir_all(&recipe.folder).map_err(|error| {
        format!("{}: the folder cannot be made: {error}", recipe.folder.display())
    });
    let written =
        made.and_then(|()| write::scenario(&path, scenario).map_err(|error| error.to_string()));
    match written {
        Ok(()) => {
            ran.result.replay = Some(recipe.replay(&crate::files::load::shown(&path), backend));
            ran.result.file = Some(path);
        }
        // The failure itself is worth more than its file: the command above still finds it.
        Err(why) => output::complain(&why),
    }
}

/// A name that is the same for the same failure and fits any file system.
fn file_name(rule: &str, case: &str, seed: &str, backend: &str) -> String {
    let case = case.strip_prefix("random/").unwrap_or(case);
    let fit = |text: &str| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        text.chars().map(|c| if fits(c) { c } else { '-' }).take(40).collect()
    };
    let parts = [rule, backend, seed, case].map(fit);
    format!("{}.json", parts.join("."))
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
        let name = file_name("VF-01", "random/clr/17", "42", "agent:./x --y");
        assert_eq!(name, "VF-01.agent---x---y.42.clr-17.json");
    }
}
