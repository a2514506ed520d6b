//! A canary has one fault and no others: whatever it is asked, and however far it has
//! strayed from the law, it answers. A canary that panics would be caught for the wrong
//! reason.
//!
//! Deliberately not here: whether the answers are right (`tests/tests/canaries.rs`).

use hostmem_interface::{
    Address, AllocationType, Backend, Breakage, Call, CriticalLevel, Data, FreeType, Machine,
    MallocId, MallocType, OutPointer, Protection, Reply, Value, WatchFlags, WatchPointers,
};
use hostmem_twin::{CANARIES, NONE, canary};

const CASES: u64 = 24;
const CALLS: usize = 240;

/// Two megabytes of address space, so that calls meet, and little enough memory that the
/// commit limit is reached.
const SMALL: Machine = Machine {
    highest: 0x20_FFFF,
    commit_limit: Some(0x8_0000),
    physical: Some(1 << 30),
    ..Machine::WINDOWS_X64
};

/// A linear congruential generator: the same calls on every machine.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x14_057B_7EF7_678D);
        (self.0 >> 33) % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let at = self.below(of.len() as u64);
        of[usize::try_from(at).expect("an index")]
    }

    fn address(&mut self, seen: &[Address]) -> Address {
        let base = match self.below(8) {
            0 => return Address::NULL,
            1 | 2 if !seen.is_empty() => self.one(seen),
            _ => Address(0x1_0000 * self.below(34)),
        };
        let page = 0x1000 * self.one(&[0, 0, 0, 1, 2, 3, 15]);
        base.wrapping_add(page + self.one(&[0, 0, 0, 1, 8, 0xFFF, 0xFFC]))
    }

    fn size(&mut self) -> u64 {
        self.one(&[0, 1, 2, 4, 8, 0x20, 0x1000, 0x1000, 0x2000, 0x3001, 0x1_0000, 0x2_0000])
    }

    fn protect(&mut self) -> Protection {
        let base = Protection(self.one(&[1, 2, 4, 4, 4, 4, 8, 0x10, 0x20, 0x40, 0x80, 0]));
        base | Protection(self.one(&[0, 0, 0, 0x100, 0x200, 0x400]))
    }

    fn call(&mut self, seen: &[Address]) -> Call {
        let (address, size) = (self.address(seen), self.size());
        let malloc = MallocId(u32::from(self.below(2) == 1));
        let critical = CriticalLevel::TASK;
        match self.below(24) {
            0..6 => {
                let kinds = [0x1000, 0x1000, 0x2000, 0x3000, 0x3000, 0x20_3000, 0x8_0000];
                let more = [0x10_2000, 0x20_1000, 0x40_2000, 0x100_0000, 0x2000_3000, 0];
                let kind = if self.below(8) == 0 { self.one(&more) } else { self.one(&kinds) };
                let (kind, protect) = (AllocationType(kind), self.protect());
                Call::VirtualAlloc { address, size, kind, protect, critical }
            }
            6..9 => {
                let kind = FreeType(self.one(&[0x4000, 0x4000, 0x8000, 0xC000, 0]));
                let size = if kind == FreeType::RELEASE { self.below(2) * size } else { size };
                Call::VirtualFree { address, size, kind }
            }
            9..11 => {
                let old = self.one(&[OutPointer::Valid, OutPointer::Valid, OutPointer::Null]);
                Call::VirtualProtect { address, size, protect: self.protect(), old }
            }
            11 | 12 => {
                let length = self.one(&[48, 48, 48, 47]);
                Call::VirtualQuery { address, buffer: OutPointer::Valid, length }
            }
            13 | 14 => Call::Read { address, size: within_page(address, size) },
            15..18 => {
                let size = within_page(address, size);
                Call::Write { address, data: Data::Fill { size, byte: 0xC3 } }
            }
            18 => Call::Execute { address },
            19 => {
                let (flags, capacity) = (WatchFlags(self.one(&[0, 1])), self.below(4));
                let null = WatchPointers::default();
                Call::GetWriteWatch { address, size, flags, capacity, null }
            }
            20 => Call::ResetWriteWatch { address, size },
            21 => Call::Alloc { malloc, size, critical },
            22 => Call::Free { malloc, address },
            _ => match self.below(5) {
                0 => Call::GetMemoryLoad,
                1 => Call::RegisterMemoryNotificationCallback,
                2 => Call::SetMemoryLoad { load: 50, available: self.below(1 << 28) },
                3 => Call::AcquiredVirtualAddressSpace { address, size },
                _ => Call::ReleasedVirtualAddressSpace { address },
            },
        }
    }
}

/// A single access may straddle; a longer one stays in its page, because the model itself
/// cannot yet carry out one that runs from an allocation into a heap block behind it.
fn within_page(address: Address, size: u64) -> u64 {
    if matches!(size, 1 | 2 | 4 | 8) { size } else { size.min(0x1000 - address.0 % 0x1000) }
}

/// The replies to a case's calls.
fn replies(name: &str, seed: u64) -> Vec<Reply> {
    let backend = canary(name).expect("a known name");
    let subject = backend.open(&SMALL).expect("a small machine");
    for _ in 0..2 {
        subject.call(&Call::CreateMalloc { kind: MallocType::EXECUTABLE });
    }
    let mut draw = Draw(seed);
    let mut seen = Vec::new();
    let mut replies = Vec::new();
    for _ in 0..CALLS {
        let reply = subject.call(&draw.call(&seen));
        if let Reply::Outcome { outcome, .. } = &reply {
            seen.extend(outcome.value().and_then(|value| match value {
                Value::Address(base) => Some(*base),
                _ => None,
            }));
        }
        replies.push(reply);
    }
    replies
}

#[test]
fn a_canary_answers_whatever_it_is_asked() {
    for name in [NONE].into_iter().chain(CANARIES.iter().map(|canary| canary.name)) {
        for seed in 0..CASES {
            for reply in replies(name, seed) {
                let broken = matches!(reply, Reply::Broken(Breakage::Died(_)));
                assert!(!broken, "canary:{name}, seed {seed}");
            }
        }
    }
}

/// The law bent, not random noise: the same calls get the same answers.
#[test]
fn a_canary_is_broken_in_the_same_way_each_time() {
    for canary in CANARIES {
        assert_eq!(replies(canary.name, 7), replies(canary.name, 7), "{}", canary.name);
    }
}
