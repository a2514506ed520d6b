//! The record of a case: what was decided and what came of it, in a form that is equal on
//! every machine and for every lawful placement.
//!
//! An address that comes back is written as its distance from the address that was asked about;
//! what the law leaves open (sizes of unowned regions, memory load, the reading of a permitted
//! choice) is left out. So is everything from the first steps on that overlap in time: which
//! of them is served first is chance, and what follows may rest on it.

use hostmem_interface::{Address, Call, Outcome, Value};
use sha2::{Digest as _, Sha256};

use hostmem_model::RuleId;
use hostmem_model::verdict::{Answer, Verdict};

/// Whether the answer is the subject's to choose.
const fn is_choice(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Unowned(_)
            | Answer::Load(_)
            | Answer::AnyBase { .. }
            | Answer::Block(_)
            | Answer::BlockBytes(..)
    )
}

/// A running record.
#[derive(Clone, Debug)]
pub struct Record {
    hash: Sha256,
    line: Vec<u8>,
    /// Which of several overlapping steps came first may decide all that follows.
    by_chance: bool,
}

impl Record {
    /// A record of the case with this seed or name.
    #[must_use]
    pub fn new(case: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(case);
        Self { hash, line: Vec::new(), by_chance: false }
    }

    /// A step's call came out.
    pub fn step(
        &mut self,
        rule: Option<RuleId>,
        verdict: Option<&Verdict>,
        call: &Call,
        outcome: &Outcome,
    ) {
        if self.by_chance {
            return;
        }
        self.line.clear();
        self.line.extend(rule.map_or("-", |rule| rule.rule().id).as_bytes());
        self.line.push(b' ');
        let open = verdict
            .is_some_and(|verdict| !verdict.others.is_empty() || is_choice(&verdict.first.answer));
        if open {
            self.line.push(b'~');
        } else {
            let asked = call.address().copied().unwrap_or(Address::NULL);
            self.outcome(asked, outcome);
        }
        self.line.push(b'\n');
        self.hash.update(&self.line);
    }

    /// Steps that may overlap in time come next.
    pub fn overlap(&mut self) {
        if !self.by_chance {
            self.hash.update(b"overlap\n");
            self.by_chance = true;
        }
    }

    /// The case ended with this word.
    #[must_use]
    pub fn finish(mut self, word: &str) -> [u8; 32] {
        self.hash.update(word.as_bytes());
        self.hash.finalize().into()
    }

    fn outcome(&mut self, asked: Address, outcome: &Outcome) {
        match outcome {
            Outcome::Done { value, .. } => {
                self.line.push(b'+');
                self.value(asked, value);
            }
            Outcome::Refused(refusal) => {
                self.line.push(b'-');
                let code = refusal.win32.map_or(refusal.hresult.0, |error| error.0);
                self.line.extend(code.to_le_bytes());
            }
            Outcome::Faulted(fault) => {
                self.line.push(b'!');
                self.line.extend(fault.status.0.to_le_bytes());
                self.distance(asked, fault.at);
            }
        }
    }

    fn value(&mut self, asked: Address, value: &Value) {
        match value {
            Value::Nothing | Value::Load(_) | Value::Malloc(_) => {}
            Value::Address(address) => self.distance(asked, *address),
            Value::Old(protect) => self.line.extend(protect.0.to_le_bytes()),
            Value::Region(answer) => {
                let region = &answer.information;
                self.distance(asked, region.base_address);
                self.distance(asked, region.allocation_base);
                self.line.extend(region.region_size.to_le_bytes());
                for word in
                    [region.allocation_protect.0, region.state.0, region.protect.0, region.kind.0]
                {
                    self.line.extend(word.to_le_bytes());
                }
            }
            Value::Bytes(bytes) => self.line.extend(bytes),
            Value::Pages { pages, .. } => {
                for page in pages {
                    self.distance(asked, *page);
                }
            }
        }
    }

    fn distance(&mut self, asked: Address, at: Address) {
        self.line.extend(at.0.wrapping_sub(asked.0).to_le_bytes());
    }
}
