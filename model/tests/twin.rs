//! Random calls: the slow twin and the model itself as subjects, a judge over both.
//!
//! Two worlds. The tight one has 40 granules and a commit limit, so that places and memory
//! run out; nothing but `VirtualAlloc` takes any of it, so who refuses must be right. The
//! wide one is 64-bit Windows with heaps, mappings and memory load besides.
//!
//! After each call: a refusal has changed nothing, a fault nothing but a guard, look-ups and
//! counts are those of a plain search. At the end: every page shows what the law says.

use hostmem_interface::{
    Address, AllocationType, Backend, Call, CriticalLevel, Data, FreeType, Machine, MallocId,
    MallocType, MemoryBasicInformation, OutPointer, Outcome, Protection, RegionState, Reply,
    Subject, Value, WatchFlags, WatchPointers,
};
use hostmem_model::actor::Actor;
use hostmem_model::{Judge, Judgement, ModelBackend, State};
use hostmem_slow_twin::SlowTwinBackend;

use crate::driver::description;
use crate::driver::dice::Dice;
use crate::driver::dump::{Dump, assert_canonical, assert_sound};

const PAGE: u64 = 0x1000;
const GRANULE: u64 = 0x1_0000;

const TIGHT: Machine = Machine {
    highest: 41 * GRANULE - 1,
    physical: Some(1 << 30),
    commit_limit: Some(60 * PAGE),
    ..Machine::WINDOWS_X64
};
const WIDE: Machine = Machine::WINDOWS_X64;

/// Makes up calls about what there is.
struct Caller {
    dice: Dice,
    wide: bool,
    heaps: u32,
    /// Ends of former allocations, blocks and mappings: places worth asking about.
    known: Vec<Address>,
}

impl Caller {
    fn address(&mut self, state: &State) -> Address {
        let count = state.space.len() as u64;
        let near = match self.dice.below(10) {
            0 => Address(self.dice.pick(&[0, 0, 1, 0xFFFF, GRANULE, state.machine().end()])),
            1 => Address(GRANULE * self.dice.below(42)),
            2 if !self.known.is_empty() => self.dice.pick(&self.known),
            _ if count > 0 => {
                let at = usize::try_from(self.dice.below(count)).expect("few");
                let it = state.space.iter().nth(at).expect("one of them");
                let inside = it.base().wrapping_add(PAGE * self.dice.below(it.size() / PAGE));
                self.dice.pick(&[it.base(), it.base(), inside, inside, inside, it.end()])
            }
            _ => Address(GRANULE),
        };
        let off =
            [0, 0, 0, 0, 1, 7, PAGE - 1, PAGE, PAGE - 4, 0xFFFF, GRANULE, PAGE.wrapping_neg()];
        near.wrapping_add(self.dice.pick(&off))
    }

    fn size(&mut self) -> u64 {
        let odd = [0, 1, 2, PAGE - 1, PAGE + 1, GRANULE, GRANULE + 1, 1 << 47, u64::MAX];
        match self.dice.below(4) {
            0 => self.dice.pick(&odd),
            1 => PAGE * self.dice.below(40),
            _ => PAGE * (1 + self.dice.below(4)),
        }
    }

    fn protect(&mut self) -> Protection {
        let base = Protection(1 << self.dice.below_32(8));
        let lawful = self.dice.pick(&[1, 2, 4, 4, 4, 4, 0x10, 0x20, 0x40, 0x40]);
        match self.dice.below(12) {
            0 => Protection(lawful | 0x200),
            1 => Protection(lawful | 0x400),
            2 | 3 => Protection(lawful | 0x100),
            4 => Protection(base.0 | (0x100 * self.dice.below_32(16))),
            5 => Protection(self.dice.pick(&[0, 3, 0x24, 0x104, 0x300, 0x8000_0004])),
            _ => Protection(lawful),
        }
    }

    fn old(&mut self) -> OutPointer {
        if self.dice.once_in(12) { OutPointer::Null } else { OutPointer::Valid }
    }

    fn alloc(&mut self, state: &State) -> Call {
        let kind = match self.dice.below(12) {
            0..=2 => 0x1000,
            3 | 4 => 0x2000,
            5 => 0x3000,
            6 => 0x20_2000,
            7 => 0x20_3000,
            8 => 0x10_0000 | self.dice.pick(&[0x1000, 0x2000, 0x3000]),
            9 => self.dice.pick(&[0x8_0000, 0x100_0000]),
            10 => self.dice.pick(&[0, 0x4000, 0x8_1000, 0x100_2000, 0x40_2000, 0x2000_3000]),
            _ => 1 << self.dice.below_32(32) | 0x1000 << self.dice.below_32(2),
        };
        let fresh = kind & 0x2000 != 0 && self.dice.below(2) == 0;
        Call::VirtualAlloc {
            address: if fresh { Address::NULL } else { self.address(state) },
            size: self.size(),
            kind: AllocationType(kind),
            protect: self.protect(),
            critical: CriticalLevel::TASK,
        }
    }

