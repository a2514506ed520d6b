//! What `hostmem view` writes: that the record says what the run knew, how large it is, and
//! that nothing is half written. How the page looks in a browser is in `view_in_chromium.rs`.

mod command;
mod page;

use std::fs;
use std::ops::Range;
use std::path::Path;

use command::{GOOD, hostmem_in};
use hostmem::backend::{self, Named};
use hostmem::files::{NamedScenario, builtin};
use hostmem::known::Known;
use hostmem::parts::BACKENDS;
use hostmem::report::Suite;
use hostmem::run::Case;
use hostmem::run::watched::{Onlooker, Scene, watch_scenario};
use hostmem::viewer::strip::Run;
use hostmem::viewer::{How, law, view};
use hostmem_interface::scenario::{Step, read};
use hostmem_interface::{Backend, Description, Subject};
use page::{Recorded, many_steps};
use tempfile::TempDir;

/// Looks at everything, at every step: what the recorder saves itself.
#[derive(Default)]
struct Thorough {
    /// Behind each step, everything that the law knows of.
    seen: Vec<Vec<Run>>,
}

fn everything(scene: &Scene<'_, '_>) -> Range<u64> {
    let machine = scene.case.view().state.machine();
    0..machine.end() / machine.page
}

impl Onlooker for Thorough {
    fn begin(&mut self, _: &Description, _: Option<&dyn Subject>) {
        self.seen.clear();
    }

    fn before(&mut self, _: &Case<'_>, _: &[Step]) {}

    fn after(&mut self, scene: &Scene<'_, '_>) {
        let now = law::runs(scene.case.view().state, everything(scene));
        self.seen.extend(scene.steps.iter().map(|_| now.clone()));
    }

    fn end(&mut self, _: &Scene<'_, '_>) {}
}

fn named(spec: &str) -> Named {
    backend::parse(spec, BACKENDS).expect("a backend")
}

fn recorded(case: &NamedScenario, on: Option<&Named>) -> Recorded {
    let how = How { backend: on, ..How::default() };
    let viewed = view(case, &how, &Known::default()).expect("a page");
    Recorded::of_page(&viewed.html)
}

fn scenario(text: &str) -> NamedScenario {
    let scenario = read(text.as_bytes()).expect("a scenario");
    NamedScenario { name: "t.json".to_owned(), suite: Suite::Files, scenario }
}

/// The patches alone, and the wholes with what follows, say the same as the law's state does.
#[test]
fn every_step_of_every_scenario_is_recorded_as_the_law_knows_it() {
    let mut steps = 0;
    for one in builtin::all().iter().filter(|it| it.suite != Suite::Recordings) {
        let case = one.read().expect("a scenario that ships");
        let mut thorough = Thorough::default();
        watch_scenario(&case.scenario, None, &mut thorough);
        let recorded = recorded(&case, None);
        assert_eq!(recorded.steps(), thorough.seen.len(), "{}", case.name);
        let groups = |at: usize| case.scenario.steps.get(at).is_some_and(|it| it.with.is_some());
        for (at, seen) in thorough.seen.iter().enumerate().filter(|(at, _)| !groups(*at)) {
            assert_eq!(&recorded.patched(0, at + 1), seen, "{} step {}", case.name, at + 1);
            assert_eq!(&recorded.sought(0, at + 1), seen, "{} step {}", case.name, at + 1);
            steps += 1;
        }
    }
    assert!(steps > 1000, "only {steps}");
}

#[test]
fn a_recording_is_recorded_as_the_law_knows_it() {
    let one = builtin::all().into_iter().find(|it| it.name.ends_with("jit.json.zst"));
    let case = one.expect("it ships").read().expect("a scenario that ships");
    let mut thorough = Thorough::default();
    watch_scenario(&case.scenario, None, &mut thorough);
    let recorded = recorded(&case, None);
    assert!(recorded.wholes(0) > 1, "long enough to be written whole now and then");
    let last = thorough.seen.len();
    for step in (1..=last).step_by(37).chain([last]) {
        assert_eq!(recorded.sought(0, step), thorough.seen[step - 1], "step {step}");
    }
}

/// A subject that obeys the law looks like it.
#[test]
fn the_sides_are_alike_where_the_subject_obeys() {
    for spec in ["model", "slow-twin"] {
        let backend = named(spec);
        for name in ["guard", "stories", "free", "reset", "malloc", "watch"] {
            for one in builtin::below(&format!("scenarios/{name}")).expect("they ship") {
                let recorded = recorded(&one, Some(&backend));
                if recorded.sides() < 2 {
                    continue;
                }
                let bare = |side| -> Vec<Run> {
                    let mut runs = recorded.sought(side, recorded.steps());
                    // What is written is not seen by a query; it is known of both in another way.
                    runs.iter_mut().for_each(|run| run.look.marks &= !5);
                    page::joined(runs)
                };
                assert_eq!(bare(0), bare(1), "{} on {spec}", one.name);
            }
        }
    }
}

/// What the law would have done stands beside what the subject did.
#[test]
fn the_first_difference_shows_on_the_sides() {
    let text = fs::read_to_string("../tests/canaries/protect-crosses-allocations.json");
    let case = scenario(&text.expect("a file of the repository"));
    let backend = named("canary:protect-crosses-allocations");
    let recorded = recorded(&case, Some(&backend));
    let verdict = &recorded.about()["verdict"];
    assert_eq!(verdict["word"], "diverges");
    assert_eq!(verdict["rule"], "SM-03");
    let [lawful, expected] = ["lawful", "expected"].map(|it| verdict[it].as_str().expect("a text"));
    assert!(lawful.starts_with(expected), "{verdict}");
    assert!(
        verdict["sentence"].as_str().is_some_and(|it| it.contains("inside one of them")),
        "{verdict}"
    );
    let last = recorded.steps();
    assert_ne!(recorded.sought(0, last), recorded.sought(1, last));
    assert_eq!(recorded.sought(0, last - 1), recorded.sought(1, last - 1));
}

#[test]
fn what_takes_room_in_a_page_stays_in_proportion() {
    let case = scenario(&many_steps(20_000));
    let recorded = recorded(&case, None);
    let length = |name: &str| recorded.section(name).len();
    assert!(length("wholes0") <= length("patches0"), "wholes take less than patches");
    // How far a step is from where one can begin: no more than twice what is on show.
    let (most, furthest) = recorded.furthest(0);
    assert!(furthest <= 2 * most + 64 + most, "{furthest} runs to put in place, {most} on show");
    let page = recorded.page_size();
    assert!(page < 30 * 20_000 + 120_000, "{page} bytes for 20000 steps");
}

#[test]
fn odd_cases_are_shown() {
    let far = r#"{ "format": "hostmem/1", "about": "far, and </script> beside \u2028 ü",
      "steps": [
        { "call": "VirtualQuery", "address": "0xfffffffffffff123" },
        { "call": "VirtualAlloc", "address": "0x7ffffffe0000", "size": 1, "type": "MEM_RESERVE", "protect": "PAGE_NOACCESS" },
        { "call": "VirtualFree", "address": "0x20000000000001", "size": 0, "type": "MEM_RELEASE" },
        { "call": "Walk" },
        { "call": "Hole", "size": "0x20000", "bind": "h" } ] }"#;
    let far = recorded(&scenario(far), None);
    assert_eq!(far.steps(), 5);
    let runs = far.sought(0, 5);
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].start, 0x7_ffff_ffe0);
    let mut empty = scenario(GOOD);
    empty.scenario.steps.clear();
    let empty = recorded(&empty, Some(&named("model")));
    assert_eq!((empty.steps(), empty.sought(0, 0)), (0, Vec::new()));
    let skipped = r#"{ "format": "hostmem/1", "machine": { "page": "0x2000", "granularity": "0x20000" },
      "about": "other units", "steps": [
        { "call": "VirtualAlloc", "address": null, "size": 1, "type": "MEM_RESERVE", "protect": "PAGE_NOACCESS", "bind": "p" } ] }"#;
    let skipped = recorded(&scenario(skipped), Some(&named("canary:none")));
    assert_eq!(skipped.steps(), 1, "what no subject can do is shown on the model");
}

