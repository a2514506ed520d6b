//! The matrix in five formats, each a pure function of it.
//!
//! Deliberately not here: the table of a run's cases ([`crate::report`]).

use std::collections::BTreeMap;
use std::io;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::matrix::{Cell, Implementation, Matrix, Row};
use crate::report::VerdictWord;
use crate::report::html::Text;
use crate::report::human::printable;
use crate::report::markdown::{cell as escaped, code};
use crate::report::summary::ExitStatus;
use hostmem_interface::scenario::Level;

/// The version of the JSON document.
pub const FORMAT: &str = "hostmem-conformance/1";
/// How long the cells of the table are.
const WIDTH: usize = 10;
/// What is said of an entry of a list that is out of date.
const STALE: &str = "listed as a known difference, and differs no more";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    hostmem: &'static str,
    implementations: Vec<Column<'a>>,
    rules: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    about: &'a str,
    errors: &'static str,
    summary: BTreeMap<&'static str, usize>,
    stale: Vec<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    rule: &'static str,
    level: &'static str,
    sentence: &'static str,
    cells: BTreeMap<&'a str, &'a Cell>,
}

impl Matrix {
    fn count(&self, column: usize, word: VerdictWord) -> usize {
        self.rows.iter().filter(|row| row.cells[column].verdict == word).count()
    }

    /// How a run that made this matrix ends.
    #[must_use]
    pub fn status(&self, strict: bool) -> ExitStatus {
        let results = self.implementations.iter().flat_map(|it| &it.results);
        let one = |result| crate::report::summary::of_result(result, strict);
        results.map(one).fold(ExitStatus::Success, ExitStatus::worse)
    }

    /// The cells that are worth a paragraph.
    fn findings(&self) -> impl Iterator<Item = (&Row, &Implementation, &Cell)> {
        self.rows.iter().flat_map(|row| {
            let cells = self.implementations.iter().zip(&row.cells);
            cells
                .filter(|(_, cell)| {
                    !matches!(cell.verdict, VerdictWord::Agrees | VerdictWord::Skipped)
                })
                .map(move |(implementation, cell)| (row, implementation, cell))
        })
    }
}

fn stale(implementation: &Implementation) -> Vec<&str> {
    let stale = implementation.results.iter().filter(|result| result.stale);
    stale.map(|result| result.scenario.as_str()).collect()
}

/// The known differences that differ no more: of which implementation, and which.
fn all_stale(matrix: &Matrix) -> impl Iterator<Item = (&str, &str)> {
    let all = matrix.implementations.iter();
    all.flat_map(|it| stale(it).into_iter().map(|scenario| (it.name.as_str(), scenario)))
}

/// What a cell says besides its word.
fn note(cell: &Cell) -> String {
    match (cell.verdict, &cell.reading, &cell.reason) {
        (VerdictWord::Agrees, Some(reading), _) => format!(" ({reading})"),
        (VerdictWord::Skipped, _, Some(why)) => format!(" ({why})"),
        (VerdictWord::Diverges, ..) => format!(" ({})", cell.level.map_or("", Level::name)),
        _ => String::new(),
    }
}

