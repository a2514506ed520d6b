//! Logs that no machine would write: whatever a log claims, what is made of it keeps the law.

use hostmem_interface::scenario::Scenario;
use hostmem_model::ModelBackend;

use super::super::{ImportError, strace, wine_relay};
use super::{begin, end, replay};
use crate::run::{Ending, run_scenario};

/// SplitMix64: enough for choices, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_of<T: Copy>(&mut self, words: &[T]) -> T {
        words[usize::try_from(self.roll(words.len() as u64)).unwrap()]
    }

    /// A few granules, often a base, sometimes nonsense.
    fn address(&mut self) -> u64 {
        let base = 0x1_0000 * (1 + self.roll(8));
        match self.roll(12) {
            0 => 0,
            1 => self.one_of(&[1, 0x7FFF_FFFE_F000, 0x7FFF_FFFF_0000, u64::MAX]),
            2..5 => base + 0x1000 * self.roll(16),
            5 => base + self.roll(0x1_0000),
            _ => base,
        }
    }

    fn size(&mut self) -> u64 {
        match self.roll(8) {
            0 => self.one_of(&[0, 1, 0x1_0001, u64::MAX, u64::MAX - 0xFFFF]),
            1..4 => 0x1_0000 * (1 + self.roll(3)),
            _ => 0x1000 * (1 + self.roll(16)),
        }
    }

    /// A call of Win32 with the result that it is said to have had.
    fn win32(&mut self) -> (String, String) {
        let (address, size) = (self.address(), self.size());
        let protect = self.one_of(&[1, 2, 4, 4, 4, 4, 0x40, 8, 0, 0x104, 0x101]);
        let fine = self.roll(5) > 0;
        let truth = format!("{:08x}", u64::from(fine));
        match self.roll(10) {
            0..4 => {
                let kind = self.one_of(&[
                    0x2000, 0x2000, 0x3000, 0x1000, 0x1000, 0x1000, 0x20_2000, 0x8_0000, 0x10_2000,
                    0x20_1000, 0x40_2000, 0,
                ]);
                let granule = kind & 0x2000 != 0;
                let returned = match (fine, address) {
                    (false, _) => 0,
                    (true, 0) => 0x1_0000 * (1 + self.roll(8)),
                    (true, _) if granule => address & !0xFFFF,
                    (true, _) => address & !0xFFF,
                };
                let call =
                    format!("VirtualAlloc({address:08x},{size:08x},{kind:08x},{protect:08x})");
                (call, format!("{returned:08x}"))
            }
            4..6 => {
                let (kind, size) = if self.roll(2) == 0 { (0x8000, 0) } else { (0x4000, size) };
                (format!("VirtualFree({address:08x},{size:08x},{kind:08x})"), truth)
            }
            6 => {
                let old = self.one_of(&[0x19_F000, 0x19_F000, 0]);
                let call =
                    format!("VirtualProtect({address:08x},{size:08x},{protect:08x},{old:08x})");
                (call, truth)
            }
            7 => {
                let length = if fine { 0x30 } else { 0 };
                (format!("VirtualQuery({address:08x},0019f000,00000030)"), format!("{length:08x}"))
            }
            8 => {
                let failed = format!("{:08x}", if fine { 0 } else { 0xFFFF_FFFF_u64 });
                (format!("ResetWriteWatch({address:08x},{size:08x})"), failed)
            }
            _ => {
                let failed = format!("{:08x}", if fine { 0 } else { 0xFFFF_FFFF_u64 });
                let call = format!(
                    "GetWriteWatch(00000000,{address:08x},{size:08x},0019f000,0019f008,0019f010)"
                );
                (call, failed)
            }
        }
    }

    fn linux(&mut self) -> String {
        let base = 0x1000 * (16 + self.roll(64));
        let size = self.one_of(&[0x1000, 0x3000, 0x8000, 5000, 0, u64::MAX]);
        let protect = self.one_of(&["PROT_NONE", "PROT_READ|PROT_WRITE", "PROT_EXEC"]);
        let fixed = self.one_of(&["", "|MAP_FIXED", "|MAP_SHARED"]);
        match self.roll(6) {
            0 | 1 => format!(
                "mmap(NULL, {size}, {protect}, MAP_PRIVATE|MAP_ANONYMOUS{fixed}, -1, 0) = {base:#x}"
            ),
            2 => format!("mmap({base:#x}, {size}, {protect}, MAP_PRIVATE, 3, 0) = {base:#x}"),
            3 => format!("munmap({base:#x}, {size}) = 0"),
            4 => {
                let advice = self.one_of(&["MADV_DONTNEED", "MADV_FREE"]);
                format!("madvise({base:#x}, {size}, {advice}) = 0")
            }
            _ => format!("mprotect({base:#x}, {size}, {protect}) = 0"),
        }
    }
}

