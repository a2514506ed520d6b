//! The report as Markdown, for a comment on a change or the summary page of a CI job.
//!
//! Deliberately not here: raw HTML, which such pages filter.

use std::io;

use super::human::printable;
use super::{CaseResult, End, Report, VerdictWord, fold, summary};
use crate::files::load::shown;
use crate::law;
use crate::report::html::Href;

/// Writes the page.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let header = &report.header;
    writeln!(out, "# hostmem {}\n", header.version)?;
    let commit = header.commit.as_deref().map(|commit| ("commit", commit));
    let seed = header.seed.as_deref().map(|seed| ("seed", seed));
    let options = header.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in commit.into_iter().chain(seed).chain(options) {
        writeln!(out, "- {name}: {}", code(value))?;
    }
    write_table(report, out)?;
    for (result, seen) in fold::told(&report.results).filter(|(result, _)| result.is_finding()) {
        write_finding(result, out)?;
        if seen > 1 {
            writeln!(out, "  - seen {seen} times")?;
        }
    }
    write_end(report, out)
}

fn write_table(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let words = VerdictWord::ALL.map(VerdictWord::name).join(" | ");
    writeln!(out, "\n| backend | suite | cases | {words} |")?;
    writeln!(out, "|---|---|---:|---:|---:|---:|---:|---:|")?;
    for (backend, suite, counts) in &report.summary().rows {
        write!(out, "| {} | {} | {} |", cell(backend), suite.name(), counts.total())?;
        for word in VerdictWord::ALL {
            write!(out, " {} |", counts.of(word))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn write_finding(result: &CaseResult, out: &mut dyn io::Write) -> io::Result<()> {
    let (scenario, backend) = (code(&result.scenario), code(&result.backend));
    write!(out, "- {scenario} on {backend}: **{}**", result.word)?;
    match (result.word, &result.reason) {
        (VerdictWord::Diverges, _) => writeln!(out, " ({})", result.level.name())?,
        (_, Some(reason)) => writeln!(out, " ({})", cell(reason))?,
        _ => writeln!(out)?,
    }
    if result.word == VerdictWord::Skipped {
        return Ok(());
    }
    if let Some(rule) = &result.rule {
        let sentence = law::sentence(rule).map(|sentence| format!(": {}", cell(sentence)));
        writeln!(out, "  - rule {}{}", code(rule), sentence.unwrap_or_default())?;
    }
    let step = result.step_and_call();
    let file = result.file.as_ref().map(|file| file.display().to_string());
    let fields = [
        ("step", &step),
        ("expected", &result.expected),
        ("observed", &result.observed),
        ("scenario", &file),
        ("replay", &result.replay),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            writeln!(out, "  - {name} {}", code(value))?;
        }
    }
    if let Some(view) = result.view.as_deref().map(shown) {
        writeln!(out, "  - view [{}]({})", cell(&view), Href(&view))?;
    }
    if result.stale {
        writeln!(out, "  - the list of known differences is out of date: this no longer differs")?;
    }
    Ok(())
}

fn write_end(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out)?;
    if let End::Internal(what) = &report.end {
        writeln!(out, "Internal error: {}\n", cell(what))?;
    } else if report.end != End::Complete {
        writeln!(out, "End: {}\n", report.end.name())?;
    }
    for name in summary::unmet(report) {
        writeln!(out, "Required, but missing: {}\n", code(name))?;
    }
    for who in summary::survivors(report) {
        writeln!(out, "**Void**: {}\n", cell(&who))?;
    }
    match report.digest() {
        Some(digest) => writeln!(out, "Digest {}", code(&digest)),
        None => Ok(()),
    }
}

/// Text inside a line or a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    let mut shown = String::new();
    for c in printable(text).chars() {
        match c {
            '\n' => shown.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' => {
                shown.push('\\');
                shown.push(c);
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// Text as code: between more backticks than it has in a row.
pub(crate) fn code(text: &str) -> String {
    let text = printable(text).replace('\n', " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}
