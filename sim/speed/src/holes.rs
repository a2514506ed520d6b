//! First fit: a reservation at a place of the manager's choice, with many holes below that are
//! too small.

use hostmem_interface::{Address, Call, Machine, Outcome, Reply, Value};
use hostmem_model::State;
use hostmem_model::actor::Actor;

use crate::Effort;
use crate::live::shown;
use crate::measure::{exponent, median, time};
use crate::table::{Cell, Table};

const GRANULE: u64 = 0x1_0000;
/// A median is taken of the times of so many reservations.
const BATCH: usize = 64;

/// The model's figure, and Linux's or why there is none.
type Measured = (f64, Result<f64, String>);

/// The table.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let (sizes, rounds): (&[usize], usize) = match effort {
        Effort::Full => (&[1000, 10_000, 100_000, 1_000_000], 400),
        Effort::Quick => (&[1000, 10_000], 100),
    };
    let mut columns: Vec<String> = sizes.iter().map(|count| shown(*count)).collect();
    columns.push("exponent".to_owned());
    let mut table = Table::new(
        "First fit, by holes that are too small",
        "Nanoseconds a reservation of 128 KiB at a null address: the model goes up past the \
         holes of 64 KiB to the lowest that is large enough; for Linux, `mmap(NULL)` with as \
         many holes in the way. Both give the place back afterwards, which is not timed.",
        &columns.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let measured: Vec<Measured> =
        sizes.iter().map(|holes| (model(*holes, rounds), linux(*holes, rounds))).collect();
    let growth = |of: fn(&Measured) -> Option<f64>| {
        let points = sizes.iter().zip(&measured);
        let points = points.filter_map(|(holes, figures)| Some((*holes as f64, of(figures)?)));
        let points: Vec<(f64, f64)> = points.collect();
        Cell::Text(format!("{:.2}", exponent(&points)))
    };
    let mut cells: Vec<Cell> = measured.iter().map(|it| Cell::Number(it.0)).collect();
    cells.push(growth(|it| Some(it.0)));
    table.row("model", cells);
    let told = |figure: &Result<f64, String>, of: &dyn Fn(f64) -> Cell| match figure {
        Ok(figure) => of(*figure),
        Err(why) => Cell::Text(why.clone()),
    };
    let mut cells: Vec<Cell> = measured.iter().map(|it| told(&it.1, &Cell::Number)).collect();
    cells.push(growth(|it| it.1.as_ref().ok().copied()));
    table.row("Linux: mmap(NULL)", cells);
    let ratios = measured.iter().map(|it| told(&it.1, &|linux| Cell::Ratio(linux / it.0)));
    let mut cells: Vec<Cell> = ratios.collect();
    cells.push(Cell::Empty);
    table.row("Linux by the model", cells);
    table
}

fn base(reply: &Reply) -> Address {
    match reply {
        Reply::Outcome {
            outcome: Outcome::Done { value: Value::Address(address), .. }, ..
        } => *address,
        other => unreachable!("there is room: {other:?}"),
    }
}

fn model(holes: usize, rounds: usize) -> f64 {
    let mut actor = Actor::new(State::new(Machine::WINDOWS_X64));
    for at in 0..=holes as u64 {
        let call = reserve(Address(GRANULE * (1 + 2 * at)), GRANULE);
        base(&actor.act(&call));
    }
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let mut bases = [Address::NULL; BATCH];
        samples.push(time(|| {
            for place in &mut bases {
                *place = base(&actor.act(&Call::reserve_hole(2 * GRANULE)));
            }
        }));
        for place in bases {
            actor.act(&Call::release(place));
        }
    }
    median(&samples) / BATCH as f64
}

fn reserve(address: Address, size: u64) -> Call {
    match Call::reserve_hole(size) {
        Call::VirtualAlloc { kind, protect, critical, .. } => {
            Call::VirtualAlloc { address, size, kind, protect, critical }
        }
        other => other,
    }
}

#[cfg(target_os = "linux")]
fn linux(holes: usize, rounds: usize) -> Result<f64, String> {
    let told = |error: std::io::Error| error.to_string();
    let kernel = hostmem_backends::linux::BareLinux::open().map_err(told)?;
    let span = kernel.reserve_anywhere((2 * holes as u64 + 1) * GRANULE).map_err(told)?;
    for at in 0..holes as u64 {
        let start = (2 * at + 1) * GRANULE;
        let punched = kernel.punch(&span, start..start + GRANULE);
        punched.map_err(|_| "vm.max_map_count is too small".to_owned())?;
    }
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let mut places = Vec::with_capacity(BATCH);
        samples.push(time(|| {
            for _ in 0..BATCH {
                places.push(kernel.reserve_anywhere(2 * GRANULE));
            }
        }));
        for place in places {
            kernel.release_anywhere(place.map_err(told)?).map_err(told)?;
        }
    }
    kernel.release_anywhere(span).map_err(told)?;
    Ok(median(&samples) / BATCH as f64)
}

#[cfg(not(target_os = "linux"))]
fn linux(_: usize, _: usize) -> Result<f64, String> {
    Err("not Linux".to_owned())
}
