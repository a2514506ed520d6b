//! Profiles against recordings of a real CLR: call mix, sizes of commits, lengths of runs and
//! lifetimes of reservations, within stated bounds.
//!
//! A recording is one program, a profile any: so a profile is compared with the numbers drawn
//! that describe the program (its knobs), and a recording only in the calls of the profile's
//! part of the runtime. That the bounds say something is tested too: no other profile passes
//! for the same recording.
//!
//! Deliberately not here: recordings of Linux builds, in which a reservation does not tell
//! what it is for.

use hostmem::random::Draw;
use hostmem::run::generated::Length;
use hostmem::run::{Coverage, run_generated};
use hostmem::view::View;
use hostmem::workload::{PROFILES, profile};
use hostmem_interface::Machine;
use hostmem_interface::scenario::Scenario;
use hostmem_model::ModelBackend;
use hostmem_tests::scenarios;
use hostmem_tests::shape::{Role, Shape, distance, mix_distance, quantile};

/// How many cases of a profile are looked at.
const CASES: u64 = 12;

/// A profile and the recording that it is held against.
struct Row {
    profile: &'static str,
    recording: &'static str,
    /// Which of the recording's calls are the profile's.
    role: Role,
    /// What the recorded program draws.
    knobs: &'static str,
    /// How many steps a case has.
    steps: usize,
    /// The most that may differ: call mix, sizes, runs, lifetimes; each from 0 to 1. About a
    /// third more than was found, so that a new draw does not fail and another profile does.
    bounds: [f64; 4],
    /// What the differences are that are let through.
    because: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        profile: "startup",
        recording: "hello",
        role: Role::Everything,
        knobs: "concurrent=0,server=0,loader.use=0,loader.query=0,loader.domain=0,loader.unload=0",
        steps: 250,
        bounds: [0.12, 0.20, 0.12, 0.10],
        because: "the loader reserves more often for a domain than for the one of a hello",
    },
    Row {
        profile: "loader",
        recording: "applike",
        role: Role::Loader,
        knobs: "grow=40,use=0,query=0,domain=0,unload=0,domains=12,collectible=0",
        steps: 1000,
        bounds: [0.12, 0.20, 0.10, 0.05],
        because: "real commits of many pages are rarer than one in fifteen",
    },
    Row {
        profile: "unload",
        recording: "alc",
        role: Role::Loader,
        knobs: "grow=24,use=0,query=0,domain=4,unload=3,domains=24,collectible=9",
        steps: 1500,
        bounds: [0.12, 0.18, 0.15, 0.55],
        because: "the program does the same round 150 times, a profile no two alike",
    },
    Row {
        profile: "jit",
        recording: "jit",
        role: Role::Loader,
        knobs: "method=20,dynamic=3,run=0,patch=0,walk=3,collect=3,dispatch=1,jump-stubs=0",
        steps: 1500,
        bounds: [0.08, 0.25, 0.25, 0.45],
        because: "methods of 40 pages are drawn more often than this program has them; 23 heaps died",
    },
    Row {
        profile: "gc-seg-wks",
        recording: "churn",
        role: Role::Segments,
        knobs: "allocate=24,collect=0,segment=0,background=0,survival=4,burst=4,budget=90",
        steps: 1500,
        bounds: [0.05, 0.05, 0.25, 0.05],
        because: "what of a budget is committed already shortens the first run",
    },
    Row {
        profile: "gc-tables",
        recording: "churn",
        role: Role::Tables,
        knobs: "probe=280,write=70,mark=1,unmark=0,regrow=0,heap-mib=384",
        steps: 1500,
        bounds: [0.05, 0.35, 0.05, 0.05],
        because: "three commits in all, of a table for a heap of another size",
    },
    Row {
        profile: "gc-loh",
        recording: "loh",
        role: Role::Segments,
        knobs: "allocate=24,sweep=2,reset=0,collapse=1,server=0,largest-kib=8192",
        steps: 1500,
        bounds: [0.12, 0.18, 0.40, 0.30],
        because: "objects are as likely in each power of two, the program had its favourites",
    },
];