/// Writes one JSON document.
///
/// # Errors
/// Those of `out`.
pub fn json(matrix: &Matrix, out: &mut dyn io::Write) -> io::Result<()> {
    let column = |(at, it): (usize, &'_ Implementation)| -> BTreeMap<&'static str, usize> {
        let _ = it;
        VerdictWord::ALL.into_iter().map(|word| (word.name(), matrix.count(at, word))).collect()
    };
    let document = Document {
        format: FORMAT,
        hostmem: env!("CARGO_PKG_VERSION"),
        implementations: matrix
            .implementations
            .iter()
            .enumerate()
            .map(|(at, it)| Column {
                name: &it.name,
                about: &it.about,
                errors: it.results.first().map_or("", |result| result.grain.name()),
                summary: column((at, it)),
                stale: stale(it),
            })
            .collect(),
        rules: matrix
            .rows
            .iter()
            .map(|row| Line {
                rule: row.rule.id,
                level: row.rule.level.name(),
                sentence: row.rule.sentence,
                cells: matrix
                    .implementations
                    .iter()
                    .map(|it| it.name.as_str())
                    .zip(&row.cells)
                    .collect(),
            })
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes the table and the findings for a person.
///
/// # Errors
/// Those of `out`.
pub fn human(matrix: &Matrix, out: &mut dyn io::Write) -> io::Result<()> {
    let width = matrix.implementations.iter().map(|it| printable(&it.name).chars().count());
    let width = width.max().unwrap_or(0).max(WIDTH);
    write!(out, "{:<7} {:<6}", "rule", "level")?;
    for implementation in &matrix.implementations {
        write!(out, " {:<width$}", printable(&implementation.name))?;
    }
    writeln!(out)?;
    for row in &matrix.rows {
        write!(out, "{:<7} {:<6}", row.rule.id, row.rule.level.name())?;
        for cell in &row.cells {
            write!(out, " {:<width$}", cell.verdict)?;
        }
        writeln!(out)?;
    }
    for word in VerdictWord::ALL {
        write!(out, "{:<14}", word.name())?;
        for column in 0..matrix.implementations.len() {
            write!(out, " {:<width$}", matrix.count(column, word))?;
        }
        writeln!(out)?;
    }
    for (row, implementation, cell) in matrix.findings() {
        writeln!(
            out,
            "\n{} on {}: {}{}\n  {}",
            row.rule.id,
            printable(&implementation.name),
            cell.verdict,
            printable(&note(cell)),
            row.rule.sentence
        )?;
        for line in details(row, cell) {
            writeln!(out, "  {}", printable(&line))?;
        }
    }
    for (name, scenario) in all_stale(matrix) {
        writeln!(out, "\n{} on {}: {STALE}", printable(scenario), printable(name))?;
    }
    for (column, implementation) in matrix.implementations.iter().enumerate() {
        for (why, rules) in skipped(matrix, column) {
            let (name, why) = (printable(&implementation.name), printable(why));
            writeln!(out, "\nskipped on {name}: {why}\n  {}", rules.join(" "))?;
        }
    }
    Ok(())
}

/// Why cells of a column were skipped, with the rules, in the order of the law.
fn skipped(matrix: &Matrix, column: usize) -> Vec<(&str, Vec<&'static str>)> {
    let mut reasons: Vec<(&str, Vec<&'static str>)> = Vec::new();
    for row in &matrix.rows {
        let cell = &row.cells[column];
        let (VerdictWord::Skipped, Some(why)) = (cell.verdict, &cell.reason) else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, rules)) => rules.push(row.rule.id),
            None => reasons.push((why, vec![row.rule.id])),
        }
    }
    reasons
}

/// The matrix in one line for each implementation.
#[must_use]
pub fn summary(matrix: &Matrix) -> Vec<String> {
    let line = |(column, it): (usize, &Implementation)| {
        let counts = VerdictWord::ALL.into_iter().map(|word| (matrix.count(column, word), word));
        let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        let stale = match stale(it).len() {
            0 => String::new(),
            count => format!(", {count} {STALE}"),
        };
        format!("{}: {}{stale}", printable(&it.name), counts.join(", "))
    };
    matrix.implementations.iter().enumerate().map(line).collect()
}

/// The sentence, the smallest scenario, where it comes from, and the command that runs that.
fn details(row: &Row, cell: &Cell) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(level) = cell.level.filter(|level| *level != row.rule.level) {
        let (rule, level) = (row.rule.level.name(), level.name());
        lines.push(format!("the rule is {rule}, the scenario that shows it only {level}"));
    }
    if let Some(minimal) = &cell.minimal {
        lines.push(minimal.sentence.clone());
        for (number, step) in (1..).zip(&minimal.steps) {
            lines.push(format!("{number:>4}  {step}"));
        }
    }
    match (cell.verdict, &cell.reason, &cell.minimal) {
        (VerdictWord::Tolerated, Some(why), _) => lines.push(format!("known: {why}")),
        (VerdictWord::Broken, Some(how), None) => lines.push(format!("it {how}")),
        _ => {}
    }
    if let Some(scenario) = &cell.scenario {
        lines.push(format!("scenario {scenario}"));
    }
    lines.extend(cell.replay.iter().map(|command| format!("replay   {command}")));
    lines
}

/// Writes a Markdown page.
///
/// # Errors
/// Those of `out`.
pub fn markdown(matrix: &Matrix, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "# Conformance\n\n| | {} |", {
        let names: Vec<String> =
            matrix.implementations.iter().map(|it| escaped(&it.name)).collect();
        names.join(" | ")
    })?;
    writeln!(out, "|---|{}", "---|".repeat(matrix.implementations.len()))?;
    for word in VerdictWord::ALL {
        let counts = (0..matrix.implementations.len()).map(|at| matrix.count(at, word).to_string());
        writeln!(out, "| {word} | {} |", counts.collect::<Vec<_>>().join(" | "))?;
    }
    writeln!(out, "\n| rule | level | {} |", {
        let names: Vec<String> =
            matrix.implementations.iter().map(|it| escaped(&it.name)).collect();
        names.join(" | ")
    })?;
    writeln!(out, "|---|---|{}", "---|".repeat(matrix.implementations.len()))?;
    for row in &matrix.rows {
        write!(out, "| {} | {} |", row.rule.id, row.rule.level.name())?;
        for cell in &row.cells {
            let word = match cell.verdict {
                VerdictWord::Agrees | VerdictWord::Skipped => cell.verdict.name().to_owned(),
                word => format!("**{word}**"),
            };
            write!(out, " {word}{} |", escaped(&note(cell)))?;
        }
        writeln!(out)?;
    }
    for (row, implementation, cell) in matrix.findings() {
        writeln!(
            out,
            "\n### {} on {}: {}{}\n\n{}\n",
            row.rule.id,
            escaped(&implementation.name),
            cell.verdict,
            escaped(&note(cell)),
            escaped(row.rule.sentence)
        )?;
        for line in details(row, cell) {
            writeln!(out, "- {}", code(line.trim_start()))?;
        }
    }
    for (name, scenario) in all_stale(matrix) {
        writeln!(out, "\n### {} on {}\n\n{STALE}", code(scenario), escaped(name))?;
    }
    Ok(())
}

