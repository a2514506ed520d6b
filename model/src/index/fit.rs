//! Where a new span fits: lowest and highest holes of at least a given size.
//!
//! Both are one descent that the largest gap of each child steers, so the number of
//! holes that are too small costs nothing. A search that begins in the middle of the
//! space first climbs from there to the subtrees on its right.
//!
//! Not here: a best fit, and alignment above one granule.

use super::tree::{Step, Tree};

impl Tree {
    /// Lowest `start >= low` with `start..start + want` free and no end above `high`.
    /// `want` is at least 1.
    pub(super) fn first_fit(&self, want: u32, low: u32, high: u32) -> Option<u32> {
        let fits = |start: u32| (high.saturating_sub(start) >= want).then_some(start);
        let Some(all) = self.whole() else { return fits(low) };
        // The lowest candidate decides: no other one ends below `high` if it does not.
        if low < all.first && all.first - low >= want {
            return fits(low);
        }
        let inside = match low {
            _ if all.gap < want => None,
            low if low < all.first => Some(self.first_hole(all.below, want)),
            low => self.first_hole_from(want, low),
        };
        fits(inside.unwrap_or_else(|| low.max(all.end)))
    }

    /// Whether some `want` granules inside `lowest..end` are free. `want` is at least 1.
    pub(super) fn fits(&self, want: u32, lowest: u32, end: u32) -> bool {
        let Some(all) = self.whole() else { return end - lowest >= want };
        all.gap.max(all.first - lowest).max(end - all.end) >= want
    }

    /// Highest `start` with `start..start + want` free and inside `lowest..end`.
    /// `want` is at least 1.
    pub(super) fn last_fit(&self, want: u32, lowest: u32, end: u32) -> Option<u32> {
        let fits = |low: u32, high: u32| (high - low >= want).then(|| high - want);
        let Some(all) = self.whole() else { return fits(lowest, end) };
        fits(all.end, end)
            .or_else(|| (all.gap >= want).then(|| self.last_hole(all.below, want) - want))
            .or_else(|| fits(lowest, all.first))
    }

    /// Start of the first hole of `want` between the spans below `id`, which has one.
    fn first_hole(&self, id: u32, want: u32) -> u32 {
        let mut node = self.node(id);
        loop {
            match node.wide(want, 0) {
                Some((at, true)) => return node.end(at),
                Some((at, false)) => node = self.node(node.below(at)),
                None => unreachable!("the gap of the parent's entry promised a hole"),
            }
        }
    }

    /// End of the last hole of `want` between the spans below `id`, which has one.
    fn last_hole(&self, id: u32, want: u32) -> u32 {
        let mut node = self.node(id);
        'down: loop {
            for at in (0..node.len()).rev() {
                match node.first(at + 1) {
                    Some(next) if next - node.end(at) >= want => return next,
                    _ => {}
                }
                if node.gap(at) >= want {
                    node = self.node(node.below(at));
                    continue 'down;
                }
            }
            unreachable!("the gap of the parent's entry promised a hole");
        }
    }

    /// Start of the first free stretch of `want` that begins at `low` or later and ends
    /// before some span. A span must start at `low` or before it.
    fn first_hole_from(&self, want: u32, low: u32) -> Option<u32> {
        for &Step { node, at } in &self.path(low)[..=self.height()] {
            let node = self.node(node);
            // The hole after the entry of the path may begin before `low`; its subtree
            // was searched one level further down.
            let start = node.end(at).max(low);
            if node.first(at + 1).is_some_and(|next| next.saturating_sub(start) >= want) {
                return Some(start);
            }
            match node.wide(want, at + 1) {
                Some((at, true)) => return Some(node.end(at)),
                Some((at, false)) => return Some(self.first_hole(node.below(at), want)),
                None => {}
            }
        }
        None
    }
}
