//! The page in a real browser: it opens from disk and loads nothing, it is used by keyboard,
//! and a long recording costs no more per step than what is on show.
//!
//! Pictures of the pages are kept under `target/tmp/view-screenshots/`. Where there is no Chromium
//! the tests are skipped, and say so; `.ci/run` installs it, and takes a skip for a failure.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so, and why")]

mod chromium;
mod page;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use chromium::Browser;
use hostmem::backend::{self, Named};
use hostmem::files::{NamedScenario, builtin};
use hostmem::known::Known;
use hostmem::parts::BACKENDS;
use hostmem::report::Suite;
use hostmem::viewer::{How, view};
use hostmem_interface::scenario::read;
use serde_json::Value;
use tempfile::TempDir;

const CANARY: &str = "canary:protect-crosses-allocations";

/// A browser, if there is one.
fn browser(test: &str) -> Option<Browser> {
    let Some(program) = chromium::find() else {
        println!("skipped: {test}: there is no chromium on this machine");
        return None;
    };
    Some(Browser::start(&program))
}

/// A page in a folder of its own.
struct Page {
    _folder: TempDir,
    path: PathBuf,
}

fn page_of(case: &NamedScenario, backend: Option<&Named>) -> Page {
    let how = How { backend, replay: "hostmem replay t.json", ..How::default() };
    let html = view(case, &how, &Known::default()).expect("a page").html;
    let folder = TempDir::new().expect("a temporary folder");
    // A name that is no plain letter: pages lie anywhere.
    let path = folder.path().join("a page ü.html");
    fs::write(&path, html).expect("a file");
    Page { _folder: folder, path }
}

fn scenario(name: &str, text: &str) -> NamedScenario {
    let scenario = read(text.as_bytes()).expect("a scenario");
    NamedScenario { name: name.to_owned(), suite: Suite::Files, scenario }
}

/// A case that diverges at its last step, which leaves the two sides different.
fn failing() -> Page {
    let text = fs::read_to_string("../tests/canaries/protect-crosses-allocations.json");
    let case = scenario("</script><b>nasty</b> \u{2028} ü", &text.expect("a file"));
    let backend = backend::parse(CANARY, BACKENDS).expect("a backend");
    page_of(&case, Some(&backend))
}

