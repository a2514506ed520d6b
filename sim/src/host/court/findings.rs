//! What a court has found.

use std::collections::BTreeMap;

use hostmem_interface::scenario::Level;
use hostmem_model::{Divergence, RuleId};

use super::Testimony;
use crate::known::KnownList;
use crate::report::{CaseResult, VerdictWord};

/// Divergences that are kept in full; all are counted.
const KEPT: usize = 20;

/// One answer that is not lawful.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which judged call it was, from 1.
    pub number: u64,
    /// The call.
    pub said: Testimony,
    /// The rule, what it permits, and what came.
    pub divergence: Divergence,
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Calls that were judged.
    pub judged: u64,
    /// Sets of calls that overlapped.
    pub sets: u64,
    /// Calls on memory that the runtime has not from its host.
    pub foreign: u64,
    /// Lawful refusals for lack of memory.
    pub out_of_memory: u64,
    /// Lawful answers by the rule that decided.
    pub rules: BTreeMap<&'static str, u64>,
    /// Known differences by rule, with why and how often.
    pub tolerated: BTreeMap<&'static str, (String, u64)>,
    /// Other divergences by rule.
    pub diverging: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first: Vec<Finding>,
    /// The strongest evidence among them.
    pub worst: Option<Level>,
}

impl Findings {
    pub(super) fn agrees(&mut self, rule: RuleId) {
        *self.rules.entry(rule.rule().id).or_default() += 1;
    }

    pub(super) fn diverges(&mut self, finding: Finding, known: Option<&KnownList>) {
        let rule = finding.divergence.rule.rule().id;
        if let Some(why) = known.and_then(|list| excuse(list, &finding.divergence)) {
            self.tolerated.entry(rule).or_insert((why, 0)).1 += 1;
            return;
        }
        *self.diverging.entry(rule).or_default() += 1;
        self.worst = self.worst.max(Some(finding.divergence.level()));
        if self.first.len() < KEPT {
            self.first.push(finding);
        }
    }

    /// How many divergences no list names.
    #[must_use]
    pub fn divergences(&self) -> u64 {
        self.diverging.values().sum()
    }
}

/// Why a divergence is known, if it is.
fn excuse(list: &KnownList, divergence: &Divergence) -> Option<String> {
    let mut shown = CaseResult::new("live", &list.subject, VerdictWord::Diverges);
    shown.rule = Some(divergence.rule.rule().id.to_owned());
    shown.observed = Some(divergence.observed.clone());
    let known = list.differences.iter().find(|known| known.is_shown_by(&shown));
    known.map(|known| known.why.clone())
}
