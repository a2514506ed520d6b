//! Which cases a run has, and in which order: scenarios first, then their sweeps of refusals,
//! then random ones; each case on every backend before the next.
//!
//! The order is that of the digest and of `--shard`, so it depends on nothing but the plan.
//!
//! Deliberately not here: the cases' results.

use std::fmt;
use std::str::FromStr;

use crate::engine::RandomCase;
use crate::files::{NamedScenario, Selection};
use crate::seed::Seed;

/// How many random cases `check` runs if nothing is said: with [`OPS`] operations each, about
/// a minute on two cores.
pub const CASES: u64 = 2000;
/// How many operations a random case has if nothing is said.
pub const OPS: usize = 1000;

/// A part of a run: the k-th of n, so that n machines share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 1.
    pub part: u64,
    /// How many parts.
    pub of: u64,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    const fn has(self, case: u64) -> bool {
        case % self.of == self.part - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no shard; expected k/n with 1 <= k <= n, such as 2/4");
        let (part, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let shard = Self { part: number(part)?, of: number(of)? };
        if (1..=shard.of).contains(&shard.part) { Ok(shard) } else { Err(wrong()) }
    }
}

/// The random part of a run.
#[derive(Clone, Debug)]
pub struct RandomPlan {
    /// The seed of the run.
    pub seed: Seed,
    /// How many cases; `None`: until something else ends the run.
    pub cases: Option<u64>,
    /// How many operations each.
    pub ops: usize,
    /// The profile.
    pub profile: String,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenarios, selected already.
    pub scenarios: Vec<NamedScenario>,
    /// Whether their calls are made to fail, one after the other.
    pub fail_each: bool,
    /// The random cases.
    pub random: Option<RandomPlan>,
    /// Which random cases are wanted.
    pub selection: Selection,
    /// Which part of it all.
    pub shard: Shard,
}

/// One case of a plan.
#[derive(Clone, Debug)]
pub enum Case<'a> {
    /// A scenario.
    Scenario(&'a NamedScenario),
    /// A scenario whose calls are made to fail.
    FailEach(&'a NamedScenario),
    /// A case that is made up.
    Random(RandomCase),
}

impl Case<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Scenario(scenario) | Self::FailEach(scenario) => scenario.name.clone(),
            Self::Random(random) => random.name(),
        }
    }
}

impl Plan {
    /// How many cases it has in all, before selection and sharding.
    fn end(&self) -> Option<u64> {
        let random = self.random.as_ref().map_or(Some(0), |random| random.cases);
        random.map(|random| self.fixed().saturating_add(random))
    }

    /// How many cases are made of scenarios.
    fn fixed(&self) -> u64 {
        self.scenarios.len() as u64 * if self.fail_each { 2 } else { 1 }
    }

    /// The case with that number, if it is wanted.
    fn case(&self, number: u64) -> Option<Case<'_>> {
        if !self.shard.has(number) {
            return None;
        }
        let scenarios = self.scenarios.len() as u64;
        let scenario = |at: u64| usize::try_from(at).ok().and_then(|at| self.scenarios.get(at));
        if number < scenarios {
            return scenario(number).map(Case::Scenario);
        }
        if number < self.fixed() {
            return scenario(number - scenarios).map(Case::FailEach);
        }
        let random = self.random.as_ref()?;
        let index = number - self.fixed();
        let case = RandomCase {
            index,
            seed: random.seed.case(index),
            ops: random.ops,
            profile: random.profile.clone(),
        };
        self.selection.selects(&case.name(), &[]).then_some(Case::Random(case))
    }

    /// How many cases will run, if that is known: for the progress bar.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let end = self.end()?;
        if self.selection.is_everything() {
            let (part, of) = (self.shard.part, self.shard.of);
            return Some(end / of + u64::from(end % of >= part));
        }
        Some((0..end).filter(|&number| self.case(number).is_some()).count() as u64)
    }
}

/// Goes through a plan.
#[derive(Debug)]
pub struct Cursor<'a> {
    plan: &'a Plan,
    backends: usize,
    number: u64,
    backend: usize,
    order: u64,
}

impl<'a> Cursor<'a> {
    /// At the start of a plan on that many backends.
    #[must_use]
    pub const fn new(plan: &'a Plan, backends: usize) -> Self {
        Self { plan, backends, number: 0, backend: 0, order: 0 }
    }
}

impl<'a> Iterator for Cursor<'a> {
    /// A case's place in the order, the case, and on which backend.
    type Item = (u64, Case<'a>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.plan.end().is_some_and(|end| self.number >= end) || self.backends == 0 {
                return None;
            }
            let backend = self.backend;
            let Some(case) = self.plan.case(self.number) else {
                self.number += 1;
                continue;
            };
            self.backend += 1;
            if self.backend == self.backends {
                self.backend = 0;
                self.number += 1;
            }
            self.order += 1;
            return Some((self.order - 1, case, backend));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cases: u64, shard: Shard) -> Plan {
        let random =
            RandomPlan { seed: Seed::DEFAULT, cases: Some(cases), ops: 1, profile: "p".into() };
        let random = Some(random);
        let selection = Selection::default();
        Plan { scenarios: Vec::new(), fail_each: false, random, selection, shard }
    }

    fn names(plan: &Plan, backends: usize) -> Vec<String> {
        Cursor::new(plan, backends)
            .map(|(order, case, backend)| format!("{order} {} {backend}", case.name()))
            .collect()
    }

    #[test]
    fn each_case_runs_on_every_backend_before_the_next() {
        let plan = plan(2, Shard::WHOLE);
        let expected = ["0 random/p/0 0", "1 random/p/0 1", "2 random/p/1 0", "3 random/p/1 1"];
        assert_eq!(names(&plan, 2), expected);
    }

    #[test]
    fn shards_share_the_cases_without_loss() {
        for (cases, of) in [(0, 3), (1, 3), (7, 3), (9, 3), (2, 1)] {
            let mut sum = 0;
            for part in 1..=of {
                let plan = plan(cases, Shard { part, of });
                let count = names(&plan, 1).len() as u64;
                assert_eq!(plan.size(), Some(count));
                sum += count;
            }
            assert_eq!(sum, cases);
        }
    }

    #[test]
    fn a_selected_random_case_keeps_its_seed() {
        let mut plan = plan(20, Shard::WHOLE);
        plan.selection = Selection::new(&["random/p/17".to_owned()], &[]).unwrap();
        assert_eq!(plan.size(), Some(1));
        let mut cursor = Cursor::new(&plan, 1);
        let Some((0, Case::Random(case), 0)) = cursor.next() else { panic!("a random case") };
        assert_eq!((case.index, case.seed), (17, Seed::DEFAULT.case(17)));
        assert!(cursor.next().is_none());
    }

    #[test]
    fn a_shard_is_k_of_n() {
        assert_eq!("2/4".parse(), Ok(Shard { part: 2, of: 4 }));
        for text in ["", "2", "0/4", "5/4", "a/b", "1/0", "-1/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("k/n"), "{text}");
        }
    }
}
