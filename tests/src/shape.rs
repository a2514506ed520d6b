//! The shape of a stream of calls: its mix, the sizes of its commits, how long it commits
//! upward without a break, and how long reservations live. And how far two shapes are apart.
//!
//! A recording is a whole process and a profile is a part of one, so a shape can be taken of
//! the calls on one kind of reservation alone: its [`Role`].
//!
//! Deliberately not here: which recording a profile is held against, and how near it must be.

use std::collections::BTreeMap;

use hostmem_interface::scenario::{Action, Name, Place, Scenario, Step};
use hostmem_interface::{Address, AllocationType, Call, FreeType, Protection};

/// Which reservations' calls are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All of them.
    Everything,
    /// The collector's segments: read-write, 64 MiB and more. With the questions for the
    /// memory load, which the collector asks.
    Segments,
    /// The collector's tables: smaller, and watched.
    Tables,
    /// Loader and code heaps: without access, at addresses asked for. With the queries of
    /// free memory that look for a place.
    Loader,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
struct Made {
    role: Role,
    born: usize,
    /// Where its last commit ended.
    end: u64,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// How often each kind of call came.
    pub mix: BTreeMap<&'static str, u64>,
    /// Bytes of each commit.
    pub sizes: Vec<u64>,
    /// For each run of commits in a row, each beginning where the one before ended: how many.
    pub runs: Vec<u64>,
    /// For each reservation that was released: how many calls later.
    pub lives: Vec<u64>,
}

/// A call of a virtual-memory manager, and what it is called in a mix.
fn kind(call: &Call<Place, Name>) -> Option<&'static str> {
    Some(match call {
        Call::VirtualAlloc { kind, .. } if kind.contains(AllocationType::RESERVE) => "reserve",
        Call::VirtualAlloc { kind, .. } if kind.contains(AllocationType::COMMIT) => "commit",
        Call::VirtualAlloc { .. } => "reset",
        Call::VirtualFree { kind, .. } if *kind == FreeType::RELEASE => "release",
        Call::VirtualFree { .. } => "decommit",
        Call::VirtualQuery { .. } => "query",
        Call::VirtualProtect { .. } => "protect",
        Call::GetWriteWatch { .. } => "get-watch",
        Call::ResetWriteWatch { .. } => "reset-watch",
        Call::GetMemoryLoad => "load",
        _ => return None,
    })
}

/// The role of a reservation.
fn role(call: &Call<Place, Name>) -> Role {
    let Call::VirtualAlloc { address, size, kind, protect, .. } = call else {
        return Role::Everything;
    };
    let anywhere = *address == Place::Absolute(Address::NULL);
    match *protect {
        Protection::NOACCESS if !anywhere => Role::Loader,
        Protection::READWRITE if *size >= 64 << 20 => Role::Segments,
        // 64 KiB are a start-up's question whether there is write watch at all.
        Protection::READWRITE if kind.contains(AllocationType::WRITE_WATCH) && *size > 64 << 10 => {
            Role::Tables
        }
        _ => Role::Everything,
    }
}

/// A stream being looked at.
struct Look<'a> {
    shape: &'a mut Shape,
    wanted: Role,
    names: BTreeMap<u32, Made>,
    calls: usize,
    run: u64,
    last: Option<u32>,
}

impl Shape {
    /// Looks at the calls of a scenario that belong to a role, too.
    pub fn add(&mut self, scenario: &Scenario, wanted: Role) {
        let names = BTreeMap::new();
        let mut look = Look { shape: self, wanted, names, calls: 0, run: 0, last: None };
        for step in &scenario.steps {
            look.step(step);
        }
        look.end_run();
    }

    /// How many calls were looked at.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.mix.values().sum()
    }

    /// The share of a kind of call, in percent.
    #[must_use]
    pub fn share(&self, kind: &str) -> f64 {
        100.0 * self.mix.get(kind).copied().unwrap_or(0) as f64 / self.calls().max(1) as f64
    }
}

