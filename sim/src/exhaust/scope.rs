//! How much is searched: a [`Scope`] says how many pages, granules and calls, and which
//! protections; a [`Layout`] says where the pages lie on a machine.
//!
//! The pages of a scope are spread over its granules, the first ones being fuller: three pages
//! in two granules are two and one. So an allocation may have a neighbour, and a short one
//! leaves a free tail that cannot be reserved (VA-16).
//!
//! Two machines are tried. On the *tight* one a granule is no larger than its pages need, so
//! the pages lie side by side. A subject that cannot show it gets 64-bit Windows, where the
//! granules have a gap of pages between them that only longer ranges touch.
//!
//! Deliberately not here: the calls ([`super::alphabet`]).

use std::fmt;

use hostmem_interface::scenario::MachineRequest;
use hostmem_interface::{Machine, Protection};

/// The most pages of a scope: canonical states stay short, and no more could be finished.
pub const MOST_PAGES: u32 = 16;
/// The last address of the tight machine: little to look through, and room for attempts
/// elsewhere.
const TIGHT_HIGHEST: u64 = 0x3FFF_FFFF;

/// What is searched exhaustively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// How many pages the calls name.
    pub pages: u32,
    /// Over how many granules they are spread.
    pub granules: u32,
    /// Every call is tried from every state reachable in fewer than this many calls.
    pub depth: u32,
    /// The protections that calls ask for.
    pub protections: Vec<Protection>,
    /// With memory reserved with `MEM_WRITE_WATCH`, and its functions.
    pub watch: bool,
    /// With `MEM_RESET` and `MEM_RESET_UNDO`.
    pub reset: bool,
}

impl Default for Scope {
    /// Three pages in two granules, five calls, one protection of each kind of fault; neither
    /// write watch nor reset.
    fn default() -> Self {
        let guarded = Protection::READWRITE | Protection::GUARD;
        Self {
            pages: 3,
            granules: 2,
            depth: 5,
            protections: vec![
                Protection::READWRITE,
                Protection::READONLY,
                Protection::NOACCESS,
                guarded,
            ],
            watch: false,
            reset: false,
        }
    }
}

/// What is wrong with a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Too few or too many pages.
    #[error("{0} pages; expected 1 to {MOST_PAGES}")]
    Pages(u32),
    /// Too few or too many granules.
    #[error("{0} granules for {1} pages; expected at least 1, and a page in each")]
    Granules(u32, u32),
    /// No calls.
    #[error("a depth of 0; expected at least 1")]
    Depth,
    /// Nothing to protect pages with.
    #[error("no protection; expected at least 1")]
    Protections,
    /// More calls than have numbers.
    #[error("{0} calls in each state; expected fewer than 65536: name fewer protections")]
    Calls(usize),
}

impl Scope {
    /// Whether it can be searched.
    ///
    /// # Errors
    /// What is wrong with it.
    pub const fn check(&self) -> Result<(), ScopeError> {
        if self.pages == 0 || self.pages > MOST_PAGES {
            return Err(ScopeError::Pages(self.pages));
        }
        if self.granules == 0 || self.granules > self.pages {
            return Err(ScopeError::Granules(self.granules, self.pages));
        }
        if self.depth == 0 {
            return Err(ScopeError::Depth);
        }
        if self.protections.is_empty() {
            return Err(ScopeError::Protections);
        }
        Ok(())
    }

    /// The granule that holds a page of the scope.
    const fn granule_of(&self, page: u32) -> u32 {
        page * self.granules / self.pages
    }

    /// The machine whose granules are as small as the scope allows.
    #[must_use]
    pub fn tight_machine(&self) -> Machine {
        let windows = Machine::WINDOWS_X64;
        let fullest = self.pages.div_ceil(self.granules).next_power_of_two();
        Machine {
            granularity: windows.page * u64::from(fullest),
            highest: TIGHT_HIGHEST,
            ..windows
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.protections.iter().map(ToString::to_string).collect();
        let Self { pages, granules, depth, .. } = self;
        write!(f, "pages {pages}, granules {granules}, depth {depth}, ")?;
        write!(f, "protections {}", words.join(" "))?;
        let extras = [(self.watch, "write watch"), (self.reset, "reset")];
        for (_, name) in extras.into_iter().filter(|(with, _)| *with) {
            write!(f, ", with {name}")?;
        }
        Ok(())
    }
}

/// Where the pages of a scope lie, counted from the base of the hole that they are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The machine.
    pub machine: Machine,
    /// The first byte of each page.
    pub pages: Vec<u64>,
    /// The size of the hole, whole granules, bytes.
    pub size: u64,
}

