//! Results on disk, so that a campaign which is killed goes on where it was, and the parts of
//! one that ran on many machines become one again.
//!
//! A results file has one JSON document a line: first a [`Campaign`], which says what was
//! asked for, then an [`Entry`] for each case on each backend, in case order. A line is
//! written in one piece and never touched again, so whatever ends the process leaves whole
//! lines and at most one torn one, which has no end of line and is dropped. Equal campaigns
//! have equal files, byte for byte, with any number of jobs and however often one was resumed.
//!
//! Map, in reading order: this file has the two kinds of lines; [`mod@file`] reads, begins and
//! resumes a file; [`merge`] puts files together; [`words`] is how a result is spelt.
//!
//! Deliberately not here: failing scenarios, which are files of their own; entries of a list of
//! known differences, which each run looks at again; and clocks.

pub mod file;
pub mod merge;
pub mod words;

use std::collections::BTreeMap;

use hostmem_model::RuleId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::campaign::failure::shell;
use crate::campaign::plan::{Place, Plan, RandomPlan, Shard};
use crate::report::{CaseResult, Header};
use crate::run::Coverage;

/// The first member of a results file.
pub const FORMAT: &str = "hostmem-results/1";

/// What was asked for: everything that decides the results, and how they are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// [`FORMAT`].
    pub results: String,
    /// The version of hostmem.
    pub hostmem: String,
    /// The commit it was built from, if that is known.
    pub commit: Option<String>,
    /// The backends, as a user types them.
    pub backends: Vec<String>,
    /// How many scenarios come before the random cases.
    pub scenarios: u64,
    /// SHA-256 of their names and contents.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scenarios_sha256: String,
    /// The random cases.
    pub random: Option<RandomPlan>,
    /// `--only`.
    pub only: Vec<String>,
    /// `--skip`.
    pub skip: Vec<String>,
    /// `--require`.
    pub require: Vec<String>,
    /// SHA-256 of the list that `--known` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_sha256: Option<String>,
    /// `--fail-each`.
    pub fail_each: bool,
    /// `--strict`.
    pub strict: bool,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// Which parts of it all, in order.
    pub shards: Vec<Shard>,
}

impl Campaign {
    /// With the fingerprint of the scenarios of a plan.
    #[must_use]
    pub fn fingerprinted(self, plan: &Plan) -> Self {
        let mut hash = Sha256::new();
        for named in &plan.scenarios {
            hash.update(named.name.as_bytes());
            hash.update([0]);
            let mut text = Vec::new();
            hostmem_interface::scenario::write_to(&named.scenario, &mut text)
                .expect("memory takes everything");
            hash.update(text);
        }
        Self { scenarios_sha256: words::hex(&hash.finalize()), ..self }
    }