/// Writes one self-contained page.
///
/// # Errors
/// Those of `out`.
pub fn html(matrix: &Matrix, out: &mut dyn io::Write) -> io::Result<()> {
    let style = crate::report::html::STYLE;
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>hostmem conformance</title>\n<style>\n{style}</style>\n</head>\n<body>")?;
    writeln!(out, "<h1>Conformance</h1>\n<table>\n<thead><tr><th>rule</th><th>level</th>")?;
    for implementation in &matrix.implementations {
        let (name, about) = (Text(&implementation.name), Text(&implementation.about));
        writeln!(out, "<th title=\"{about}\">{name}</th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in &matrix.rows {
        let (id, level) = (row.rule.id, row.rule.level.name());
        write!(out, "<tr><td title=\"{}\">{id}</td><td>{level}</td>", Text(row.rule.sentence))?;
        for cell in &row.cells {
            let (word, title) = (cell.verdict.name(), note(cell));
            let title = Text(title.trim());
            match &cell.view {
                Some(view) => {
                    let link = format!("<a class=\"{word}\" href=\"{view}\">{word}</a>");
                    write!(out, "<td class=\"{word}\" title=\"{title}\">{link}</td>")?;
                }
                None => write!(out, "<td class=\"{word}\" title=\"{title}\">{word}</td>")?,
            }
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>\n<h2>Findings</h2>")?;
    for (row, implementation, cell) in matrix.findings() {
        let (word, name) = (cell.verdict.name(), Text(&implementation.name));
        writeln!(
            out,
            "<details><summary><code>{}</code> on {name}: \
             <b class=\"{word}\">{word}</b>{}</summary>",
            row.rule.id,
            Text(&note(cell))
        )?;
        if let Some(view) = &cell.view {
            writeln!(out, "<p><a href=\"{view}\">step by step</a></p>")?;
        }
        writeln!(out, "<p>{}</p>\n<pre><code>", Text(row.rule.sentence))?;
        for line in details(row, cell) {
            writeln!(out, "{}", Text(&line))?;
        }
        writeln!(out, "</code></pre></details>")?;
    }
    for (name, scenario) in all_stale(matrix) {
        let (name, scenario) = (Text(name), Text(scenario));
        writeln!(out, "<p><code>{scenario}</code> on {name}: <b>{STALE}</b></p>")?;
    }
    writeln!(out, "</body>\n</html>")
}

/// Writes JUnit XML: a suite for each implementation, a case for each rule, and one that fails
/// for each known difference that differs no more.
///
/// # Errors
/// Those of `out`.
pub fn junit(matrix: &Matrix, strict: bool, out: &mut dyn io::Write) -> io::Result<()> {
    let mut document = quick_junit::Report::new("hostmem conformance");
    for (column, implementation) in matrix.implementations.iter().enumerate() {
        let name = printable(&implementation.name);
        let mut tests = TestSuite::new(name.clone());
        for row in &matrix.rows {
            let cell = &row.cells[column];
            let mut case = TestCase::new(row.rule.id, status(row, cell, strict));
            case.set_classname(name.clone());
            tests.add_test_case(case);
        }
        for scenario in stale(implementation) {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("stale").set_message(STALE);
            let mut case = TestCase::new(printable(scenario), status);
            case.set_classname(name.clone());
            tests.add_test_case(case);
        }
        document.add_test_suite(tests);
    }
    document.serialize(&mut *out).map_err(io::Error::other)
}

fn status(row: &Row, cell: &Cell, strict: bool) -> TestCaseStatus {
    let fatal = strict || cell.level == Some(Level::Must);
    let mut status = match cell.verdict {
        VerdictWord::Agrees => return TestCaseStatus::success(),
        VerdictWord::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
        VerdictWord::Diverges if fatal => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::skipped(),
    };
    status.set_type(cell.verdict.name());
    let message = match (cell.verdict, &cell.reason) {
        (VerdictWord::Broken, Some(how)) => format!("it {how}"),
        _ => format!("{}{}", cell.verdict, note(cell)),
    };
    status.set_message(printable(&message));
    let lines: Vec<String> = details(row, cell).iter().map(|line| printable(line)).collect();
    status.set_description(lines.join("\n"));
    status
}
