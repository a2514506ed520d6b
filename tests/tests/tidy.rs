//! The repository checks itself: arrows between crates, where unsafe may stand, how files
//! open and how long they are, and that the README's commands exist.

use std::fs;

use hostmem_tests::{files, relative, root};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The hostmem crates that a manifest names, under any kind of dependency.
fn arrows(manifest: &str) -> Vec<String> {
    let text = read(manifest);
    let own = text.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default();
    let mut found: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|name| name.starts_with("hostmem") && format!("\"{name}\"") != own)
        .map(str::to_owned)
        .collect();
    found.dedup();
    found
}

/// No subject can import the law that judges it.
#[test]
fn backends_do_not_depend_on_the_model() {
    for manifest in ["backends/Cargo.toml", "backends/slow-twin/Cargo.toml"] {
        let arrows = arrows(manifest);
        let wrong: Vec<_> = arrows.iter().filter(|it| *it != "hostmem-interface").collect();
        assert!(wrong.is_empty(), "{manifest} depends on {wrong:?}");
    }
}

#[test]
fn the_model_depends_on_the_interface_alone() {
    let normal = read("model/Cargo.toml");
    let normal = normal.split("[dev-dependencies]").next().unwrap_or_default();
    let names: Vec<&str> = normal.lines().filter(|line| line.starts_with("hostmem-")).collect();
    assert_eq!(names, ["hostmem-interface.workspace = true"]);
    assert_eq!(arrows("model/interface/Cargo.toml"), Vec::<String>::new());
}

/// The example shows what an outsider needs, which is the contract and a test dependency.
#[test]
fn the_example_manager_depends_on_the_interface_alone() {
    let manifest = "tests/example-manager/Cargo.toml";
    assert_eq!(arrows(manifest), ["hostmem-interface", "hostmem-proptest"]);
    let normal = read(manifest);
    let normal = normal.split("[dev-dependencies]").next().unwrap_or_default();
    assert!(!normal.contains("hostmem-proptest"), "it is there for the tests");
}

#[test]
fn unsafe_stands_in_backends_only() {
    for path in files("", ".rs") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).expect("a readable file");
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let word = ["un", "safe"].concat();
        let found = code.filter(|line| !line.contains('"')).any(|line| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|it| it == word)
        });
        assert!(!found || name.starts_with("backends/"), "{name} has {word} code");
    }
}

#[test]
fn the_model_reads_no_clock_no_environment_and_no_hash_order() {
    let banned = ["Instant", "SystemTime", "HashMap", "HashSet", "std::env", "std::fs", "std::net"];
    for path in files("model/src", ".rs") {
        let text = fs::read_to_string(&path).expect("a readable file");
        for word in banned {
            assert!(!text.contains(word), "{} has {word}", relative(&path));
        }
    }
}

#[test]
fn every_file_opens_with_its_promise_and_stays_readable() {
    for path in files("", ".rs") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).expect("a readable file");
        assert!(text.starts_with("//!"), "{name} does not open with its promise");
        // The table of rules is data, one row a rule.
        let most = match name.as_str() {
            "model/src/rule.rs" => 1000,
            _ if name.contains("/tests") => 800,
            _ => 500,
        };
        let lines = text.lines().count();
        assert!(lines <= most, "{name} has {lines} lines, more than {most}");
        for (at, line) in text.lines().enumerate() {
            let data = name == "model/src/rule.rs" || name.contains("/tests/");
            let long = line.chars().count() > 100 && !data;
            assert!(!long, "{name}:{} is longer than 100 columns", at + 1);
        }
    }
}

#[test]
fn no_file_is_called_by_what_it_is_not() {
    for path in files("", ".rs") {
        let name = relative(&path);
        let parts = name.trim_end_matches(".rs").split('/');
        let vague = ["utils", "util", "common", "helpers", "helper", "misc"];
        assert!(parts.into_iter().all(|part| !vague.contains(&part)), "{name}");
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!", "unimplemented!", "FIXME", "XXX", "#[ignore"];
    for path in files("", ".rs") {
        let name = relative(&path);
        let text = fs::read_to_string(&path).expect("a readable file");
        for mark in marks {
            assert!(!text.contains(mark) || name == "tests/tests/tidy.rs", "{name} has {mark}");
        }
    }
}

/// The commands of the README's code blocks that are meant to be typed.
fn readme_commands() -> Vec<String> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in read("README.md").lines() {
        if line.starts_with("```") {
            inside = line == "```console" || (line.starts_with("```sh") && !inside);
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        }
    }
    commands
}

#[test]
fn the_readme_has_the_two_commands_and_only_commands_that_exist() {
    let commands = readme_commands();
    for needed in ["cargo run --release -- check", "cargo test --workspace"] {
        assert!(commands.iter().any(|it| it == needed), "the README lacks `{needed}`");
    }
    let known = hostmem::cli::command_names();
    for command in commands {
        let words = command.strip_prefix("hostmem ");
        let words = words.or_else(|| command.strip_prefix("cargo run --release -- "));
        if let Some(name) = words.and_then(|words| words.split_whitespace().next()) {
            assert!(known.iter().any(|it| it == name), "`{command}` names no command");
        }
    }
}

#[test]
fn ci_runs_the_readme_commands() {
    let ci = read(".ci/run");
    assert!(ci.contains("cargo test --workspace"));
    assert!(ci.contains("-- check"));
}

/// What Windows is put through stands in one script, under Wine as on Windows itself.
#[test]
fn windows_and_wine_are_put_through_the_same() {
    let script = ".ci/windows-checks";
    let runs = |path: &str, what: &str| read(path).lines().filter(|it| it.contains(what)).count();
    assert_eq!(runs(".ci/run", "backends/windows.sh check"), 1);
    assert_eq!(runs("backends/windows.sh", &format!("prefix {script}")), 1);
    assert!(read(script).contains("check --backend win32 --require win32"));
    // A check that stood in one of the two alone would not be the same any more.
    let workflow = read(".github/workflows/windows.yml");
    let steps: Vec<&str> =
        workflow.lines().filter_map(|it| it.trim().strip_prefix("- run: ")).collect();
    let packages = "-p hostmem -p hostmem-comlib -p hostmem-bindings";
    let build = format!("cargo build --release --locked {packages}");
    assert_eq!(steps, [&build, ".ci/windows-checks target/release"]);
    assert_eq!(runs("backends/windows.sh", &format!("build {packages}")), 1);
}

#[test]
fn architecture_names_every_crate() {
    let text = read("ARCHITECTURE.md");
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find(|line| line.starts_with("members")).unwrap_or_default();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(text.contains(member), "ARCHITECTURE.md does not mention {member}");
    }
}
