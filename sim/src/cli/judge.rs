//! Runs a plan and tells of it: what `check` and `replay` have in common.
//!
//! First what was asked for, so that a run that dies can be repeated; then, while it runs,
//! whatever cannot wait; then the report.
//!
//! Deliberately not here: which cases there are.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use hostmem_interface::{Backend as _, Capability, Planted};

use super::known::{self, Affair, Use};
use super::options::RunOptions;
use super::{COMMIT, Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::{self, Recipe};
use crate::campaign::plan::{Place, Plan, Shard};
use crate::campaign::stop::Stop;
use crate::campaign::{self, Done, Manner, Outcome};
use crate::engine::Settings;
use crate::files::Atomic;
use crate::output::{Output, complain, remark};
use crate::parts::Parts;
use crate::progress::Progress;
use crate::report::human::{self, Detail, printable};
use crate::report::{CaseResult, End, ExitStatus, Format, Header, Report, json};
use crate::results::file::ResultsFile;
use crate::results::{self, Campaign, Entry};
use crate::runner::trace::TraceLine;
use crate::viewer::map;

/// Runs `plan` and tells of it.
///
/// # Errors
/// A backend that cannot be had, a requirement that means nothing, or a report that cannot be
/// written.
pub fn judge(
    plan: &Plan,
    options: &RunOptions,
    time: Option<Duration>,
    will: Use,
    context: &mut Context<'_>,
) -> Result<ExitStatus, Error> {
    let backends = backend::parse_all(&options.backends, options.limits, context.parts.backends)?;
    check_requirements(&options.require, &backends, context.parts)?;
    let lists = options.known.lists(will)?;
    let target = if will == Use::Update { Some(options.known.target()?) } else { None };
    let verifies = will != Use::Tolerate && known::selects_any(&lists, plan);
    if plan.size() == Some(0) && plan.shard == Shard::WHOLE && !verifies {
        let why = "no case is selected; `hostmem list scenarios` prints the built-in ones, \
                   random ones are called random/PROFILE/INDEX";
        return Err(Error::Usage(why.to_owned()));
    }
    // Before the run: a file that cannot be written is not found out about after it.
    let file = options.output.as_deref().map(Atomic::new).transpose()?;
    let shown = if file.is_some() { Format::Human } else { options.format };
    let campaign = campaign_of(plan, options, &backends);
    let header = campaign.header(time.map(|time| format!("{time:?}")));
    let threaded = campaign.is_threaded();
    let (kept, earlier) = open_results(plan, options, campaign)?;
    let mut teller = Teller { shown, options, kept, trouble: None, unkept: None };
    teller.header(&header, &mut context.out)?;

    // It lives as long as the handler of Ctrl-C, which has no end.
    let stop: &'static Stop = Box::leak(Box::new(Stop::after(time)));
    (context.listen)(stop);
    let manner = Manner {
        jobs: options.jobs(),
        fail_fast: options.fail_fast,
        strict: options.strict,
        stop,
        settings: Settings {
            trace: options.trace,
            coverage: options.coverage || teller.kept.is_some(),
        },
        known: &lists,
        recipe: Recipe {
            program: context.program.clone(),
            seed: header.seed.clone().unwrap_or_default(),
            folder: failure::folder(),
            kept: failure::Kept::default(),
        },
        earlier,
    };
    let affair = Affair { plan, backends: &backends, known: &lists, manner: &manner };
    let each = backends.len() as u64;
    let mut progress = Progress::new(plan.size().map(|cases| cases.saturating_mul(each)));
    let (engine, out) = (context.parts.engine, &mut context.out);
    let mut outcome = campaign::run(plan, &backends, engine, &manner, &mut |done| {
        progress.beside(|| teller.case(done, stop, out));
        if let Some(result) = &done.entry.result {
            progress.case(result);
        }
    });
    progress.finish();
    if let Some(why) = teller.finish_results() {
        outcome.end = End::Unkept(why);
    }
    if verifies {
        affair.verify(&mut outcome, context);
    }
    if let Some(target) = target {
        affair.update(&mut outcome, &target)?.iter().for_each(|what| complain(what));
    }
    let planted = if plan.random.is_some() { planted(&backends) } else { Vec::new() };
    let report = report(header, outcome, options);
    teller.report(&Report { threaded, planted, ..report }, file, &mut context.out)
}

fn report(header: Header, outcome: Outcome, options: &RunOptions) -> Report {
    Report {
        header,
        results: outcome.results,
        end: outcome.end,
        coverage: options.coverage.then_some(outcome.coverage),
        strict: options.strict,
        require: options.require.clone(),
        unreadable: outcome.unreadable,
        threaded: false,
        planted: Vec::new(),
    }
}

/// What was put into the backends to be found.
pub(super) fn planted(backends: &[Named]) -> Vec<(String, Planted)> {
    let wrong = |one: &Named| one.planted().map(|planted| (one.name.clone(), planted));
    backends.iter().filter_map(wrong).collect()
}

/// The results file, if one was asked for, and what is in it already.
fn open_results(
    plan: &Plan,
    options: &RunOptions,
    campaign: Campaign,
) -> Result<(Option<ResultsFile>, BTreeMap<Place, Entry>), Error> {
    let Some(path) = options.results.as_ref().or(options.resume.as_ref()) else {
        return Ok((None, BTreeMap::new()));
    };
    let campaign = campaign.fingerprinted(plan);
    if options.results.is_some() {
        return Ok((Some(ResultsFile::begin(path, &campaign)?), BTreeMap::new()));
    }
    let (file, earlier) = ResultsFile::resume(path, &campaign)?;
    // On standard error: the report is that of an uninterrupted run.
    remark(&format!("{}: {} results are there already", path.display(), earlier.len()));
    Ok((Some(file), earlier))
}

/// A requirement that nothing can miss would never fail, however it is spelt.
pub(super) fn check_requirements(
    names: &[String],
    backends: &[Named],
    parts: &Parts<'_>,
) -> Result<(), Error> {
    for name in names {
        let kind = parts.backends.iter().any(|kind| kind.name == name);
        let asked = backends.iter().any(|backend| backend.name == *name);
        if Capability::named(name).is_none() && !kind && !asked {
            let known: Vec<&str> = Capability::ALL.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            return Err(Error::Usage(format!(
                "--require {name}: there is no such backend or capability; \
                 expected a backend, or one of: {known}"
            )));
        }
    }
    Ok(())
}

/// What was asked for. The number of jobs is left out: it changes nothing.
fn campaign_of(plan: &Plan, options: &RunOptions, backends: &[Named]) -> Campaign {
    Campaign {
        results: results::FORMAT.to_owned(),
        hostmem: env!("CARGO_PKG_VERSION").to_owned(),
        commit: COMMIT.map(str::to_owned),
        backends: backends.iter().map(|backend| backend.spec.clone()).collect(),
        scenarios: plan.scenarios.len() as u64,
        scenarios_sha256: String::new(),
        random: plan.random.clone(),
        only: options.only.clone(),
        skip: options.skip.clone(),
        require: options.require.clone(),
        known_sha256: options.known.fingerprint(),
        fail_each: plan.fail_each,
        strict: options.strict,
        fail_fast: options.fail_fast,
        shards: vec![plan.shard],
    }
}

/// Tells of a run on standard output while it goes on.
struct Teller<'a> {
    shown: Format,
    options: &'a RunOptions,
    kept: Option<ResultsFile>,
    trouble: Option<io::Error>,
    unkept: Option<String>,
}

