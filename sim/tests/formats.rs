//! Every format on one hand-made report that has everything, hostile text included.

use std::path::PathBuf;

use hostmem::report::{CaseResult, Format, Header, Report, Suite, VerdictWord};
use hostmem_interface::Grain;
use hostmem_interface::scenario::Level;

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn divergence() -> CaseResult {
    CaseResult {
        suite: Suite::Random,
        steps: 7,
        step: Some(7),
        rule: owned("VF-01"),
        call: owned("VirtualFree(p, 0x20000, MEM_RELEASE)"),
        expected: owned("refused: ERROR_INVALID_PARAMETER"),
        observed: owned("ok"),
        replay: owned("hostmem replay hostmem-results/VF-01.linux.42.clr-3.json --backend linux"),
        file: Some(PathBuf::from("hostmem-results/VF-01.linux.42.clr-3.json")),
        record: [1; 32],
        ..CaseResult::new("random/clr/3", "linux", VerdictWord::Diverges)
    }
}

fn hostile() -> CaseResult {
    CaseResult {
        level: Level::Should,
        grain: Grain::Hresult,
        steps: 2,
        step: Some(2),
        rule: owned("NO-SUCH"),
        expected: owned("<script>alert(1)</script> & \"quotes\" | `ticks` *stars*"),
        observed: owned("\x1b[31mred\x07\nsecond line"),
        replay: owned("hostmem replay 'it'\\''s.json' --backend 'agent:./x --y'"),
        ..CaseResult::new("it's <b>|`x`.json", "agent:./x --y", VerdictWord::Diverges)
    }
}

fn report() -> Report {
    let skipped = CaseResult {
        missing: owned("write-watch"),
        suite: Suite::Recordings,
        ..CaseResult::skipped("scenarios/clr/churn.json.zst", "linux", "it has no write-watch")
    };
    let broken = CaseResult {
        reason: owned("died: signal 11"),
        step: Some(4),
        steps: 4,
        ..CaseResult::new("b.json", "agent:./x --y", VerdictWord::Broken)
    };
    let tolerated = CaseResult {
        reason: owned("known: rounds up"),
        rule: owned("VF-01"),
        steps: 3,
        step: Some(3),
        suite: Suite::Scenarios,
        ..CaseResult::new("scenarios/alloc/c.json", "linux", VerdictWord::Tolerated)
    };
    let agrees = CaseResult {
        steps: 5,
        readings: vec!["VA-42b".to_owned()],
        suite: Suite::Scenarios,
        ..CaseResult::new("scenarios/alloc/d.json", "linux", VerdictWord::Agrees)
    };
    Report {
        header: Header {
            version: "0.1.0".to_owned(),
            commit: owned("bd25c2d0000000000000000000000000000000ff"),
            seed: owned("42"),
            backends: vec!["linux".to_owned(), "agent:./x --y".to_owned()],
            options: vec![
                ("backend".to_owned(), "linux agent:./x --y".to_owned()),
                ("cases".to_owned(), "10".to_owned()),
            ],
        },
        results: vec![tolerated, agrees, skipped, divergence(), hostile(), broken],
        require: vec!["write-watch".to_owned()],
        ..Report::default()
    }
}

fn text(format: Format, report: &Report) -> String {
    let mut text = Vec::new();
    format.write(report, &mut anstream::StripStream::new(&mut text)).expect("memory");
    String::from_utf8(text).expect("every format is UTF-8")
}

#[test]
fn human() {
    insta::assert_snapshot!(text(Format::Human, &report()));
}

#[test]
fn json() {
    let text = text(Format::Json, &report());
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    for member in ["step", "rule", "expected", "observed", "reason"] {
        for result in read["results"].as_array().unwrap() {
            let agrees = result["verdict"] == "agrees";
            assert_eq!(result.get(member).is_none(), agrees, "{member} of {result}");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn json_lines() {
    let text = text(Format::Jsonl, &report());
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn junit() {
    insta::assert_snapshot!(text(Format::Junit, &report()));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(text(Format::Markdown, &report()));
}

#[test]
fn html() {
    let text = text(Format::Html, &report());
    assert!(!text.contains("<script"), "text of a stranger is text");
    for loaded in ["src=", "href=", "@import", "url("] {
        assert!(!text.contains(loaded), "the page loads nothing: {loaded}");
    }
    assert!(text.contains("prefers-color-scheme: dark"));
    let (_, body) = text.split_once("</head>").unwrap();
    insta::assert_snapshot!(body);
}

#[test]
fn every_format_writes_a_report_without_results() {
    for format in
        [Format::Human, Format::Json, Format::Jsonl, Format::Junit, Format::Markdown, Format::Html]
    {
        assert!(!text(format, &Report::default()).is_empty());
    }
}

#[test]
fn nothing_of_a_strangers_text_moves_a_terminal() {
    for format in [Format::Human, Format::Markdown, Format::Html, Format::Junit] {
        let text = text(format, &report());
        let moves = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!text.contains(moves), "{format:?}");
    }
}
