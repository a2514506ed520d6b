//! The kernel's view against the ledger: every page of the arena, permission by permission.
//!
//! Deliberately not here: contents. Reading them is the runner's work, through real touches.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::kernel_view::{self, Mapping};
use super::manager::LinuxManager;
use super::mapping::Prot;
use crate::ledger::Ledger;

impl LinuxManager {
    /// Compares the two.
    ///
    /// # Errors
    /// The first page on which they differ, with both views.
    pub(super) fn compare_views(&self) -> Result<(), String> {
        let space = self.space();
        let arena = self.arena.range();
        let promised = promised(&space.ledger, &arena);
        // Neighbours that are alike are one mapping, so there are hardly more than promises.
        let mapped = kernel_view::mappings(&arena, promised.len());
        let mapped = mapped.map_err(|error| error.to_string())?;
        let overdue = self.overdue.load(Ordering::Relaxed);
        compare(&promised, &mapped, overdue)
    }
}

/// What a run of pages ought to be.
#[derive(Clone, Debug)]
struct Promise {
    range: Range<u64>,
    prot: Prot,
    committed: bool,
}

fn promised(ledger: &Ledger, arena: &Range<u64>) -> Vec<Promise> {
    let nothing = |range| Promise { range, prot: Prot::NONE, committed: false };
    let mut promises = Vec::new();
    let mut from = arena.start;
    for allocation in ledger.allocations() {
        let whole = allocation.range();
        promises.push(nothing(from..whole.start));
        promises.extend(allocation.runs(&whole).map(|(range, state)| Promise {
            range,
            prot: state.prot(),
            committed: state.is_committed(),
        }));
        from = whole.end;
    }
    promises.push(nothing(from..arena.end));
    promises
}

fn compare(promised: &[Promise], mapped: &[Mapping], overdue: bool) -> Result<(), String> {
    let mut mappings = mapped.iter().peekable();
    for promise in promised {
        let mut at = promise.range.start;
        while at < promise.range.end {
            let Some(mapping) = mappings.peek().filter(|one| one.range.contains(&at)) else {
                return Err(format!("{at:#x}: the kernel has no mapping there"));
            };
            let excused = overdue && !promise.committed;
            if mapping.prot != promise.prot && !excused {
                return Err(format!(
                    "{at:#x}: the ledger says {:?}, the kernel {:?}",
                    promise.prot, mapping.prot
                ));
            }
            at = mapping.range.end.min(promise.range.end);
            if at == mapping.range.end {
                mappings.next();
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(range: Range<u64>, prot: Prot, committed: bool) -> Promise {
        Promise { range, prot, committed }
    }

    #[test]
    fn views_agree_however_they_are_cut() {
        let promised = [
            promise(0..2, Prot::NONE, false),
            promise(2..3, Prot::READ, true),
            promise(3..5, Prot::READ, true),
            promise(5..9, Prot::NONE, true),
        ];
        let mapped = [
            Mapping { range: 0..1, prot: Prot::NONE },
            Mapping { range: 1..2, prot: Prot::NONE },
            Mapping { range: 2..5, prot: Prot::READ },
            Mapping { range: 5..9, prot: Prot::NONE },
        ];
        assert_eq!(compare(&promised, &mapped, false), Ok(()));
        let error = compare(&promised, &mapped[..3], false).unwrap_err();
        assert!(error.starts_with("0x5"), "{error}");
    }

    #[test]
    fn a_permission_too_many_is_named_unless_a_decommit_is_overdue() {
        let promised = [promise(0..4, Prot::NONE, false), promise(4..6, Prot::READ, true)];
        let mapped = [
            Mapping { range: 0..4, prot: Prot::READ_WRITE },
            Mapping { range: 4..6, prot: Prot::READ },
        ];
        let error = compare(&promised, &mapped, false).unwrap_err();
        assert_eq!(error, "0x0: the ledger says ---, the kernel rw-");
        assert_eq!(compare(&promised, &mapped, true), Ok(()));
    }
}
