//! A report for a person at a terminal: what was asked, a table, a paragraph for each finding
//! that ends with the command that does it again, and one closing line.
//!
//! Agreeing cases are only counted: a run without findings fits on a screen.
//!
//! Deliberately not here: whether anyone can see colours ([`crate::output`]), and progress
//! ([`crate::progress`]).

use std::io;

use anstyle::{AnsiColor, Style};
use hostmem_interface::scenario::Level;
use hostmem_model::RuleId;

use super::{CaseResult, End, Header, Report, Suite, Summary, VerdictWord, fold, summary};
use crate::fail_each::plan::Sweep;
use crate::law;
use crate::run::Coverage;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Whatever is not *agrees*.
    #[default]
    Findings,
    /// Every case.
    Everything,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn colour(word: VerdictWord) -> Style {
    let colour = match word {
        VerdictWord::Agrees => AnsiColor::Green,
        VerdictWord::Diverges | VerdictWord::Broken => AnsiColor::Red,
        VerdictWord::Tolerated => AnsiColor::Yellow,
        VerdictWord::Skipped => AnsiColor::Cyan,
    };
    Style::new().fg_color(Some(colour.into()))
}

/// Writes the whole report.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, detail: Detail, out: &mut dyn io::Write) -> io::Result<()> {
    write_header(&report.header, out)?;
    write_body(report, detail, out)
}

/// Writes what was asked for: before the run, so that a run that dies can be repeated.
///
/// # Errors
/// Those of `out`.
pub fn write_header(header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
    let commit = header.commit.as_deref().unwrap_or("unknown");
    writeln!(out, "{BOLD}hostmem {}{BOLD:#} (commit {commit})", printable(&header.version))?;
    if let Some(seed) = &header.seed {
        writeln!(out, "  seed      {seed}")?;
    }
    for (name, value) in &header.options {
        writeln!(out, "  {name:<9} {}", printable(value))?;
    }
    writeln!(out)
}

/// Writes what came of it.
///
/// # Errors
/// Those of `out`.
pub fn write_body(report: &Report, detail: Detail, out: &mut dyn io::Write) -> io::Result<()> {
    let summary = report.summary();
    write_table(&summary, out)?;
    write_findings(report, detail, out)?;
    if let Some(coverage) = &report.coverage {
        write_coverage(coverage, out)?;
    }
    write_closing(report, &summary, out)
}

