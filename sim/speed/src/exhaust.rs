//! An exhaustive search of a small scope beside the model checker `stateright`, which searches
//! the same states by the same calls: the model acting in a copy of its state.
//!
//! The two do not do the same. `stateright` carries each call out once. hostmem's search makes
//! it on a subject and judges the answer, looks at everything afterwards, and begins again on a
//! fresh subject after every change.

use std::fmt;
use std::hash::{Hash, Hasher};

use hostmem::exhaust::canonical::Key;
use hostmem::exhaust::{End, Layout, Manner, Scope, Search};
use hostmem_interface::scenario::{Place, SymbolicCall};
use hostmem_interface::{Address, Call, MallocId, Reply};
use hostmem_model::actor::Actor;
use hostmem_model::{ModelBackend, State};
use stateright::{Checker as _, Model, Property};

use crate::Effort;
use crate::measure::process_time;
use crate::table::{Cell, Table};

/// The table.
///
/// # Panics
/// If the model does not agree with itself: a benchmark of that is void.
#[must_use]
pub fn table(effort: Effort) -> Table {
    let depth = if effort == Effort::Full { 4 } else { 3 };
    let scope = Scope { depth, ..Scope::default() };
    let mut table = Table::new(
        "An exhaustive search",
        &format!("Every call from every state of this scope, one thread: {scope}."),
        &["states", "calls", "calls/s", "by `stateright`"],
    );
    let search = Search::new(&scope, &ModelBackend).expect("a scope for the model");
    let (mut states, mut calls) = (0, 0);
    let own = process_time(|| {
        let mut manner = Manner { jobs: 1, stop: &|| false, progress: &mut |_| () };
        let report = search.states(&mut manner).expect("a thread");
        assert!(matches!(report.end, End::Complete), "a benchmark of what differs is void");
        (states, calls) = (report.total().states, report.total().calls);
    });
    let (mut reached, mut steps) = (0, 0);
    let other = process_time(|| {
        let checker = Space::new(&search).checker().threads(1);
        let checker = checker.target_max_depth(depth as usize + 1).spawn_bfs().join();
        (reached, steps) = (checker.unique_state_count() as u64, checker.state_count() as u64);
    });
    let rate = |calls: u64, time: f64| calls as f64 / time * 1e9;
    let ratio = rate(calls, own) / rate(steps, other);
    for (name, states, calls, time, ratio) in [
        ("hostmem exhaust, on the model", states, calls, own, Cell::Ratio(ratio)),
        ("`stateright`, over the same model", reached, steps, other, Cell::Empty),
    ] {
        let counts = [states, calls].map(|count| Cell::Number(count as f64));
        let [states, calls_shown] = counts;
        table.row(name, vec![states, calls_shown, Cell::Number(rate(calls, time)), ratio]);
    }
    table
}

/// The scope, as `stateright` wants it.
struct Space {
    layout: Layout,
    calls: Vec<SymbolicCall>,
    base: Address,
    first: Actor,
}

impl Space {
    fn new(search: &Search<'_>) -> Self {
        let layout = search.layout().clone();
        let mut first = Actor::new(State::new(layout.machine));
        let reply = first.act(&Call::reserve_hole(layout.size));
        let Reply::Outcome { outcome, .. } = reply else { unreachable!("the model answers") };
        let base = outcome.address().expect("room for the scope");
        first.act(&Call::release(base));
        Self { layout, calls: search.calls().to_vec(), base, first }
    }

    fn position(&self, actor: Actor) -> Position {
        Position { key: Key::of(&actor.state, &self.layout, self.base), actor }
    }
}

/// A state, known by its canonical form.
#[derive(Clone)]
struct Position {
    key: Key,
    actor: Actor,
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Hash for Position {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl Model for Space {
    type State = Position;
    type Action = usize;

    fn init_states(&self) -> Vec<Position> {
        vec![self.position(self.first.clone())]
    }

    fn actions(&self, _: &Position, actions: &mut Vec<usize>) {
        actions.extend(0..self.calls.len());
    }

    fn next_state(&self, last: &Position, action: usize) -> Option<Position> {
        let place = |place: &Place| {
            Ok::<_, std::convert::Infallible>(match place {
                Place::Absolute(address) => *address,
                Place::Relative { offset, .. } => self.base.wrapping_add(*offset),
            })
        };
        let Ok(call) = self.calls[action].resolve(place, |_| Ok(MallocId(0)));
        let mut actor = last.actor.clone();
        actor.act(&call);
        Some(self.position(actor))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("there is a state", |_, _| true)]
    }
}
