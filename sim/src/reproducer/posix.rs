//! A failure as a C program for Linux and its like: what a manager over `mmap` does for the
//! same calls, and each access compared with what the law permits.
//!
//! The arguments that Windows refuses are refused by the manager itself, without a system
//! call, so a program only makes sense where memory is touched. There is none for heaps and
//! notices, for write watch and physical memory, and where steps overlap in time.

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{AccessKind, AllocationType, Call};
use hostmem_model::page::PageState;

use super::Story;
use super::c::{Frame, Program, address, is_access, is_sequential};
use super::rehearsal::{Act, Change, Line, Rehearsal, Rehearsed, Where};

const FRAME: Frame<'static> = Frame {
    head: " *
 * Compile:  cc -o case NAME.posix.c
 * Exit code: 0 every answer is permitted, 1 one is not, 2 the case cannot be judged here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 0x1000
#define GRANULARITY 0x10000
",
    runtime: include_str!("posix.c"),
};

/// Kinds of memory that `mmap` has no equivalent of.
const FOREIGN: AllocationType = AllocationType(
    AllocationType::WRITE_WATCH.0 | AllocationType::PHYSICAL.0 | AllocationType::LARGE_PAGES.0,
);

/// The program, if there is one.
#[must_use]
pub fn write(scenario: &Scenario, rehearsal: &Rehearsal, story: &Story) -> Option<String> {
    if !is_sequential(scenario) || !rehearsal.lines.iter().any(is_access) {
        return None;
    }
    let mut program = Program::default();
    for line in &rehearsal.lines {
        tell(&mut program, line)?;
    }
    Some(program.finish(&FRAME, scenario, rehearsal, story))
}

fn tell(program: &mut Program, line: &Line) -> Option<()> {
    let step = match &line.act {
        Act::Call(step) => step,
        Act::Hole(size) => {
            let name = line.bind.as_ref()?;
            program.begin(line);
            program.call("map", &format!("at_{name} = map({size:#x});"));
            program.call("unmap", &format!("unmap(at_{name}, {size:#x});"));
            return Some(());
        }
        Act::Walk(..) | Act::InFront => return Some(()),
    };
    match &step.call {
        Call::VirtualAlloc { kind, .. } if kind.intersects(FOREIGN) => return None,
        Call::VirtualAlloc { .. } | Call::VirtualFree { .. } | Call::VirtualProtect { .. } => {
            program.begin(line);
            tell_changes(program, line, step)?;
            program.line("show();");
        }
        Call::Read { .. } | Call::Write { .. } | Call::Execute { .. } => {
            program.begin(line);
            tell_access(program, step);
            program.judge(step)?;
        }
        // The manager knows the answer itself.
        Call::VirtualQuery { .. } | Call::GetMemoryLoad => {}
        _ => return None,
    }
    Some(())
}

fn tell_access(program: &mut Program, step: &Rehearsed) {
    let at = address(&step.at);
    match &step.call {
        Call::Read { size, .. } => program.call("read", &format!("do_read({at}, {size:#x});")),
        Call::Write { data, .. } => program.write(&step.at, data),
        _ => {
            let faults = u8::from(step.may_fault());
            program.call("execute", &format!("do_execute({at}, {faults});"));
        }
    }
}

fn tell_changes(program: &mut Program, line: &Line, step: &Rehearsed) -> Option<()> {
    if step.changes.is_empty() {
        program.line("/* The manager answers by itself: no system call. */");
    }
    let own = line.bind.as_ref();
    for change in &step.changes {
        match change {
            Change::Map(at, size) => map(program, own, step, at, *size)?,
            Change::Permit(at, size, state) => permit(program, at, *size, *state),
            Change::Empty(at, size) => {
                program.call("empty", &format!("empty({}, {size:#x});", address(at)));
            }
            Change::Unmap(at, size) => {
                program.call("unmap", &format!("unmap({}, {size:#x});", address(at)));
            }
            Change::Discard(at, size) => {
                program.call("discard", &format!("discard({}, {size:#x});", address(at)));
            }
        }
    }
    Some(())
}

fn map(
    program: &mut Program,
    own: Option<&String>,
    step: &Rehearsed,
    at: &Where,
    size: u64,
) -> Option<()> {
    let bound = own.map(|name| format!("at_{name} = ")).unwrap_or_default();
    if step.at == Where::Number(0) {
        program.call("map", &format!("{bound}map({size:#x});"));
    } else {
        // Where it was asked for, down to the boundary.
        let Where::Named(..) = at else { return None };
        program.call("map_at", &format!("{bound}map_at({}, {size:#x});", address(at)));
    }
    Some(())
}

fn permit(program: &mut Program, at: &Where, size: u64, state: PageState) {
    let at = address(at);
    let protection = protection(state);
    if state.is_guarded() {
        program.call("arm", &format!("arm({at}, {size:#x}, {protection});"));
    } else {
        program.call("protect", &format!("protect({at}, {size:#x}, {protection});"));
    }
}

fn protection(state: PageState) -> String {
    let kinds = [
        (AccessKind::Read, "PROT_READ"),
        (AccessKind::Write, "PROT_WRITE"),
        (AccessKind::Execute, "PROT_EXEC"),
    ];
    let words: Vec<&str> =
        kinds.iter().filter(|(kind, _)| state.permits(*kind)).map(|(_, word)| *word).collect();
    if words.is_empty() { "PROT_NONE".to_owned() } else { words.join(" | ") }
}