fn write_table(summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
    if summary.rows.is_empty() {
        return Ok(());
    }
    let names = summary.rows.iter().map(|(backend, ..)| printable(backend).chars().count());
    let width = names.max().unwrap_or(0).max("backend".len());
    write!(out, "{BOLD}{:<width$}  {:<11} {:>9}", "backend", "suite", "cases")?;
    for word in VerdictWord::ALL {
        write!(out, " {:>9}", word.name())?;
    }
    writeln!(out, "{BOLD:#}")?;
    let rows = summary
        .rows
        .iter()
        .map(|(backend, suite, counts)| (printable(backend), suite.name(), counts));
    let total = (summary.rows.len() > 1).then(|| ("total".to_owned(), "", &summary.all));
    for (backend, suite, counts) in rows.chain(total) {
        write!(out, "{backend:<width$}  {suite:<11} {:>9}", counts.total())?;
        for word in VerdictWord::ALL {
            let count = counts.of(word);
            let style = if count == 0 { DIM } else { colour(word) };
            write!(out, " {style}{count:>9}{style:#}")?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn write_findings(report: &Report, detail: Detail, out: &mut dyn io::Write) -> io::Result<()> {
    let mut any = false;
    for (result, seen) in fold::told(&report.results) {
        // Who replays a file of their own wants to know what it left behind.
        let left = result.suite == Suite::Files && !result.leaks.is_empty();
        if result.is_finding() || left || detail == Detail::Everything {
            write_result(result, out)?;
            write_seen(seen, out)?;
            any = true;
        }
    }
    if any { writeln!(out) } else { Ok(()) }
}

/// One result: a line, and for a divergence or breakage what there is to know about it.
///
/// # Errors
/// Those of `out`.
pub fn write_result(result: &CaseResult, out: &mut dyn io::Write) -> io::Result<()> {
    let style = colour(result.word);
    let (scenario, backend) = (printable(&result.scenario), printable(&result.backend));
    write!(out, "{scenario} on {backend}: {style}{}{style:#}", result.word)?;
    match result.word {
        VerdictWord::Agrees if result.readings.is_empty() => writeln!(out)?,
        VerdictWord::Agrees => {
            writeln!(out, " (reading taken of {})", result.readings.join(", "))?;
        }
        VerdictWord::Diverges => writeln!(out, " ({})", result.level.name())?,
        VerdictWord::Tolerated | VerdictWord::Skipped | VerdictWord::Broken => {
            writeln!(out, " ({})", printable(result.reason.as_deref().unwrap_or("no reason")))?;
        }
    }
    for leak in &result.leaks {
        writeln!(out, "  {DIM}{:<10}{DIM:#} {}", "not freed", printable(leak))?;
    }
    if result.word != VerdictWord::Skipped && result.is_finding() {
        write_details(result, out)?;
    }
    match &result.drawn {
        // Why a case was skipped is no matter of what it drew.
        Some(drawn) if result.word != VerdictWord::Skipped => {
            writeln!(out, "  {DIM}{:<10}{DIM:#} {}", "drawn", printable(drawn))
        }
        _ => Ok(()),
    }
}

/// How many cases one failure stands for.
fn write_seen(seen: u64, out: &mut dyn io::Write) -> io::Result<()> {
    if seen < 2 {
        return Ok(());
    }
    writeln!(out, "  {DIM}{:<10}{DIM:#} {seen} times; this is the smallest case", "seen")
}

fn write_details(result: &CaseResult, out: &mut dyn io::Write) -> io::Result<()> {
    let mut line = |label: &str, text: &str| {
        let text = printable(text).replace('\n', "\n             ");
        writeln!(out, "  {DIM}{label:<10}{DIM:#} {text}")
    };
    let call = result.call.as_deref().unwrap_or_default();
    if let Some(step) = result.step {
        line("step", format!("{step}  {call}").trim_end())?;
    }
    if let Some(rule) = &result.rule {
        let sentence = law::sentence(rule).map(|sentence| format!(": {sentence}"));
        line("rule", &format!("{rule}{}", sentence.unwrap_or_default()))?;
    }
    let reason = result.reason.as_deref().filter(|_| result.word == VerdictWord::Diverges);
    let fields = [
        ("expected", result.expected.as_deref()),
        ("observed", result.observed.as_deref()),
        ("reason", reason),
    ];
    for (label, text) in fields {
        if let Some(text) = text {
            line(label, text)?;
        }
    }
    if result.self_check {
        line("note", "the file expects what the law does not permit")?;
    }
    if result.stale {
        line("note", "the list of known differences is out of date: this no longer differs")?;
    }
    if let Some(shrunk) = &result.shrunk {
        line("shrunk", &format!("from {} to {}", shrunk.from, plural(shrunk.to as u64, "step")))?;
    }
    if let Some(file) = &result.file {
        line("scenario", &file.display().to_string())?;
    }
    if let Some(view) = &result.view {
        line("view", &view.display().to_string())?;
    }
    result.replay.as_deref().map_or(Ok(()), |replay| line("replay", replay))
}

fn write_coverage(coverage: &Coverage, out: &mut dyn io::Write) -> io::Result<()> {
    let columns = ("rule", "level", "accepted", "refused");
    let (rule, level, accepted, refused) = columns;
    writeln!(out, "{BOLD}{rule:<8} {level:<7} {accepted:>12} {refused:>12}{BOLD:#}")?;
    let mut never = Vec::new();
    for id in RuleId::all() {
        let (rule, count) = (id.rule(), coverage.of(id));
        if coverage.reached(id) {
            let (level, accepted, refused) = (rule.level.name(), count.accepted, count.refused);
            writeln!(out, "{:<8} {level:<7} {accepted:>12} {refused:>12}", rule.id)?;
        } else if rule.proof == law::Proof::Decided {
            never.push(rule.id);
        }
    }
    if !never.is_empty() {
        writeln!(out, "never decided: {}", never.join(", "))?;
    }
    writeln!(out)
}

fn write_closing(report: &Report, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
    match &report.end {
        End::Complete => {}
        End::Time => writeln!(out, "the time was over; every case that had begun was finished")?,
        End::FailFast => writeln!(out, "stopped at the first failure")?,
        End::Interrupted => writeln!(out, "interrupted: the counts are of the cases run so far")?,
        End::Internal(what) => writeln!(out, "internal error: {}", printable(what))?,
        End::Unkept(what) => writeln!(out, "stopped: {}", printable(what))?,
        End::Partial(what) => writeln!(out, "partial: {}", printable(what))?,
    }
    for name in summary::unmet(report) {
        writeln!(out, "required, but missing: {}", printable(name))?;
    }
    for who in summary::survivors(report) {
        writeln!(out, "void: {}", printable(&who))?;
    }
    for what in &report.unreadable {
        writeln!(out, "{}", printable(what))?;
    }
    if let Some(digest) = report.digest() {
        writeln!(out, "digest {digest}")?;
    } else if report.threaded {
        writeln!(out, "no digest: the threads of a case may take turns in another way each time")?;
    }
    if let Some(sweep) = summary.sweep {
        writeln!(out, "{}", sweep_sentence(sweep))?;
    }
    writeln!(out, "{}", closing_sentence(summary))
}

/// How much was made to fail; what came of it stands in the table.
fn sweep_sentence(sweep: Sweep) -> String {
    let Sweep { calls, failed, runs, cut } = sweep;
    let sampled = if failed < calls { " (long scenarios are sampled)" } else { "" };
    let cut = if cut > 0 {
        format!("; {cut} runs ran out of memory and ended there")
    } else {
        String::new()
    };
    format!(
        "fail-each: {runs} runs, in which {failed} of {calls} calls that may fail do{sampled}{cut}"
    )
}

fn closing_sentence(summary: &Summary) -> String {
    let (cases, steps) = (summary.all.total(), summary.steps);
    let cases = plural(cases, "case");
    let steps = plural(steps, "step");
    let diverges = summary.all.of(VerdictWord::Diverges);
    let broken = summary.all.of(VerdictWord::Broken);
    if diverges == 0 && broken == 0 {
        return format!("{cases}, {steps}: nothing diverges");
    }
    let levels: Vec<String> = [Level::Must, Level::Should, Level::May]
        .into_iter()
        .filter(|&level| summary.diverges(level) > 0)
        .map(|level| format!("{} {}", summary.diverges(level), level.name()))
        .collect();
    let levels =
        if levels.is_empty() { String::new() } else { format!(" ({})", levels.join(", ")) };
    format!("{cases}, {steps}: {diverges} diverge{levels}, {broken} broken")
}

fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Text of a stranger's file or process, with nothing in it that moves a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    let escape = |c: char| c.is_control() && c != '\n';
    if !text.contains(escape) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if escape(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}
