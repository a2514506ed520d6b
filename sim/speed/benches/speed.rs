//! One command, all tables: see the crate's documentation.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use hostmem_speed::table::Table;
use hostmem_speed::{Effort, bytes, campaign, exhaust, holes, huge, live, recordings, step};
use serde_json::{Value, json};

/// Measures hostmem beside what else does the same work.
#[derive(Debug, Parser)]
struct Arguments {
    /// Small sizes and few rounds
    #[arg(long)]
    quick: bool,
    /// Writes the figures there as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only these groups
    #[arg(long, value_name = "GROUP", num_args = 1.., value_parser = groups())]
    only: Vec<String>,
    /// What this program asks of a child of its own
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "LIVE"])]
    bytes_of: Vec<String>,
    /// `cargo bench` passes this
    #[arg(long, hide = true)]
    bench: bool,
}

type Group = (&'static str, fn(Effort) -> Vec<Table>);

const GROUPS: [Group; 8] = [
    ("live", live::tables),
    ("holes", |effort| vec![holes::table(effort)]),
    ("huge", |effort| vec![huge::table(effort)]),
    ("bytes", |effort| vec![bytes::table(effort)]),
    ("step", |effort| vec![step::table(effort)]),
    ("campaign", |effort| vec![campaign::table(effort)]),
    ("exhaust", |effort| vec![exhaust::table(effort)]),
    ("recordings", |effort| vec![recordings::table(effort)]),
];

fn groups() -> PossibleValuesParser {
    PossibleValuesParser::new(GROUPS.map(|(name, _)| name))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let [name, live] = &arguments.bytes_of[..] {
        return child(name, live);
    }
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let mut all: Vec<(String, Value)> = Vec::new();
    for (group, tables) in GROUPS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|it| it == group) {
            continue;
        }
        for table in tables(effort) {
            println!("{table}");
            all.push((table.title.clone(), table.json()));
        }
    }
    let Some(path) = &arguments.json else { return ExitCode::SUCCESS };
    let tables: Vec<Value> = all.into_iter().map(|(_, table)| table).collect();
    match std::fs::write(path, format!("{:#}\n", json!({ "tables": tables }))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("{}: {error}", path.display())),
    }
}

fn child(name: &str, live: &str) -> ExitCode {
    let found = live.parse().map_err(|_| format!("`{live}` is no number"));
    match found.and_then(|live| bytes::of(name, live)) {
        Ok(bytes) => {
            println!("{bytes}");
            ExitCode::SUCCESS
        }
        Err(why) => complain(&why),
    }
}

#[allow(clippy::print_stderr, reason = "a benchmark tells its user what is wrong")]
fn complain(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}
