//! `hostmem exhaust` as people see it: what is searched, what came of it, and what is kept of
//! a failure.

mod command;

use std::sync::Arc;

use command::hostmem;
use hostmem::backend::{Kind, Make};
use hostmem::cli;
use hostmem::output::Output;
use hostmem::parts::Parts;
use hostmem::report::ExitStatus;
use hostmem::runner::Runner;
use hostmem_interface::{
    Backend, Call, Description, FreeType, Machine, OpenError, Outcome, Reply, Subject,
};
use hostmem_model::ModelBackend;

#[test]
fn the_scope_the_counts_and_the_result_are_told() {
    let options = ["--pages", "1", "--depth", "2", "--protection", "PAGE_READWRITE"];
    let ended = hostmem(&[&["exhaust", "--backend", "slow-twin"], &options[..]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told = [
        "pages 1, granules 1, depth 2, protections PAGE_READWRITE",
        "15 in each state",
        "all             3              45               8",
        "Everything in this scope agrees.",
    ];
    for words in told {
        assert!(ended.stdout.contains(words), "expected {words:?} in {}", ended.stdout);
    }
    let all = ["exhaust", "--backend", "model", "--sequences"];
    let ended = hostmem(&[&all[..], &options[..]].concat());
    assert!(ended.stdout.contains("240 sequences of 1 to 2 calls"), "{}", ended.stdout);
}

#[test]
fn a_scope_that_means_nothing_is_a_mistake() {
    for (options, words) in [
        (["--pages", "17"], "17 pages; expected 1 to 16"),
        (["--granules", "4"], "4 granules for 3 pages"),
        (["--depth", "0"], "expected at least 1"),
        (["--protection", "PAGE_WRITE"], "`PAGE_WRITE` is neither"),
    ] {
        let ended = hostmem(&[&["exhaust", "--backend", "model"], &options[..]].concat());
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(words), "expected {words:?} in {}", ended.stderr);
    }
}

/// The model, which says that it decommitted and did not.
struct Lazy;

struct LazySubject(Box<dyn Subject>);

impl Backend for Lazy {
    fn name(&self) -> &str {
        "lazy"
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        Ok(Box::new(LazySubject(ModelBackend.open(machine)?)))
    }
}

impl Subject for LazySubject {
    fn description(&self) -> &Description {
        self.0.description()
    }

    fn call(&self, call: &Call) -> Reply {
        match call {
            Call::VirtualFree { kind: FreeType::DECOMMIT, size: 0x1000, .. } => {
                Outcome::ok().into()
            }
            _ => self.0.call(call),
        }
    }
}

const LAZY: &[Kind] =
    &[Kind { name: "lazy", argument: None, about: "", make: Make::Here(|_| Ok(Arc::new(Lazy))) }];

#[test]
fn a_failure_is_told_like_any_other_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    // Results go below the current folder; no other test of this file writes any.
    std::env::set_current_dir(folder.path()).unwrap();
    let parts = Parts { engine: &Runner, backends: LAZY, profiles: &[] };
    let mut told = Vec::new();
    let words = ["hostmem", "exhaust", "--backend", "lazy"].map(Into::into);
    let status = cli::run(words.to_vec(), &parts, Output::to(Box::new(&mut told)), |_| {});
    let told = String::from_utf8(told).unwrap();
    assert_eq!(status, ExitStatus::Diverges, "{told}");
    for words in
        ["VF-06", "first failure: 1\n", "hostmem replay hostmem-results/", "--backend lazy"]
    {
        assert!(told.contains(words), "expected {words:?} in {told}");
    }
    let mut kept = std::fs::read_dir("hostmem-results").unwrap().map(|it| it.unwrap().path());
    let kept = kept.find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let kept = hostmem_interface::scenario::read(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(kept.steps.len(), 2, "a hole, and a decommit that is refused");
}