impl Layout {
    /// The layout of a scope on a machine.
    #[must_use]
    pub fn new(scope: &Scope, machine: Machine) -> Self {
        let mut pages: Vec<u64> = Vec::new();
        let mut last = 0;
        for page in 0..scope.pages {
            let granule = scope.granule_of(page);
            let next = match pages.last() {
                Some(before) if granule == last => before + machine.page,
                _ => u64::from(granule) * machine.granularity,
            };
            pages.push(next);
            last = granule;
        }
        Self { machine, pages, size: u64::from(scope.granules) * machine.granularity }
    }

    /// Every range from the start of one page to the end of the same or a later one: offset
    /// and size in bytes.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        let page = self.machine.page;
        self.pages.iter().enumerate().flat_map(move |(at, start)| {
            self.pages[at..].iter().map(move |last| (*start, last + page - start))
        })
    }

    /// What a scenario must ask for to be run on this machine.
    #[must_use]
    pub fn request(&self) -> MachineRequest {
        let (machine, windows) = (&self.machine, Machine::WINDOWS_X64);
        let other = |mine: u64, default: u64| (mine != default).then_some(mine);
        MachineRequest {
            page: other(machine.page, windows.page),
            granularity: other(machine.granularity, windows.granularity),
            lowest: other(machine.lowest, windows.lowest),
            highest: other(machine.highest, windows.highest),
            ..MachineRequest::default()
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offsets: Vec<String> = self.pages.iter().map(|at| format!("{at:#x}")).collect();
        let Machine { page, granularity, .. } = self.machine;
        write!(f, "pages of {page:#x} bytes at {}, ", offsets.join(" "))?;
        write!(f, "granules of {granularity:#x} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(pages: u32, granules: u32, machine: Option<Machine>) -> Layout {
        let scope = Scope { pages, granules, ..Scope::default() };
        scope.check().unwrap();
        Layout::new(&scope, machine.unwrap_or_else(|| scope.tight_machine()))
    }

    #[test]
    fn three_pages_in_two_granules_have_a_neighbour_and_a_tail() {
        let tight = layout(3, 2, None);
        assert_eq!((tight.machine.granularity, tight.size), (0x2000, 0x4000));
        assert_eq!(tight.pages, [0, 0x1000, 0x2000]);
        assert_eq!(tight.ranges().count(), 6);
        assert!(tight.ranges().any(|range| range == (0x1000, 0x2000)));
    }

    #[test]
    fn on_windows_the_granules_are_apart() {
        let wide = layout(3, 2, Some(Machine::WINDOWS_X64));
        assert_eq!((&wide.pages[..], wide.size), (&[0, 0x1000, 0x1_0000][..], 0x2_0000));
        assert!(wide.ranges().any(|range| range == (0x1000, 0x1_0000)));
        assert_eq!(wide.request(), MachineRequest::default());
    }

    #[test]
    fn no_granule_is_without_a_page_nor_too_small() {
        for pages in 1..=MOST_PAGES {
            for granules in 1..=pages {
                let layout = layout(pages, granules, None);
                let unit = layout.machine.granularity;
                let mut used: Vec<u64> = layout.pages.iter().map(|at| at / unit).collect();
                assert!(used.is_sorted());
                used.dedup();
                assert_eq!(used.len(), granules as usize, "{pages} pages, {granules} granules");
            }
        }
    }

    #[test]
    fn what_cannot_be_searched_is_explained() {
        let wrong = |pages, granules| Scope { pages, granules, ..Scope::default() }.check();
        assert_eq!(wrong(0, 1), Err(ScopeError::Pages(0)));
        assert_eq!(wrong(3, 4), Err(ScopeError::Granules(4, 3)));
        assert_eq!(Scope { depth: 0, ..Scope::default() }.check(), Err(ScopeError::Depth));
    }
}
