//! What is needed to run a .NET program: the program's files, and a runtime.
//!
//! A runtime is a folder with `coreclr.dll`, or an installation of .NET with such folders under
//! `shared/Microsoft.NETCore.App`. It is looked for, in this order: where the user says; where
//! `HOSTMEM_RUNTIME` says; where `backends/clr.sh fetch` puts it, beside the build; where
//! `DOTNET_ROOT` says.
//!
//! Deliberately not here: `deps.json`, and any version but the newest that is found.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::files::load::shown;

/// What names a runtime.
pub const RUNTIME_VARIABLE: &str = "HOSTMEM_RUNTIME";
/// Where `backends/clr.sh fetch` puts one, below the build folder.
const FETCHED: &str = "clr/runtime";
/// Where an installation has its runtimes.
const SHARED: &str = "shared/Microsoft.NETCore.App";
/// The library that makes a folder a runtime.
const LIBRARY: &str = "coreclr.dll";

/// The runtime's folder.
///
/// # Errors
/// That there is none, and where it was looked for.
pub fn runtime(given: Option<&Path>) -> Result<PathBuf, String> {
    let variable = env::var_os(RUNTIME_VARIABLE).map(PathBuf::from);
    if let Some(named) = given.map(Path::to_owned).or(variable) {
        return in_folder(&named).ok_or_else(|| {
            format!("{}: no .NET runtime; expected a folder with {LIBRARY}", shown(&named))
        });
    }
    let here = env::current_exe().unwrap_or_default();
    let beside = here.ancestors().skip(1).map(|folder| folder.join(FETCHED));
    let installed = env::var_os("DOTNET_ROOT").map(PathBuf::from);
    let found = beside.chain(installed).find_map(|folder| in_folder(&folder));
    found.ok_or_else(|| {
        format!(
            "no .NET runtime; name one with --runtime DIR or {RUNTIME_VARIABLE}, or get the one \
             that hostmem is tested with: backends/clr.sh fetch"
        )
    })
}

fn in_folder(folder: &Path) -> Option<PathBuf> {
    let is_runtime = |folder: &PathBuf| folder.join(LIBRARY).is_file();
    let newest = || {
        let versions = fs::read_dir(folder.join(SHARED)).ok()?.flatten();
        let mut found: Vec<PathBuf> =
            versions.map(|entry| entry.path()).filter(is_runtime).collect();
        found.sort_by_key(|path| version(path.file_name()));
        found.pop()
    };
    Some(folder.to_owned()).filter(is_runtime).or_else(newest)
}

fn version(name: Option<&OsStr>) -> Vec<u64> {
    let name = name.unwrap_or_default().to_string_lossy().into_owned();
    name.split(['.', '-']).map(|part| part.parse().unwrap_or(0)).collect()
}

/// The program's whole path.
///
/// # Errors
/// If there is no such file, or it is no .NET program.
pub fn assembly(path: &Path) -> Result<PathBuf, String> {
    let wrong = |why: &str| format!("{}: {why}", shown(path));
    let bytes = fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    // Every assembly has metadata, which begins with these letters (ECMA-335, II.24.2.1).
    let managed = bytes.starts_with(b"MZ") && bytes.windows(4).any(|four| four == b"BSJB");
    if !managed {
        return Err(wrong("no .NET program; expected an assembly, such as app.dll"));
    }
    std::path::absolute(path).map_err(|error| wrong(&error.to_string()))
}