/// Replays naively, and on the model: every expectation must be one that the law permits, and
/// the model must come to it.
fn lawful(scenario: &Scenario, log: &str) {
    replay::replay(scenario);
    let outcome = run_scenario(scenario, "random", &ModelBackend, &mut |_, _| {});
    assert!(
        matches!(outcome.ending, Ending::Agrees),
        "step {}: {:?}\n{:#?}\n{log}",
        outcome.steps,
        outcome.ending,
        replay::steps(scenario),
    );
}

#[test]
fn whatever_a_relay_log_claims_the_scenario_is_lawful() {
    let mut kept = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let threads = ["0024", "0028", "002c"];
        let mut open: [Option<(String, String)>; 3] = Default::default();
        let mut log = String::new();
        for _ in 0..120 {
            let at = usize::try_from(dice.roll(3)).unwrap();
            match open[at].take() {
                Some((call, result)) => log.push_str(&end(threads[at], &call, &result)),
                None => {
                    let (call, result) = dice.win32();
                    log.push_str(&begin(threads[at], &call));
                    open[at] = Some((call, result));
                }
            }
        }
        match wine_relay(log.as_bytes(), "a") {
            Ok(import) => {
                kept += import.summary.kept();
                let left: u64 = import.summary.left_out.values().flat_map(|by| by.values()).sum();
                assert_eq!(import.summary.seen(), import.summary.kept() + left, "{log}");
                lawful(&import.scenario, &log);
            }
            Err(ImportError::NothingLeft { .. }) => {}
            Err(other) => panic!("{other}\n{log}"),
        }
    }
    assert!(kept > 4000, "the logs must have something to keep: {kept}");
}

#[test]
fn whatever_an_strace_log_claims_the_scenario_is_lawful() {
    let mut kept = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let log: String = (0..80).map(|_| format!("{}\n", dice.linux())).collect();
        let import = strace(log.as_bytes(), "a").unwrap();
        kept += import.summary.kept();
        let left: u64 = import.summary.left_out.values().flat_map(|by| by.values()).sum();
        assert_eq!(import.summary.seen(), import.summary.kept() + left, "{log}");
        lawful(&import.scenario, &log);
    }
    assert!(kept > 4000, "the logs must have something to keep: {kept}");
}

#[test]
fn no_damage_is_taken_for_something_else_than_damage() {
    let mut whole = String::new();
    let mut dice = Dice(7);
    for _ in 0..40 {
        let (call, result) = dice.win32();
        whole.push_str(&super::on("0024", &call, &result));
    }
    for _ in 0..2000 {
        let mut torn = whole.clone().into_bytes();
        for _ in 0..=dice.roll(3) {
            let at = usize::try_from(dice.roll(torn.len() as u64)).unwrap();
            match dice.roll(4) {
                0 => torn[at] = u8::try_from(dice.roll(256)).unwrap(),
                1 => drop(torn.remove(at)),
                2 => torn.truncate(at.max(1)),
                _ => {
                    let to = (at + 80).min(torn.len());
                    torn.drain(at..to);
                }
            }
            if torn.is_empty() {
                torn.push(b'x');
            }
        }
        // Either a clear word, or a scenario of what is left that keeps the law.
        if let Ok(import) = wine_relay(&torn[..], "a") {
            replay::replay(&import.scenario);
        }
    }
}
