//! A failure as a C program for Windows: the calls of the scenario as they are, each answer
//! compared with what the law permits, faults included.
//!
//! There is none where the failing call has no Win32 equivalent (the heaps and notices of the
//! hosting interface), where steps overlap in time, and where the machine is not like any
//! other.

use hostmem_interface::scenario::Scenario;
use hostmem_interface::{Call, OutPointer};

use super::Story;
use super::c::{Frame, Program, address, is_last, is_sequential};
use super::rehearsal::{Act, Line, Rehearsal, Rehearsed};

const FRAME: Frame<'static> = Frame {
    head: " *
 * Compile:  cl NAME.win32.c        or  x86_64-w64-mingw32-gcc -o case.exe NAME.win32.c
 * Exit code: 0 every answer is permitted, 1 one is not, 2 the case cannot be judged here.
 */
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#include <windows.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef MEM_RESET_UNDO
#define MEM_RESET_UNDO 0x1000000
#endif
",
    runtime: include_str!("win32.c"),
};

/// The program, if there is one.
#[must_use]
pub fn write(scenario: &Scenario, rehearsal: &Rehearsal, story: &Story) -> Option<String> {
    if !is_sequential(scenario) {
        return None;
    }
    let mut program = Program::default();
    for line in &rehearsal.lines {
        let done = tell(&mut program, line)?;
        if !done && is_last(rehearsal, line) {
            return None;
        }
    }
    Some(program.finish(&FRAME, scenario, rehearsal, story))
}

/// One step; whether Windows has such a call.
fn tell(program: &mut Program, line: &Line) -> Option<bool> {
    program.begin(line);
    match &line.act {
        Act::Call(step) => return tell_call(program, line, step),
        Act::Hole(size) => {
            let name = line.bind.as_ref()?;
            program.call("hole", &format!("at_{name} = do_hole({size:#x});"));
        }
        Act::Walk(from, to) => {
            let (from, to) = (address(from), address(to));
            program.call("walk", &format!("do_walk({from}, {to});"));
            program.line("judge(\"VQ-13\", \"The regions of a walk join without a gap.\");");
        }
        Act::InFront => {
            program.line("/* Done by hostmem in front of the manager. */");
            return Some(false);
        }
    }
    Some(true)
}

fn tell_call(program: &mut Program, line: &Line, step: &Rehearsed) -> Option<bool> {
    let at = address(&step.at);
    let pointer = |out: OutPointer| u8::from(out == OutPointer::Valid);
    match &step.call {
        Call::VirtualAlloc { size, kind, protect, .. } => {
            let call = format!("do_alloc({at}, {size:#x}, {kind}, {protect});");
            let bound = line.bind.as_ref().map(|name| format!("at_{name} = ")).unwrap_or_default();
            program.call("alloc", &format!("{bound}{call}"));
        }
        Call::VirtualFree { size, kind, .. } => {
            program.call("free", &format!("do_free({at}, {size:#x}, {kind});"));
        }
        Call::VirtualProtect { size, protect, old, .. } => {
            let old = pointer(*old);
            program.call("protect", &format!("do_protect({at}, {size:#x}, {protect}, {old});"));
        }
        Call::VirtualQuery { buffer, length, .. } => {
            let buffer = pointer(*buffer);
            program.call("query", &format!("do_query({at}, {buffer}, {length});"));
        }
        Call::Read { size, .. } => program.call("read", &format!("do_read({at}, {size:#x});")),
        Call::Write { data, .. } => program.write(&step.at, data),
        Call::Execute { .. } => {
            let faults = u8::from(step.may_fault());
            program.call("execute", &format!("do_execute({at}, {faults});"));
        }
        Call::GetWriteWatch { size, flags, capacity, null, .. } => {
            let bit = |out, bit| if out == OutPointer::Null { bit } else { 0 };
            let (addresses, count) = (bit(null.addresses, 1), bit(null.count, 2));
            let nulls = addresses | count | bit(null.granularity, 4);
            let (flags, most) = (flags.0, capacity.min(&1024));
            let call = format!("do_get_watch({at}, {size:#x}, {flags}, {most}, {nulls});");
            program.call("watch", &call);
        }
        Call::ResetWriteWatch { size, .. } => {
            program.call("reset_watch", &format!("do_reset_watch({at}, {size:#x});"));
        }
        Call::GetMemoryLoad => program.call("load", "do_memory_load();"),
        Call::CreateMalloc { .. }
        | Call::Alloc { .. }
        | Call::DebugAlloc { .. }
        | Call::Free { .. } => return None,
        Call::RegisterMemoryNotificationCallback
        | Call::NeedsVirtualAddressSpace { .. }
        | Call::AcquiredVirtualAddressSpace { .. }
        | Call::ReleasedVirtualAddressSpace { .. }
        | Call::SetMemoryLoad { .. } => {
            program.line("/* Windows has no such call. */");
            return Some(false);
        }
    }
    program.judge(step)?;
    if line.bind.is_some() {
        program.call("need", "need(got.kind == DONE, \"what the rest needs\");");
    }
    Some(true)
}
