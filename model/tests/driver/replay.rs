//! A scenario on the model: the actor answers, as the file expects wherever that is lawful,
//! and a judge follows.

use std::collections::BTreeSet;

use hostmem_interface::scenario::fits::{describe, notified_fits, outcome_fits};
use hostmem_interface::scenario::{Action, Expected, Name, Place, Scenario, Step, SymbolicCall};
use hostmem_interface::{
    Address, Call, CriticalLevel, Grain, Hresult, MallocId, MemoryAvailable,
    MemoryBasicInformation, OutPointer, Outcome, Refusal, RegionState, Reply, Value,
};
use hostmem_model::actor::Actor;
use hostmem_model::rule::{HR_01, VQ_13};
use hostmem_model::{Judge, Judgement, RuleId, State};

/// A pending `FailNext`.
#[derive(Clone)]
struct Injection {
    method: String,
    left: u64,
    hresult: Hresult,
    critical_at_most: Option<CriticalLevel>,
}

#[derive(Clone)]
struct Replay {
    actor: Actor,
    judge: Judge,
    bound: Vec<Option<Address>>,
    heaps: Vec<Option<MallocId>>,
    injections: Vec<Injection>,
    reached: BTreeSet<RuleId>,
}

/// Carries out every step. Gives the rules that decided.
///
/// # Errors
/// The first step that is not lawful or not as expected.
pub(crate) fn replay(scenario: &Scenario) -> Result<BTreeSet<RuleId>, String> {
    let machine = scenario.machine.machine();
    let mut replay = Replay {
        actor: Actor::new(State::new(machine)),
        judge: Judge::new(State::new(machine), &super::description(machine)),
        bound: vec![None; scenario.names.len()],
        heaps: vec![None; scenario.names.len()],
        injections: Vec::new(),
        reached: BTreeSet::new(),
    };
    let mut rest = &scenario.steps[..];
    while let [first, ..] = rest {
        let together = |step: &&Step| first.with.is_some() && step.with == first.with;
        let length = rest.iter().take_while(together).count().max(1);
        let (group, behind) = rest.split_at(length);
        replay = replay.group(group).map_err(|why| {
            format!("line {}, {}: {why}", first.position.line, first.action.name())
        })?;
        rest = behind;
    }
    Ok(replay.reached)
}

impl Replay {
    /// Steps that may overlap: in the first order in which all come out as expected.
    fn group(&self, steps: &[Step]) -> Result<Self, String> {
        let all: Vec<&Step> = steps.iter().collect();
        self.in_some_order(&all)
    }

