//! Many cases on many threads, with an engine that fails where it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hostmem::backend::Named;
use hostmem::campaign::failure::{Kept, Recipe};
use hostmem::campaign::plan::{Plan, RandomPlan, Shard};
use hostmem::campaign::stop::Stop;
use hostmem::campaign::{self, Manner, Outcome};
use hostmem::engine::{Engine, Ran, RandomCase, Settings, Unreadable};
use hostmem::files::{NamedScenario, Selection};
use hostmem::known::Known;
use hostmem::report::{CaseResult, End, ExitStatus, Report, VerdictWord, digest};
use hostmem::seed::Seed;
use hostmem_interface::Backend;
use hostmem_interface::scenario::Scenario;
use hostmem_model::ModelBackend;

/// Agrees, but for the case with that index.
struct Scripted {
    at: u64,
    what: What,
    ran: AtomicU64,
}

#[derive(Clone, Copy)]
enum What {
    Agrees,
    Diverges,
    Panics,
    Unreadable,
}

impl Scripted {
    fn new(at: u64, what: What) -> Self {
        Self { at, what, ran: AtomicU64::new(0) }
    }
}

impl Engine for Scripted {
    fn replay(
        &self,
        case: &NamedScenario,
        backend: &dyn Backend,
        _: Settings,
    ) -> Result<Ran, Unreadable> {
        Ok(CaseResult::new(&case.name, backend.name(), VerdictWord::Agrees).into())
    }

    fn fail_each(&self, case: &NamedScenario, backend: &dyn Backend) -> Result<Ran, Unreadable> {
        self.replay(case, backend, Settings::default())
    }

    fn random(
        &self,
        case: &RandomCase,
        backend: &dyn Backend,
        _: Settings,
    ) -> Result<Ran, Unreadable> {
        self.ran.fetch_add(1, Ordering::SeqCst);
        // Later cases are done sooner: order must come from the command, not from luck.
        thread::sleep(Duration::from_micros(200 * (5 - case.index % 5)));
        let mut result = CaseResult::new(&case.name(), backend.name(), VerdictWord::Agrees);
        result.record = case.seed.0;
        let mut failing = None;
        match self.what {
            _ if case.index != self.at => {}
            What::Agrees => {}
            What::Diverges => {
                result.word = VerdictWord::Diverges;
                result.rule = Some("VF-01".to_owned());
                failing = Some(Scenario { about: "it fails".to_owned(), ..Scenario::default() });
            }
            What::Panics => panic!("a mistake of ours"),
            What::Unreadable => return Err(Unreadable("a.json:1:2: no".to_owned())),
        }
        Ok(Ran { failing, ..Ran::from(result) })
    }
}

fn plan(cases: Option<u64>) -> Plan {
    let random = RandomPlan::new(Seed::Number(42), cases, 10, &["p"]);
    Plan {
        fail_each: false,
        scenarios: Vec::new(),
        random: Some(random),
        selection: Selection::default(),
        shard: Shard::WHOLE,
    }
}

struct Run<'a> {
    engine: &'a Scripted,
    jobs: usize,
    fail_fast: bool,
    stop: &'a Stop,
    folder: &'a std::path::Path,
}

fn run(plan: &Plan, run: &Run<'_>) -> (Outcome, Vec<String>) {
    let backends = [Named::new("m", "m=model", Arc::new(ModelBackend))];
    let manner = Manner {
        jobs: run.jobs,
        fail_fast: run.fail_fast,
        strict: false,
        stop: run.stop,
        settings: Settings::default(),
        known: &Known::default(),
        recipe: Recipe {
            program: "hostmem".to_owned(),
            seed: "42".to_owned(),
            folder: run.folder.join("results"),
            kept: Kept::default(),
        },
        earlier: BTreeMap::new(),
    };
    let mut seen = Vec::new();
    let outcome = campaign::run(plan, &backends, run.engine, &manner, &mut |done| {
        seen.extend(done.entry.result.as_ref().map(|result| result.scenario.clone()));
    });
    (outcome, seen)
}

fn with(
    engine: &Scripted,
    jobs: usize,
    fail_fast: bool,
) -> (Outcome, Vec<String>, tempfile::TempDir) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let stop = Stop::default();
    let (outcome, seen) = run(
        &plan(Some(if fail_fast { 4000 } else { 40 })),
        &Run { engine, jobs, fail_fast, stop: &stop, folder: folder.path() },
    );
    (outcome, seen, folder)
}

