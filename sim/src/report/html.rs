//! The report as one self-contained page: nothing is loaded, it follows the reader's choice of
//! light or dark, and it reads as text where there is no style sheet.
//!
//! Deliberately not here: scripts.

use std::fmt;
use std::io;

use super::{CaseResult, End, Report, VerdictWord, fold, summary};
use crate::files::load::shown;
use crate::law;

pub(crate) const STYLE: &str = include_str!("report.css");

/// Text between tags or in an attribute.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\n' | '\t' => write!(f, "{c}")?,
                // Not allowed in a page at all, not even as a reference.
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// A path as the address of a link: what is no plain letter is spelt in bytes.
pub(crate) struct Href<'a>(pub(crate) &'a str);

impl fmt::Display for Href<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => write!(f, "{}", byte as char)?,
                b'/' | b'-' | b'_' | b'.' | b'~' => write!(f, "{}", byte as char)?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// Writes the page.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>hostmem report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>")?;
    write_header(report, out)?;
    write_table(report, out)?;
    let findings: Vec<(&CaseResult, u64)> =
        fold::told(&report.results).filter(|(result, _)| result.is_finding()).collect();
    writeln!(out, "<h2>Findings</h2>")?;
    if findings.is_empty() {
        writeln!(out, "<p>None: every case agrees.</p>")?;
    }
    for (result, seen) in findings {
        write_finding(result, seen, out)?;
    }
    write_end(report, out)?;
    writeln!(out, "</body>\n</html>")
}

fn write_header(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let header = &report.header;
    writeln!(out, "<h1>hostmem {}</h1>\n<dl>", Text(&header.version))?;
    let commit = header.commit.as_deref().map(|commit| ("commit", commit));
    let seed = header.seed.as_deref().map(|seed| ("seed", seed));
    let options = header.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in commit.into_iter().chain(seed).chain(options) {
        write_entry(name, value, out)?;
    }
    writeln!(out, "</dl>")
}

fn write_entry(name: &str, value: &str, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "<dt>{}</dt><dd><code>{}</code></dd>", Text(name), Text(value))
}

fn write_table(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    write!(out, "<table>\n<thead><tr><th>backend</th><th>suite</th><th>cases</th>")?;
    for word in VerdictWord::ALL {
        write!(out, "<th>{word}</th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for (backend, suite, counts) in &report.summary().rows {
        let total = counts.total();
        write!(out, "<tr><td>{}</td><td>{}</td><td>{total}</td>", Text(backend), suite.name())?;
        for word in VerdictWord::ALL {
            let count = counts.of(word);
            let class = if count == 0 { "none" } else { word.name() };
            write!(out, "<td class=\"{class}\">{count}</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>")
}

fn write_finding(result: &CaseResult, seen: u64, out: &mut dyn io::Write) -> io::Result<()> {
    let open = if result.word == VerdictWord::Skipped { "" } else { " open" };
    let (scenario, backend) = (Text(&result.scenario), Text(&result.backend));
    write!(out, "<details{open}><summary><code>{scenario}</code> on {backend}: ")?;
    write!(out, "<b class=\"{0}\">{0}</b>", result.word)?;
    if result.word == VerdictWord::Diverges {
        write!(out, " ({})", result.level.name())?;
    }
    writeln!(out, "</summary>\n<dl>")?;
    if let Some(rule) = &result.rule {
        let sentence = law::sentence(rule).unwrap_or_default();
        let (rule, sentence) = (Text(rule), Text(sentence));
        writeln!(out, "<dt>rule</dt><dd><code>{rule}</code> {sentence}</dd>")?;
    }
    let step = result.step_and_call();
    let file = result.file.as_ref().map(|file| file.display().to_string());
    let fields = [
        ("step", &step),
        ("expected", &result.expected),
        ("observed", &result.observed),
        ("reason", &result.reason),
        ("scenario", &file),
        ("replay", &result.replay),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            write_entry(name, value, out)?;
        }
    }
    if let Some(view) = result.view.as_deref().map(shown) {
        let (href, view) = (Href(&view), Text(&view));
        writeln!(out, "<dt>view</dt><dd><a href=\"{href}\">{view}</a></dd>")?;
    }
    if seen > 1 {
        write_entry("seen", &format!("{seen} times"), out)?;
    }
    if result.stale {
        write_entry("note", "a known difference is listed that no longer differs", out)?;
    }
    writeln!(out, "</dl></details>")
}

fn write_end(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    if let End::Internal(what) = &report.end {
        writeln!(out, "<p>Internal error: {}</p>", Text(what))?;
    } else if report.end != End::Complete {
        writeln!(out, "<p>End: {}</p>", report.end.name())?;
    }
    for name in summary::unmet(report) {
        writeln!(out, "<p>Required, but missing: {}</p>", Text(name))?;
    }
    for who in summary::survivors(report) {
        writeln!(out, "<p>Void: {}</p>", Text(&who))?;
    }
    match report.digest() {
        Some(digest) => writeln!(out, "<p>Digest <code>{digest}</code></p>"),
        None => Ok(()),
    }
}
