//! Everything that a manager's answers depend on: the space, its contents, the heaps, the
//! machine. A value: it can be cloned, and two equal histories give equal states.
//!
//! Deliberately not here: changes ([`crate::effect`]) and decisions ([`crate::rules`]).

use std::collections::BTreeMap;

use hostmem_interface::{Address, Machine};

use crate::contents::Contents;
use crate::heaps::Heaps;
use crate::pressure::Pressure;
use crate::space::Space;

/// Little memory, in bytes: a request below is not refused lightly (RS-01), and a commit limit
/// below promises nothing beside a heap, which may take as much for itself.
pub(crate) const SMALL: u64 = 64 << 20;

/// The state of one address space and the machine around it.
#[derive(Clone, Debug)]
pub struct State {
    /// The allocations.
    pub space: Space,
    /// What their pages hold.
    pub contents: Contents,
    /// The heaps and their blocks.
    pub heaps: Heaps,
    /// Memory load and notifications.
    pub pressure: Pressure,
    /// Mappings that the runtime announced: base to the first address behind.
    pub(crate) foreign: BTreeMap<u64, u64>,
}

impl State {
    /// An empty address space on a machine.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        Self {
            space: Space::new(machine),
            contents: Contents::new(machine.page),
            heaps: Heaps::default(),
            pressure: Pressure::new(&machine),
            foreign: BTreeMap::new(),
        }
    }

    /// The machine.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        self.space.machine()
    }

    /// The announced mapping that overlaps `[start, end)` and lies lowest: its base and the
    /// first address behind it.
    #[must_use]
    pub fn foreign_overlapping(&self, start: Address, end: Address) -> Option<(Address, Address)> {
        let before = self.foreign.range(..=start.0).next_back();
        let inside = self.foreign.range(start.0..end.0).next();
        before
            .filter(|(_, behind)| **behind > start.0)
            .or(inside)
            .map(|(base, behind)| (Address(*base), Address(*behind)))
    }

    /// The announced mappings, ascending.
    pub fn foreign(&self) -> impl Iterator<Item = (Address, Address)> {
        self.foreign.iter().map(|(base, end)| (Address(*base), Address(*end)))
    }

    /// Whether committing `bytes` more keeps within the commit limit (VA-27).
    #[must_use]
    pub fn may_commit(&self, bytes: u64) -> bool {
        let Some(limit) = self.machine().commit_limit else { return true };
        self.space.committed().checked_add(bytes).is_some_and(|total| total <= limit)
    }
}