#[test]
fn the_same_run_is_the_same_page() {
    let case = scenario(&many_steps(300));
    let on = named("slow-twin");
    let how = How { backend: Some(&on), ..How::default() };
    let page = || view(&case, &how, &Known::default()).expect("a page").html;
    assert!(page() == page());
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        names.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("good.json"), GOOD).expect("a file");
    fs::write(path("bad.json"), "{ \"format\": \"hostmem/1\",").expect("a file");
    fs::write(path("old.html"), "what was there before").expect("a file");
    let run = |arguments: &[&str]| hostmem_in(folder.path(), arguments);
    run(&["view", "bad.json", "-o", "old.html"]).is_mistake();
    run(&["view", "good.json", "-o", "none/such.html"]).is_mistake();
    run(&["view", "good.json", "-b", "no-such", "-o", "old.html"]).is_mistake();
    run(&["view", "good.json", "--case", "x", "-o", "old.html"]).is_mistake();
    run(&["view", "good.json", "-o", "."]).is_mistake();
    if cfg!(target_os = "linux") {
        run(&["view", "good.json", "-o", "/dev/full"]).is_mistake();
    }
    assert_eq!(fs::read_to_string(path("old.html")).expect("a file"), "what was there before");
    assert_eq!(names(folder.path()), ["bad.json", "good.json", "old.html"]);
    let ended = run(&["view", "good.json", "-o", "old.html"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("old.html"), "{ended:?}");
    let page = fs::read_to_string(path("old.html")).expect("a file");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
}

const CANARY: &str = "canary:protect-crosses-allocations";

/// Wrong in scenarios and in random cases.
const WRONG: &str = "canary:old-protection-is-new";