    fn memory(&mut self, state: &State) -> Call {
        let address = self.address(state);
        let sizes = [1, 2, 4, 8, 8, 3, 0, 100, PAGE, PAGE + 3, 3 * PAGE];
        let size = self.dice.pick(&sizes);
        let byte = u8::try_from(self.dice.pick(&[0, 1, 7, 0xC3])).expect("a byte");
        match self.dice.below(8) {
            0 => Call::Execute { address },
            1..=3 => Call::Read { address, size },
            4 => {
                let bytes: Vec<u8> = (0..size).map(|at| byte ^ at.to_le_bytes()[0]).collect();
                Call::Write { address, data: Data::Bytes(bytes.into()) }
            }
            _ => Call::Write { address, data: Data::Fill { size, byte } },
        }
    }

    fn watch(&mut self, state: &State) -> Call {
        let (address, size) = (self.address(state), self.size());
        if self.dice.once_in(4) {
            return Call::ResetWriteWatch { address, size };
        }
        Call::GetWriteWatch {
            address,
            size,
            flags: WatchFlags(self.dice.pick(&[0, 0, 0, 1, 1, 2, 3])),
            capacity: self.dice.pick(&[64, 64, 64, 1, 2, 0, u64::MAX]),
            null: WatchPointers {
                addresses: self.old(),
                count: self.old(),
                granularity: self.old(),
            },
        }
    }

    fn other(&mut self, state: &State) -> Call {
        let (address, size) = (self.address(state), self.size());
        let malloc = MallocId(self.dice.below_32(self.heaps.max(1)));
        let block = self.dice.pick(&[0, 1, 15, 16, 17, 300, 5000, 1 << 21]);
        match self.dice.below(12) {
            _ if self.heaps == 0 => Call::CreateMalloc { kind: MallocType(3) },
            0 => Call::CreateMalloc { kind: MallocType(self.dice.below_32(5)) },
            1..=3 => Call::Alloc { malloc, size: block, critical: CriticalLevel::TASK },
            4 => Call::DebugAlloc {
                malloc,
                size: block,
                critical: CriticalLevel::TASK,
                file: "a.cpp".into(),
                line: 7,
            },
            5 | 6 => Call::Free { malloc, address },
            7 => Call::GetMemoryLoad,
            8 => Call::SetMemoryLoad {
                load: self.dice.below_32(110),
                available: self.dice.below(300) << 20,
            },
            9 => Call::RegisterMemoryNotificationCallback,
            // Never among the heaps, where no mapping can be: those lie high.
            10 => {
                Call::AcquiredVirtualAddressSpace { address: Address(address.0 % (1 << 30)), size }
            }
            _ => match self.dice.below(2) {
                0 => Call::NeedsVirtualAddressSpace { address, size },
                _ => Call::ReleasedVirtualAddressSpace { address },
            },
        }
    }

    fn call(&mut self, state: &State) -> Call {
        let (address, size) = (self.address(state), self.size());
        match self.dice.below(20) {
            0..=5 => self.alloc(state),
            6 | 7 => {
                let kind =
                    self.dice.pick(&[0x4000, 0x4000, 0x4000, 0x8000, 0x8000, 0xC000, 0x1_0000]);
                let size = if kind == 0x8000 && self.dice.below(4) > 0 { 0 } else { size };
                Call::VirtualFree { address, size, kind: FreeType(kind) }
            }
            8 | 9 => {
                let (protect, old) = (self.protect(), self.old());
                Call::VirtualProtect { address, size, protect, old }
            }
            10 | 11 => {
                let length = self.dice.pick(&[48, 48, 48, 48, 47, 56, 0]);
                Call::VirtualQuery { address, buffer: self.old(), length }
            }
            12..=14 => self.memory(state),
            15 | 16 => self.watch(state),
            _ if self.wide => self.other(state),
            _ => self.memory(state),
        }
    }
}

/// What is judged: the other implementation, or the model.
enum Who {
    Twin(Box<dyn Subject>),
    Model(Box<Actor>),
}

impl Who {
    fn reply(&mut self, call: &Call) -> Reply {
        match self {
            Self::Twin(twin) => twin.call(call),
            Self::Model(actor) => actor.act(call),
        }
    }
}

struct Case {
    who: Who,
    judge: Judge,
    /// What leads to the call that went wrong.
    title: String,
}

impl Case {
    /// Carries out one call; `None` if there is no outcome to judge.
    fn step(&mut self, call: &Call) -> Option<Outcome> {
        let verdict = self.judge.decide(call);
        let (outcome, notified) = match self.who.reply(call) {
            Reply::Outcome { outcome, notified } => (outcome, notified),
            Reply::Unreadable(_) => return None,
            other => panic!("{}: {call:?}: {other:?}", self.title),
        };
        match self.judge.judge(call, &verdict, &outcome, &notified) {
            Judgement::Agrees { .. } => Some(outcome),
            // A range of the subject's heaps, which the law knows nothing of.
            Judgement::Taken { start, end, .. } if self.shows_something(start, end) => {
                Some(outcome)
            }
            other => panic!("{}: {call:?}\n{outcome}\n{other:#?}", self.title),
        }
    }

