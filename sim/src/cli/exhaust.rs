//! `hostmem exhaust`: every call from every state of a small scope.
//!
//! What is searched is told first, how much it came to last. A failure is told like any
//! other case, and kept as a scenario file.
//!
//! Deliberately not here: the search ([`crate::exhaust`]).

use std::io::Write as _;
use std::num::NonZeroUsize;

use clap::Args;
use hostmem_interface::Protection;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::{self, Recipe};
use crate::campaign::stop::Stop;
use crate::engine::Settings;
use crate::exhaust::{End, ExhaustError, Failure, Manner, Progress, Report, Scope, Search};
use crate::files::NamedScenario;
use crate::limits::Limits;
use crate::output::complain;
use crate::report::human::{self, printable};
use crate::report::{CaseResult, ExitStatus, Suite, VerdictWord};
use crate::run::{Ending, Finding};

/// Try every call from every state that a few calls reach, on a few pages
///
/// Nothing is left to chance: the calls reserve, commit, decommit, release, protect, query,
/// read and write every run of whole pages. The first failure is a shortest one.
#[derive(Debug, Args)]
pub struct Exhaust {
    /// How many pages the calls name
    #[arg(long, value_name = "N", default_value_t = Scope::default().pages)]
    pages: u32,
    /// How many calls follow each other
    #[arg(long, value_name = "N", default_value_t = Scope::default().depth)]
    depth: u32,
    /// Over how many granules the pages are spread [default: 2, or 1 for a single page]
    #[arg(long, value_name = "N")]
    granules: Option<u32>,
    /// A protection that calls ask for; may be given several times
    /// [default: PAGE_READWRITE, PAGE_READONLY, PAGE_NOACCESS, PAGE_READWRITE|PAGE_GUARD]
    #[arg(long = "protection", value_name = "PROTECTION", value_parser = protection)]
    protections: Vec<Protection>,
    /// Also with memory reserved with MEM_WRITE_WATCH
    #[arg(long)]
    watch: bool,
    /// Also with MEM_RESET and MEM_RESET_UNDO
    #[arg(long)]
    reset: bool,
    /// Run all sequences without merging states, for a backend with hidden state
    #[arg(long)]
    sequences: bool,
    /// The backend to check [default: this machine's own system]
    #[arg(short, long, value_name = "BACKEND")]
    backend: Option<String>,
    /// How many threads; the result is the same for any number
    /// [default: the number of processors, at most 8]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// What a backend in a process of its own may take.
    #[command(flatten)]
    limits: Limits,
    /// Let any divergence fail the run, not only from a must rule
    #[arg(long)]
    strict: bool,
}

/// A word with its names, or what part of it is none.
fn protection(text: &str) -> Result<Protection, String> {
    let explained = |part| format!("`{part}` is neither a PAGE_ name nor a number");
    Protection::parse(text).map_err(explained)
}

