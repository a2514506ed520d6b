//! Looks on while a case runs, and records what it sees, step by step: what was asked, what
//! came, and what the address space looks like then, by the law and by the subject.
//!
//! Deliberately not here: how a recording is written down ([`super::record`]).

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use hostmem_interface::scenario::{Action, Scenario, Step, show_step};
use hostmem_interface::{
    Address, Call, Capability, Description, Outcome, RegionState, Reply, Subject,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use rangemap::RangeSet;

use super::extent::{self, Extent};
use super::record::{Kind, Record, Row};
use super::strip::{HEAP, Patch, Run, Strip, WRITTEN};
use super::{asked, law};
use crate::run::Ending;
use crate::run::case::{Answered, Case};
use crate::run::watched::{Onlooker, Scene};

/// The longest outcome that is shown whole, in characters; a read may give 64 MiB.
const LONGEST: usize = 300;

/// A side that is recorded.
#[derive(Debug, Default)]
struct Seen {
    strip: Strip,
    patches: Vec<Patch>,
}

impl Seen {
    fn put(&mut self, pages: Range<u64>, runs: Vec<Run>) {
        self.patches.extend(self.strip.replace(pages, runs));
    }
}

/// Somebody who records.
#[derive(Debug)]
pub struct Recorder<'s> {
    scenario: &'s Scenario,
    record: Record,
    law: Seen,
    subject: Option<Seen>,
    /// The pages that the subject let a step write.
    written: RangeSet<u64>,
    /// Every page that was ever in use on one side, and every one that was committed.
    used: RangeSet<u64>,
    committed: RangeSet<u64>,
    /// What the steps that are carried out now may change.
    extent: Extent,
    /// Whether the law's state was one of several that were possible.
    uncertain: bool,
    /// The row that is not written yet: the last look may still add to it.
    last: Option<Row>,
    largest: u64,
    /// What the law would have done at the step where the case ended.
    lawful: Option<String>,
}

impl<'s> Recorder<'s> {
    /// Records a run of this scenario.
    #[must_use]
    pub fn new(scenario: &'s Scenario) -> Self {
        Self {
            scenario,
            record: Record::new(1),
            law: Seen::default(),
            subject: None,
            written: RangeSet::new(),
            used: RangeSet::new(),
            committed: RangeSet::new(),
            extent: Extent::default(),
            uncertain: false,
            last: None,
            largest: 0,
            lawful: None,
        }
    }

    /// The recording, and the ranges of pages that were ever in use.
    #[must_use]
    pub fn finish(mut self) -> Recorded {
        self.write_last();
        Recorded {
            used: self.used.into_iter().collect(),
            committed: self.committed.into_iter().collect(),
            shows_subject: self.subject.is_some(),
            lawful: self.lawful,
            record: self.record,
        }
    }

    fn write_last(&mut self) {
        let Some(row) = self.last.take() else { return };
        let sides: Vec<(&[Patch], &Strip)> = std::iter::once(&self.law)
            .chain(&self.subject)
            .map(|seen| (seen.patches.as_slice(), &seen.strip))
            .collect();
        self.record.push(&row, &sides);
        self.law.patches.clear();
        if let Some(seen) = &mut self.subject {
            seen.patches.clear();
        }
    }

    /// The whole space: what is known on either side, and what the law knows.
    fn everything(&self, state: &State) -> Extent {
        let mut all = Extent::default();
        for seen in std::iter::once(&self.law).chain(&self.subject) {
            seen.strip.iter().for_each(|run| all.add(run.start..run.end));
        }
        let page = state.machine().page;
        for it in state.space.iter() {
            all.add(it.base().0 / page..it.end().0 / page);
        }
        all
    }

    fn look(&mut self, state: &State, ranges: &[Range<u64>], subject: Option<&dyn Subject>) {
        for pages in ranges {
            let runs = law::runs(state, pages.clone());
            self.note_use(&runs);
            self.law.put(pages.clone(), runs);
        }
        if let Some(subject) = subject {
            self.look_at_subject(state, ranges, subject);
        }
        if !self.law.patches.is_empty() || self.record.steps() == 0 {
            self.largest = largest_hole(state);
        }
    }

    /// Asks the subject about those pages that are the case's own, by the law or by what was
    /// seen before: what else lies in its space is none of the case's business. Neither is
    /// where its heaps have their memory from.
    fn look_at_subject(&mut self, state: &State, ranges: &[Range<u64>], subject: &dyn Subject) {
        let Some(mut seen) = self.subject.take() else { return };
        for pages in ranges {
            let mut own: RangeSet<u64> = RangeSet::new();
            let mut heaps: RangeSet<u64> = RangeSet::new();
            for run in seen.strip.within(pages.clone()).chain(self.law.strip.within(pages.clone()))
            {
                let heap = run.look.marks & HEAP != 0;
                let into = if heap { &mut heaps } else { &mut own };
                into.insert(run.start..run.end);
            }
            // And what was the case's own before this step.
            own.extend(self.law.patches.iter().map(|patch| patch.pages.clone()));
            for pages in heaps.iter() {
                own.remove(pages.clone());
                seen.put(pages.clone(), law::with_heaps(Vec::new(), state, pages));
            }
            for own in own.overlapping(pages) {
                let asked = own.start.max(pages.start)..own.end.min(pages.end);
                let runs = self.ask(state, asked.clone(), subject);
                self.note_use(&runs);
                seen.put(asked, runs);
            }
        }
        self.subject = Some(seen);
    }

