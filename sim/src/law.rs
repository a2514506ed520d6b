//! The rules of the law, as reports and commands speak of them.
//!
//! The one place where this crate meets the model's table of rules for words; what a rule
//! means is decided in `hostmem-model` alone.
//!
//! Deliberately not here: which scenarios prove a rule ([`crate::cli`] asks the files).

pub use hostmem_model::rule::{Proof, RULES, Rule};

/// The rule of that id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The rule that a user means, in whatever case.
#[must_use]
pub fn named(text: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(text))
}

/// The sentence of a rule, if there is such a rule.
#[must_use]
pub fn sentence(id: &str) -> Option<&'static str> {
    rule(id).map(|rule| rule.sentence)
}

/// The id that was most likely meant, if one is close.
#[must_use]
pub fn closest(id: &str) -> Option<&'static str> {
    let wanted = id.to_ascii_uppercase();
    let distance = |rule: &&Rule| strsim::damerau_levenshtein(rule.id, &wanted);
    let best = RULES.iter().min_by_key(distance)?;
    (distance(&best) <= 2).then_some(best.id)
}
