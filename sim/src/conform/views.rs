//! A page for each cell of the matrix: the scenario behind it, step by step on its
//! implementation. Cells that one scenario decides share its page.
//!
//! Deliberately not here: the page itself ([`crate::viewer`]).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::hangs::was_passed_over;
use super::matrix::{Cell, Matrix};
use crate::backend::Named;
use crate::files::{NamedScenario, write};
use crate::known::Known;
use crate::report::VerdictWord;
use crate::report::html::Href;
use crate::viewer::{self, How};

/// The folder of the pages of a report that is written to this file.
#[must_use]
pub fn folder(report: &Path) -> PathBuf {
    let stem = report.file_stem().unwrap_or_default().to_string_lossy();
    report.with_file_name(format!("{stem}-views"))
}

/// Writes the pages into a folder beside the report, and has the cells link to them.
///
/// # Errors
/// What could not be shown or written, and why.
pub fn write_all(
    matrix: &mut Matrix,
    scenarios: &[NamedScenario],
    backends: &[Named],
    folder: &Path,
) -> Result<(), String> {
    let mut pages: BTreeMap<(usize, usize), PathBuf> = BTreeMap::new();
    let folder_name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for row in &mut matrix.rows {
        for (column, cell) in row.cells.iter_mut().enumerate() {
            let proves = |it: &NamedScenario| it.scenario.rules.iter().any(|id| id == row.rule.id);
            let shown = match scenario(cell) {
                _ if was_passed_over(cell.reason.as_deref()) => None,
                Some(name) => scenarios.iter().position(|it| it.name == *name),
                None => scenarios.iter().position(proves),
            };
            let Some(at) = shown else { continue };
            let path = name(&backends[column].name, &scenarios[at].name);
            cell.view = Some(Href(&format!("{folder_name}/{path}")).to_string());
            pages.insert((column, at), folder.join(path));
        }
    }
    let pages: Vec<_> = pages.into_iter().collect();
    pages
        .par_iter()
        .try_for_each(|((column, at), path)| page(&scenarios[*at], &backends[*column], path))
}

/// The scenario that a page shows. Of a break it is the one that others share, too: each page is
/// one more break.
fn scenario(cell: &Cell) -> Option<&String> {
    match (cell.verdict, &cell.minimal) {
        (VerdictWord::Broken, Some(minimal)) => Some(&minimal.scenario),
        _ => cell.scenario.as_ref(),
    }
}

fn page(case: &NamedScenario, backend: &Named, path: &Path) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .map_err(|error| format!("{}: the folder cannot be made: {error}", folder.display()))?;
    }
    let how = How { backend: Some(backend), ..How::default() };
    let known = Known::builtin().map_err(|error| error.to_string())?;
    let viewed = viewer::view(case, &how, &known).map_err(|error| error.to_string())?;
    write::bytes(path, viewed.html.as_bytes()).map_err(|error| error.to_string())
}

/// Where the page of a scenario lies in the folder: by implementation, then as the scenario.
fn name(backend: &str, scenario: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let backend: String = backend.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let scenario = scenario.strip_prefix("scenarios/").unwrap_or(scenario);
    let scenario = scenario.trim_end_matches(".zst").trim_end_matches(".json");
    format!("{backend}/{scenario}.html")
}
