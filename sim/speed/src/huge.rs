//! Single calls on what is large: one reservation of 256 GiB, and one with a million runs.

use hostmem_interface::{Address, Machine};
use hostmem_model::State;
use hostmem_model::actor::Actor;

use crate::Effort;
use crate::measure::{median, quantile, wall_time};
use crate::stream::{Kind, Op, PAGE};
use crate::table::{Cell, Table};

const BASE: u64 = 1 << 40;
/// 256 GiB.
const PAGES: u32 = 64 << 20;

/// The table.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let (runs, calls) = match effort {
        Effort::Full => (1_000_000, 4000),
        Effort::Quick => (100_000, 500),
    };
    let mut table = Table::new(
        "Single calls on a reservation of 256 GiB",
        "Nanoseconds, each call timed alone (which costs some 25 ns itself): of nothing but \
         reserved pages, and with every other page of its beginning committed. Calls are of one \
         page unless they say otherwise.",
        &["untouched: median", "99 %", &format!("{runs} runs: median"), "its 99 %"],
    );
    let whole = Op { at: BASE, pages: PAGES, kind: Kind::Reserve, protect: 0 };
    let mut plain = Actor::new(State::new(Machine::WINDOWS_X64));
    plain.act(&whole.call());
    let mut patched = plain.clone();
    for run in 0..runs {
        patched.act(&page(Kind::Commit, 2 * run).call());
    }
    let span = 2 * runs;
    let spread = |at: u32| u32::try_from(u64::from(at) * 7919 * 64 % u64::from(span)).expect("few");
    for (name, kinds) in [
        ("query", &[Kind::Query][..]),
        ("commit, then decommit", &[Kind::Commit, Kind::Decommit]),
        ("commit, protect, then decommit", &[Kind::Commit, Kind::Protect, Kind::Decommit]),
    ] {
        let mut cells = Vec::new();
        for actor in [&mut plain, &mut patched] {
            let mut samples = Vec::new();
            for call in 0..calls {
                for kind in kinds {
                    // Odd pages are reserved, and come out as they were.
                    let call = page(*kind, spread(call) | 1).call();
                    samples.push(wall_time(|| drop(actor.act(&call))));
                }
            }
            cells.extend([median(&samples), quantile(&samples, 99)].map(Cell::Number));
        }
        table.row(name, cells);
    }
    let mut cells = Vec::new();
    for actor in [&mut plain, &mut patched] {
        let all = |kind| Op { kind, ..whole }.call();
        let mut once = |kind| wall_time(|| drop(actor.act(&all(kind))));
        cells.extend([Cell::Number(once(Kind::Commit)), Cell::Empty]);
    }
    table.row("commit of all its pages, once", cells);
    table
}

fn page(kind: Kind, page: u32) -> Op {
    let at = Address(BASE).wrapping_add(u64::from(page) * PAGE).0;
    Op { at, pages: 1, kind, protect: 0 }
}
