//! [`GranuleMap`]: which spans of a bounded space of granules are taken, and by what.
//!
//! One structure answers at once: who covers this granule, who comes before and after,
//! and where the next span of a given size fits. Each takes O(log n) and two or three
//! cache lines a level; holes, overlaps and fits are found without touching a value.
//!
//! - `node`: up to 16 entries as columns, with the largest gap below each;
//! - `tree`: the B+tree over an arena of nodes: search, insert, remove, walk;
//! - `fit`: first fit and last fit;
//! - here: the values, in a slab beside the tree, and the public names.
//!
//! Not here: growing, shrinking, splitting or merging a span, since an allocation does
//! none of these; addresses and bytes, since the caller picks the unit of a granule;
//! a cache of the last answer, since `&self` methods stay pure. A caller who wants one
//! keeps the slot of a span.

mod fit;
mod node;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::ops::Range;

use node::Entry;
use tree::{Tree, Walk};

/// A span and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'a, V> {
    /// First granule.
    pub start: u32,
    /// Number of granules, at least 1.
    pub granules: u32,
    /// Names the value until the span is removed; see [`GranuleMap::value`].
    pub slot: u32,
    /// What was inserted with the span.
    pub value: &'a V,
}

impl<V> Span<'_, V> {
    /// The first granule after the span.
    pub fn end(&self) -> u32 {
        self.start + self.granules
    }
}

/// A span and its value, to be changed in place.
#[derive(Debug, PartialEq, Eq)]
pub struct SpanMut<'a, V> {
    /// First granule.
    pub start: u32,
    /// Number of granules, at least 1.
    pub granules: u32,
    /// Names the value until the span is removed; see [`GranuleMap::value`].
    pub slot: u32,
    /// What was inserted with the span.
    pub value: &'a mut V,
}

/// Spans of granules that do not overlap, each with a value, in a bounded space.
#[derive(Clone)]
pub struct GranuleMap<V> {
    lowest: u32,
    end: u32,
    tree: Tree,
    /// The values by slot. A `V` with a spare bit pattern costs nothing extra.
    values: Vec<Option<V>>,
    /// Slots of `values` that are free, the next to be used last.
    spare: Vec<u32>,
}

impl<V> GranuleMap<V> {
    /// An empty map of the space `lowest..end`.
    ///
    /// # Panics
    /// If `lowest > end`.
    pub fn new(lowest: u32, end: u32) -> Self {
        assert!(lowest <= end, "a space from {lowest:#x} to {end:#x}");
        Self { lowest, end, tree: Tree::new(), values: Vec::new(), spare: Vec::new() }
    }

    /// The number of spans.
    pub fn len(&self) -> usize {
        self.values.len() - self.spare.len()
    }

    /// Whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the span `start..start + granules` and returns the slot of its value.
    ///
    /// # Panics
    /// If `granules` is 0, or the span leaves the space or overlaps another one.
    pub fn insert(&mut self, start: u32, granules: u32, value: V) -> u32 {
        let Some(end) = self.checked_end(start, granules) else {
            panic!("{granules} granules at {start:#x} are not in the space");
        };
        let slot = self.spare.last().copied().unwrap_or_else(|| {
            u32::try_from(self.values.len()).expect("fewer spans than granules")
        });
        let free = self.tree.insert(Entry { first: start, end, gap: 0, below: slot });
        assert!(free, "{granules} granules at {start:#x} are not free");
        match self.spare.pop() {
            Some(_) => self.values[slot as usize] = Some(value),
            None => self.values.push(Some(value)),
        }
        slot
    }

    /// Removes the span that starts at `start` and returns its value.
    pub fn remove(&mut self, start: u32) -> Option<V> {
        let slot = self.tree.remove(start)?.below;
        self.spare.push(slot);
        self.values[slot as usize].take()
    }

    /// The value of the span that starts at `start`.
    pub fn get(&self, start: u32) -> Option<&V> {
        let span = self.tree.floor(start).filter(|span| span.first == start)?;
        self.value(span.below)
    }

    /// The value of the span that starts at `start`, to be changed.
    pub fn get_mut(&mut self, start: u32) -> Option<&mut V> {
        let span = self.tree.floor(start).filter(|span| span.first == start)?;
        self.value_mut(span.below)
    }

    /// The value in `slot`, if a span owns it now. After a removal the slot may be given
    /// to another span.
    #[inline]
    pub fn value(&self, slot: u32) -> Option<&V> {
        self.values.get(slot as usize)?.as_ref()
    }

    /// The value in `slot`, to be changed; as [`Self::value`].
    #[inline]
    pub fn value_mut(&mut self, slot: u32) -> Option<&mut V> {
        self.values.get_mut(slot as usize)?.as_mut()
    }

