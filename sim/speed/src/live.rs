//! The stream at several numbers of live reservations, all contestants side by side.

use hostmem::random::Draw;
use hostmem_interface::{Backend as _, Machine};
use hostmem_slow_twin::SlowTwinBackend;

use crate::Effort;
#[cfg(target_os = "linux")]
use crate::contestant::Kernel;
use crate::contestant::{Asked, Contestant, Model, Nothing, Ranges, Runs};
use crate::measure::{exponent, median, time};
use crate::stream::{Op, Plan};
use crate::table::{Cell, Table};

/// A median is taken of the times of so many calls.
const CHUNK: usize = 1000;
/// The twin has an entry for each page: more would fill the memory.
const MOST_OF_TWIN: usize = 10_000;

/// The contestants, in the order of the table.
const NAMES: [&str; 6] = [
    "model: decide, answer, apply",
    "Linux: mmap, mprotect, munmap, PROCMAP_QUERY",
    "crate `rangemap`",
    "one `BTreeMap` of runs",
    "slow twin, an entry a page, behind the interface",
    "reading the stream and doing nothing",
];

/// Why somebody does not take part, or who does.
type Entrant = Result<Box<dyn Contestant>, String>;

/// Nanoseconds a call, and how they grow; then ratios to the model.
#[must_use]
pub fn tables(effort: Effort) -> Vec<Table> {
    let sizes: &[usize] = match effort {
        Effort::Full => &[100, 10_000, 100_000, 1_000_000],
        Effort::Quick => &[100, 10_000],
    };
    let figures: Vec<[Result<f64, String>; NAMES.len()]> =
        sizes.iter().map(|live| at(*live, effort)).collect();
    let mut columns: Vec<String> = sizes.iter().map(|live| shown(*live)).collect();
    columns.push("exponent".to_owned());
    let mut times = Table::new(
        "The stream, by live reservations",
        "Nanoseconds a call: median over chunks of 1000 calls, in rounds in which all take \
         turns. The exponent says how the cost grows with the number of live reservations.",
        &columns.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    columns.pop();
    let mut ratios = Table::new(
        "The same, by the model's time",
        "How many times as long as the model a contestant takes.",
        &columns.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    for (row, name) in NAMES.iter().enumerate() {
        let cell = |figure: &Result<f64, String>, by: f64, of: fn(f64) -> Cell| match figure {
            Ok(time) => of(time / by),
            Err(why) => Cell::Text(why.clone()),
        };
        let mut cells: Vec<Cell> =
            figures.iter().map(|at| cell(&at[row], 1.0, Cell::Number)).collect();
        let known = sizes
            .iter()
            .zip(&figures)
            .filter_map(|(live, at)| at[row].as_ref().ok().map(|time| (*live as f64, *time)));
        let points: Vec<(f64, f64)> = known.collect();
        cells.push(if points.len() > 1 {
            Cell::Text(format!("{:.2}", exponent(&points)))
        } else {
            Cell::Empty
        });
        times.row(name, cells);
        let model = |at: &[Result<f64, String>; NAMES.len()]| *at[0].as_ref().unwrap_or(&f64::NAN);
        ratios.row(name, figures.iter().map(|at| cell(&at[row], model(at), Cell::Ratio)).collect());
    }
    vec![times, ratios]
}

/// A count as people write it.
#[must_use]
pub fn shown(count: usize) -> String {
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// Everybody's median at one number of live reservations.
fn at(live: usize, effort: Effort) -> [Result<f64, String>; NAMES.len()] {
    let (rounds, chunks) = match effort {
        Effort::Full => (5, 60),
        Effort::Quick => (3, 10),
    };
    let mut draw = Draw::from_number(live as u64);
    let (mut plan, setup) = Plan::with(live, &mut draw);
    let mut entrants = entrants(live);
    for entrant in entrants.iter_mut().flatten() {
        entrant.replay(&setup);
    }
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); NAMES.len()];
    let mut sums = [0_u64; NAMES.len()];
    for _ in 0..rounds {
        let ops = plan.ops(chunks * CHUNK, &mut draw);
        for (at, entrant) in entrants.iter_mut().enumerate() {
            let Ok(entrant) = entrant else { continue };
            sums[at] = replayed(&mut **entrant, &ops, sums[at], &mut times[at]);
        }
    }
    let same = [0, 2, 3].map(|at| sums[at]);
    assert!(same.iter().all(|sum| *sum == same[0]), "the answers differ: {same:x?}");
    let mut times = times.into_iter();
    entrants.map(|entrant| {
        let times = times.next().unwrap_or_default();
        match entrant?.gave_up() {
            Some(why) => Err(why.to_owned()),
            None => Ok(median(&times) / CHUNK as f64),
        }
    })
}

/// Replays operations chunk by chunk; each chunk's time is one sample.
fn replayed(who: &mut dyn Contestant, ops: &[Op], sum: u64, times: &mut Vec<f64>) -> u64 {
    ops.chunks(CHUNK).fold(sum, |sum, chunk| {
        let mut more = 0;
        times.push(time(|| more = who.replay(chunk)));
        sum ^ more
    })
}

/// Everybody, in the order of the table.
fn entrants(live: usize) -> [Entrant; NAMES.len()] {
    let twin = || match live {
        0..=MOST_OF_TWIN => {
            let opened = SlowTwinBackend.open(&Machine::WINDOWS_X64);
            let asked = opened.map_err(|error| error.to_string())?;
            Ok(Box::new(Asked(asked)) as Box<dyn Contestant>)
        }
        _ => Err("–".to_owned()),
    };
    [
        Ok(Box::new(Model::default())),
        kernel(),
        Ok(Box::new(Ranges::default())),
        Ok(Box::new(Runs::default())),
        twin(),
        Ok(Box::new(Nothing)),
    ]
}

#[cfg(target_os = "linux")]
fn kernel() -> Entrant {
    let opened = hostmem_backends::linux::BareLinux::open();
    opened.map(|it| Box::new(Kernel::new(it)) as Box<dyn Contestant>).map_err(|it| it.to_string())
}

#[cfg(not(target_os = "linux"))]
fn kernel() -> Entrant {
    Err("not Linux".to_owned())
}