    /// What a report says was asked for. A length of time is no part of a campaign.
    #[must_use]
    pub fn header(&self, time: Option<String>) -> Header {
        let mut options: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: String| options.push((name.to_owned(), value));
        add("backend", self.backends.join(" "));
        add("scenarios", self.scenarios.to_string());
        if let Some(random) = &self.random {
            random.describe(&mut add);
        }
        if let Some(time) = time {
            add("time", time);
        }
        let shards: Vec<String> = self.shards.iter().map(ToString::to_string).collect();
        add("shard", shards.join(" "));
        let lists = [("only", &self.only), ("skip", &self.skip), ("require", &self.require)];
        for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            add(name, values.join(" "));
        }
        for (name, given) in self.flags() {
            if given {
                add(name, "yes".to_owned());
            }
        }
        Header {
            version: self.hostmem.clone(),
            commit: self.commit.clone(),
            seed: self.random.as_ref().map(|random| random.seed.to_string()),
            backends: self.backends.clone(),
            options,
        }
    }

    /// The options that ask for it, as a shell reads them.
    #[must_use]
    pub fn options(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut add = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        for backend in &self.backends {
            add("backend", backend.clone());
        }
        if let Some(random) = &self.random {
            random.options(&mut add);
        }
        let lists = [("only", &self.only), ("skip", &self.skip), ("require", &self.require)];
        for (name, values) in lists {
            values.iter().for_each(|value| add(name, value.clone()));
        }
        for shard in self.shards.iter().filter(|shard| **shard != Shard::WHOLE) {
            add("shard", shard.to_string());
        }
        let flags = self.flags().into_iter().filter(|(_, given)| *given);
        words.extend(flags.map(|(name, _)| format!("--{name}")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        shell(&words)
    }

    const fn flags(&self) -> [(&'static str, bool); 3] {
        let Self { fail_each, strict, fail_fast, .. } = self;
        [("fail-each", *fail_each), ("strict", *strict), ("fail-fast", *fail_fast)]
    }

    /// How many cases come before the random ones.
    #[must_use]
    pub const fn fixed(&self) -> u64 {
        self.scenarios * if self.fail_each { 2 } else { 1 }
    }

    /// Whether its cases have threads of their own, so that two runs may differ.
    #[must_use]
    pub fn is_threaded(&self) -> bool {
        self.random.as_ref().is_some_and(|random| random.threads > 1)
    }

    /// In what another campaign differs: each member with both values. The parts that were
    /// run only count if `shards` says so.
    #[must_use]
    pub fn differences(&self, other: &Self, shards: bool) -> Vec<(String, String, String)> {
        let (mine, theirs) = (flat(self), flat(other));
        let value = |of: &BTreeMap<String, String>, name: &String| {
            of.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
        };
        let names: std::collections::BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        let compared = names.into_iter().filter(|name| shards || *name != "shards");
        compared
            .map(|name| (name.clone(), value(&mine, name), value(&theirs, name)))
            .filter(|(_, mine, theirs)| mine != theirs)
            .collect()
    }
}

/// The members of a campaign, those of its random part among them.
fn flat(campaign: &Campaign) -> BTreeMap<String, String> {
    let value = serde_json::to_value(campaign).expect("it has no keys but strings");
    let mut flat = BTreeMap::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(inner) => {
                flat.extend(inner.iter().map(|(name, it)| (name.clone(), it.to_string())))
            }
            None if value.is_null() => {}
            None => drop(flat.insert(name.clone(), value.to_string())),
        }
    }
    flat
}

/// How often rules decided: number of outcomes that were a success, and that were not.
pub type Counts = BTreeMap<String, (u64, u64)>;

/// What came of one case on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The number of the case in the plan.
    pub case: u64,
    /// Which backend, counted from 0.
    pub on: usize,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<CaseResult>>,
    /// Or what is wrong with the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Which rules decided.
    #[serde(default, skip_serializing_if = "Counts::is_empty")]
    pub coverage: Counts,
}

impl Entry {
    /// A case that ran.
    #[must_use]
    pub fn ran(place: Place, result: CaseResult, coverage: &Coverage) -> Self {
        let reached = RuleId::all().filter(|rule| coverage.reached(*rule));
        let counted = |rule: RuleId| {
            let count = coverage.of(rule);
            (rule.rule().id.to_owned(), (count.accepted, count.refused))
        };
        let coverage = reached.map(counted).collect();
        let result = Some(Box::new(result));
        Self { case: place.case, on: place.on, result, unreadable: None, coverage }
    }

    /// A case that cannot be read.
    #[must_use]
    pub fn unreadable(place: Place, what: String) -> Self {
        let coverage = Counts::new();
        Self { case: place.case, on: place.on, result: None, unreadable: Some(what), coverage }
    }

    /// Its place in the order of the plan.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { case: self.case, on: self.on }
    }

    /// Whether the run fails because of it.
    #[must_use]
    pub fn fails(&self, strict: bool) -> bool {
        self.result.as_ref().is_some_and(|result| result.fails(strict))
    }

    /// Whether two say the same of a case: where a failure is kept, and how the program was
    /// called, is no part of it.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let bare = |entry: &Self| {
            let mut entry = entry.clone();
            if let Some(result) = &mut entry.result {
                (result.file, result.view, result.replay) = (None, None, None);
            }
            entry
        };
        self == other || bare(self) == bare(other)
    }

    /// Adds its counts.
    pub fn count(&self, coverage: &mut Coverage) {
        for (rule, (accepted, refused)) in &self.coverage {
            if let Some(rule) = RuleId::named(rule) {
                coverage.add_counts(rule, *accepted, *refused);
            }
        }
    }

    /// What is wrong with what was read, if anything.
    fn wrong(&self, backends: usize) -> Option<String> {
        if self.result.is_some() == self.unreadable.is_some() {
            return Some("expected either `result` or `unreadable`".to_owned());
        }
        if self.on >= backends {
            return Some(format!("`on` is {}; the campaign has {backends} backends", self.on));
        }
        let rule = self.coverage.keys().find(|rule| RuleId::named(rule).is_none())?;
        Some(format!("there is no rule {rule}"))
    }
}
