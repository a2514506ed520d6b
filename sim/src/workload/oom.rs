//! Scripted pressure: the runtime's ladder of escalation, climbed rung by rung and left again.
//!
//! 1. commits of level 0 are refused with a chance;
//! 2. commits of levels 0 and 1 are;
//! 3. all but level 2 is refused, always;
//! 4. everything is refused;
//! 5. nothing is, and everything must work again.
//!
//! On a simulated machine the memory load climbs with it, and the notifications come. Refusals
//! come in front of the subject; the collector and the loader go on meanwhile: what is refused
//! must leave no trace, and decommits and releases are never refused. Each intent has a level,
//! as a runtime's has by the locks that its thread holds: most have level 0.
//!
//! Deliberately not here: any other script. A scenario with `SetMemoryLoad` and `FailNext` is one.

use std::sync::Arc;

use hostmem_interface::scenario::{Action, Step};
use hostmem_interface::{AllocationType, Call, CriticalLevel, Hresult};

use super::Workload;
use super::mixture::{choose, parts};
use crate::fail_each::pass::{may_fail, set_level};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws: the parts, the chance of a refusal on the first rungs, and how many intents
/// a rung lasts.
pub const KNOBS: &[Knob] = &[
    Knob::weight("gc-seg-wks", 8),
    Knob::weight("gc-loh", 3),
    Knob::weight("loader", 5),
    Knob::weight("jit-arena", 4),
    Knob::weight("malloc", 2),
    Knob::quantity("one-in", 2, 16),
    Knob::quantity("rung", 4, 64),
];

/// The profiles that go on meanwhile.
pub const PARTS: &[&str] = &["gc-seg-wks", "gc-loh", "loader", "jit-arena", "malloc"];

/// What is refused on a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refuse {
    Nothing,
    /// Commits up to this level, one in so many.
    Commits(CriticalLevel),
    /// Whatever may be, up to this level.
    All(CriticalLevel),
}

/// The rungs, each with the load of the machine and the bytes that are left.
const LADDER: [(Refuse, u32, u64); 5] = [
    (Refuse::Commits(CriticalLevel::TASK), 85, 2 << 30),
    (Refuse::Commits(CriticalLevel::APP_DOMAIN), 95, 150 << 20),
    (Refuse::All(CriticalLevel::APP_DOMAIN), 97, 60 << 20),
    (Refuse::All(CriticalLevel::PROCESS), 99, 0),
    (Refuse::Nothing, 40, 9 << 30),
];

/// Parts of a process that go on under refusals.
struct Ladder {
    parts: Vec<(u32, Box<dyn Workload>)>,
    one_in: u64,
    /// How many intents a rung lasts.
    lasts: u64,
    rung: usize,
    left: u64,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, draw: &mut Draw) -> Box<dyn Workload> {
    let parts = parts(swarm, draw);
    let (one_in, lasts) = (u64::from(swarm.get("one-in")), u64::from(swarm.get("rung")));
    // The first thing is to step onto the first rung.
    Box::new(Ladder { parts, one_in, lasts, rung: LADDER.len() - 1, left: 0 })
}

impl Workload for Ladder {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        if self.left == 0 {
            self.left = self.lasts;
            self.rung = (self.rung + 1) % LADDER.len();
            let (_, load, available) = LADDER[self.rung];
            let mut script = Script::new(view);
            script.call(Call::SetMemoryLoad { load, available });
            return script.steps();
        }
        self.left -= 1;
        let part = choose(&self.parts, draw);
        let mut steps = self.parts[part].1.next(draw, view);
        let level = level(draw);
        steps.iter_mut().for_each(|step| set_level(step, level));
        let mut all = Vec::new();
        for step in steps {
            all.extend(self.refusal(&step, level, draw));
            all.push(step);
        }
        all
    }
}

impl Ladder {
    /// The step that has the next one refused, if this rung refuses it.
    fn refusal(&self, step: &Step, level: CriticalLevel, draw: &mut Draw) -> Option<Step> {
        let refused = match LADDER[self.rung].0 {
            Refuse::Nothing => false,
            Refuse::Commits(most) => commits(step) && level <= most && draw.chance(1, self.one_in),
            Refuse::All(most) => may_fail(step) && level <= most,
        };
        refused.then(|| {
            Step::new(Action::FailNext {
                method: Arc::from(step.action.name()),
                count: 1,
                hresult: Hresult::E_OUTOFMEMORY,
                critical_at_most: Some(level),
            })
        })
    }
}

/// The level of an intent.
fn level(draw: &mut Draw) -> CriticalLevel {
    match draw.below(10) {
        0 => CriticalLevel::PROCESS,
        1 | 2 => CriticalLevel::APP_DOMAIN,
        _ => CriticalLevel::TASK,
    }
}

fn commits(step: &Step) -> bool {
    let commit = AllocationType::COMMIT;
    matches!(&step.action, Action::Call(Call::VirtualAlloc { kind, .. }) if kind.contains(commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::profile;
    use hostmem_interface::Machine;
    use hostmem_model::State;

    #[test]
    fn every_rung_refuses_what_it_says_and_nothing_else() {
        let state = State::new(Machine::WINDOWS_X64);
        let view = View { state: &state, bound: &[] };
        let mut draw = Draw::from_seed([7; 32]);
        let swarm = profile("oom").expect("it is listed").usual("").expect("nothing is pinned");
        let mut ladder = build(&swarm, &mut draw);
        let mut rung = None;
        let mut seen = [(0, 0); LADDER.len()];
        for _ in 0..2000 {
            let steps = ladder.next(&mut draw, &view);
            if let [Step { action: Action::Call(Call::SetMemoryLoad { .. }), .. }] = &steps[..] {
                rung = Some(rung.map_or(0, |rung: usize| (rung + 1) % LADDER.len()));
                continue;
            }
            let rung = rung.expect("the first intent is the first rung");
            for (at, step) in steps.iter().enumerate() {
                if !may_fail(step) {
                    continue;
                }
                let Action::Call(call) = &step.action else { continue };
                let level = call.critical().unwrap_or(CriticalLevel::TASK);
                let before = at.checked_sub(1).map(|at| &steps[at].action);
                let refused = matches!(before, Some(Action::FailNext { .. }));
                seen[rung].0 += u32::from(refused);
                seen[rung].1 += 1;
                match LADDER[rung].0 {
                    Refuse::Nothing => assert!(!refused),
                    Refuse::Commits(most) => {
                        assert!(!refused || (commits(step) && level <= most), "{step:?}");
                    }
                    Refuse::All(most) if call.critical().is_some() => {
                        assert_eq!(refused, level <= most, "{step:?}");
                    }
                    Refuse::All(_) => {}
                }
            }
        }
        assert!(seen[..4].iter().all(|(refused, _)| *refused > 0), "{seen:?}");
        assert_eq!((seen[4].0, seen[3].0), (0, seen[3].1), "{seen:?}");
    }
}
