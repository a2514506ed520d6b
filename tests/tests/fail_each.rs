//! The sweep of refusals over everything that ships: nothing is lost on the model and on this
//! machine's Linux, and a manager that loses something is caught.
#![allow(clippy::print_stdout, reason = "how many runs there were is worth telling")]

use std::thread;

use hostmem::fail_each::{self, plan::Sweep};
use hostmem::files::NamedScenario;
use hostmem::report::{CaseResult, Suite, VerdictWord};
use hostmem::run::{Ending, run_scenario};
use hostmem_interface::scenario::{Scenario, read};
use hostmem_interface::{
    Backend, Call, Description, FreeType, Hresult, Machine, OpenError, Outcome, Refusal, Reply,
    Subject,
};
use hostmem_model::ModelBackend;
use hostmem_tests::scenarios;

fn case(name: &str, scenario: Scenario) -> NamedScenario {
    NamedScenario { name: name.to_owned(), suite: Suite::Files, scenario }
}

fn swept(name: &str, scenario: Scenario, backend: &dyn Backend) -> CaseResult {
    fail_each::run(&case(name, scenario), backend).expect("a readable scenario").result
}

/// Sweeps every scenario but the recordings, which take a release build.
fn nothing_is_lost(backend: &(dyn Backend + Sync)) {
    let all: Vec<_> = scenarios().into_iter().filter(|(name, _)| !name.contains("/clr/")).collect();
    let (left, right) = all.split_at(all.len() / 2);
    let results: Vec<CaseResult> = thread::scope(|scope| {
        let half = |half: &'_ [(String, Scenario)]| {
            let half = half.to_vec();
            scope.spawn(move || {
                let sweep = |(name, it): (String, Scenario)| swept(&name, it, backend);
                half.into_iter().map(sweep).collect::<Vec<_>>()
            })
        };
        let halves = [half(left), half(right)];
        halves.into_iter().flat_map(|it| it.join().expect("no panic")).collect()
    });
    let mut total = Sweep::default();
    for result in &results {
        let fine = matches!(result.word, VerdictWord::Agrees | VerdictWord::Skipped);
        assert!(fine, "{result:#?}");
        total.add(result.sweep.unwrap_or_default());
    }
    println!("{}: {total:?} over {} scenarios", backend.name(), results.len());
    assert_eq!(total.failed, total.calls, "no shipped scenario is so long that it is sampled");
    assert!(total.runs >= 6 * total.failed, "each call once and onwards, at each level");
}

#[test]
fn nothing_is_lost_on_the_model() {
    nothing_is_lost(&ModelBackend);
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_lost_on_linux() {
    nothing_is_lost(&hostmem_backends::linux::LinuxBackend::default());
}

const TWO_COMMITS: &str = r#"{"format": "hostmem/1", "about": "two commits", "steps": [
    {"call": "VirtualAlloc", "address": null, "size": "0x10000", "type": "MEM_RESERVE",
     "protect": "PAGE_NOACCESS", "bind": "p", "expect": "ok"},
    {"call": "VirtualAlloc", "address": "p", "size": "0x2000", "type": "MEM_COMMIT",
     "protect": "PAGE_READWRITE", "expect": "ok"},
    {"call": "VirtualAlloc", "address": "p+0x4000", "size": "0x1000", "type": "MEM_COMMIT",
     "protect": "PAGE_READWRITE", "expect": "ok"},
    {"call": "Write", "address": "p", "bytes": "01", "expect": "ok"}]}"#;

fn two_commits() -> Scenario {
    read(TWO_COMMITS.as_bytes()).expect("a scenario")
}

#[test]
fn three_calls_have_eighteen_runs_and_two_heights_two() {
    let result = swept("two-commits", two_commits(), &ModelBackend);
    let sweep = Sweep { calls: 3, failed: 3, runs: 3 * 2 * 3 + 2, cut: 0 };
    assert_eq!((result.word, result.sweep), (VerdictWord::Agrees, Some(sweep)), "{result:?}");
    assert_eq!(result, swept("two-commits", two_commits(), &ModelBackend), "every time alike");
}

/// What a subject does only when memory is short does not show without a shortage.
#[test]
fn a_manager_that_loses_commit_charge_is_caught_by_the_shortage_alone() {
    for name in ["commit-limit-ignored", "commit-limit-leaks"] {
        let canary = hostmem_twin::canary(name).expect("a canary");
        let plain = run_scenario(&two_commits(), "", &canary, &mut |_, _| {});
        assert_eq!(plain.ending, Ending::Agrees, "{name}");
        let ran = fail_each::run(&case("two-commits", two_commits()), &canary).expect("readable");
        assert_eq!(ran.result.word, VerdictWord::Diverges, "{name}: {:?}", ran.result);
        let reason = ran.result.reason.expect("what was short");
        assert!(reason.contains("commit limit"), "{name}: {reason}");
        let again = ran.failing.expect("a scenario that fails by itself");
        let outcome = run_scenario(&again, "", &canary, &mut |_, _| {});
        assert!(matches!(outcome.ending, Ending::Diverges(_)), "{name}: {again:?}");
    }
}

/// The model, but for one thing.
struct Forgetful(fn(&Call, Reply) -> Reply, &'static [&'static str]);
struct Open(Box<dyn Subject>, fn(&Call, Reply) -> Reply, &'static [&'static str]);

impl Backend for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Ok(Box::new(Open(ModelBackend.open(machine)?, self.0, self.1)))
    }
}

impl Subject for Open {
    fn description(&self) -> &Description {
        self.0.description()
    }

    fn call(&self, call: &Call) -> Reply {
        (self.1)(call, self.0.call(call))
    }

    fn leaks(&self) -> Vec<String> {
        self.2.iter().map(|line| (*line).to_owned()).collect()
    }
}

#[test]
fn a_release_that_is_refused_is_caught() {
    let stubborn = Forgetful(
        |call, reply| match call {
            Call::VirtualFree { size: 0, kind: FreeType::DECOMMIT, .. } => {
                Outcome::Refused(Refusal::from_hresult(Hresult::E_OUTOFMEMORY)).into()
            }
            _ => reply,
        },
        &[],
    );
    let result = swept("two-commits", two_commits(), &stubborn);
    assert_eq!(result.word, VerdictWord::Diverges, "{result:?}");
    assert!(result.rule.is_some_and(|rule| rule.starts_with("VF-")));
}

#[test]
fn a_leak_that_the_subject_knows_of_is_told() {
    let leaking = Forgetful(|_, reply| reply, &["heap 0: 10 bytes from gc.cpp:77"]);
    let result = swept("two-commits", two_commits(), &leaking);
    assert_eq!(result.word, VerdictWord::Broken, "{result:?}");
    assert!(result.reason.is_some_and(|reason| reason.contains("gc.cpp:77")));
    let fine = Forgetful(|_, reply| reply, &[]);
    assert_eq!(swept("two-commits", two_commits(), &fine).word, VerdictWord::Agrees);
}
