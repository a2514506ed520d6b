//! Which cases a run has, and in which order: scenarios first, then their sweeps of refusals,
//! then random ones; each case on every backend before the next.
//!
//! The order is that of the digest and of `--shard`, so it depends on nothing but the plan.
//!
//! Deliberately not here: the cases' results.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::RandomCase;
use crate::files::{NamedScenario, Selection};
use crate::seed::Seed;

/// How many random cases `check` runs if nothing is said: with [`OPS`] operations each, about
/// a minute on two cores.
pub const CASES: u64 = 2000;
/// How many operations a random case has if nothing is said.
pub const OPS: usize = 1000;

/// A part of a run: the k-th of n, so that n machines share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard {
    /// Counted from 1.
    pub part: u64,
    /// How many parts.
    pub of: u64,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    /// Whether the case with that number belongs to it.
    #[must_use]
    pub const fn has(self, case: u64) -> bool {
        case % self.of == self.part - 1
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomPlan {
    /// The seed of the run.
    pub seed: Seed,
    /// How many cases; `None`: until something else ends the run.
    pub cases: Option<u64>,
    /// How many operations each.
    pub ops: usize,
    /// The profiles, by name: the cases take turns. Not empty.
    pub profiles: Vec<String>,
    /// How many threads a case has.
    pub threads: u32,
    /// What is pinned of what the cases draw; empty if nothing is.
    pub swarm: String,
}

impl RandomPlan {
    /// So many cases of some profiles in turn, on one thread each, with nothing pinned.
    #[must_use]
    pub fn new(seed: Seed, cases: Option<u64>, ops: usize, profiles: &[&str]) -> Self {
        let profiles = profiles.iter().copied().map(str::to_owned).collect();
        Self { seed, cases, ops, profiles, threads: 1, swarm: String::new() }
    }

    /// Whose turn the case with that index is.
    #[must_use]
    pub fn profile(&self, index: u64) -> &str {
        let turn = index % self.profiles.len() as u64;
        &self.profiles[usize::try_from(turn).expect("less than their number")]
    }

    /// The case with that index.
    #[must_use]
    pub fn case(&self, index: u64) -> RandomCase {
        RandomCase {
            index,
            seed: self.seed.case(index),
            ops: self.ops,
            profile: self.profile(index).to_owned(),
            threads: self.threads,
            swarm: self.swarm.clone(),
        }
    }

    /// The options that ask for it.
    pub fn options(&self, add: &mut dyn FnMut(&str, String)) {
        add("seed", self.seed.to_string());
        for profile in &self.profiles {
            add("profile", profile.clone());
        }
        add("ops", self.ops.to_string());
        if let Some(cases) = self.cases {
            add("cases", cases.to_string());
        }
        if self.threads > 1 {
            add("threads", self.threads.to_string());
        }
        if !self.swarm.is_empty() {
            add("swarm", self.swarm.clone());
        }
    }

    /// Its options, for the head of a report.
    pub fn describe(&self, add: &mut dyn FnMut(&str, String)) {
        add("profile", self.profiles.join(" "));
        add("cases", self.cases.map_or("unlimited".to_owned(), |cases| cases.to_string()));
        add("ops", self.ops.to_string());
        if self.threads > 1 {
            add("threads", format!("{} in each case; such a run has no digest", self.threads));
        }
        if !self.swarm.is_empty() {
            add("swarm", self.swarm.clone());
        }
    }
}

/// Where a case's result belongs: by case, and for each case by backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the case in the plan, counted from 0.
    pub case: u64,
    /// Which backend, counted from 0.
    pub on: usize,
}

/// Which numbers of a plan are cases that are wanted, whatever the part of it all.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// How many scenarios there are, selected already.
    pub scenarios: u64,
    /// The random cases behind them.
    pub random: Option<&'a RandomPlan>,
    /// Which of these are wanted.
    pub selection: &'a Selection,
}

impl Numbers<'_> {
    /// The first number behind them; `None` if there is no end.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        let random = self.random.map_or(Some(0), |random| random.cases);
        random.map(|random| self.scenarios.saturating_add(random))
    }

    /// Whether the case with that number is wanted.
    #[must_use]
    pub fn wants(&self, number: u64) -> bool {
        let Some(index) = number.checked_sub(self.scenarios) else { return true };
        let Some(random) = self.random else { return false };
        random.cases.is_none_or(|cases| index < cases)
            && (self.selection.is_everything()
                || self.selection.selects(&RandomCase::name_of(random.profile(index), index), &[]))
    }
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
    /// How many cases are made of scenarios.
    fn fixed(&self) -> u64 {
        self.scenarios.len() as u64 * if self.fail_each { 2 } else { 1 }
    }

    fn numbers(&self) -> Numbers<'_> {
        let (random, selection) = (self.random.as_ref(), &self.selection);
        Numbers { scenarios: self.fixed(), random, selection }
    }

    /// The case with that number, if it is wanted.
    fn case(&self, number: u64) -> Option<Case<'_>> {
        if !self.shard.has(number) || !self.numbers().wants(number) {
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
        let index = number - self.fixed();
        self.random.as_ref().map(|random| Case::Random(random.case(index)))
    }

    /// How many cases will run, if that is known: for the progress bar.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let end = self.numbers().end()?;
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

/// A case whose turn it is.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// How many turns came before.
    pub order: u64,
    /// Where its result belongs.
    pub place: Place,
    /// The case.
    pub case: Case<'a>,
}

impl<'a> Iterator for Cursor<'a> {
    type Item = Turn<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.plan.numbers().end().is_some_and(|end| self.number >= end) || self.backends == 0
            {
                return None;
            }
            let place = Place { case: self.number, on: self.backend };
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
            return Some(Turn { order: self.order - 1, place, case });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cases: u64, shard: Shard) -> Plan {
        let random = Some(RandomPlan::new(Seed::DEFAULT, Some(cases), 1, &["p"]));
        let selection = Selection::default();
        Plan { scenarios: Vec::new(), fail_each: false, random, selection, shard }
    }

    fn names(plan: &Plan, backends: usize) -> Vec<String> {
        Cursor::new(plan, backends)
            .map(|turn| format!("{} {} {}", turn.order, turn.case.name(), turn.place.on))
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
        let turn = cursor.next().expect("a case");
        assert_eq!((turn.order, turn.place), (0, Place { case: 17, on: 0 }));
        let Case::Random(case) = turn.case else { panic!("a random case") };
        assert_eq!((case.index, case.seed), (17, Seed::DEFAULT.case(17)));
        assert!(cursor.next().is_none());
    }

    #[test]
    fn profiles_take_turns_and_a_case_is_the_same_in_every_turn() {
        let mut plan = plan(5, Shard::WHOLE);
        let random = plan.random.as_mut().unwrap();
        random.profiles = vec!["p".into(), "q".into()];
        let alone = RandomPlan { profiles: vec!["q".into()], ..random.clone() };
        assert_eq!(random.case(3), alone.case(3), "so that a failure replays by its profile");
        let names: Vec<String> = (0..3).map(|index| random.case(index).name()).collect();
        assert_eq!(names, ["random/p/0", "random/q/1", "random/p/2"]);
    }

    #[test]
    fn a_shard_is_k_of_n() {
        assert_eq!("2/4".parse(), Ok(Shard { part: 2, of: 4 }));
        for text in ["", "2", "0/4", "5/4", "a/b", "1/0", "-1/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("k/n"), "{text}");
        }
    }
}
