//! Memory load: the collector asks for it one to four times a collection, and is told when
//! memory becomes low.
//!
//! gc.cpp `generation_to_condemn`, `joined_youngest_desired`: thresholds at 85, 90, 95 and
//! 97 %; the finalizer collects at most once in 8192 ms however often Low is told, so bursts
//! of it are ordinary.

use hostmem_interface::Call;
use hostmem_interface::scenario::Step;

use super::Workload;
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("ask", 10),
    Knob::weight("sweep", 6),
    Knob::weight("threshold", 4),
    Knob::weight("burst", 2),
    Knob::weight("register", 1),
];

/// Physical memory that loads are taken of where the machine states none.
const PHYSICAL: u64 = 16 << 30;
/// Where the collector changes its mind, percent.
const THRESHOLDS: [u32; 4] = [85, 90, 95, 97];

/// The load as the machine shows it.
#[derive(Debug)]
struct Load {
    weights: [u32; 5],
    percent: u32,
    registered: bool,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    let weights = ["ask", "sweep", "threshold", "burst", "register"].map(|name| swarm.get(name));
    Box::new(Load { weights, percent: 30, registered: false })
}

impl Workload for Load {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        if !self.registered {
            self.registered = true;
            script.call(Call::RegisterMemoryNotificationCallback);
            return script.steps();
        }
        match draw.weighted(&self.weights) {
            1 => self.sweep(&mut script, draw),
            2 => self.threshold(&mut script, draw),
            3 => burst(&mut script, draw),
            4 => script.call(Call::RegisterMemoryNotificationCallback),
            _ => ask(&mut script, draw),
        }
        script.steps()
    }
}

fn ask(script: &mut Script<'_>, draw: &mut Draw) {
    for _ in 0..draw.between(1, 4) {
        script.call(Call::GetMemoryLoad);
    }
}

fn set(script: &mut Script<'_>, percent: u32) {
    let physical = script.view().state.machine().physical.unwrap_or(PHYSICAL);
    let available = physical / 100 * u64::from(100 - percent.min(100));
    script.call(Call::SetMemoryLoad { load: percent, available });
}

impl Load {
    /// From 30 to 99 % in steps, and then from the beginning.
    fn sweep(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        self.percent += u32::try_from(draw.between(1, 9)).expect("a digit");
        if self.percent > 99 {
            self.percent = 30;
        }
        set(script, self.percent);
        script.call(Call::GetMemoryLoad);
    }

    /// On a threshold, or one beside it.
    fn threshold(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let percent = draw.pick(&THRESHOLDS) + u32::try_from(draw.below(3)).expect("few") - 1;
        self.percent = percent;
        set(script, percent);
        ask(script, draw);
    }
}

/// Low and neutral in turn, or high twice: only changes are told.
fn burst(script: &mut Script<'_>, draw: &mut Draw) {
    let low = script.view().state.pressure.class(0);
    debug_assert_eq!(low, hostmem_interface::MemoryAvailable::LOW);
    let mib: [u64; 4] = [10, 100, 1000, 4000];
    for _ in 0..draw.between(2, 10) {
        let load = 99 - u32::try_from(draw.below(10)).expect("a digit");
        script.call(Call::SetMemoryLoad { load, available: draw.pick(&mib) << 20 });
    }
}