impl Look<'_> {
    fn step(&mut self, step: &Step) {
        let Action::Call(call) = &step.action else {
            if let (Action::Hole { .. }, Some(Name(name))) = (&step.action, step.bind) {
                self.names.insert(name, Made { role: Role::Loader, born: 0, end: 0 });
            }
            return;
        };
        let Some(kind) = kind(call) else { return };
        if let Some(Name(name)) = step.bind {
            let role = role(call);
            self.names.insert(name, Made { role, born: self.calls, end: 0 });
            self.count(name, kind, 0, call);
        } else if let Some(Place::Relative { name, offset }) = place(call) {
            self.count(name.0, kind, offset, call);
        } else if kind == "load" && self.is_wanted(Role::Segments) {
            *self.shape.mix.entry(kind).or_default() += 1;
            self.calls += 1;
        }
    }

    fn is_wanted(&self, role: Role) -> bool {
        self.wanted == Role::Everything || self.wanted == role
    }

    fn count(&mut self, name: u32, kind: &'static str, offset: u64, call: &Call<Place, Name>) {
        let Some(made) = self.names.get(&name).copied() else { return };
        if !self.is_wanted(made.role) {
            return;
        }
        *self.shape.mix.entry(kind).or_default() += 1;
        self.calls += 1;
        if kind != "commit" {
            self.end_run();
        }
        match call {
            Call::VirtualAlloc { size, .. } if kind == "commit" => {
                if self.last != Some(name) || made.end != offset {
                    self.end_run();
                }
                self.run += 1;
                self.last = Some(name);
                self.shape.sizes.push(*size);
                self.names.insert(name, Made { end: offset.wrapping_add(*size), ..made });
            }
            Call::VirtualFree { .. } if kind == "release" => {
                self.shape.lives.push((self.calls - made.born) as u64);
            }
            _ => {}
        }
    }

    fn end_run(&mut self) {
        if self.run > 0 {
            self.shape.runs.push(self.run);
        }
        self.run = 0;
        self.last = None;
    }
}

/// The place that a call is about.
fn place(call: &Call<Place, Name>) -> Option<Place> {
    match call {
        Call::VirtualAlloc { address, .. }
        | Call::VirtualFree { address, .. }
        | Call::VirtualQuery { address, .. }
        | Call::VirtualProtect { address, .. }
        | Call::GetWriteWatch { address, .. }
        | Call::ResetWriteWatch { address, .. } => Some(*address),
        _ => None,
    }
}

/// How far two mixes are apart: the share of calls that would have to be of another kind.
#[must_use]
pub fn mix_distance(a: &Shape, b: &Shape) -> f64 {
    let kinds = a.mix.keys().chain(b.mix.keys()).copied();
    let kinds: std::collections::BTreeSet<&str> = kinds.collect();
    kinds.iter().map(|kind| (a.share(kind) - b.share(kind)).abs()).sum::<f64>() / 200.0
}

/// How far two samples are apart: the largest difference of their distribution functions
/// (Kolmogorov and Smirnov) over powers of two, so that what differs by less than a factor of
/// two mostly counts as equal. 1 where only one of them is empty.
#[must_use]
pub fn distance(a: &[u64], b: &[u64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() && b.is_empty() { 0.0 } else { 1.0 };
    }
    let sorted = |sample: &[u64]| {
        let mut octaves: Vec<u32> = sample.iter().map(|it| it.max(&1).ilog2()).collect();
        octaves.sort_unstable();
        octaves
    };
    let (a, b) = (sorted(a), sorted(b));
    let share = |sample: &[u32], at: u32| {
        sample.partition_point(|it| *it <= at) as f64 / sample.len() as f64
    };
    let apart = |at: &u32| (share(&a, *at) - share(&b, *at)).abs();
    a.iter().chain(&b).map(apart).fold(0.0, f64::max)
}

/// A quantile of a sample, in percent; 0 of an empty one.
#[must_use]
pub fn quantile(sample: &[u64], percent: usize) -> u64 {
    let mut sorted = sample.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_what_they_say() {
        assert!((distance(&[1, 2], &[1, 2, 1, 2]) - 0.0).abs() < 1e-9);
        assert!((distance(&[1, 1], &[1, 9]) - 0.5).abs() < 1e-9);
        assert!((distance(&[1], &[9]) - 1.0).abs() < 1e-9);
        assert!((distance(&[], &[9]) - 1.0).abs() < 1e-9);
        assert_eq!((quantile(&[5, 1, 3], 50), quantile(&[], 50)), (3, 0));
    }
}
