//! Runs a plan and tells of it: what `check` and `replay` have in common.
//!
//! First what was asked for, so that a run that dies can be repeated; then, while it runs,
//! whatever cannot wait; then the report.
//!
//! Deliberately not here: which cases there are.

use std::io::{self, Write};
use std::time::Duration;

use hostmem_interface::Capability;

use super::options::RunOptions;
use super::{COMMIT, Context, Error};
use crate::backend::{self, Named};
use crate::campaign::failure::{self, Recipe};
use crate::campaign::plan::{Plan, Shard};
use crate::campaign::stop::Stop;
use crate::campaign::{self, Manner, Outcome};
use crate::engine::Settings;
use crate::files::Atomic;
use crate::output::{Output, complain};
use crate::parts::Parts;
use crate::progress::Progress;
use crate::report::human::{self, Detail, printable};
use crate::report::{CaseResult, ExitStatus, Format, Header, Report, json};

/// Runs `plan` and tells of it.
///
/// # Errors
/// A backend that cannot be had, a requirement that means nothing, or a report that cannot be
/// written.
pub fn judge(
    plan: &Plan,
    options: &RunOptions,
    time: Option<Duration>,
    context: &mut Context<'_>,
) -> Result<ExitStatus, Error> {
    let backends = backend::parse_all(&options.backends, context.parts.backends)?;
    check_requirements(&options.require, &backends, context.parts)?;
    if plan.size() == Some(0) && plan.shard == Shard::WHOLE {
        let why = "no case is selected; `hostmem list scenarios` prints the built-in ones, \
                   random ones are called random/PROFILE/INDEX";
        return Err(Error::Usage(why.to_owned()));
    }
    // Before the run: a file that cannot be written is not found out about after it.
    let file = options.output.as_deref().map(Atomic::new).transpose()?;
    let shown = if file.is_some() { Format::Human } else { options.format };
    let header = header(plan, options, time, &backends);
    let mut teller = Teller { shown, options, trouble: None };
    teller.header(&header, &mut context.out)?;

    // It lives as long as the handler of Ctrl-C, which has no end.
    let stop: &'static Stop = Box::leak(Box::new(Stop::after(time)));
    (context.listen)(stop);
    let manner = Manner {
        jobs: options.jobs(),
        fail_fast: options.fail_fast,
        strict: options.strict,
        stop,
        settings: Settings { trace: options.trace, coverage: options.coverage },
        recipe: Recipe {
            program: context.program.clone(),
            seed: header.seed.clone().unwrap_or_default(),
            folder: failure::folder(),
        },
    };
    let each = backends.len() as u64;
    let mut progress = Progress::new(plan.size().map(|cases| cases.saturating_mul(each)));
    let (engine, out) = (context.parts.engine, &mut context.out);
    let outcome = campaign::run(plan, &backends, engine, &manner, &mut |result, trace| {
        progress.beside(|| teller.case(result, trace, stop, out));
        progress.case(result);
    });
    progress.finish();
    teller.report(&report(header, outcome, options), file, &mut context.out)
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
    }
}

/// A requirement that nothing can miss would never fail, however it is spelt.
fn check_requirements(
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

/// Every option with the value that it came to. The number of jobs is left out: it changes
/// nothing.
fn header(plan: &Plan, options: &RunOptions, time: Option<Duration>, backends: &[Named]) -> Header {
    let mut list: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| list.push((name.to_owned(), value));
    let specs: Vec<&str> = backends.iter().map(|backend| backend.spec.as_str()).collect();
    add("backend", specs.join(" "));
    add("scenarios", plan.scenarios.len().to_string());
    if let Some(random) = &plan.random {
        add("profile", random.profile.clone());
        add("cases", random.cases.map_or("unlimited".to_owned(), |cases| cases.to_string()));
        add("ops", random.ops.to_string());
    }
    if let Some(time) = time {
        add("time", format!("{time:?}"));
    }
    add("shard", plan.shard.to_string());
    let lists = [("only", &options.only), ("skip", &options.skip), ("require", &options.require)];
    for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
        add(name, values.join(" "));
    }
    for (name, given) in [
        ("fail-each", plan.fail_each),
        ("strict", options.strict),
        ("fail-fast", options.fail_fast),
    ] {
        if given {
            add(name, "yes".to_owned());
        }
    }
    Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: COMMIT.map(str::to_owned),
        seed: plan.random.as_ref().map(|random| random.seed.to_string()),
        options: list,
    }
}

/// Tells of a run on standard output while it goes on.
struct Teller<'a> {
    shown: Format,
    options: &'a RunOptions,
    trouble: Option<io::Error>,
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
    fn case(&mut self, result: &CaseResult, trace: &[String], stop: &Stop, out: &mut Output<'_>) {
        let done = match self.shown {
            Format::Human if !trace.is_empty() => write_trace(result, trace, out),
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

    fn report(
        self,
        report: &Report,
        file: Option<Atomic>,
        out: &mut Output<'_>,
    ) -> Result<ExitStatus, Error> {
        for what in &report.unreadable {
            complain(what);
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

fn write_trace(result: &CaseResult, trace: &[String], out: &mut Output<'_>) -> io::Result<()> {
    writeln!(out, "{} on {}:", printable(&result.scenario), printable(&result.backend))?;
    for line in trace {
        writeln!(out, "{}", printable(line))?;
    }
    writeln!(out)
}