fn keep_picture(browser: &mut Browser, name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("view-screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("{name}.png"));
    let picture = browser.picture();
    assert!(picture.len() > 5_000, "a picture of something");
    fs::write(&path, picture).expect("a file");
    println!("picture: {}", path.display());
}

/// What a strip shows: its picture.
fn strip(browser: &mut Browser, side: usize) -> Value {
    browser.value(&format!("document.querySelectorAll('canvas.strip')[{side}].toDataURL()"))
}

fn text(browser: &mut Browser, id: &str) -> String {
    let text = browser.value(&format!("document.getElementById('{id}').innerText"));
    text.as_str().expect("a text").to_owned()
}

#[test]
fn it_opens_from_disk_without_errors_and_without_the_network() {
    let Some(mut browser) = browser("opening a page") else { return };
    let page = failing();
    for (width, dark, name) in [
        (1400, false, "failure-light"),
        (1400, true, "failure-dark"),
        (390, false, "failure-narrow"),
    ] {
        browser.window(width, 1500, dark);
        browser.open(&page.path);
        assert_eq!(browser.said, Vec::<String>::new());
        assert_eq!(browser.requests.len(), 1, "the page alone: {:?}", browser.requests);
        let wide = browser.value("document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(wide, true, "nothing sticks out at {width} pixels");
        keep_picture(&mut browser, name);
    }
    assert!(text(&mut browser, "name").contains("</script><b>nasty</b>"));
    assert_eq!(browser.value("document.querySelector('h1 b')"), Value::Null);
}

#[test]
fn scrubbing_changes_the_strip_and_coming_back_restores_it() {
    let Some(mut browser) = browser("scrubbing") else { return };
    browser.window(1200, 1000, false);
    browser.open(&failing().path);
    browser.press("Home");
    let empty = strip(&mut browser, 0);
    let scrub = "(() => { const it = document.getElementById('scrubber'); it.value = 2; \
                 it.dispatchEvent(new Event('input')); })()";
    browser.value(scrub);
    browser.settle();
    assert_eq!(browser.value("hostmem.state.step"), 2);
    let second = strip(&mut browser, 0);
    assert_ne!(empty, second);
    browser.press("ArrowRight");
    assert_eq!(browser.value("hostmem.state.step"), 3);
    assert_ne!(second, strip(&mut browser, 0));
    browser.press("ArrowLeft");
    assert_eq!(second, strip(&mut browser, 0));
    browser.press("Home");
    assert_eq!(empty, strip(&mut browser, 0));
    assert_eq!(browser.said, Vec::<String>::new());
}

#[test]
fn the_divergence_is_found_and_explained_by_keyboard() {
    let Some(mut browser) = browser("the keyboard") else { return };
    browser.window(1200, 1400, true);
    browser.open(&failing().path);
    browser.press("Home");
    assert!(text(&mut browser, "step").contains("Before the first step"));
    browser.press("d");
    let ended = browser.value("hostmem.recording.ended");
    assert_eq!(browser.value("hostmem.state.step"), ended);
    let step = text(&mut browser, "step");
    assert!(step.contains("diverges") && step.contains("SM-03"), "{step}");
    let finding = text(&mut browser, "finding");
    for what in
        ["First difference at step", "SM-03", "ERROR_INVALID_ADDRESS", "old PAGE_", "source"]
    {
        assert!(finding.contains(what), "{what}: {finding}");
    }
    assert!(text(&mut browser, "differences").contains("differ"));
    assert_ne!(strip(&mut browser, 0), strip(&mut browser, 1), "the two sides differ");
    browser.press("f");
    let window = browser.value("hostmem.state.window.to - hostmem.state.window.from");
    assert!(window.as_f64().expect("a number") < 1.0, "{window}");
    browser.press("s");
    browser.press("s");
    assert_eq!(browser.value("hostmem.state.side"), "differences");
    let rows = browser.value("document.querySelectorAll('#region-rows tr[data-index]').length");
    assert!(rows.as_u64().expect("a number") >= 2, "what each side has there: {rows}");
    keep_picture(&mut browser, "difference");
    browser.press("?");
    assert_eq!(browser.value("document.getElementById('keys').open"), true);
    assert!(text(&mut browser, "key-list").contains("diverges"));
    browser.press("Escape");
    assert_eq!(browser.value("document.getElementById('keys').open"), false);
    assert_eq!(browser.said, Vec::<String>::new());
}

/// The current step is told as it changes, and every control has a name.
#[test]
fn a_screen_reader_is_told() {
    let Some(mut browser) = browser("a screen reader's view") else { return };
    browser.window(1200, 1400, false);
    browser.open(&failing().path);
    let tree = browser.command("Accessibility.getFullAXTree", serde_json::json!({}));
    let nodes = tree["nodes"].as_array().expect("a tree");
    let role = |node: &Value| node["role"]["value"].as_str().unwrap_or_default().to_owned();
    let name = |node: &Value| node["name"]["value"].as_str().unwrap_or_default().to_owned();
    let controls =
        ["button", "checkbox", "slider", "combobox", "searchbox", "radio", "image", "img"];
    let shown = |node: &&Value| node["ignored"] != true && controls.contains(&&*role(node));
    let unnamed: Vec<&Value> =
        nodes.iter().filter(shown).filter(|node| name(node).trim().is_empty()).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    assert!(nodes.iter().filter(shown).count() > 10);
    let strip = nodes.iter().map(name).find(|it| it.starts_with("model: "));
    assert!(strip.is_some_and(|it| it.contains("KiB") && it.contains("Shown from")));
    for kind in ["table", "columnheader", "row", "cell"] {
        assert!(nodes.iter().any(|node| role(node) == kind), "no {kind}");
    }
    assert_eq!(browser.value("document.getElementById('step').ariaLive"), "polite");
    assert_eq!(browser.value("document.querySelector('tr[aria-current]').ariaRowIndex"), "5");
}

/// Whatever step one goes to: few rows, and little to put in place.
#[test]
fn a_long_recording_is_light() {
    let Some(mut browser) = browser("a long recording") else { return };
    const STEPS: u64 = 100_000;
    let case = scenario("long", &page::many_steps(usize::try_from(STEPS).expect("small")));
    let page = page_of(&case, None);
    println!("page of {STEPS} steps: {} bytes", fs::metadata(&page.path).expect("a file").len());
    browser.window(1400, 1500, true);
    let begun = Instant::now();
    browser.open(&page.path);
    println!("opened after {} ms", begun.elapsed().as_millis());
    assert_eq!(browser.value("hostmem.recording.steps"), STEPS);
    let mut rows = browser.value("document.querySelectorAll('tr').length").as_u64();
    assert!(rows.is_some_and(|rows| rows < 150), "{rows:?} rows of {STEPS} steps");
    for step in [1, 99_999, 50_000, 49_999, 3, 77_777, 77_778, 100_000] {
        let before = browser.value("hostmem.state.frames").as_u64().expect("a number");
        browser.value(&format!("hostmem.state.goTo({step})"));
        browser.settle();
        let frames = browser.value("hostmem.state.frames").as_u64().expect("a number") - before;
        assert_eq!(frames, 1, "one drawing a step");
        let work = browser.value("hostmem.state.sides[0].work").as_u64().expect("a number");
        let shown = browser.value("hostmem.state.sides[0].runs.length").as_u64().expect("a number");
        assert!(work <= 4 * shown + 200, "step {step}: {work} runs put in place, {shown} on show");
        rows = browser.value("document.querySelectorAll('tr').length").as_u64();
        assert!(rows.is_some_and(|rows| rows < 150), "{rows:?} rows at step {step}");
    }
    // A hundred positions of the scrubber between two frames are drawn once.
    let before = browser.value("hostmem.state.frames").as_u64().expect("a number");
    let begun = Instant::now();
    browser.value("for (let at = 0; at < 100; at++) hostmem.state.goTo(1000 * at)");
    browser.settle();
    println!("scrubbed after {} ms", begun.elapsed().as_millis());
    let frames = browser.value("hostmem.state.frames").as_u64().expect("a number") - before;
    assert_eq!(frames, 1);
    browser.press("/");
    browser.value("document.getElementById('find').value = 'p0+'");
    browser.press("Enter");
    keep_picture(&mut browser, "long-recording");
    assert_eq!(browser.said, Vec::<String>::new());
}

/// It plays to the end and stops there.
#[test]
fn it_plays_and_stops_at_the_end() {
    let Some(mut browser) = browser("playing") else { return };
    browser.window(1200, 1000, false);
    let one = builtin::all().into_iter().find(|it| it.name.ends_with("hello.json.zst"));
    let page = page_of(&one.expect("it ships").read().expect("a scenario"), None);
    browser.open(&page.path);
    let steps = browser.value("hostmem.recording.steps");
    browser.press("Home");
    browser.value("document.getElementById('speed').value = '5000'");
    browser.press(" ");
    let played = "new Promise((done) => { const look = () => hostmem.state.playing ? \
                  requestAnimationFrame(look) : done(hostmem.state.step); look(); })";
    assert_eq!(browser.value(played), steps);
    keep_picture(&mut browser, "clr-start-up");
    // A case without steps has nothing to play, and no error either.
    let mut empty = scenario("empty", &page::many_steps(1));
    empty.scenario.steps.clear();
    browser.open(&page_of(&empty, None).path);
    for key in [" ", "d", "End", "ArrowRight", "f", "n", "+", "c", "0"] {
        browser.press(key);
    }
    assert_eq!(browser.value("hostmem.state.step"), 0);
    assert_eq!(browser.said, Vec::<String>::new());
}

/// From all of user space down to single pages, and back.
#[test]
fn one_zooms_from_terabytes_to_pages() {
    let Some(mut browser) = browser("zooming") else { return };
    browser.window(1200, 1000, false);
    browser.open(&failing().path);
    browser.press("c");
    let pages = "(() => { const { from, to } = hostmem.state.window; const { scale } = hostmem.strips; \
                 return scale.page(to) - scale.page(from); })()";
    let whole = browser.value(pages).as_f64().expect("a number");
    assert!(whole > 3e10, "{whole} pages are all of user space");
    browser.press("f");
    for _ in 0..40 {
        browser.press("+");
    }
    let few = browser.value(pages).as_f64().expect("a number");
    assert!((1.0..=8.0).contains(&few), "{few} pages");
    let before = strip(&mut browser, 0);
    browser.press(".");
    assert_ne!(before, strip(&mut browser, 0), "it moves");
    for _ in 0..60 {
        browser.press("-");
    }
    let again = browser.value(pages).as_f64().expect("a number");
    assert!((again - whole).abs() < 1.0, "{again}");
    assert_eq!(browser.said, Vec::<String>::new());
}