    fn in_some_order(&self, left: &[&Step]) -> Result<Self, String> {
        let mut first_wrong = None;
        for (at, step) in left.iter().enumerate() {
            let mut trial = self.clone();
            let mut rest = left.to_vec();
            rest.remove(at);
            let done = trial.step(step).and_then(|()| {
                if rest.is_empty() { Ok(trial) } else { trial.in_some_order(&rest) }
            });
            match done {
                Ok(done) => return Ok(done),
                Err(why) => drop(first_wrong.get_or_insert(why)),
            }
        }
        Err(first_wrong.unwrap_or_default())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::Call(call) => self.symbolic(step, call),
            Action::Hole { size } => self.hole(step, *size),
            Action::Walk { from, to } => self.walk(step, *from, *to),
            Action::FailNext { method, count, hresult, critical_at_most } => {
                self.injections.push(Injection {
                    method: method.to_string(),
                    left: *count,
                    hresult: *hresult,
                    critical_at_most: *critical_at_most,
                });
                Ok(())
            }
        }
    }

    fn symbolic(&mut self, step: &Step, call: &SymbolicCall) -> Result<(), String> {
        let unbound = || "a name was never bound".to_owned();
        let call: Call = call.resolve(
            |place| self.address(*place, None, None).ok_or_else(unbound),
            |name| self.heaps[name.0 as usize].ok_or_else(unbound),
        )?;
        let (outcome, notified) = match self.injected(&call) {
            Some(refusal) => (Outcome::Refused(refusal), Vec::new()),
            None => self.judged(step, &call)?,
        };
        let own = outcome.address();
        if let Some(expectation) = &step.expect {
            let resolve = |place| self.address(place, step.bind, own);
            let fits = outcome_fits(&expectation.outcome, &outcome, Grain::Win32, &resolve)
                && notified_fits(expectation, &notified);
            if !fits {
                let expected = describe(expectation, &resolve);
                return Err(format!("expected {expected}; came {outcome}, {notified:?}"));
            }
        }
        if let Some(Name(name)) = step.bind {
            self.bound[name as usize] = own;
            self.heaps[name as usize] = match outcome.value() {
                Some(Value::Malloc(id)) => Some(*id),
                _ => None,
            };
        }
        Ok(())
    }

    /// Acts, has it judged, and holds that nothing was refused for lack of luck.
    fn judged(
        &mut self,
        step: &Step,
        call: &Call,
    ) -> Result<(Outcome, Vec<MemoryAvailable>), String> {
        let wanted = |outcome: &Outcome| {
            step.expect.as_ref().is_none_or(|it| {
                let resolve = |place| self.address(place, step.bind, outcome.address());
                outcome_fits(&it.outcome, outcome, Grain::Win32, &resolve)
            })
        };
        let mut actor = self.actor.clone();
        let (reply, _) = actor.act_preferring(call, &wanted);
        self.actor = actor;
        let Reply::Outcome { outcome, notified } = reply else {
            return Err(format!("no outcome: {reply:?}"));
        };
        let verdict = self.judge.decide(call);
        match self.judge.judge(call, &verdict, &outcome, &notified) {
            Judgement::Agrees { rule, also, .. } => {
                self.reached.insert(rule);
                self.reached.extend(also);
            }
            // The expectation, which is looked at next, may want just that.
            Judgement::OutOfMemory(_) => {
                self.reached.insert(HR_01);
            }
            other => return Err(format!("{other:?}")),
        }
        Ok((outcome, notified))
    }

    fn injected(&mut self, call: &Call) -> Option<Refusal> {
        let injection = self.injections.iter_mut().find(|it| {
            let level = match (it.critical_at_most, call.critical()) {
                (Some(most), Some(level)) => level <= most,
                _ => true,
            };
            it.left > 0 && it.method == call.name() && level
        })?;
        injection.left -= 1;
        Some(Refusal::from_hresult(injection.hresult))
    }

    fn hole(&mut self, step: &Step, size: u64) -> Result<(), String> {
        let reserve = Call::reserve_hole(size);
        let plain = Step::new(step.action.clone());
        let base = self.judged(&plain, &reserve)?.0.address().ok_or("no hole")?;
        self.judged(&plain, &Call::release(base))?;
        if let Some(Name(name)) = step.bind {
            self.bound[name as usize] = Some(base);
        }
        Ok(())
    }

    /// Every region from one address to another: no gap, no overlap, no two free in a row.
    fn walk(&mut self, step: &Step, from: Option<Place>, to: Option<Place>) -> Result<(), String> {
        let end = Address(self.judge.state.machine().end());
        let place = |place: Option<Place>, default| match place {
            None => Some(default),
            Some(place) => self.address(place, None, None),
        };
        let mut at = place(from, Address::NULL).ok_or("an unbound beginning")?;
        let to = place(to, end).ok_or("an unbound end")?.min(end);
        let plain = Step::new(step.action.clone());
        let (mut first, mut last_free) = (true, false);
        while at < to {
            let length = MemoryBasicInformation::SIZE;
            let query = Call::VirtualQuery { address: at, buffer: OutPointer::Valid, length };
            let Some(Value::Region(answer)) = self.judged(&plain, &query)?.0.value().cloned()
            else {
                return Err(format!("no region at {at}"));
            };
            let region = answer.information;
            let free = region.state == RegionState::FREE;
            let joined = region.base_address == at || first && region.base_address < at;
            if !joined || region.region_size == 0 || free && last_free {
                return Err(format!("a walk at {at} meets {region:?}"));
            }
            (at, last_free, first) = (region.end(), free, false);
        }
        self.reached.insert(VQ_13);
        match step.expect.as_ref().map(|it| &it.outcome) {
            Some(Expected::Done(outputs))
                if outputs.contiguous == Some(false) || outputs.no_adjacent_free == Some(false) =>
            {
                Err("a walk that must go wrong".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The address of a place, for an expectation that may name what its own step binds.
    fn address(&self, place: Place, own: Option<Name>, base: Option<Address>) -> Option<Address> {
        match place {
            Place::Absolute(address) => Some(address),
            Place::Relative { name, offset } => {
                let base = if own == Some(name) { base } else { self.bound[name.0 as usize] };
                base.map(|base| base.wrapping_add(offset))
            }
        }
    }
}
