//! A trace: a line for each step of a case, with the address space in one line.
//!
//! Deliberately not here: the case's verdict, and whether anybody can see colours.

use hostmem_interface::scenario::{Scenario, Step, show_step};
use hostmem_interface::{Address, Description, Subject};

use crate::run::case::{Answered, Case};
use crate::run::watched::{Onlooker, Scene};
use crate::run::{Ending, Finding};
use crate::viewer::{extent, map};

/// A line of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceLine {
    /// What stands before the map: the step and its rule.
    pub head: String,
    /// The space in one line ([`map`]); empty if there is none.
    pub map: String,
    /// What stands behind: the call and what came.
    pub text: String,
}

/// Traces a case while it runs.
#[derive(Debug)]
pub struct Tracer<'s> {
    scenario: &'s Scenario,
    number: usize,
    /// The lines, so far.
    pub lines: Vec<TraceLine>,
}

impl<'s> Tracer<'s> {
    /// A tracer of this scenario.
    #[must_use]
    pub const fn new(scenario: &'s Scenario) -> Self {
        Self { scenario, number: 0, lines: Vec::new() }
    }
}

impl Onlooker for Tracer<'_> {
    fn begin(&mut self, _: &Description, _: Option<&dyn Subject>) {
        (self.number, self.lines) = (0, vec![heading()]);
    }

    fn before(&mut self, _case: &Case<'_>, _steps: &[Step]) {}

    fn after(&mut self, scene: &Scene<'_, '_>) {
        let state = scene.case.view().state;
        let page = state.machine().page;
        for (step, answered) in scene.steps.iter().zip(&scene.answers) {
            self.number += 1;
            let text = match (answered, scene.ending) {
                (Some(answered), _) => line(self.scenario, self.number, step, answered),
                (None, Some(Ending::Diverges(it))) if self.number == scene.case.steps => {
                    diverging(self.scenario, self.number, step, it)
                }
                (None, _) => continue,
            };
            let named = extent::named(scene.case, step).map(|it| it.start * page);
            let returned = answered.as_ref().and_then(|it| it.outcome.address());
            let place = returned.or(named.map(Address));
            self.lines.push(TraceLine { map: map::line(state, place), ..text });
        }
    }

    fn end(&mut self, _scene: &Scene<'_, '_>) {}
}

/// What the columns are.
fn heading() -> TraceLine {
    let letters = map::LETTERS.iter().skip(1).map(|(letter, word)| format!("{letter} {word}"));
    let letters: Vec<String> = letters.collect();
    let head = format!("{:>6}  {:<7} ", "step", "rule");
    let map = format!("{:<width$}", "map", width = map::WIDTH);
    TraceLine { head: head + &map, map: String::new(), text: format!(" ({})", letters.join(", ")) }
}

/// One step: number, rule, call and answer.
#[must_use]
pub fn line(scenario: &Scenario, number: usize, step: &Step, answered: &Answered) -> TraceLine {
    let rule = answered.rule.map_or("-", |rule| rule.rule().id);
    let mut text = format!("{} -> {}", show_step(scenario, step), answered.outcome);
    for notice in &answered.notified {
        text.push_str(&format!(", notified {notice}"));
    }
    TraceLine { head: head(number, rule), map: String::new(), text }
}

fn diverging(scenario: &Scenario, number: usize, step: &Step, finding: &Finding) -> TraceLine {
    let text = format!("{} -> {} (diverges)", show_step(scenario, step), finding.observed);
    TraceLine { head: head(number, finding.rule.rule().id), map: String::new(), text }
}

fn head(number: usize, rule: &str) -> String {
    format!("{number:>6}  {rule:<7} ")
}

impl std::fmt::Display for TraceLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}{}", self.head, self.map, self.text)
    }
}