impl From<ExhaustError> for Error {
    fn from(error: ExhaustError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl Exhaust {
    /// Runs the command.
    ///
    /// # Errors
    /// A scope or a backend that cannot be had, or standard output that cannot be written.
    pub fn run(self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        let specs: Vec<String> = self.backend.iter().cloned().collect();
        let named = backend::parse_all(&specs, self.limits, context.parts.backends)?.remove(0);
        let scope = self.scope();
        let search = Search::new(&scope, &named)?;
        self.tell_scope(&search, &named, context)?;

        // It lives as long as the handler of Ctrl-C, which has no end.
        let stop: &'static Stop = Box::leak(Box::new(Stop::after(None)));
        (context.listen)(stop);
        let mut bar = Bar::new();
        let mut manner = Manner {
            jobs: self.jobs(),
            stop: &|| stop.now(),
            progress: &mut |progress| bar.show(progress),
        };
        let report =
            if self.sequences { search.sequences(&mut manner) } else { search.states(&mut manner) };
        bar.finish();
        self.tell(&report?, &named, context)
    }

    fn scope(&self) -> Scope {
        let default = Scope::default();
        let protections = if self.protections.is_empty() {
            default.protections
        } else {
            self.protections.clone()
        };
        Scope {
            pages: self.pages,
            granules: self.granules.unwrap_or(default.granules.min(self.pages)),
            depth: self.depth,
            protections,
            watch: self.watch,
            reset: self.reset,
        }
    }

    fn jobs(&self) -> usize {
        let processors =
            || std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(8);
        self.jobs.map_or_else(processors, NonZeroUsize::get)
    }

    fn tell_scope(
        &self,
        search: &Search<'_>,
        backend: &Named,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        let out = &mut context.out;
        writeln!(out, "exhaust on {}", printable(&backend.name))?;
        writeln!(out, "  scope    {}", search.scope())?;
        writeln!(out, "  machine  {}", search.layout())?;
        writeln!(out, "  calls    {} in each state", search.calls().len())?;
        if !search.left_out().is_empty() {
            let names: Vec<&str> = search.left_out().iter().map(|it| it.name()).collect();
            writeln!(out, "  without  {}: the backend lacks it", names.join(", "))?;
        }
        if self.sequences {
            let count =
                search.sequence_count().map_or("2^64 or more".to_owned(), |it| it.to_string());
            writeln!(out, "  count    {count} sequences of 1 to {} calls", search.scope().depth)?;
        }
        writeln!(out)?;
        Ok(out.flush()?)
    }

    fn tell(
        &self,
        report: &Report,
        backend: &Named,
        context: &mut Context<'_>,
    ) -> Result<ExitStatus, Error> {
        write!(context.out, "{report}")?;
        match &report.end {
            End::Complete => {
                writeln!(context.out, "\nEverything in this scope agrees.")?;
                Ok(ExitStatus::Success)
            }
            End::Stopped => {
                writeln!(context.out, "\nInterrupted: the rest of this scope is not searched.")?;
                Ok(ExitStatus::Interrupted)
            }
            End::Failed(failure) => self.tell_failure(failure, backend, context),
        }
    }

    /// Runs the scenario as a case, so that it is told of like any other, and keeps it.
    fn tell_failure(
        &self,
        failure: &Failure,
        backend: &Named,
        context: &mut Context<'_>,
    ) -> Result<ExitStatus, Error> {
        let name = format!("exhaust/{}", backend.name);
        let case = NamedScenario {
            name: name.clone(),
            suite: Suite::Files,
            scenario: failure.scenario.clone(),
        };
        let ran = context.parts.engine.replay(&case, backend, Settings::default());
        let mut result = ran.map_err(|unreadable| Error::Usage(unreadable.to_string()))?.result;
        if result.word == VerdictWord::Agrees {
            result = seen_once(&name, &failure.ending, backend);
        }
        keep(&mut result, failure, backend, &context.program);
        writeln!(context.out, "\nCalls up to the first failure: {}\n", failure.calls)?;
        human::write_result(&result, &mut context.out)?;
        Ok(match result.word {
            VerdictWord::Broken => ExitStatus::Broken,
            _ if result.is_fatal_divergence(self.strict) => ExitStatus::Diverges,
            _ => ExitStatus::Success,
        })
    }
}

/// The result where the scenario alone shows nothing: something ended the search lawfully, or
/// the subject has chance or a state beyond its calls.
fn seen_once(name: &str, ending: &Ending, backend: &Named) -> CaseResult {
    let (word, why) = match ending {
        Ending::Skipped(why) | Ending::Taken(why) => (VerdictWord::Skipped, why.clone()),
        Ending::Diverges(Finding { expected, observed, .. }) => {
            (VerdictWord::Broken, format!("once, and not again: {observed} instead of {expected}"))
        }
        Ending::Broken(how) => (VerdictWord::Broken, format!("once, and not again: {how}")),
        Ending::Unreadable(why) => (VerdictWord::Broken, why.clone()),
        Ending::Agrees => (VerdictWord::Broken, "once, and not again".to_owned()),
    };
    CaseResult { reason: Some(why), ..CaseResult::new(name, &backend.name, word) }
}

/// Writes the scenario, and says how it is replayed.
fn keep(result: &mut CaseResult, failure: &Failure, backend: &Named, program: &str) {
    let rule = result.rule.clone().unwrap_or("broken".to_owned());
    let recipe =
        Recipe { program: program.to_owned(), folder: failure::folder(), ..Recipe::default() };
    match failure::leave(&failure.scenario, &rule, result, backend, &recipe) {
        Ok(path) => {
            result.replay = Some(recipe.replay(&path.to_string_lossy(), backend));
            result.view = failure::view_of(&path);
            result.file = Some(path);
        }
        Err(why) => complain(&why),
    }
}

/// How far the search has come, on standard error if that is a terminal.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{wide_bar:.cyan/dim} {pos}/{len} {msg}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("a template that is tested");
        bar.set_style(style);
        Self { bar }
    }

    fn show(&mut self, progress: &Progress) {
        if progress.done == 0 {
            // Each depth has a bar of its own: how many there are is only known by then.
            self.bar.reset();
            self.bar.set_length(progress.total);
            self.bar.set_message(format!("at depth {}", progress.depth));
        }
        self.bar.set_position(progress.done);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_has_a_valid_template() {
        let mut bar = Bar::new();
        bar.show(&Progress { depth: 1, done: 0, total: 2 });
        bar.finish();
    }

    #[test]
    fn a_protection_is_a_word() {
        assert_eq!(protection("PAGE_READONLY|PAGE_GUARD"), Ok(Protection(0x102)));
        assert!(protection("PAGE_WRITE").unwrap_err().contains("`PAGE_WRITE`"));
    }
}