    /// What the subject shows in these pages, with what it let steps write.
    fn ask(&mut self, state: &State, pages: Range<u64>, subject: &dyn Subject) -> Vec<Run> {
        let runs = asked::runs(subject, pages.clone(), state.machine().page);
        let mut gone: RangeSet<u64> = std::iter::once(pages.clone()).collect();
        for run in runs.iter().filter(|run| run.look.state == RegionState::COMMIT.0) {
            gone.remove(run.start..run.end);
        }
        gone.iter().for_each(|pages| self.written.remove(pages.clone()));
        let written: Vec<Range<u64>> = self.written.overlapping(&pages).cloned().collect();
        law::marked(runs, WRITTEN, &written)
    }

    fn note_use(&mut self, runs: &[Run]) {
        for Run { start, end, look, .. } in runs {
            self.used.insert(*start..*end);
            if look.state == RegionState::COMMIT.0 {
                self.committed.insert(*start..*end);
            }
        }
    }

    fn note_write(&mut self, case: &Case<'_>, step: &Step, answered: &Answered) {
        if let (Action::Call(Call::Write { .. }), true) = (&step.action, answered.outcome.is_done())
            && let Some(pages) = extent::named(case, step)
        {
            self.written.insert(pages);
        }
    }

    fn row(&self, scene: &Scene<'_, '_>, at: usize, ended: bool) -> Row {
        let (step, answered) = (&scene.steps[at], &scene.answers[at]);
        let (kind, rule, outcome) = match (answered, scene.ending) {
            // A later look found a difference, which belongs to the step all the same.
            (Some(answered), Some(ending @ (Ending::Diverges(_) | Ending::Broken(_)))) if ended => {
                let (kind, rule, _) = ended_by(ending);
                (kind, rule.or(answered.rule), told(answered))
            }
            (Some(answered), _) => (kind(answered), answered.rule, told(answered)),
            (None, Some(ending)) if ended => ended_by(ending),
            (None, _) => (Kind::Unjudged, None, String::new()),
        };
        let returned = answered.as_ref().and_then(|it| extent::returned(scene.case, step, it));
        let place = returned.or_else(|| extent::named(scene.case, step));
        let page = scene.case.view().state.machine().page;
        let strip = &self.law.strip;
        Row {
            thread: step.thread,
            kind,
            overlaps: at > 0,
            method: step.action.name(),
            rule,
            call: call(self.scenario, step),
            outcome,
            place: place.map(|it| (it.start, it.end - it.start)),
            sums: [strip.owned(), strip.committed(), strip.allocations(), self.largest / page],
        }
    }
}

impl Onlooker for Recorder<'_> {
    fn begin(&mut self, description: &Description, subject: Option<&dyn Subject>) {
        *self = Self::new(self.scenario);
        // The model's own run has one side.
        let asked = subject.is_some() && description.capabilities.has(Capability::Query);
        self.subject = asked.then(Seen::default);
        self.record = Record::new(1 + usize::from(asked));
    }

    fn before(&mut self, case: &Case<'_>, steps: &[Step]) {
        self.extent = Extent::default();
        for step in steps {
            extent::before(case, step, &mut self.extent);
        }
    }

    fn after(&mut self, scene: &Scene<'_, '_>) {
        let case = scene.case;
        self.write_last();
        let ended_at = self.ended_at(scene);
        let state = lawful_state(scene, ended_at);
        let mut extent = std::mem::take(&mut self.extent);
        for (step, answered) in scene.steps.iter().zip(&scene.answers) {
            if let Some(answered) = answered {
                extent::after(case, step, answered, &mut extent);
                self.note_write(case, step, answered);
            }
        }
        let uncertain = !case.is_certain();
        if scene.ending.is_some() || uncertain || self.uncertain {
            self.everything(&state.0).ranges().into_iter().for_each(|pages| extent.add(pages));
        }
        self.uncertain = uncertain;
        let broken = matches!(scene.ending, Some(Ending::Broken(_)));
        let subject = scene.subject.filter(|_| !broken);
        self.look(&state.0, &extent.ranges(), subject);
        for at in 0..scene.steps.len() {
            self.write_last_but_patches(at);
            self.last = Some(self.row(scene, at, ended_at == Some(at)));
        }
        self.lawful = state.1;
    }

    fn end(&mut self, scene: &Scene<'_, '_>) {
        let state = scene.case.view().state;
        let broken = matches!(scene.ending, Some(Ending::Broken(_)));
        if self.lawful.is_none() {
            let all = self.everything(state).ranges();
            self.look(state, &all, scene.subject.filter(|_| !broken));
        }
        if let (Some(ending), Some(row)) = (scene.ending, &mut self.last)
            && matches!(row.kind, Kind::Done | Kind::Refused | Kind::Faulted | Kind::Harness)
        {
            let (kind, rule, _) = ended_by(ending);
            row.kind = kind;
            row.rule = rule.or(row.rule);
        }
    }
}

