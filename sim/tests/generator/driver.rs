//! Carries workloads out on the model alone, and notes which rules decide.

use hostmem::random::Draw;
use hostmem::steering::RuleSet;
use hostmem::view::{Binding, View};
use hostmem::workload::{Profile, Workload};
use hostmem_interface::scenario::{Action, Name, Place, Step, SymbolicCall};
use hostmem_interface::{
    Address, Call, CriticalLevel, Machine, MallocId, MemoryBasicInformation, OutPointer, Outcome,
    QueryAnswer, Reply, Value,
};
use hostmem_model::State;
use hostmem_model::actor::Actor;
use hostmem_model::rule::{HR_01, HR_02, NT_02, VQ_13};
use hostmem_model::rules::decide;
use hostmem_model::verdict::{Answer, No};

/// One case on the model.
pub(crate) struct Case {
    actor: Actor,
    bound: Vec<Binding>,
    /// The heap that each name is, where it is one.
    heaps: Vec<Option<MallocId>>,
    failing: Vec<(String, u64, Option<CriticalLevel>)>,
    pub(crate) reached: RuleSet,
    pub(crate) carried_out: usize,
    pub(crate) refused: usize,
    pub(crate) most_committed: u64,
    pub(crate) log: Vec<Step>,
}

impl Case {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            actor: Actor::new(State::new(machine)),
            bound: Vec::new(),
            heaps: Vec::new(),
            failing: Vec::new(),
            reached: RuleSet::default(),
            carried_out: 0,
            refused: 0,
            most_committed: 0,
            log: Vec::new(),
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { state: &self.actor.state, bound: &self.bound }
    }

    /// Lets a workload go on until so many steps were carried out.
    pub(crate) fn run(&mut self, workload: &mut dyn Workload, draw: &mut Draw, steps: usize) {
        while self.carried_out < steps {
            let script = workload.next(draw, &self.view());
            self.carry_out_all(script);
        }
    }

    /// Carries steps out up to the first that binds nothing though it should.
    pub(crate) fn carry_out_all(&mut self, script: Vec<Step>) {
        assert!(!script.is_empty(), "an intent is never nothing");
        for step in script {
            if !self.carry_out(&step) {
                break;
            }
        }
    }

    fn carry_out(&mut self, step: &Step) -> bool {
        self.carried_out += 1;
        self.log.push(step.clone());
        if let Some(name) = step.bind {
            assert_eq!(name.0 as usize, self.bound.len(), "names are bound in order: {step:?}");
        }
        match &step.action {
            Action::Call(call) => self.call(call, step.bind.is_some()),
            Action::Hole { size } => self.hole(*size),
            Action::Walk { from, to } => {
                self.walk(*from, *to);
                true
            }
            Action::FailNext { method, count, critical_at_most, .. } => {
                self.failing.push((method.to_string(), *count, *critical_at_most));
                true
            }
        }
    }

    fn address(&self, place: Place) -> Address {
        match place {
            Place::Absolute(address) => address,
            Place::Relative { name, offset } => match self.bound[name.0 as usize] {
                Binding::Range { base, .. } => base.wrapping_add(offset),
                Binding::Malloc => panic!("{name:?} is a heap"),
                Binding::Nothing => panic!("{name:?} is nothing"),
            },
        }
    }

    fn heap(&self, name: Name) -> MallocId {
        self.heaps[name.0 as usize].expect("a heap")
    }

    fn act(&mut self, call: &Call) -> Outcome {
        let verdict = decide(&self.actor.state, call);
        self.reached.add(verdict.first.rule);
        match &verdict.first.answer {
            Answer::Refused(No::Memory(_)) => drop(self.reached.add(HR_01)),
            Answer::Refused(No::NotOurs) => drop(self.reached.add(HR_02)),
            _ => {}
        }
        let Reply::Outcome { outcome, notified } = self.actor.act(call) else {
            panic!("{call:?} is unreadable")
        };
        if !notified.is_empty() {
            self.reached.add(NT_02);
        }
        self.refused += usize::from(matches!(outcome, Outcome::Refused(_)));
        self.most_committed = self.most_committed.max(self.actor.state.space.committed());
        outcome
    }

    fn call(&mut self, call: &SymbolicCall, binds: bool) -> bool {
        if self.fails(call) {
            return !binds;
        }
        let heap = call.malloc().copied();
        let size = match call {
            Call::VirtualAlloc { size, .. } | Call::Alloc { size, .. } => *size,
            Call::DebugAlloc { size, .. } => *size,
            _ => 0,
        };
        let resolved: Result<Call, ()> =
            call.resolve(|place| Ok(self.address(*place)), |name| Ok(self.heap(*name)));
        let before = self.actor.state.space.len();
        let outcome = self.act(&resolved.expect("every name is bound"));
        if !binds {
            assert!(self.actor.state.space.len() <= before, "no name for what {call:?} made");
            return true;
        }
        match outcome.value() {
            Some(Value::Address(base)) => {
                self.bound.push(Binding::Range { base: *base, size, malloc: heap });
                self.heaps.push(None);
            }
            Some(Value::Malloc(id)) => {
                self.bound.push(Binding::Malloc);
                self.heaps.push(Some(*id));
            }
            _ => return false,
        }
        true
    }

    fn fails(&mut self, call: &SymbolicCall) -> bool {
        let hit = self.failing.iter().position(|(method, _, most)| {
            method == call.name() && most.is_none_or(|most| call.critical() <= Some(most))
        });
        let Some(at) = hit else { return false };
        self.failing[at].1 -= 1;
        if self.failing[at].1 == 0 {
            self.failing.remove(at);
        }
        true
    }

    fn hole(&mut self, size: u64) -> bool {
        let reserve = Call::VirtualAlloc {
            address: Address::NULL,
            size,
            kind: hostmem_interface::AllocationType::RESERVE,
            protect: hostmem_interface::Protection::NOACCESS,
            critical: CriticalLevel::TASK,
        };
        let Some(base) = self.act(&reserve).address() else { return false };
        let kind = hostmem_interface::FreeType::RELEASE;
        self.act(&Call::VirtualFree { address: base, size: 0, kind });
        self.bound.push(Binding::Range { base, size, malloc: None });
        self.heaps.push(None);
        true
    }

    fn walk(&mut self, from: Option<Place>, to: Option<Place>) {
        let end = self.actor.state.machine().end();
        let mut at = from.map_or(Address::NULL, |place| self.address(place));
        let to = to.map_or(end, |place| self.address(place).0.min(end));
        while at.0 < to {
            let length = MemoryBasicInformation::SIZE;
            let outcome =
                self.act(&Call::VirtualQuery { address: at, buffer: OutPointer::Valid, length });
            let Some(Value::Region(QueryAnswer { information, .. })) = outcome.value() else {
                panic!("{at} is in user space")
            };
            at = information.end();
        }
        self.reached.add(VQ_13);
    }
}

/// Runs a case of a profile.
pub(crate) fn run(profile: &Profile, seed: u64, machine: Machine, steps: usize) -> Case {
    let mut draw = Draw::from_number(seed);
    let mut workload = profile.start(&mut draw);
    let mut case = Case::new(machine);
    case.run(&mut *workload, &mut draw, steps);
    case
}
