//! Memory for each live reservation, in a process of its own: what it has more of after the
//! stream than before.

use std::fs;
use std::process::Command;

use hostmem::random::Draw;

use crate::Effort;
use crate::contestant::{Contestant, Model, Ranges, Runs};
use crate::stream::Plan;
use crate::table::{Cell, Table};

/// The argument behind which a child is told whom it is about and how many reservations.
pub const CHILD: &str = "--bytes-of";

/// So many operations for each reservation: up to about nine runs each.
const OPERATIONS: usize = 12;

type Make = fn() -> Box<dyn Contestant>;

const CONTESTANTS: [(&str, Make); 3] = [
    ("model", || Box::new(Model::default())),
    ("rangemap", || Box::new(Ranges::default())),
    ("runs", || Box::new(Runs::default())),
];

/// The table, each row by a child of this program.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let live = if effort == Effort::Full { 300_000 } else { 30_000 };
    let mut table = Table::new(
        "Memory",
        "Bytes of the process for each live reservation, after twelve operations of the stream \
         for each: the larger reservations have up to about nine runs then.",
        &["bytes"],
    );
    for (name, _) in CONTESTANTS {
        let bytes = by_child(name, live);
        let cell = bytes.map_or_else(Cell::Text, Cell::Number);
        table.row(name, vec![cell]);
    }
    table
}

fn by_child(name: &str, live: usize) -> Result<f64, String> {
    let told = |error: std::io::Error| error.to_string();
    let program = std::env::current_exe().map_err(told)?;
    let output = Command::new(program).args([CHILD, name, &live.to_string()]).output();
    let output = output.map_err(told)?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// What a child finds.
///
/// # Errors
/// Why nothing.
pub fn of(name: &str, live: usize) -> Result<f64, String> {
    let found = CONTESTANTS.iter().find(|(known, _)| *known == name);
    let (_, make) = found.ok_or_else(|| format!("nobody is called {name}"))?;
    let mut draw = Draw::from_number(9);
    let (mut plan, mut ops) = Plan::with(live, &mut draw);
    ops.extend(plan.ops(live * OPERATIONS, &mut draw));
    let mut who = make();
    let before = resident()?;
    who.replay(&ops);
    let after = resident()?;
    Ok(after.saturating_sub(before) as f64 / plan.live() as f64)
}

/// Bytes of memory that this process has.
fn resident() -> Result<u64, String> {
    let text = fs::read_to_string("/proc/self/smaps_rollup");
    let text = text.map_err(|error| format!("the process does not know its size: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: Option<u64> = number.and_then(|number| number.parse().ok());
    kilobytes.map(|it| it << 10).ok_or_else(|| "no Rss in smaps_rollup".to_owned())
}
