//! Exhaustive search of tiny scopes: exact counts, agreement, and the shortest sequence that
//! shows a manager's mistake.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hostmem::exhaust::{End, Level, Manner, Report, Scope, Search};
use hostmem::run::{Ending, run_scenario};
use hostmem_interface::scenario::Action;
use hostmem_interface::{
    Backend, Call, Capability, Description, Machine, OpenError, Outcome, Protection, Reply,
    Subject, Value,
};
use hostmem_model::ModelBackend;
use hostmem_slow_twin::SlowTwinBackend;

fn search<'a>(scope: &Scope, backend: &'a dyn Backend) -> Search<'a> {
    Search::new(scope, backend).expect("a scope and a backend that exist")
}

fn states(scope: &Scope, backend: &dyn Backend, jobs: usize) -> Report {
    let mut progress = |_: &_| {};
    let mut manner = Manner { jobs, stop: &|| false, progress: &mut progress };
    search(scope, backend).states(&mut manner).expect("threads")
}

fn sequences(scope: &Scope, backend: &dyn Backend, jobs: usize) -> Report {
    let mut progress = |_: &_| {};
    let mut manner = Manner { jobs, stop: &|| false, progress: &mut progress };
    search(scope, backend).sequences(&mut manner).expect("threads")
}

fn one_page(depth: u32) -> Scope {
    let protections = vec![Protection::READWRITE];
    Scope { pages: 1, granules: 1, depth, protections, ..Scope::default() }
}

fn complete(report: &Report) {
    assert!(matches!(report.end, End::Complete), "{report}\n{:#?}", report.end);
}

const fn level(states: u64, calls: u64, changes: u64) -> Level {
    Level { states, calls, changes, beyond: 0 }
}

/// One page, one protection: free, reserved, committed, written, and no more. Of 15 calls,
/// 2 change a free page (reserve; reserve and commit), 2 a reserved one (commit; release at
/// size 0), 4 a committed one (write; release; decommit of the page; of everything), and 3 a
/// written one (the same, but writing again changes nothing).
#[test]
fn one_page_has_four_states() {
    let report = states(&one_page(4), &SlowTwinBackend, 1);
    complete(&report);
    assert_eq!(report.alphabet, 15);
    let expected = [level(1, 15, 2), level(2, 30, 6), level(1, 15, 3), level(0, 0, 0)];
    assert_eq!(report.levels, expected);
}

/// The numbers are those of a search over tuples of page states that shares no code with
/// hostmem: both merge the same states and see the same calls change them.
#[test]
fn the_default_scope_has_known_counts_on_every_simulated_manager() {
    let scope = Scope::default();
    assert_eq!((scope.pages, scope.depth), (3, 5));
    let expected = [
        level(1, 135, 48),
        level(32, 32 * 135, 873),
        level(383, 383 * 135, 12_072),
        level(1376, 1376 * 135, 45_097),
        level(2553, 2553 * 135, 88_041),
    ];
    for (backend, jobs) in [(&ModelBackend as &dyn Backend, 1), (&SlowTwinBackend, 2)] {
        let report = states(&scope, backend, jobs);
        complete(&report);
        assert_eq!(report.alphabet, 135);
        assert_eq!(report.levels, expected, "{report}");
    }
}

