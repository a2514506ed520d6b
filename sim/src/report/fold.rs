//! Failures that are one failure: of the same kind on the same backend. The smallest case
//! stands for all of them, and the others are counted.
//!
//! A function of the results in their order, so the number of threads changes nothing, and
//! results that were put together fold like those of one run.
//!
//! Deliberately not here: what makes two failures one kind ([`crate::campaign::shape`]).

use std::collections::BTreeMap;

use super::CaseResult;

/// One failure, however often it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the result stands that stands for all.
    pub at: usize,
    /// How many cases failed so.
    pub seen: u64,
}

/// The shrunk failures among the results of a run, each with the smallest case of its kind, in
/// case order.
#[must_use]
pub fn failures(results: &[CaseResult]) -> Vec<Failure> {
    let mut kinds: BTreeMap<(&str, &str), Failure> = BTreeMap::new();
    let size = |at: usize| results[at].shrunk.as_ref().map(|shrunk| (shrunk.to, shrunk.length));
    for (at, result) in results.iter().enumerate() {
        let Some(shrunk) = &result.shrunk else { continue };
        let failure =
            kinds.entry((&result.backend, &shrunk.kind)).or_insert(Failure { at, seen: 0 });
        failure.seen += 1;
        if size(at) < size(failure.at) {
            failure.at = at;
        }
    }
    let mut failures: Vec<Failure> = kinds.into_values().collect();
    failures.sort_by_key(|failure| failure.at);
    failures
}

/// The results that a report tells of, each with how often it was seen: those that stand for
/// others, and those that nothing was folded into (0).
pub fn told(results: &[CaseResult]) -> impl Iterator<Item = (&CaseResult, u64)> {
    let seen: BTreeMap<usize, u64> =
        failures(results).into_iter().map(|failure| (failure.at, failure.seen)).collect();
    results.iter().enumerate().filter_map(move |(at, result)| match seen.get(&at) {
        Some(&times) => Some((result, times)),
        None => result.shrunk.is_none().then_some((result, 0)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::result::Shrunk;
    use super::super::{CaseResult, VerdictWord};
    use super::*;

    fn failed(name: &str, backend: &str, kind: &str, size: (usize, usize)) -> CaseResult {
        let (to, length) = size;
        CaseResult {
            shrunk: Some(Shrunk { from: 100, to, length, kind: kind.to_owned() }),
            ..CaseResult::new(name, backend, VerdictWord::Diverges)
        }
    }

    #[test]
    fn the_smallest_stands_for_all_of_its_kind() {
        let results = [
            failed("a", "model", "VF-01.x", (4, 9)),
            failed("b", "model", "VF-01.x", (3, 9)),
            CaseResult::new("c", "model", VerdictWord::Agrees),
            failed("d", "model", "VF-01.x", (3, 8)),
            failed("e", "model", "VF-01.x", (3, 8)),
        ];
        assert_eq!(failures(&results), [Failure { at: 3, seen: 4 }]);
        let told: Vec<_> = told(&results).map(|(it, seen)| (&*it.scenario, seen)).collect();
        assert_eq!(told, [("c", 0), ("d", 4)]);
    }

    #[test]
    fn another_backend_or_kind_is_another_failure() {
        let results = [
            failed("a", "one", "VF-01.x", (1, 1)),
            failed("a", "two", "VF-01.x", (1, 1)),
            failed("b", "one", "VF-02.x", (1, 1)),
        ];
        assert_eq!(failures(&results).len(), 3);
    }
}
