//! A subject that breaks at a call: the smallest case is found in few breaks, and once for all
//! the rules that it broke; what hangs again and again is not asked for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hostmem::backend::Named;
use hostmem::conform::matrix::column;
use hostmem::conform::smallest::smallest;
use hostmem::conform::{Matrix, trial};
use hostmem::files::NamedScenario;
use hostmem::report::{Suite, VerdictWord};
use hostmem::run::run_scenario;
use hostmem::runner::shrink::{Failure, shrink};
use hostmem_interface::scenario::read::read;
use hostmem_interface::{
    AheadOfCase, Backend, Breakage, Call, Description, Foreseen, Machine, OpenError, Reply, Subject,
};
use hostmem_model::ModelBackend;

/// The model, which breaks at every `VirtualProtect`.
#[derive(Clone)]
struct Breaking {
    how: Breakage,
    /// How often it did.
    times: Arc<AtomicUsize>,
    /// Only where calls are made ahead of the case.
    ahead_only: bool,
}

impl Breaking {
    fn new(how: Breakage) -> Self {
        Self { how, times: Arc::default(), ahead_only: false }
    }

    fn count(&self) -> usize {
        self.times.load(Ordering::Relaxed)
    }
}

impl Backend for Breaking {
    fn name(&self) -> &'static str {
        "breaking"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        let inner = ModelBackend.open(machine)?;
        Ok(Box::new(BreakingSubject { inner, by: self.clone(), foreseen: AtomicBool::new(false) }))
    }
}

struct BreakingSubject {
    inner: Box<dyn Subject>,
    by: Breaking,
    /// Whether it has made calls ahead of the case, all of them in vain.
    foreseen: AtomicBool,
}

impl Subject for BreakingSubject {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    fn call(&self, call: &Call) -> Reply {
        if !self.by.ahead_only && matches!(call, Call::VirtualProtect { .. }) {
            self.by.times.fetch_add(1, Ordering::Relaxed);
            return Reply::Broken(self.by.how.clone());
        }
        self.inner.call(call)
    }

    fn looks_ahead(&self) -> bool {
        self.by.ahead_only && !self.foreseen.load(Ordering::Relaxed)
    }

    fn foresee(&self, _: &[Foreseen]) {
        self.by.times.fetch_add(1, Ordering::Relaxed);
        self.foreseen.store(true, Ordering::Relaxed);
    }

    fn went_wrong_ahead(&self) -> Option<AheadOfCase> {
        let wrong = || AheadOfCase::Broken(self.by.how.clone());
        self.foreseen.load(Ordering::Relaxed).then(wrong)
    }
}

/// A scenario of a rule that queries so often before it breaks the subject.
fn scenario(rule: &str, queries: usize) -> NamedScenario {
    let query = r#"{ "call": "VirtualQuery", "address": "p" },"#.repeat(queries);
    let text = format!(
        r#"{{ "format": "hostmem/1", "about": "a page and its protection", "rules": ["{rule}"],
        "steps": [
        {{ "call": "VirtualAlloc", "address": null, "size": 8192,
          "type": "MEM_RESERVE|MEM_COMMIT", "protect": "PAGE_READWRITE", "bind": "p" }}, {query}
        {{ "call": "VirtualProtect", "address": "p", "size": 4096, "protect": "PAGE_READONLY" }},
        {{ "call": "VirtualFree", "address": "p", "size": 0, "type": "MEM_RELEASE" }} ] }}"#
    );
    let scenario = read(text.as_bytes()).expect("a scenario");
    NamedScenario { name: format!("{rule}-{queries}.json"), suite: Suite::Scenarios, scenario }
}

/// The matrix of scenarios on that one, with the smallest scenarios.
fn matrix(breaking: &Breaking, scenarios: &[NamedScenario]) -> Matrix {
    let backend = Named::new("it", "breaking", Arc::new(breaking.clone()));
    let run = |named| trial::run(named, &backend).expect("a scenario that can be run");
    let trials = scenarios.iter().map(run).collect();
    let columns = vec![column("it".to_owned(), "it 1".to_owned(), trials)];
    let mut matrix = Matrix::of(scenarios, columns);
    smallest(&mut matrix, scenarios, &[backend]);
    matrix
}

#[test]
fn a_break_is_made_small_once_for_all_the_rules_that_it_breaks() {
    let breaking = Breaking::new(Breakage::Died("exited with code 3 in VirtualProtect".into()));
    let scenarios = [scenario("VP-01", 9), scenario("VP-02", 3), scenario("VP-03", 6)];
    let matrix = matrix(&breaking, &scenarios);
    let cells: Vec<_> = matrix.rows.iter().map(|row| &row.cells[0]).collect();
    assert_eq!(cells.len(), 3);
    for cell in &cells {
        assert_eq!(cell.verdict, VerdictWord::Broken);
        assert_eq!(cell.minimal, cells[0].minimal);
    }
    let minimal = cells[0].minimal.as_ref().expect("it breaks again");
    assert_eq!(minimal.scenario, "VP-02-3.json", "the shortest");
    assert_eq!(minimal.steps.len(), 2, "{minimal:?}");
    assert!(minimal.sentence.ends_with("it died: exited with code 3 in VirtualProtect"));
    assert!(cells[0].scenario.as_deref() == Some("VP-01-9.json"), "its own scenario is named");
}

#[test]
fn what_broke_only_ahead_of_the_case_keeps_its_reason() {
    let breaking = Breaking::new(Breakage::Hung("no answer to a line of 5 calls".into()));
    let breaking = Breaking { ahead_only: true, ..breaking };
    let scenarios = [scenario("VP-01", 1)];
    let matrix = matrix(&breaking, &scenarios);
    let cell = &matrix.rows[0].cells[0];
    assert_eq!((cell.verdict, &cell.minimal), (VerdictWord::Broken, &None));
    assert_eq!(breaking.count(), 1, "it is not asked again");
    let told =
        "it hung: no answer to a line of 5 calls; one call at a time it did not happen again";
    for write in [hostmem::conform::report::human, hostmem::conform::report::markdown] {
        let mut text = Vec::new();
        write(&matrix, &mut text).expect("memory");
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn a_hang_is_made_small_in_few_hangs() {
    for (how, most) in [
        (Breakage::Hung("no answer to VirtualProtect".into()), 7),
        (Breakage::Died("exited with code 3".into()), 61),
    ] {
        let breaking = Breaking::new(how);
        let case = scenario("VP-01", 300).scenario;
        let first = run_scenario(&case, "", &breaking, &mut |_, _| {});
        let failure = Failure::of(&first).expect("it breaks");
        let before = breaking.count();
        let shrunk = shrink(case.clone(), first.steps, failure, &breaking, &mut |_| {});
        let breaks = breaking.count() - before;
        assert!(breaks <= most, "{breaks} breaks of {failure:?}");
        let steps = shrunk.reduced.scenario.steps.len();
        assert!(steps < case.steps.len() / 4, "{steps} steps");
        let outcome = shrunk.outcome.expect("it breaks again");
        assert_eq!((Failure::of(&outcome), outcome.steps), (Some(failure), steps));
    }
}
