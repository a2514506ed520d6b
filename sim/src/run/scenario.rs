//! A whole scenario on one backend: first held against the law, then run.
//!
//! If the law permits no outcome that a step expects, the file contradicts the law, and no
//! subject runs. If an explicit place is taken by something else in the subject's address
//! space, the case is run again elsewhere, up to eight times.

use std::ops::ControlFlow;

use hostmem_interface::scenario::{MachineRequest, Scenario, Step};
use hostmem_interface::{
    AheadOfCase, Backend, Breakage, Call, Capabilities, Description, Grain, Machine, OpenError,
    Subject,
};
use hostmem_model::rule::RS_01;
use hostmem_model::{RuleId, State};

use crate::run::callee::{Callee, Lawful, with_threads_of};
use crate::run::case::{Answered, Case, Ending};
use crate::run::coverage::Coverage;
use crate::run::group::group_length;
use crate::run::rehearsal;

/// How often a case is run elsewhere.
pub(crate) const ATTEMPTS: u64 = 8;
/// How far elsewhere is.
const SPACER: u64 = 16 << 20;

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Whether it was the file's expectation that contradicts the law.
    pub self_check: bool,
    /// How the subject says no.
    pub grain: Grain,
    /// Name and version, as the subject told them; empty if none was opened.
    pub subject: String,
    /// The capability or backend for lack of which it was skipped.
    pub missing: Option<String>,
    /// Whether it broke behind the last step, when its subject was closed.
    pub at_close: bool,
    /// Heap blocks that the case left behind, as the subject tells.
    pub leaks: Vec<String>,
    /// How many steps were carried out; the last one is where it ended.
    pub steps: usize,
    /// The rules whose reading was taken among several.
    pub readings: Vec<RuleId>,
    /// Which rule decided how often.
    pub coverage: Coverage,
    /// The record of the case.
    pub record: [u8; 32],
}

impl Outcome {
    /// What a case came to whose steps were carried out up to where the flow broke off.
    pub(crate) fn of(
        case: &Case<'_>,
        flow: ControlFlow<Ending>,
        description: &Description,
    ) -> Self {
        let ending = match flow {
            ControlFlow::Continue(()) => Ending::Agrees,
            ControlFlow::Break(ending) => ending,
        };
        Self {
            record: case.finish(word(&ending)),
            self_check: false,
            grain: description.grain,
            subject: description.implementation(),
            missing: None,
            at_close: false,
            leaks: Vec::new(),
            steps: case.steps,
            readings: case.readings.clone(),
            coverage: case.coverage.clone(),
            ending,
        }
    }

    /// The subject could not be opened. What this machine lacks is missing by the backend's
    /// name.
    pub(crate) fn unopened(error: OpenError, backend: &dyn Backend, id: &str) -> Self {
        let lacks = matches!(error, OpenError::Unavailable(_));
        let missing = lacks.then(|| backend.name().to_owned());
        Self { missing, ..Self::before(not_opened(error), Grain::Win32, id) }
    }

    /// An ending before any step.
    pub(crate) fn before(ending: Ending, grain: Grain, id: &str) -> Self {
        let record = crate::run::digest::Record::new(id.as_bytes()).finish(word(&ending));
        Self {
            ending,
            self_check: false,
            grain,
            subject: String::new(),
            missing: None,
            at_close: false,
            leaks: Vec::new(),
            steps: 0,
            readings: Vec::new(),
            coverage: Coverage::default(),
            record,
        }
    }
}

/// The verdict word of an ending.
#[must_use]
pub const fn word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Agrees => "agrees",
        Ending::Diverges(_) => "diverges",
        Ending::Skipped(_) | Ending::Taken(_) => "skipped",
        Ending::Broken(_) | Ending::Unreadable(_) => "broken",
    }
}

/// Told of every step that was carried out.
pub type Observe<'a> = &'a mut dyn FnMut(&Step, &Answered);

/// Runs a scenario on a fresh subject of `backend`.
pub fn run_scenario(
    scenario: &Scenario,
    id: &str,
    backend: &dyn Backend,
    observe: Observe<'_>,
) -> Outcome {
    self_check(scenario, id).unwrap_or_else(|| run_held(scenario, id, backend, observe))
}

/// The same of a scenario that was held against the law already ([`self_check`]): what needs to
/// be done once for a file, not once for each subject.
pub fn run_held(
    scenario: &Scenario,
    id: &str,
    backend: &dyn Backend,
    observe: Observe<'_>,
) -> Outcome {
    run_subjects(scenario, id, backend, true, &mut |run| run.all_steps(scenario, id, observe))
}