const CALLS: [&str; 10] = [
    "reserve",
    "commit",
    "decommit",
    "release",
    "reset",
    "query",
    "get-watch",
    "reset-watch",
    "load",
    "protect",
];

/// The cases of a profile, with these knobs or as they are drawn.
fn cases(name: &str, knobs: Option<&str>, steps: usize) -> Vec<Scenario> {
    let profile = profile(name).expect("a profile");
    let case = |seed| {
        let mut draw = Draw::from_number(seed);
        let swarm = match knobs {
            Some(text) => profile.usual(text).expect("its knobs"),
            None => profile.swarm(&mut draw),
        };
        let mut workload = profile.start_with(&swarm, &mut draw);
        let machine = Machine::WINDOWS_X64;
        let length = Length { steps, threads: 1 };
        let mut next = |view: &View<'_>, _: &Coverage| workload.next(&mut draw, view);
        run_generated("a case", &machine, &ModelBackend, length, &mut next, &mut |_, _| ()).scenario
    };
    (0..CASES).map(case).collect()
}

fn shape<'a>(cases: impl IntoIterator<Item = &'a Scenario>, role: Role) -> Shape {
    let mut shape = Shape::default();
    cases.into_iter().for_each(|case| shape.add(case, role));
    shape
}

fn recording(name: &str) -> Scenario {
    let path = format!("scenarios/clr/{name}.json.zst");
    let found = scenarios().into_iter().find(|(known, _)| *known == path);
    found.expect("a recording of that name").1
}

/// How far two shapes are apart: call mix, sizes, runs, lifetimes.
fn distances(a: &Shape, b: &Shape) -> [f64; 4] {
    [
        mix_distance(a, b),
        distance(&a.sizes, &b.sizes),
        distance(&a.runs, &b.runs),
        distance(&a.lives, &b.lives),
    ]
}

fn within(distances: [f64; 4], bounds: [f64; 4]) -> bool {
    distances.iter().zip(bounds).all(|(distance, bound)| *distance <= bound)
}

fn line(name: &str, shape: &Shape) -> String {
    let mix: String = CALLS.iter().map(|call| format!("{:>6.1}", shape.share(call))).collect();
    let three = |sample: &[u64]| [10, 50, 90].map(|percent| quantile(sample, percent));
    let sizes = three(&shape.sizes).map(|bytes| bytes >> 10);
    let (runs, lives) = (three(&shape.runs), three(&shape.lives));
    format!("{name:<22}{:>6}{mix}  {sizes:?} {runs:?} {lives:?}", shape.calls())
}

/// Shown by `cargo test -- --nocapture`, and with a failure.
#[test]
fn each_profile_is_like_its_recording_and_no_other_profile_is() {
    println!("{:<22}{:>6}{}", "", "calls", CALLS.map(|call| format!("{call:>6.5}")).concat());
    println!("then sizes in KiB, lengths of runs, lifetimes in calls: 10 %, 50 %, 90 %");
    let drawn: Vec<(&str, Vec<Scenario>)> =
        PROFILES.iter().map(|it| (it.name, cases(it.name, None, 600))).collect();
    let mut wrong = Vec::new();
    for row in ROWS {
        let recorded = shape([&recording(row.recording)], row.role);
        let made = shape(&cases(row.profile, Some(row.knobs), row.steps), row.role);
        let apart = distances(&recorded, &made);
        println!("\n{}", line(&format!("{} (recorded)", row.recording), &recorded));
        println!("{}", line(row.profile, &made));
        println!("  apart {apart:.2?}, at most {:?}: {}", row.bounds, row.because);
        if !within(apart, row.bounds) {
            wrong.push(format!("{} is not like {}: {apart:.2?}", row.profile, row.recording));
        }
        for (other, cases) in drawn.iter().filter(|(name, _)| *name != row.profile) {
            let apart = distances(&recorded, &shape(cases, row.role));
            println!("    {other:<12} {apart:.2?}");
            if within(apart, row.bounds) {
                wrong.push(format!("{other} passes for {} too: {apart:.2?}", row.recording));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