#[test]
fn results_do_not_depend_on_the_number_of_jobs() {
    let (one, seen, folder) = with(&Scripted::new(0, What::Agrees), 1, false);
    assert_eq!((one.results.len(), &one.end), (40, &End::Complete));
    assert_eq!(seen[..2], ["random/p/0", "random/p/1"]);
    for jobs in [2, 7, 64] {
        let (many, order, _folder) = with(&Scripted::new(0, What::Agrees), jobs, false);
        assert_eq!((&many.results, &order), (&one.results, &seen), "{jobs} jobs");
        assert_eq!(digest::of(&many.results), digest::of(&one.results));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing failed");
}

#[test]
fn fail_fast_ends_with_the_first_failure_for_any_number_of_jobs() {
    for jobs in [1, 2, 16] {
        let engine = Scripted::new(7, What::Diverges);
        let (outcome, seen, _folder) = with(&engine, jobs, true);
        assert_eq!((outcome.results.len(), seen.len()), (8, 8), "{jobs} jobs");
        assert_eq!(outcome.end, End::FailFast);
        assert!(engine.ran.load(Ordering::SeqCst) < 4000, "the rest was not run");
    }
}

#[test]
fn a_failure_leaves_a_scenario_and_the_command_that_does_it_again() {
    let (outcome, _, folder) = with(&Scripted::new(7, What::Diverges), 2, false);
    assert_eq!((outcome.results.len(), &outcome.end), (40, &End::Complete));
    let failure = &outcome.results[7];
    let file = folder.path().join("results/VF-01.e3b0c442.m.json");
    assert_eq!(failure.file.as_deref(), Some(file.as_path()));
    let replay = format!("hostmem replay {} --backend m=model", file.display());
    assert_eq!(failure.replay.as_deref(), Some(replay.as_str()));
    assert!(fs::read_to_string(file).unwrap().contains("it fails"));
    assert!(outcome.results[6].replay.is_none());
}

#[test]
fn a_panic_ends_the_run_and_names_the_case() {
    let (outcome, seen, _folder) = with(&Scripted::new(7, What::Panics), 4, false);
    assert_eq!((outcome.results.len(), seen.len()), (7, 7));
    let End::Internal(what) = &outcome.end else { panic!("{:?}", outcome.end) };
    let command = "hostmem check --backend m=model --seed 42 --profile p --ops 10 --cases 8 \
                   --only random/p/7";
    assert!(what.contains("a mistake of ours") && what.contains(command), "{what}");
    let report = Report { end: outcome.end, results: outcome.results, ..Report::default() };
    assert_eq!(report.status(), ExitStatus::Internal);
}

#[test]
fn an_unreadable_case_is_told_and_the_rest_runs() {
    let (outcome, _, _folder) = with(&Scripted::new(7, What::Unreadable), 4, false);
    assert_eq!(outcome.unreadable, ["a.json:1:2: no"]);
    assert_eq!((outcome.results.len(), outcome.end), (39, End::Complete));
}

#[test]
fn an_interrupted_run_tells_of_the_cases_that_had_begun() {
    let folder = tempfile::TempDir::new().unwrap();
    let (engine, stop) = (Scripted::new(0, What::Agrees), Stop::default());
    let outcome = thread::scope(|scope| {
        let running = scope.spawn(|| {
            let how = Run {
                engine: &engine,
                jobs: 3,
                fail_fast: false,
                stop: &stop,
                folder: folder.path(),
            };
            run(&plan(None), &how).0
        });
        while engine.ran.load(Ordering::SeqCst) < 10 {
            thread::yield_now();
        }
        stop.interrupt();
        running.join().unwrap()
    });
    assert_eq!(outcome.end, End::Interrupted);
    assert_eq!(outcome.results.len() as u64, engine.ran.load(Ordering::SeqCst));
    let report = Report { end: outcome.end, results: outcome.results, ..Report::default() };
    assert_eq!((report.status(), report.digest()), (ExitStatus::Interrupted, None));
}

#[test]
fn the_end_of_the_time_is_a_normal_end() {
    let folder = tempfile::TempDir::new().unwrap();
    let (engine, stop) =
        (Scripted::new(0, What::Agrees), Stop::after(Some(Duration::from_millis(30))));
    let how =
        Run { engine: &engine, jobs: 2, fail_fast: false, stop: &stop, folder: folder.path() };
    let (outcome, _) = run(&plan(None), &how);
    assert_eq!(outcome.end, End::Time);
    let report = Report { end: outcome.end, results: outcome.results, ..Report::default() };
    assert_eq!(report.status(), ExitStatus::Success);
}