/// The same as [`run_scenario`], and the subject is never told what comes next.
pub(crate) fn run_call_by_call(scenario: &Scenario, backend: &dyn Backend) -> Outcome {
    let quiet = &mut |_: &Step, _: &Answered| {};
    run_ahead(scenario, "", backend, false, &mut |run| run.all_steps(scenario, "", quiet))
}

/// One run of a scenario.
pub(super) struct Run<'a> {
    /// Who is called.
    pub(super) callee: &'a mut dyn Callee,
    /// Whom the calls reach in the end; nobody where the model is asked itself.
    pub(super) subject: Option<&'a dyn Subject>,
    /// What it says of itself.
    pub(super) description: &'a Description,
    /// Whether it may be told what comes next.
    pub(super) ahead: bool,
}

impl Run<'_> {
    fn all_steps(self, scenario: &Scenario, id: &str, observe: Observe<'_>) -> Outcome {
        let description = self.description;
        let mut case = self.case(scenario, id).observed_by(observe);
        let flow = all_steps(&mut case, &scenario.steps);
        Outcome::of(&case, flow, description)
    }

    /// The case that is run.
    pub(super) fn case<'c>(self, scenario: &Scenario, id: &str) -> Case<'c>
    where
        Self: 'c,
    {
        let state = State::new(shown_machine(&scenario.machine, self.description));
        let case = Case::new(self.callee, state, self.description, scenario.level, id.as_bytes());
        if self.ahead { case } else { case.call_by_call() }
    }
}

