//! Tables of transparent proxies, on the desktop CLR only (vm/remoting.cpp
//! `CreateTPMethodTable`, `ExtendCommitedSlots`, `AllocateThunks`): reservations from the top
//! of the address space, sizes that are no multiple of 64 KiB, and commits that begin at the
//! same base again and again and grow.

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
    Knob::weight("extend", 10),
    Knob::weight("slot", 6),
    Knob::weight("thunks", 3),
    Knob::weight("drop", 1),
];

const ERW: Protection = Protection::EXECUTE_READWRITE;
/// 64 K slots of a pointer each, and an eighth of that: 64 bits, and 32.
const TABLES: [u64; 2] = [576 << 10, 288 << 10];
/// The most blocks of thunks.
const MOST: usize = 16;

/// The table, and blocks of thunks.
#[derive(Debug)]
struct Remoting {
    weights: [u32; 4],
    table: Option<Held>,
    /// Bytes of the table in use.
    used: u64,
    thunks: Vec<Held>,
}

/// The workload of a swarm.
pub(super) fn build(swarm: &Swarm, _draw: &mut Draw) -> Box<dyn Workload> {
    Box::new(Remoting {
        weights: ["extend", "slot", "thunks", "drop"].map(|name| swarm.get(name)),
        table: None,
        used: 0,
        thunks: Vec::new(),
    })
}

fn top_down(script: &mut Script<'_>, size: u64) -> Held {
    let kind = AllocationType::RESERVE | AllocationType::TOP_DOWN;
    Held { name: script.reserve(size, kind, ERW), size }
}

impl Workload for Remoting {
    fn next(&mut self, draw: &mut Draw, view: &View<'_>) -> Vec<Step> {
        let mut script = Script::new(view);
        script.level = CriticalLevel::APP_DOMAIN;
        forget_lost(&mut self.thunks, view);
        let Some(table) = self.table.filter(|held| held.find(view).is_some()) else {
            let size = *draw.pick(&TABLES) - 0x1000 * draw.below(3);
            let table = top_down(&mut script, size);
            self.used = 0x250;
            script.commit(table.at(0), self.used, ERW);
            self.table = Some(table);
            return script.steps();
        };
        match draw.weighted(&self.weights) {
            0 => self.extend(&mut script, draw, table),
            1 => slot(&mut script, draw, table),
            2 => self.thunks(&mut script, draw),
            _ => self.drop(&mut script, draw, table),
        }
        script.steps()
    }
}

impl Remoting {
    /// From the same base again, some slots further.
    fn extend(&mut self, script: &mut Script<'_>, draw: &mut Draw, table: Held) {
        self.used = (self.used + 8 * draw.log_uniform(1, 1024)).min(table.size);
        script.commit(table.at(0), self.used, ERW);
        script.write(table.at(self.used - 8), &draw.bytes(8));
    }

    fn thunks(&mut self, script: &mut Script<'_>, draw: &mut Draw) {
        if self.thunks.len() >= MOST {
            script.release(self.thunks.remove(0).at(0));
            return;
        }
        let need = draw.log_uniform(0x100, 0x8000);
        let block = top_down(script, (2 * need).next_multiple_of(0x1_0000));
        script.commit(block.at(0), need, ERW);
        script.write(block.at(0), &draw.bytes(16));
        self.thunks.push(block);
    }

    fn drop(&mut self, script: &mut Script<'_>, draw: &mut Draw, table: Held) {
        if self.thunks.is_empty() {
            script.release(table.at(0));
        } else {
            let at = draw.index(self.thunks.len());
            script.release(self.thunks.remove(at).at(0));
        }
    }
}

/// One slot far out.
fn slot(script: &mut Script<'_>, draw: &mut Draw, table: Held) {
    let offset = draw.below(table.size / 8) * 8;
    script.commit(table.at(offset), 8, ERW);
    script.write(table.at(offset), &draw.bytes(8));
}