impl Teller<'_> {
    fn header(&self, header: &Header, out: &mut Output<'_>) -> io::Result<()> {
        match self.shown {
            Format::Human => human::write_header(header, out)?,
            Format::Jsonl => json::write_header_line(header, out)?,
            Format::Json | Format::Junit | Format::Markdown | Format::Html => return Ok(()),
        }
        out.flush()
    }

    /// What cannot wait: a trace, and lines that another program reads as they come.
    fn case(&mut self, done: &Done, stop: &Stop, out: &mut Output<'_>) {
        self.keep(done, stop);
        let Some(result) = done.entry.result.as_deref() else { return };
        let done = match self.shown {
            Format::Human if !done.trace.is_empty() => write_trace(result, &done.trace, out),
            Format::Jsonl => json::write_result_line(result, out).and_then(|()| out.flush()),
            _ => Ok(()),
        };
        // Nobody gets the rest either: end in good order, and say why at the end.
        if let Err(error) = done
            && self.trouble.is_none()
        {
            self.trouble = Some(error);
            stop.stop();
        }
    }

    /// Adds to the results file, before anyone is told: what was told of is kept.
    fn keep(&mut self, done: &Done, stop: &Stop) {
        let Some(file) = self.kept.as_mut().filter(|_| !done.earlier && self.unkept.is_none())
        else {
            return;
        };
        if let Err(error) = file.add(&done.entry) {
            self.unkept = Some(error.to_string());
            stop.stop();
        }
    }

    /// The end of the results file; why it could not be kept whole, if so.
    fn finish_results(&mut self) -> Option<String> {
        let finished = self.kept.take().map_or(Ok(()), ResultsFile::finish);
        self.unkept.take().or_else(|| finished.err().map(|error| error.to_string()))
    }

    fn report(
        self,
        report: &Report,
        file: Option<Atomic>,
        out: &mut Output<'_>,
    ) -> Result<ExitStatus, Error> {
        for what in &report.unreadable {
            complain(what);
        }
        if let End::Unkept(why) = &report.end {
            complain(why);
        }
        if let Some(file) = file {
            write_file(self.options.format, report, file)?;
        }
        if let Some(error) = self.trouble {
            return Err(error.into());
        }
        let detail = if self.options.verbose { Detail::Everything } else { Detail::Findings };
        match self.shown {
            Format::Human => human::write_body(report, detail, out)?,
            Format::Jsonl => json::write_summary_line(report, out)?,
            format => format.write(report, out)?,
        }
        out.flush()?;
        Ok(report.status())
    }
}

fn write_file(format: Format, report: &Report, mut file: Atomic) -> Result<(), Error> {
    let mut text = Vec::new();
    // A file has no colours.
    let written = format.write(report, &mut anstream::StripStream::new(&mut text));
    let written = written.and_then(|()| file.write_all(&text));
    written.map_err(|source| file.wrong(source))?;
    Ok(file.finish()?)
}

fn write_trace(result: &CaseResult, trace: &[TraceLine], out: &mut Output<'_>) -> io::Result<()> {
    writeln!(out, "{} on {}:", printable(&result.scenario), printable(&result.backend))?;
    for TraceLine { head, map, text } in trace {
        write!(out, "{head}")?;
        if !map.is_empty() {
            write!(out, "{} ", map::styled(map))?;
        }
        writeln!(out, "{}", printable(text))?;
    }
    writeln!(out)
}