/// Holds a scenario against the law, then carries out runs.
pub(super) fn run_ahead(
    scenario: &Scenario,
    id: &str,
    backend: &dyn Backend,
    ahead: bool,
    carry_out: &mut dyn FnMut(Run<'_>) -> Outcome,
) -> Outcome {
    self_check(scenario, id)
        .unwrap_or_else(|| run_subjects(scenario, id, backend, ahead, carry_out))
}

/// Carries out runs on fresh subjects until one counts.
fn run_subjects(
    scenario: &Scenario,
    id: &str,
    backend: &dyn Backend,
    mut ahead: bool,
    carry_out: &mut dyn FnMut(Run<'_>) -> Outcome,
) -> Outcome {
    let machine = scenario.machine.machine();
    let mut attempt = 0;
    let mut broken_ahead = None;
    loop {
        let subject = match backend.open(&machine) {
            Ok(subject) => subject,
            Err(error) => return Outcome::unopened(error, backend, id),
        };
        let description = subject.description();
        let (request, needs) = (&scenario.machine, scenario.needs);
        if let Some((why, missing)) = unsuitable(request, needs, description) {
            let skipped = Outcome::before(Ending::Skipped(why), description.grain, id);
            return closed(&*subject, Outcome { missing, ..skipped });
        }
        make_room(&*subject, attempt);
        let outcome = with_threads_of(&*subject, &scenario.steps, |callee| {
            carry_out(Run { callee, subject: Some(&*subject), description, ahead })
        });
        if let Some(wrong) = subject.went_wrong_ahead() {
            ahead = false;
            if let AheadOfCase::Broken(how) = wrong {
                broken_ahead = Some(Outcome { ending: not_again(how), ..outcome });
            }
            continue;
        }
        attempt += 1;
        match outcome.ending {
            Ending::Taken(_) if attempt < ATTEMPTS => {}
            Ending::Broken(_) => return outcome,
            _ if broken_ahead.is_some() => return broken_ahead.unwrap_or(outcome),
            Ending::Agrees => {
                let leaks = subject.leaks();
                return closed(&*subject, Outcome { leaks, ..outcome });
            }
            _ => return closed(&*subject, outcome),
        }
    }
}

/// Holds every expectation against the law: runs the scenario on the model, which gives the
/// expected answer wherever that is lawful. Judged only if a quick look leaves a doubt.
#[must_use]
pub fn self_check(scenario: &Scenario, id: &str) -> Option<Outcome> {
    if rehearsal::is_lawful(scenario) {
        return None;
    }
    let quiet = &mut |_: &Step, _: &Answered| {};
    let outcome = run_lawfully(scenario, &mut |run| run.all_steps(scenario, id, quiet));
    let wrong = match &outcome.ending {
        // How much memory a manager has is its own affair.
        Ending::Diverges(finding) => finding.rule != RS_01,
        Ending::Unreadable(_) => true,
        _ => false,
    };
    (wrong && !follows_a_group(&scenario.steps, outcome.steps))
        .then_some(Outcome { self_check: true, ..outcome })
}

/// Whether a step, counted from 1, comes behind a group. The model takes a group in one order; the
/// step may expect what another leaves, so that nothing is said of it before a subject runs.
fn follows_a_group(steps: &[Step], number: usize) -> bool {
    let Some((step, before)) = steps.get(..number).and_then(<[Step]>::split_last) else {
        return false;
    };
    before.iter().any(|it| it.with.is_some() && it.with != step.with)
}

/// A run on the model, which gives the expected answer wherever that is lawful.
pub(super) fn run_lawfully(
    scenario: &Scenario,
    carry_out: &mut dyn FnMut(Run<'_>) -> Outcome,
) -> Outcome {
    let machine = scenario.machine.machine();
    let description = Description {
        name: "model".to_owned(),
        version: String::new(),
        machine,
        capabilities: Capabilities::ALL,
        grain: Grain::Win32,
        absent: Vec::new(),
    };
    let mut lawful = Lawful::new(State::new(machine));
    let (callee, subject) = (&mut lawful, None);
    carry_out(Run { callee, subject, description: &description, ahead: false })
}

fn all_steps(case: &mut Case<'_>, steps: &[Step]) -> ControlFlow<Ending> {
    let mut rest = steps;
    while !rest.is_empty() {
        case.foresee(rest, true);
        let (group, behind) = rest.split_at(group_length(rest).max(1));
        case.step_group(group)?;
        rest = behind;
    }
    case.end()
}

/// The machine that the judge holds the subject to: the limits that the scenario asks for,
/// or else the subject's own units without its limits, which are its own business.
pub(crate) fn shown_machine(asked: &MachineRequest, description: &Description) -> Machine {
    Machine {
        physical: asked.physical.or(description.machine.physical),
        commit_limit: asked.commit_limit,
        ..description.machine
    }
}

/// Why a subject cannot run a scenario, and the capability that it lacks.
pub(crate) fn unsuitable(
    asked: &MachineRequest,
    needs: Capabilities,
    have: &Description,
) -> Option<(String, Option<String>)> {
    // What it lacks says more than what it has in another size.
    if let Some(missing) = needs.missing_from(have.capabilities) {
        let why = have.absent.iter().find(|(capability, _)| *capability == missing);
        let words = match why {
            Some((_, why)) => format!("it has no {missing}: {why}"),
            None => format!("it has no {missing}"),
        };
        return Some((words, Some(missing.name().to_owned())));
    }
    // Where the case does not say between which addresses, any will do.
    let wanted = Machine {
        lowest: asked.lowest.unwrap_or(have.machine.lowest),
        highest: asked.highest.unwrap_or(have.machine.highest),
        ..asked.machine()
    };
    let why = wanted.difference(&have.machine)?;
    Some((format!("machine: {why}"), None))
}

pub(crate) fn not_opened(error: OpenError) -> Ending {
    match error {
        OpenError::Unavailable(_) | OpenError::Machine(_) => Ending::Skipped(error.to_string()),
        OpenError::Broken(how) => Ending::Broken(how),
    }
}

/// What is said of a breakage among calls that were made at once, which did not happen again.
const NOT_AGAIN: &str = "one call at a time it did not happen again";

/// Whether a breakage, as it is told, also happens where calls are made one at a time.
#[must_use]
pub fn happens_call_by_call(told: &str) -> bool {
    !told.ends_with(NOT_AGAIN)
}

/// A breakage among calls that were made at once, which did not happen again call by call.
pub(super) fn not_again(how: Breakage) -> Ending {
    let told = |text: String| format!("{text}; {NOT_AGAIN}");
    Ending::Broken(match how {
        Breakage::Died(how) => Breakage::Died(told(how)),
        Breakage::Reported(how) => Breakage::Reported(told(how)),
        Breakage::Hung(how) => Breakage::Hung(told(how)),
        Breakage::Lied(how) => Breakage::Lied(told(how)),
    })
}

/// What a case came to when its subject is closed: one that breaks in that has broken the case,
/// unless worse is known of it.
pub(crate) fn closed(subject: &dyn Subject, outcome: Outcome) -> Outcome {
    if let Ending::Diverges(_) | Ending::Broken(_) | Ending::Unreadable(_) = outcome.ending {
        return outcome;
    }
    match subject.close() {
        Ok(()) => outcome,
        Err(how) => {
            Outcome { ending: Ending::Broken(how), at_close: true, missing: None, ..outcome }
        }
    }
}

/// Moves the places that a subject chooses: reserves room that the case knows nothing of.
pub(crate) fn make_room(subject: &dyn Subject, attempt: u64) {
    for _ in 0..attempt {
        let call = Call::reserve_hole(SPACER);
        // Whether it succeeds does not matter: it is only meant to move things.
        let _ = subject.call(&call);
    }
}
