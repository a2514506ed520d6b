//! The failed case that a report or a results file tells of: which scenario, on which backend.
//!
//! Reports in JSON, in JSON lines, and results files tell of a case in much the same members;
//! what they have in common is all that is read here.
//!
//! Deliberately not here: results that are gone on with ([`crate::results`]).

use std::path::Path;

use serde_json::{Deserializer, Value};

use super::Error;
use crate::backend::name_of;
use crate::files::load;

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The scenario: a file that was kept, or the name of a built-in one.
    pub scenario: String,
    /// The backend, as a user asks for it.
    pub backend: String,
}

/// The case of that name in a result, or else the first that failed; `None` if the file is no
/// result.
///
/// # Errors
/// If it is one, and there is no such case in it, or nothing of it was kept.
pub fn read(path: &str, case: Option<&str>) -> Result<Option<Failed>, Error> {
    // What is not there, or cannot be read, is told of by whoever reads scenarios.
    let Ok(text) = load::read_text(Path::new(path)) else { return Ok(None) };
    if begins_as_scenario(&text) {
        return Ok(None);
    }
    let mut documents = Vec::new();
    for document in Deserializer::from_slice(&text).into_iter::<Value>() {
        let Ok(document) = document else { break };
        if document.get("format").is_some_and(|it| it.as_str().is_some_and(is_scenario)) {
            return Ok(None);
        }
        documents.push(document);
    }
    let specs = specs(&documents);
    let rows: Vec<&Value> = documents.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let wanted = |row: &&&Value| match case {
        Some(name) => member(row, "scenario") == Some(name) || member(row, "file") == Some(name),
        None => is_failure(row),
    };
    let Some(row) = rows.iter().find(wanted) else {
        let what =
            case.map_or("no case of it failed".to_owned(), |name| format!("no `{name}` in it"));
        return Err(Error::Usage(format!("{path}: {what}; expected a result with a failed case")));
    };
    failed(path, row, &specs).map(Some)
}

fn failed(path: &str, row: &Value, specs: &[String]) -> Result<Failed, Error> {
    let name = member(row, "scenario").unwrap_or_default();
    let kept = member(row, "file").filter(|file| Path::new(file).exists());
    let scenario = kept.unwrap_or(name);
    if kept.is_none() && name.starts_with("random/") {
        let again = member(row, "replay").map(|it| format!("; again: {it}")).unwrap_or_default();
        return Err(Error::Usage(format!("{path}: nothing was kept of {name}{again}")));
    }
    let backend = member(row, "backend").unwrap_or_default();
    let named = |spec: &&String| name_of(spec) == Some(backend);
    let spec = specs.iter().find(named).map_or(backend, |spec| spec);
    Ok(Failed { scenario: scenario.to_owned(), backend: spec.to_owned() })
}

/// Whether that is a scenario at first sight: then it need not be read twice, long as it may be.
fn begins_as_scenario(text: &[u8]) -> bool {
    const SIGHT: usize = 200;
    let begin = String::from_utf8_lossy(&text[..text.len().min(SIGHT)]);
    begin.contains("\"format\"") && begin.contains("\"hostmem/1\"")
}

fn is_scenario(format: &str) -> bool {
    format.starts_with("hostmem/")
}

fn member<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Value::as_str)
}

fn is_failure(row: &Value) -> bool {
    let word = member(row, "verdict").or_else(|| member(row, "word"));
    matches!(word, Some("diverges" | "broken"))
}

/// What in a document tells of a case: the document itself, its `result`, or its `results`.
fn rows(document: &Value) -> Vec<&Value> {
    let list = document.get("results").and_then(Value::as_array);
    let inside = list.into_iter().flatten().chain(document.get("result"));
    let all = inside.chain(std::iter::once(document));
    all.filter(|row| member(row, "scenario").is_some() && member(row, "backend").is_some())
        .collect()
}

/// The backends of a run, as they were asked for.
fn specs(documents: &[Value]) -> Vec<String> {
    let list = documents.first().and_then(|it| it.get("backends")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(text: &str, case: Option<&str>) -> Result<Option<Failed>, String> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("r.json");
        std::fs::write(&path, text).unwrap();
        read(&path.to_string_lossy(), case).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_failure_or_the_case_of_a_name_is_found_in_every_form() {
        let good = r#"{"scenario":"a.json","backend":"mine","verdict":"agrees"}"#;
        let bad = r#"{"scenario":"b.json","backend":"mine","verdict":"diverges"}"#;
        let one = format!(r#"{{"backends":["linux","mine=agent:./x"],"results":[{good},{bad}]}}"#);
        let lines = format!("{{\"backends\":[\"mine=agent:./x\"]}}\n{good}\n{bad}\n");
        let kept = bad.replace("verdict", "word");
        let kept =
            format!("{{\"backends\":[\"linux\",\"mine=agent:./x\"]}}\n{{\"result\":{kept}}}\n");
        for text in [&one, &lines, &kept] {
            let found = read_of(text, None).unwrap().unwrap();
            assert_eq!((&*found.scenario, &*found.backend), ("b.json", "mine=agent:./x"), "{text}");
        }
        // Limits in front of a kind are no part of its name.
        let limited = r#"{"backends":["{step=2000ms}agent:x=1"],"results":[ROW]}"#;
        let limited = limited.replace("ROW", &bad.replace("mine", "agent:x=1"));
        assert_eq!(read_of(&limited, None).unwrap().unwrap().backend, "{step=2000ms}agent:x=1");
        assert_eq!(read_of(&one, Some("a.json")).unwrap().unwrap().scenario, "a.json");
        assert!(read_of(&one, Some("c.json")).unwrap_err().contains("no `c.json` in it"));
        let fine = format!(r#"{{"results":[{good}]}}"#);
        assert!(read_of(&fine, None).unwrap_err().contains("no case of it failed"));
    }

    #[test]
    fn a_scenario_is_no_result_and_nothing_kept_is_said() {
        assert_eq!(read_of(r#"{"format":"hostmem/1","steps":[]}"#, None), Ok(None));
        assert_eq!(read_of("not JSON", None), Ok(None));
        let lost = "{\"scenario\":\"random/jit/3\",\"backend\":\"x\",\"verdict\":\"broken\",\
                    \"replay\":\"hostmem check\"}";
        let said = read_of(lost, None).unwrap_err();
        assert!(said.contains("nothing was kept of random/jit/3; again: hostmem check"), "{said}");
    }
}
