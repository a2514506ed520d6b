//! What the agent protocol costs: time per call in batches and call by call, beside what the
//! adapter in C needs for the same lines when nobody waits for it.
//!
//! Deliberately not here: any assertion. Tests never depend on time.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its result")]

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostmem_backends::agent::{AgentBackend, Limits};
use hostmem_interface::{
    Address, AllocationType, Backend as _, Call, CriticalLevel, Foreseen, Machine,
    MemoryBasicInformation, OutPointer, Protection, Reply, Spot, Subject,
};

/// How many calls a line has.
const CALLS: usize = 4000;
/// How often each is timed; the median is told.
const ROUNDS: usize = 21;

fn main() {
    let toy = compile();
    let backend = AgentBackend::new(&toy.display().to_string(), Limits::USUAL).expect("a command");
    let own = median(|| alone(&toy));
    let batch = median(|| in_a_batch(&*open(&backend)));
    let lockstep = median(|| call_by_call(&*open(&backend)));
    println!("median of {ROUNDS} rounds of {CALLS} queries on the small manager in C, a call:");
    for (what, time) in
        [("the adapter alone", own), ("in batches", batch), ("call by call", lockstep)]
    {
        println!("  {what:<20} {:8.2} us", time.as_secs_f64() * 1e6 / CALLS as f64);
    }
}

fn compile() -> PathBuf {
    let adapters = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../backends/adapters");
    let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toy");
    let status = Command::new("cc")
        .arg("-O2")
        .args(["adapter.c", "toy.c"].map(|source| adapters.join(source)))
        .arg("-o")
        .arg(&output)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "this needs a C compiler");
    output
}

fn median(mut time: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| time()).collect();
    times.sort();
    times[ROUNDS / 2]
}

fn open(backend: &AgentBackend) -> Box<dyn Subject> {
    backend.open(&Machine::default()).expect("a subject")
}

/// The same lines from a file, answered into nothing: two lengths, so that the start of the
/// process falls out.
fn alone(toy: &PathBuf) -> Duration {
    let time = |lines: usize| {
        let mut text = "{\"id\":1,\"open\":[0,0,0,0,0,0]}\n".to_owned();
        text.push_str("{\"id\":2,\"run\":[[1,-1,0,16777216,8192,4,0]]}\n");
        let calls: Vec<String> =
            (0..CALLS).map(|at| format!("[3,-1,{},48,1]", 0x1_0000 + at * 0x1000)).collect();
        let calls = calls.join(",");
        for line in 0..lines {
            writeln!(text, "{{\"id\":{},\"run\":[{calls}]}}", line + 3).expect("memory");
        }
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lines");
        std::fs::write(&path, text).expect("a file");
        let begun = Instant::now();
        let input = File::open(&path).expect("the file");
        let status = Command::new(toy).stdin(input).stdout(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()));
        begun.elapsed()
    };
    let (few, many) = (time(1), time(11));
    many.saturating_sub(few) / 10
}

fn reserve<A>(address: A) -> Call<A> {
    Call::VirtualAlloc {
        address,
        size: 0x100_0000,
        kind: AllocationType::RESERVE,
        protect: Protection::READWRITE,
        critical: CriticalLevel::TASK,
    }
}

fn base(subject: &dyn Subject) -> Address {
    match subject.call(&reserve(Address::NULL)) {
        Reply::Outcome { outcome, .. } => outcome.address().expect("a base"),
        reply => panic!("{reply:?}"),
    }
}

fn query<A>(address: A) -> Call<A> {
    let (buffer, length) = (OutPointer::Valid, MemoryBasicInformation::SIZE);
    Call::VirtualQuery { address, buffer, length }
}

fn in_a_batch(subject: &dyn Subject) -> Duration {
    let base = base(subject);
    let at = |number: usize| base.wrapping_add(number as u64 * 0x1000);
    let foreseen: Vec<Foreseen> = (0..CALLS).map(|it| query(Spot::Known(at(it)))).collect();
    let begun = Instant::now();
    subject.foresee(&foreseen);
    for number in 0..CALLS {
        let reply = subject.call(&query(at(number)));
        assert!(matches!(reply, Reply::Outcome { .. }), "{reply:?}");
    }
    begun.elapsed()
}

fn call_by_call(subject: &dyn Subject) -> Duration {
    let base = base(subject);
    let begun = Instant::now();
    for number in 0..CALLS {
        let reply = subject.call(&query(base.wrapping_add(number as u64 * 0x1000)));
        assert!(matches!(reply, Reply::Outcome { .. }), "{reply:?}");
    }
    begun.elapsed()
}
