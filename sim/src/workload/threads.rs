//! Threads: each asks for the bounds of its stack, and after a stack overflow a page becomes
//! a guard again.
//!
//! vm/threads.cpp `CommitThreadStack`, `GetStackLowerBound`, `MarkPageAsGuard`,
//! `RestoreGuardPage`. Stacks are made by the operating system; the ones here are stand-ins
//! of the case's own: reserved, committed from the top, with a guard page below.

use hostmem_interface::scenario::Step;
use hostmem_interface::{AllocationType, CriticalLevel, Protection};

use super::Workload;
use super::held::{Held, forget_lost};
use crate::random::Draw;
use crate::script::Script;
use crate::swarm::{Knob, Swarm};
use crate::view::View;

/// What a case draws.
pub const KNOBS: &[Knob] = &[
    Knob::weight("start", 10),
    Knob::weight("end", 9),
    Knob::weight("bounds", 12),
    Knob::weight("use", 6),
    Knob::weight("overflow", 3),
    Knob::quantity("threads", 2, 64),
];

const PAGE: u64 = 0x1000;
/// The fallback where the EXE header cannot be read, and what most headers say.
const SIZES: [u64; 2] = [256 << 10, 1 << 20];
const RW: Protection = Protection::READWRITE;

/// The stacks of a process.
#[derive(Debug)]
struct Threads {
    weights: [u32; 5],
    most: usize,
    stacks: Vec<Held>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Threads {
        weights: ["start", "end", "bounds", "use", "overflow"].map(|name| swarm.get(name)),
        most: swarm.get("threads") as usize,
        stacks: Vec::new(),
    })
}

impl Workload for Threads {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = CriticalLevel::PROCESS;
        forget_lost(&mut self.stacks, view);
        let (none, full) = (self.stacks.is_empty(), self.stacks.len() >= self.most);
        match draw.weighted(&self.weights) {
            _ if none => self.start(&mut script, draw),
            1 => self.end(&mut script, draw),
            2 => self.bounds(&mut script, draw),
            3 => self.touch(&mut script, draw),
            4 => self.overflow(&mut script, draw),
            _ if full => self.end(&mut script, draw),
            _ => self.start(&mut script, draw),
        }
        script.steps()
    }
}

impl Threads {
    fn start(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let size = SIZES[draw.weighted(&[1, 3])];
        let stack = Held { name: script.reserve(size, AllocationType::RESERVE, RW), size };
        // The whole stack is committed but for four pages, unless that is configured off; a
        // guard lies below.
        let all = size / PAGE - 4;
        let pages = if draw.chance(3, 4) { all } else { draw.log_uniform(4, all) };
        let first = size - PAGE * pages;
        script.commit(stack.at(first), size - first, RW);
        script.commit(stack.at(first - PAGE), PAGE, RW | Protection::GUARD);
        ask_bounds(script, draw, stack);
        self.stacks.push(stack);
    }

    fn end(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        let at = draw.index(self.stacks.len());
        script.release(self.stacks.remove(at).at(0));
    }

    fn bounds(&self, script: &mut Script<'_>, draw: &mut Draw) {
        let stack = *draw.pick(&self.stacks);
        ask_bounds(script, draw, stack);
    }

    /// The stack grows into its guard, or is used where it is.
    fn touch(&self, script: &mut Script<'_>, draw: &mut Draw) {
        let stack = *draw.pick(&self.stacks);
        let below = lowest_committed(script.view(), stack);
        let offset = match below {
            Some(offset) if draw.chance(1, 2) => offset + 8 * draw.below(PAGE / 8),
            _ => stack.size - 8 * draw.between(1, 256),
        };
        script.write(stack.at(offset), &draw.bytes(8));
        script.write(stack.at(offset), &draw.bytes(8));
    }

    /// `MarkPageAsGuard`: one byte of a page, and a query to make sure.
    fn overflow(&self, script: &mut Script<'_>, draw: &mut Draw) {
        let stack = *draw.pick(&self.stacks);
        let offset = lowest_committed(script.view(), stack).unwrap_or(stack.size - PAGE);
        script.protect(stack.at(offset), 1, RW | Protection::GUARD);
        script.query(stack.at(offset));
    }
}

/// `CommitThreadStack`: the region of a local variable, and the page behind the base.
fn ask_bounds(script: &mut Script<'_>, draw: &mut Draw, stack: Held) {
    script.query(stack.at(stack.size - 8 * draw.between(1, 256)));
    script.query(stack.at(PAGE));
}

/// The offset of the lowest committed page of a stack.
fn lowest_committed(view: &View<'_>, stack: Held) -> Option<u64> {
    let allocation = stack.find(view)?;
    let mut runs = allocation.runs(allocation.all_pages());
    let (pages, _) = runs.find(|(_, state)| state.is_committed())?;
    Some(pages.start * PAGE)
}