/// The properties that the runtime begins with: the host's own, and those that the program's
/// `runtimeconfig.json` and the user set.
///
/// # Errors
/// If the runtime's folder or that file cannot be read.
pub fn properties(
    runtime: &Path,
    assembly: &Path,
    set: &[(String, String)],
) -> Result<Vec<(String, String)>, String> {
    let folder = assembly.parent().unwrap_or(Path::new("."));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (runtime_text, folder_text) = (text(runtime), text(folder));
    let mut properties = vec![
        ("TRUSTED_PLATFORM_ASSEMBLIES".to_owned(), trusted(runtime)?),
        ("APP_PATHS".to_owned(), folder_text.clone()),
        ("NATIVE_DLL_SEARCH_DIRECTORIES".to_owned(), format!("{folder_text};{runtime_text}")),
        ("APP_CONTEXT_BASE_DIRECTORY".to_owned(), format!("{folder_text}\\")),
    ];
    let configured = configured(&assembly.with_extension("runtimeconfig.json"))?;
    for (key, value) in configured.into_iter().chain(set.iter().cloned()) {
        properties.retain(|(known, _)| *known != key);
        properties.push((key, value));
    }
    Ok(properties)
}

/// The assemblies of the runtime, as a search path.
fn trusted(runtime: &Path) -> Result<String, String> {
    let wrong = |error| format!("{}: {error}", shown(runtime));
    let ours = |name: &str| {
        let known = ["mscorlib.dll", "netstandard.dll", "windowsbase.dll"];
        let begins = name.starts_with("system.") || name.starts_with("microsoft.");
        name.ends_with(".dll") && (begins || known.contains(&name)) && !name.contains(".native.")
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(runtime).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if ours(&name) {
            paths.push(path.to_string_lossy().into_owned());
        }
    }
    paths.sort();
    Ok(paths.join(";"))
}

/// What a `runtimeconfig.json` sets; nothing if there is none.
fn configured(path: &Path) -> Result<Vec<(String, String)>, String> {
    let Ok(bytes) = fs::read(path) else { return Ok(Vec::new()) };
    let config: Json = serde_json::from_slice(&bytes)
        .map_err(|error| format!("{}:{}:{}: {error}", shown(path), error.line(), error.column()))?;
    let set = config.pointer("/runtimeOptions/configProperties").and_then(Json::as_object);
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = set.into_iter().flatten();
    Ok(pairs.map(|(key, value)| (key.clone(), text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_runtime_of_an_installation_is_taken() {
        let root = tempfile::tempdir().unwrap();
        for version in ["3.1.9", "3.1.23", "3.0.100"] {
            let folder = root.path().join(SHARED).join(version);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(LIBRARY), "").unwrap();
        }
        let found = runtime(Some(root.path())).unwrap();
        assert_eq!(found.file_name(), Some(OsStr::new("3.1.23")));
        assert_eq!(runtime(Some(&found)), Ok(found));
        let none = root.path().join("none");
        assert!(runtime(Some(&none)).unwrap_err().contains("expected a folder with coreclr.dll"));
    }

    #[test]
    fn a_file_that_is_no_assembly_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.dll");
        assert!(assembly(&path).unwrap_err().starts_with(&shown(&path)));
        fs::write(&path, "MZ nothing").unwrap();
        assert!(assembly(&path).unwrap_err().contains("no .NET program"));
        fs::write(&path, "MZ and BSJB").unwrap();
        assert!(assembly(&path).unwrap().is_absolute());
    }

    #[test]
    fn the_users_settings_win_over_the_programs() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("a.dll");
        let config = r#"{ "runtimeOptions": { "configProperties": {
            "System.GC.Server": true, "x": "1" } } }"#;
        fs::write(app.with_extension("runtimeconfig.json"), config).unwrap();
        fs::write(folder.path().join("System.A.dll"), "").unwrap();
        let set = [("x".to_owned(), "2".to_owned())];
        let properties = properties(folder.path(), &app, &set).unwrap();
        let value = |name: &str| {
            let found = properties.iter().filter(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        assert_eq!((value("System.GC.Server"), value("x")), (vec!["true"], vec!["2"]));
        assert!(value("TRUSTED_PLATFORM_ASSEMBLIES")[0].ends_with("System.A.dll"));
        fs::write(app.with_extension("runtimeconfig.json"), "{").unwrap();
        assert!(super::properties(folder.path(), &app, &[]).unwrap_err().contains(".json:1:1"));
    }
}
