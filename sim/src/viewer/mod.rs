//! A case as one page: the address space step by step, by the law and by the subject, with the
//! first difference explained. The page is one file that loads nothing.
//!
//! Map, in reading order:
//!
//! * [`strip`]: what an address space looks like, as runs of pages;
//! * [`law`], [`asked`]: where that is known from: the law's state, and the subject's queries;
//! * [`extent`]: which pages a step may change;
//! * [`recorder`]: looks on while a case runs; [`record`]: what it saw, as bytes;
//! * [`html`]: the page around the record; its sources are in `page/`;
//! * [`map`]: the space in one line, for a terminal.
//!
//! Deliberately not here: what is right ([`hostmem_model`]), and files.

pub mod asked;
pub mod extent;
pub mod html;
pub mod law;
pub mod map;
pub mod record;
pub mod recorder;
pub mod strip;

use std::ops::Range;

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{Backend, Machine};
use hostmem_model::ModelBackend;
use serde_json::{Value, json};

use crate::backend::Named;
use crate::engine::Unreadable;
use crate::files::NamedScenario;
use crate::known::Known;
use crate::law as rules;
use crate::report::CaseResult;
use crate::run::watched::watch_scenario;
use crate::runner;
use recorder::{Recorded, Recorder};

/// What the law's own side is called.
pub const LAW: &str = "model";
/// The most steps of a page: more rows than that are higher than a browser's tables can be.
pub const MAX_STEPS: usize = 500_000;
/// The most pages of an address space that can be shown: numbers are exact up to here.
const MAX_PAGES: u64 = 1 << 50;
/// The most ranges of addresses that a page tells apart from the free space between them.
const MAX_ISLANDS: usize = 256;

/// A page, and what came of the case that it shows.
#[derive(Debug)]
pub struct Viewed {
    /// The page.
    pub html: String,
    /// The result.
    pub result: CaseResult,
}

/// How a case is run and shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct How<'a> {
    /// On what; else on the model, which gives the expected answer wherever that is lawful.
    pub backend: Option<&'a Named>,
    /// The command that does it again; empty if there is none.
    pub replay: &'a str,
    /// What came of it before, if that is why it is shown.
    pub found: Option<&'a CaseResult>,
}

/// Runs a case and shows it.
///
/// # Errors
/// If the scenario asks for what no backend may do, or is too large for a page.
pub fn view(case: &NamedScenario, how: &How<'_>, known: &Known) -> Result<Viewed, Unreadable> {
    let scenario = &case.scenario;
    check_size(case)?;
    let mut recorder = Recorder::new(scenario);
    let on = how.backend.map(|named| named as &dyn Backend);
    let outcome = watch_scenario(scenario, on, &mut recorder);
    let mut result = runner::result(&case.name, scenario, on.unwrap_or(&ModelBackend), &outcome)?;
    known.excuse(&mut result);
    let mut recorded = recorder.finish();
    if recorded.record.steps() == 0 && on.is_some() {
        // The subject could not even begin: then at least what the steps mean.
        let mut recorder = Recorder::new(scenario);
        watch_scenario(scenario, None, &mut recorder);
        recorded = recorder.finish();
    }
    let about = about(case, how, &result, &recorded);
    let html = html::page(&case.name, recorded.record.finish(about));
    Ok(Viewed { html, result })
}

fn check_size(case: &NamedScenario) -> Result<(), Unreadable> {
    let (name, steps) = (&case.name, case.scenario.steps.len());
    if steps > MAX_STEPS {
        return Err(Unreadable(format!(
            "{name}: {steps} steps; expected at most {MAX_STEPS}, more than that no page can show"
        )));
    }
    let machine = case.scenario.machine.machine();
    if machine.end() / machine.page > MAX_PAGES {
        return Err(Unreadable(format!(
            "{name}: user space has more than 2^50 pages, more than that no page can show"
        )));
    }
    Ok(())
}

/// Everything that the page says but the steps.
fn about(case: &NamedScenario, how: &How<'_>, result: &CaseResult, recorded: &Recorded) -> Value {
    let scenario = &case.scenario;
    let backend = how.backend;
    let Machine { page, granularity, lowest, highest, .. } = scenario.machine.machine();
    let mut sides = vec![LAW.to_owned()];
    if let (Some(named), true) = (backend, recorded.shows_subject) {
        // The model as a subject is a side of its own.
        let name = if named.name == LAW { "model, as subject" } else { &named.name };
        sides.push(name.to_owned());
    }
    json!({
        "format": record::FORMAT,
        "hostmem": env!("CARGO_PKG_VERSION"),
        "name": case.name,
        "about": scenario.about,
        "proves": scenario.rules,
        "source": scenario.source,
        "total": scenario.steps.len(),
        "machine": {
            "page": page,
            "granularity": granularity,
            "lowest": format!("{lowest:#x}"),
            "highest": format!("{highest:#x}"),
        },
        "backend": backend.map(|named| &named.name),
        "subject": result.subject,
        "sides": sides,
        "used": islands(&recorded.used, granularity / page),
        "committed": islands(&recorded.committed, 1),
        "verdict": verdict(scenario, result, recorded),
        "replay": how.replay,
        "remark": how.found.and_then(|found| remark(found, result)),
    })
}

/// Says so if a failure did not come again when its page was made.
fn remark(found: &CaseResult, now: &CaseResult) -> Option<String> {
    if (found.word, &found.rule) == (now.word, &now.rule) {
        return None;
    }
    let rule = found.rule.as_deref().map(|rule| format!(" by {rule}")).unwrap_or_default();
    let step = found.step.map(|step| format!(" at step {step}")).unwrap_or_default();
    Some(format!(
        "When it was found, it was \u{201c}{}{rule}{step}\u{201d}: that did not happen again when \
         this page was made.",
        found.word
    ))
}

fn verdict(scenario: &Scenario, result: &CaseResult, recorded: &Recorded) -> Value {
    let rule = result.rule.as_deref().and_then(rules::rule);
    let missing = result.missing.as_deref();
    json!({
        "word": result.word.name(),
        "level": result.level.name(),
        "step": result.step,
        "call": result.call,
        "rule": result.rule,
        "sentence": rule.map(|rule| rule.sentence),
        "source": rule.map(|rule| rule.source),
        "expected": result.expected,
        "observed": result.observed,
        "reason": result.reason,
        "missing": missing,
        "selfCheck": result.self_check,
        "lawful": recorded.lawful,
        "left": scenario.steps.len().saturating_sub(recorded.record.steps()),
        "leaks": result.leaks,
        "readings": result.readings,
    })
}

/// Ranges of pages; those with little between them are one, so that there are not too many.
fn islands(ranges: &[Range<u64>], least: u64) -> Vec<[u64; 2]> {
    let mut gap = least;
    loop {
        let mut islands: Vec<[u64; 2]> = Vec::new();
        for range in ranges {
            match islands.last_mut() {
                Some(last) if range.start - last[1] <= gap => last[1] = range.end,
                _ => islands.push([range.start, range.end]),
            }
        }
        if islands.len() <= MAX_ISLANDS {
            return islands;
        }
        gap = gap.saturating_mul(4);
    }
}