    /// The span that covers `granule`.
    #[inline]
    pub fn at(&self, granule: u32) -> Option<Span<'_, V>> {
        let span = self.tree.floor(granule).filter(|span| granule < span.end)?;
        Some(self.span(span))
    }

    /// The span that covers `granule`, to be changed.
    pub fn at_mut(&mut self, granule: u32) -> Option<SpanMut<'_, V>> {
        let span = self.tree.floor(granule).filter(|span| granule < span.end)?;
        Some(SpanMut {
            start: span.first,
            granules: span.end - span.first,
            slot: span.below,
            value: self.values[span.below as usize].as_mut().expect("a span has a value"),
        })
    }

    /// The last span that starts at `granule` or before it, whether or not it covers it.
    #[inline(always)]
    pub fn at_or_before(&self, granule: u32) -> Option<Span<'_, V>> {
        self.tree.floor(granule).map(|span| self.span(span))
    }

    /// The first span that starts at `granule` or after it.
    pub fn next(&self, granule: u32) -> Option<Span<'_, V>> {
        self.tree.ceiling(granule).map(|span| self.span(span))
    }

    /// The whole hole around `granule`, which ends at spans or at the ends of the space.
    /// None if a span covers `granule` or the space does not contain it.
    pub fn hole(&self, granule: u32) -> Option<Range<u32>> {
        if granule < self.lowest || granule >= self.end {
            return None;
        }
        let (before, next) = self.tree.around(granule);
        let (low, high) = (before.unwrap_or(self.lowest), next.unwrap_or(self.end));
        (low <= granule).then_some(low..high)
    }

    /// Whether a span covers a granule of `start..start + granules`. That range may
    /// leave the space; a range of 0 granules overlaps nothing.
    pub fn overlaps(&self, start: u32, granules: u32) -> bool {
        let Some(more) = granules.checked_sub(1) else { return false };
        self.tree.floor(start.saturating_add(more)).is_some_and(|span| span.end > start)
    }

    /// Whether a range of `granules` granules is free.
    ///
    /// # Panics
    /// If `granules` is 0.
    pub fn fits(&self, granules: u32) -> bool {
        assert!(granules > 0, "a span has at least one granule");
        self.tree.fits(granules, self.lowest, self.end)
    }

    /// Lowest start of a free range of `granules` granules.
    ///
    /// # Panics
    /// If `granules` is 0.
    pub fn first_fit(&self, granules: u32) -> Option<u32> {
        self.first_fit_in(granules, self.lowest, self.end)
    }

    /// Lowest start of a free range of `granules` granules inside `low..high`.
    ///
    /// # Panics
    /// If `granules` is 0.
    pub fn first_fit_in(&self, granules: u32, low: u32, high: u32) -> Option<u32> {
        assert!(granules > 0, "a span has at least one granule");
        self.tree.first_fit(granules, low.max(self.lowest), high.min(self.end))
    }

    /// Highest start of a free range of `granules` granules.
    ///
    /// # Panics
    /// If `granules` is 0.
    pub fn last_fit(&self, granules: u32) -> Option<u32> {
        assert!(granules > 0, "a span has at least one granule");
        self.tree.last_fit(granules, self.lowest, self.end)
    }

    /// The spans in ascending order.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter { map: self, walk: Walk::new(&self.tree) }
    }

    #[inline]
    fn span(&self, entry: Entry) -> Span<'_, V> {
        Span {
            start: entry.first,
            // A check would read the end, in a cache line of its own, for callers that do not.
            granules: entry.end.wrapping_sub(entry.first),
            slot: entry.below,
            value: self.values[entry.below as usize].as_ref().expect("a span has a value"),
        }
    }

    /// The end of a span, if it is not empty and lies in the space.
    fn checked_end(&self, start: u32, granules: u32) -> Option<u32> {
        let end = start.checked_add(granules).filter(|&end| end <= self.end)?;
        (granules > 0 && start >= self.lowest).then_some(end)
    }

    /// Panics unless tree and slab are in order.
    #[cfg(test)]
    fn assert_invariants(&self) {
        assert_eq!(self.tree.assert_invariants(), self.len());
        assert_eq!(self.values.iter().flatten().count(), self.len());
        for span in self.iter() {
            assert!(span.start >= self.lowest && span.end() <= self.end);
        }
    }
}

/// The whole space: granules 0 up to, but not including, `u32::MAX`.
impl<V> Default for GranuleMap<V> {
    fn default() -> Self {
        Self::new(0, u32::MAX)
    }
}

/// The spans as a list of `start..end: value`; nodes and slots are of no interest.
impl<V: fmt::Debug> fmt::Debug for GranuleMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|span| (span.start..span.end(), span.value))).finish()
    }
}

/// The spans of a [`GranuleMap`] in ascending order.
#[derive(Debug)]
pub struct Iter<'a, V> {
    map: &'a GranuleMap<V>,
    walk: Walk<'a>,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = Span<'a, V>;

    fn next(&mut self) -> Option<Span<'a, V>> {
        self.walk.next().map(|entry| self.map.span(entry))
    }
}

impl<'a, V> IntoIterator for &'a GranuleMap<V> {
    type Item = Span<'a, V>;
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Iter<'a, V> {
        self.iter()
    }
}
