//! Finds the smallest scenario of every cell that differs.
//!
//! Cells of one column that were broken in the same way share one, found in the shortest of their
//! scenarios: to break a subject is slow, and to break it once more tells nothing new. What did
//! not break again call by call has none.
//!
//! Deliberately not here: one such scenario ([`super::minimal`]).

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::matrix::{Cell, Implementation, Matrix, Row};
use super::minimal::minimal;
use crate::backend::Named;
use crate::files::NamedScenario;
use crate::known::shape;
use crate::progress::Progress;
use crate::report::VerdictWord;
use crate::run::scenario::happens_call_by_call;

/// Cells that have one cause.
#[derive(Default)]
struct Group<'a> {
    /// How long the shortest of their scenarios is, and which it is.
    shortest: Option<(usize, String)>,
    cells: Vec<&'a mut Cell>,
}

/// Finds them all: `backends` are the columns, and `scenarios` what was run.
pub fn smallest(matrix: &mut Matrix, scenarios: &[NamedScenario], backends: &[Named]) {
    let Matrix { implementations, rows } = matrix;
    let mut groups = grouped(implementations, rows);
    let progress = Progress::shrinking(groups.len() as u64);
    groups.par_iter_mut().for_each(|((column, _), group)| {
        let named = group.shortest.as_ref();
        let named = named.and_then(|(_, name)| scenarios.iter().find(|it| it.name == *name));
        let smallest = named.and_then(|it| minimal(&it.name, &it.scenario, &backends[*column]));
        group.cells.iter_mut().for_each(|cell| cell.minimal.clone_from(&smallest));
        progress.one_more();
    });
    progress.finish();
}

/// The cells that differ, by column and cause.
fn grouped<'a>(
    implementations: &[Implementation],
    rows: &'a mut [Row],
) -> BTreeMap<(usize, String), Group<'a>> {
    let mut groups: BTreeMap<(usize, String), Group<'_>> = BTreeMap::new();
    for row in rows {
        for (column, cell) in row.cells.iter_mut().enumerate() {
            let Some(cause) = cause(cell) else { continue };
            let Some(scenario) = cell.scenario.clone() else { continue };
            let result = implementations[column].results.iter().find(|it| it.scenario == scenario);
            let steps = result.and_then(|it| it.step).unwrap_or(usize::MAX);
            let group = groups.entry((column, cause)).or_default();
            let candidate = (steps, scenario);
            if group.shortest.as_ref().is_none_or(|shortest| candidate < *shortest) {
                group.shortest = Some(candidate);
            }
            group.cells.push(cell);
        }
    }
    groups
}

/// What cells that share a smallest scenario have in common; `None` if there is none to find.
fn cause(cell: &Cell) -> Option<String> {
    match cell.verdict {
        VerdictWord::Agrees | VerdictWord::Skipped => None,
        VerdictWord::Diverges | VerdictWord::Tolerated => cell.scenario.clone(),
        VerdictWord::Broken => {
            let reason = cell.reason.as_deref().unwrap_or_default();
            happens_call_by_call(reason).then(|| shape(reason))
        }
    }
}