#[test]
fn write_watch_and_reset_agree_on_the_twin() {
    let protections = vec![Protection::READWRITE];
    let scope =
        Scope { pages: 2, depth: 4, protections, watch: true, reset: true, ..Scope::default() };
    complete(&states(&scope, &SlowTwinBackend, 2));
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn linux_agrees_in_a_very_small_scope() {
    let backend = hostmem_backends::linux::LinuxBackend::default();
    let scope = Scope { pages: 2, depth: 3, ..Scope::default() };
    let report = states(&scope, &backend, 1);
    complete(&report);
    assert_eq!(report.layout.machine.granularity, 0x1_0000, "the kernel has its own units");
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    let scope = Scope { pages: 2, depth: 3, ..Scope::default() };
    let [one, four] = [1, 4].map(|jobs| states(&scope, &Wrong::new(stale_after_decommit), jobs));
    assert_eq!(one.levels, four.levels);
    assert_eq!(one.failure().map(|it| &it.scenario), four.failure().map(|it| &it.scenario));
}

#[test]
fn progress_is_told_and_a_search_can_be_stopped() {
    let stop = AtomicBool::new(false);
    let mut told = Vec::new();
    let mut progress = |it: &hostmem::exhaust::Progress| {
        told.push((it.depth, it.done));
        stop.store(it.depth == 1, Ordering::SeqCst);
    };
    let mut manner =
        Manner { jobs: 1, stop: &|| stop.load(Ordering::SeqCst), progress: &mut progress };
    let scope = one_page(4);
    let report = Search::new(&scope, &ModelBackend).unwrap().states(&mut manner).unwrap();
    assert!(matches!(report.end, End::Stopped));
    assert_eq!(told, [(0, 0), (1, 0)]);
}

/// The model with a mistake in its answers.
struct Wrong {
    spoil: fn(&Call, u32, Reply) -> Reply,
}

struct WrongSubject {
    inner: Box<dyn Subject>,
    spoil: fn(&Call, u32, Reply) -> Reply,
    /// How many times memory was decommitted, or the hidden state of the mistake.
    decommits: AtomicU32,
}

impl Wrong {
    fn new(spoil: fn(&Call, u32, Reply) -> Reply) -> Self {
        Self { spoil }
    }
}

impl Backend for Wrong {
    fn name(&self) -> &str {
        "wrong"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let inner = ModelBackend.open(machine)?;
        Ok(Box::new(WrongSubject { inner, spoil: self.spoil, decommits: AtomicU32::new(0) }))
    }
}

impl Subject for WrongSubject {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    fn call(&self, call: &Call) -> Reply {
        let reply = self.inner.call(call);
        let decommit = matches!(call, Call::VirtualFree { kind, .. } if kind.0 == 0x4000);
        let done = matches!(&reply, Reply::Outcome { outcome, .. } if outcome.is_done());
        if decommit && done {
            self.decommits.fetch_add(1, Ordering::SeqCst);
        }
        (self.spoil)(call, self.decommits.load(Ordering::SeqCst), reply)
    }
}

/// After a decommit, nothing reads as it should.
fn stale_after_decommit(call: &Call, decommits: u32, reply: Reply) -> Reply {
    match (call, reply) {
        (
            Call::Read { .. },
            Reply::Outcome {
                outcome: Outcome::Done { code, value: Value::Bytes(mut bytes) },
                notified,
            },
        ) if decommits > 0 => {
            bytes[0] ^= 0xFF;
            let value = Value::Bytes(bytes);
            Reply::Outcome { outcome: Outcome::Done { code, value }, notified }
        }
        (_, reply) => reply,
    }
}

/// Forgets how to read after the second decommit in a case, which the law's states cannot
/// tell from the first.
fn stale_after_two_decommits(call: &Call, decommits: u32, reply: Reply) -> Reply {
    stale_after_decommit(call, decommits.saturating_sub(1), reply)
}

/// The calls of a failing scenario after the hole.
fn calls(report: &Report) -> Vec<&'static str> {
    let failure = report.failure().expect("a failure");
    let steps = failure.scenario.steps[1..].iter();
    steps.map(|step| step.action.name()).collect()
}

#[test]
fn a_mistake_is_found_by_the_shortest_sequence() {
    let scope = Scope { depth: 5, ..Scope::default() };
    let wrong = Wrong::new(stale_after_decommit);
    let report = states(&scope, &wrong, 2);
    let failure = report.failure().expect("a failure");
    // Two pages are committed, one of them is decommitted, and then the harness looks.
    assert_eq!(calls(&report), ["VirtualAlloc", "VirtualFree", "Read"]);
    assert_eq!(failure.calls, 2);
    assert!(matches!(failure.ending, Ending::Diverges(_)));
    // It is a case like any other: it fails again from a file.
    let text = hostmem_interface::scenario::write(&failure.scenario);
    let read = hostmem_interface::scenario::read(text.as_bytes()).unwrap();
    let again = run_scenario(&read, "again", &wrong, &mut |_, _| {});
    assert!(matches!(again.ending, Ending::Diverges(_)), "{:?}", again.ending);
    assert!(matches!(read.steps[0].action, Action::Hole { .. }));
}

#[test]
fn hidden_state_shows_where_no_states_are_merged() {
    let wrong = Wrong::new(stale_after_two_decommits);
    complete(&states(&one_page(4), &wrong, 1));
    let report = sequences(&one_page(4), &wrong, 2);
    assert!(report.failure().is_some(), "{report}");
}

#[test]
fn every_sequence_is_run() {
    let scope = one_page(3);
    let search = Search::new(&scope, &SlowTwinBackend).unwrap();
    assert_eq!(search.sequence_count(), Some(15 + 15 * 15 + 15 * 15 * 15));
    let report = sequences(&scope, &SlowTwinBackend, 2);
    complete(&report);
    assert_eq!(Some(report.total().states), search.sequence_count());
    assert_eq!(report.total().calls, 15 + 2 * 15 * 15 + 3 * 15 * 15 * 15);
}

/// The model without a capability.
struct Less(Capability);

impl Backend for Less {
    fn name(&self) -> &str {
        "less"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let inner = ModelBackend.open(machine)?;
        let mut description = inner.description().clone();
        description.capabilities = description.capabilities.without(self.0);
        Ok(Box::new(LessSubject { inner, description }))
    }
}

struct LessSubject {
    inner: Box<dyn Subject>,
    description: Description,
}

impl Subject for LessSubject {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, call: &Call) -> Reply {
        let reply = self.inner.call(call);
        let fault = matches!(reply, Reply::Outcome { outcome: Outcome::Faulted(_), .. });
        let reported = self.description.capabilities.has(Capability::Faults);
        assert!(reported || !fault, "asked for what the subject cannot do: {call:?}");
        reply
    }
}

#[test]
fn what_a_subject_cannot_do_is_not_asked_of_it() {
    let report = states(&one_page(3), &Less(Capability::Faults), 1);
    complete(&report);
    assert!(report.total().beyond > 0);
    let scope = Scope { depth: 1, ..Scope::default() };
    let report = states(&scope, &Less(Capability::GuardPages), 1);
    assert_eq!(report.left_out, [Capability::GuardPages]);
}
