//! `hostmem host` without a runtime: what a user has wrong is told before anything is started.

mod command;

use std::fs;

use command::hostmem;

#[test]
fn a_program_that_is_none_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let told = |path: &std::path::Path| {
        let path = path.to_str().unwrap();
        hostmem(&["host", "--check", path])
    };
    let none = told(&folder.path().join("none.dll"));
    none.is_mistake();
    assert!(none.stderr.contains("none.dll: "), "{none:?}");
    let text = folder.path().join("text.dll");
    fs::write(&text, "not a library").unwrap();
    let wrong = told(&text);
    wrong.is_mistake();
    assert!(wrong.stderr.contains("text.dll: no .NET program; expected an assembly"), "{wrong:?}");
}

#[test]
fn a_script_that_is_none_is_told_of_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (app, script) = (folder.path().join("app.dll"), folder.path().join("script.json"));
    fs::write(&app, "MZ BSJB").unwrap();
    fs::write(&script, "{ \"format\": \"hostmem-pressure/1\",\n  \"steps\": 3 }").unwrap();
    let told = hostmem(&["host", "--pressure", script.to_str().unwrap(), app.to_str().unwrap()]);
    told.is_mistake();
    assert!(told.stderr.contains("script.json:2:"), "{told:?}");
}

#[test]
fn the_scripts_that_ship_with_the_programs_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/clr/programs/short.pressure");
    hostmem::host::pressure::load(path.as_ref()).unwrap();
}

/// Every option that the command takes stands in the page about it, with what it does.
#[test]
fn the_page_names_every_option() {
    let page = include_str!("../../HOST.md");
    let help = hostmem(&["host", "--help"]).stdout;
    let told = help.split_whitespace().map(|word| word.trim_end_matches(','));
    let options: Vec<&str> = told.filter(|word| word.starts_with("--")).collect();
    assert!(options.contains(&"--serve"), "{help}");
    for option in options.into_iter().filter(|it| *it != "--help") {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{option}")));
        assert!(row.is_some(), "HOST.md has no row for {option}");
    }
}