    /// Whether the subject's own queries show something in a range.
    fn shows_something(&mut self, start: Address, end: Address) -> bool {
        let mut at = start;
        while at < end {
            let length = MemoryBasicInformation::SIZE;
            let query = Call::VirtualQuery { address: at, buffer: OutPointer::Valid, length };
            match self.step(&query) {
                Some(Outcome::Done { value: Value::Region(answer), .. }) => {
                    if answer.information.state != RegionState::FREE {
                        return true;
                    }
                    at = answer.information.end();
                }
                other => panic!("{}: {query:?}: {other:?}", self.title),
            }
        }
        false
    }

    /// Every page of every allocation, and one on either side: query, contents, marks.
    fn every_page(&mut self) {
        let machine = *self.judge.state.machine();
        let owned: Vec<(u64, u64, bool)> = self
            .judge
            .state
            .space
            .iter()
            .map(|it| (it.base().0, it.end().0, it.terms().watched))
            .collect();
        for (base, end, watched) in owned {
            if watched {
                self.step(&Call::GetWriteWatch {
                    address: Address(base),
                    size: end - base,
                    flags: WatchFlags(0),
                    capacity: u64::MAX,
                    null: WatchPointers::default(),
                });
            }
            let first = base - machine.page;
            for at in (first..=end).step_by(0x1000).map(Address) {
                let length = MemoryBasicInformation::SIZE;
                self.step(&Call::VirtualQuery { address: at, buffer: OutPointer::Valid, length });
                if self.judge.state.contents.is_written(at, 1) {
                    self.step(&Call::Read { address: at, size: machine.page });
                }
            }
        }
    }
}

/// A refusal has changed nothing, a fault nothing but a guard.
fn assert_unchanged(before: &Dump, after: &Dump, outcome: &Outcome, call: &Call) {
    match outcome {
        Outcome::Refused(_) => assert_eq!(before, after, "{call:?}"),
        Outcome::Faulted(_) if !matches!(call, Call::Write { .. }) => {
            let plain = |dump: &Dump| dump.clone().without_page_states();
            assert_eq!(plain(before), plain(after), "{call:?}");
        }
        _ => {}
    }
}

fn run(who: Who, machine: Machine, seed: u64, calls: usize) {
    let judge = Judge::new(State::new(machine), &description(machine));
    let mut case = Case { who, judge, title: String::new() };
    let wide = machine.commit_limit.is_none();
    let mut caller = Caller { dice: Dice(seed), wide, heaps: 0, known: Vec::new() };
    for number in 0..calls {
        let call = caller.call(&case.judge.state);
        case.title = format!("seed {seed}, call {number}");
        let before = Dump::of(&case.judge.state);
        let Some(outcome) = case.step(&call) else { continue };
        let after = Dump::of(&case.judge.state);
        assert_unchanged(&before, &after, &outcome, &call);
        if let Some(base) = outcome.address() {
            caller.known.push(base);
        }
        match call {
            Call::AcquiredVirtualAddressSpace { address, .. } => caller.known.push(address),
            Call::CreateMalloc { .. } if outcome.is_done() => caller.heaps += 1,
            _ => {}
        }
        let probe = caller.address(&case.judge.state);
        assert_sound(&case.judge.state, &[probe]);
    }
    case.every_page();
    if let Who::Model(actor) = &mut case.who {
        assert_canonical(actor);
        assert_eq!(Dump::of(&actor.state).marks(), Dump::of(&case.judge.state).marks());
    }
    if let Who::Twin(twin) = &case.who {
        assert_eq!(twin.checkpoint(), Ok(()));
    }
}

fn twin(machine: &Machine) -> Who {
    Who::Twin(SlowTwinBackend.open(machine).expect("a machine in order"))
}

/// The twin and the model agree about a space in which places and memory run out.
#[test]
fn the_twin_agrees_in_a_tight_world() {
    for seed in 0..40 {
        run(twin(&TIGHT), TIGHT, seed, 120);
    }
}

/// The twin and the model agree about everything that a manager is asked.
#[test]
fn the_twin_agrees_in_a_wide_world() {
    for seed in 1000..1040 {
        run(twin(&WIDE), WIDE, seed, 120);
    }
}

/// So is the model behind the interface of a manager.
#[test]
fn the_simulator_obeys_the_law() {
    for seed in 3000..3016 {
        let subject = |machine| Who::Twin(ModelBackend.open(machine).expect("a machine in order"));
        run(subject(&TIGHT), TIGHT, seed, 80);
        run(subject(&WIDE), WIDE, seed, 120);
    }
}

/// What the model does by itself is lawful, in a tight world and in a wide one.
#[test]
fn the_model_obeys_its_own_law() {
    for seed in 2000..2020 {
        let actor = |machine| Who::Model(Box::new(Actor::new(State::new(machine))));
        run(actor(TIGHT), TIGHT, seed, 100);
        run(actor(WIDE), WIDE, seed, 100);
    }
}