impl Recorder<'_> {
    /// The step of a group at which the case ended, if it did.
    fn ended_at(&self, scene: &Scene<'_, '_>) -> Option<usize> {
        scene.ending?;
        let number = scene.case.steps.saturating_sub(self.record.steps() + 1);
        Some(number.min(scene.steps.len().checked_sub(1)?))
    }

    /// Writes the row before the last of a group: what the group changed is known behind all
    /// of it only.
    fn write_last_but_patches(&mut self, at: usize) {
        if at == 0 {
            return;
        }
        let law = std::mem::take(&mut self.law.patches);
        let subject = self.subject.as_mut().map(|seen| std::mem::take(&mut seen.patches));
        self.write_last();
        self.law.patches = law;
        if let (Some(seen), Some(patches)) = (&mut self.subject, subject) {
            seen.patches = patches;
        }
    }
}

/// What was recorded.
#[derive(Debug)]
pub struct Recorded {
    /// The recording.
    pub record: Record,
    /// The ranges of pages that were ever in use, ascending.
    pub used: Vec<Range<u64>>,
    /// Those that were ever committed.
    pub committed: Vec<Range<u64>>,
    /// Whether the subject was asked what its memory looks like.
    pub shows_subject: bool,
    /// What the law would have done at the step where the case ended.
    pub lawful: Option<String>,
}

/// The law's state behind the steps. Where the case ended at a call that was not lawful, the
/// state and the answer that the model itself would have come to.
fn lawful_state<'a>(
    scene: &'a Scene<'_, '_>,
    ended_at: Option<usize>,
) -> (Cow<'a, State>, Option<String>) {
    let state = scene.case.view().state;
    let open = ended_at.filter(|at| scene.answers[*at].is_none());
    let action = open.map(|at| &scene.steps[at].action);
    let Some(Action::Call(call)) = action else { return (Cow::Borrowed(state), None) };
    let ControlFlow::Continue(call) = scene.case.resolve(call) else {
        return (Cow::Borrowed(state), None);
    };
    let mut actor = Actor::new(state.clone());
    let lawful = match actor.act(&call) {
        Reply::Outcome { outcome, .. } => Some(shortened(outcome.to_string())),
        _ => None,
    };
    (Cow::Owned(actor.state), lawful)
}

fn ended_by(ending: &Ending) -> (Kind, Option<hostmem_model::RuleId>, String) {
    match ending {
        Ending::Agrees => (Kind::Done, None, String::new()),
        Ending::Diverges(it) => (Kind::Diverges, Some(it.rule), shortened(it.observed.clone())),
        Ending::Skipped(why) | Ending::Taken(why) | Ending::Unreadable(why) => {
            (Kind::Skipped, None, why.clone())
        }
        Ending::Broken(how) => (Kind::Broken, None, how.to_string()),
    }
}

const fn kind(answered: &Answered) -> Kind {
    match (&answered.outcome, answered.rule) {
        (_, None) => Kind::Harness,
        (Outcome::Done { .. }, _) => Kind::Done,
        (Outcome::Refused(_), _) => Kind::Refused,
        (Outcome::Faulted(_), _) => Kind::Faulted,
    }
}

fn told(answered: &Answered) -> String {
    let mut text = shortened(answered.outcome.to_string());
    for notice in &answered.notified {
        text.push_str(&format!(", notified {notice}"));
    }
    text
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The call without its thread, which has a column of its own.
fn call(scenario: &Scenario, step: &Step) -> String {
    let text = show_step(scenario, step);
    match text.strip_prefix(&format!("[thread {}] ", step.thread)) {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// The size of the largest block that could be reserved, bytes: halved until it is found.
fn largest_hole(state: &State) -> u64 {
    let machine = state.machine();
    let unit = machine.granularity;
    let (mut fits, mut not) = (0, machine.end() / unit + 1);
    while not - fits > 1 {
        let middle = fits + (not - fits) / 2;
        match state.space.lowest_hole(middle * unit) {
            Some(Address(_)) => fits = middle,
            None => not = middle,
        }
    }
    fits * unit
}
