//! A failure as a Rust test: the scenario itself, replayed on the backend against the model.
//!
//! It needs the crate `hostmem` and nothing else. To test a manager of one's own with it, one
//! line changes: `check_on` takes any [`Backend`](hostmem_interface::Backend).

use std::fmt::Write as _;

use hostmem_interface::scenario::{self, Scenario};

use super::Story;

/// The text of the test.
#[must_use]
pub fn write(scenario: &Scenario, story: &Story) -> String {
    let mut text = String::new();
    for line in story.lines(scenario) {
        line_into(&mut text, &format!("//! {line}"));
    }
    let name = function_name(&story.name);
    let json = scenario::write(scenario);
    let fence = fence(&json);
    let backend = &story.backend;
    write!(
        text,
        r#"//!
//! Put this under `tests/` of a crate that has `hostmem` among its dev-dependencies. For a
//! manager of your own, call `check_on(&your_backend, SCENARIO)` instead.

use hostmem::reproducer::check;

/// The backend, as on the command line of hostmem.
const BACKEND: &str = {backend:?};

#[test]
fn {name}() {{
    if let Err(why) = check(BACKEND, SCENARIO) {{
        panic!("{{BACKEND}}: {{why}}");
    }}
}}

const SCENARIO: &str = r{fence}"{json}"{fence};
"#
    )
    .expect("a String takes everything");
    text
}

fn line_into(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// A name that Rust takes for a function.
fn function_name(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("case_{}", name.chars().map(fits).collect::<String>())
}

/// As many signs as a raw string needs around this text.
fn fence(text: &str) -> String {
    let mut fence = "#".to_owned();
    while text.contains(&format!("\"{fence}")) {
        fence.push('#');
    }
    fence
}