#[test]
fn every_failure_has_a_page_and_every_report_links_to_it() {
    let folder = TempDir::new().expect("a temporary folder");
    let run = |more: &[&str]| {
        let first = ["check", "-b", WRONG, "--only", "scenarios/protect/**", "--only", "random/**"];
        let words = [&first[..], &["--profile", "wide", "--cases", "4", "--seed", "1"], more];
        hostmem_in(folder.path(), &words.concat())
    };
    let human = run(&[]);
    assert_eq!(human.code, Some(2), "{human:?}");
    let views: Vec<&str> =
        human.stdout.lines().filter_map(|it| it.trim().strip_prefix("view ")).collect();
    assert!(views.len() > 1, "{human:?}");
    for view in &views {
        let page = fs::read_to_string(folder.path().join(view.trim())).expect("the page");
        assert_eq!(Recorded::of_page(&page).about()["verdict"]["word"], "diverges", "{view}");
    }
    let failures = human.stdout.lines().filter(|it| it.contains(": diverges (")).count();
    assert_eq!(failures, views.len(), "{human:?}");
    let html = run(&["--format", "html"]).stdout;
    let markdown = run(&["--format", "markdown"]).stdout;
    let json = run(&["--format", "json", "-o", "r.json"]);
    assert_eq!(json.code, Some(2), "{json:?}");
    let json = fs::read_to_string(folder.path().join("r.json")).expect("a report");
    for view in views {
        let view = view.trim();
        assert!(html.contains(&format!("<a href=\"{view}\">")), "{view}");
        assert!(markdown.contains(&format!("({view})")), "{view}");
        assert!(json.contains(&format!("\"view\": \"{view}\"")), "{view}");
    }
    let ended = hostmem_in(folder.path(), &["view", "r.json", "-o", "v.html"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = fs::read_to_string(folder.path().join("v.html")).expect("the page");
    assert_eq!(Recorded::of_page(&page).about()["backend"], WRONG);
}

#[test]
fn each_cell_of_the_matrix_links_to_its_page() {
    let folder = TempDir::new().expect("a temporary folder");
    let words =
        ["conform", "-b", "model", "-b", CANARY, "--only", "VP-07", "--only", "VF-01", "--strict"];
    let ended =
        hostmem_in(folder.path(), &[&words[..], &["--format", "html", "-o", "a b.html"]].concat());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let page = fs::read_to_string(folder.path().join("a b.html")).expect("the report");
    let cells: Vec<&str> = page.split("<td class=").skip(1).collect();
    assert!(cells.len() >= 4, "{page}");
    for cell in cells {
        let link = cell.split("href=\"").nth(1).and_then(|it| it.split('"').next());
        let link = link.unwrap_or_else(|| panic!("no link in {cell}"));
        let path = folder.path().join(link.replace("%20", " "));
        let page = fs::read_to_string(&path).unwrap_or_else(|it| panic!("{link}: {it}"));
        Recorded::of_page(&page);
    }
    assert!(folder.path().join("a b-views").is_dir());
}

#[test]
fn a_trace_is_a_table_with_the_space_in_one_line() {
    let folder = TempDir::new().expect("a temporary folder");
    let steps = r#"{ "format": "hostmem/1", "about": "a", "steps": [
      { "call": "VirtualAlloc", "address": null, "size": "0x4000", "type": "MEM_RESERVE", "protect": "PAGE_NOACCESS", "bind": "p" },
      { "call": "VirtualAlloc", "address": "p", "size": 1, "type": "MEM_COMMIT", "protect": "PAGE_READWRITE" },
      { "call": "VirtualAlloc", "address": "p+0x3000", "size": 1, "type": "MEM_COMMIT", "protect": "PAGE_READWRITE|PAGE_GUARD" } ] }"#;
    fs::write(folder.path().join("a.json"), steps).expect("a file");
    let ended = hostmem_in(folder.path(), &["replay", "a.json", "-b", "model", "--trace"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let head = lines.iter().position(|it| it.trim_start().starts_with("step  rule"));
    let head = head.unwrap_or_else(|| panic!("{ended:?}"));
    assert!(lines[head + 1].contains(" ... "), "{ended:?}");
    assert!(lines[head + 2].contains(" w.. "), "{ended:?}");
    assert!(lines[head + 3].contains(" w.! "), "{ended:?}");
    let columns: Vec<_> =
        lines[head + 1..head + 4].iter().map(|it| it.find("VirtualAlloc")).collect();
    assert_eq!(columns[1], columns[2], "{ended:?}");
    assert!(!ended.stdout.contains('\x1b'), "no colour in a pipe: {ended:?}");
}

/// The backend of a page's run is the one that was asked for, under the name that it got.
#[test]
fn a_renamed_backend_keeps_its_name() {
    let backend = named("mine=model");
    let recorded = recorded(&scenario(GOOD), Some(&backend));
    assert_eq!(recorded.about()["sides"][1], "mine");
    assert_eq!(Backend::name(&backend), "mine");
}
