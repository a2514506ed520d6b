//! The names of backends: from what a user types to something that opens subjects.
//!
//! `model`, `linux`, `agent:COMMAND`: a kind, and behind a colon its argument if it takes one.
//! `NAME=…` in front gives it another name in reports, so that two of a kind can be told apart.
//!
//! Deliberately not here: which kinds there are ([`crate::parts`]), and any acting.

use std::fmt;
use std::sync::Arc;

use hostmem_interface::{Backend, Machine, OpenError, Planted, Subject};

/// A kind of backend.
#[derive(Clone, Copy)]
pub struct Kind {
    /// How a user asks for it.
    pub name: &'static str,
    /// What stands behind the colon (`"COMMAND"`), if anything does; in brackets if it may be
    /// left out (`"[EXE]"`).
    pub argument: Option<&'static str>,
    /// One line for `list backends`.
    pub about: &'static str,
    /// Makes one, from the argument (empty if there is none).
    pub make: fn(&str) -> Result<Arc<dyn Backend>, String>,
}

impl Kind {
    /// Whether it can be asked for by its name alone.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.argument.is_none_or(|argument| argument.starts_with('['))
    }

    /// As a user writes it: `model`, `agent:COMMAND`, `wine[:EXE]`.
    #[must_use]
    pub fn usage(&self) -> String {
        match self.argument {
            Some(argument) if self.stands_alone() => {
                format!("{}[:{}", self.name, argument.trim_start_matches('['))
            }
            Some(argument) => format!("{}:{argument}", self.name),
            None => self.name.to_owned(),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A backend under the name that reports give it.
#[derive(Clone)]
pub struct Named {
    /// The name in reports.
    pub name: String,
    /// What a user types to get it again.
    pub spec: String,
    backend: Arc<dyn Backend>,
}

impl Named {
    /// A backend that is asked for as `spec` and reported as `name`.
    #[must_use]
    pub fn new(name: &str, spec: &str, backend: Arc<dyn Backend>) -> Self {
        Self { name: name.to_owned(), spec: spec.to_owned(), backend }
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Backend for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn Subject>, OpenError> {
        self.backend.open(machine)
    }

    fn planted(&self) -> Option<Planted> {
        self.backend.planted()
    }
}

/// Why there is no such backend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// No kind has that name.
    #[error("there is no backend `{0}`; expected one of: {1}")]
    Unknown(String, String),
    /// The kind takes an argument, and none is there, or the other way round.
    #[error("`{0}`: expected `{1}`")]
    Argument(String, String),
    /// What stands before the equals sign cannot be a name.
    #[error("`{0}` cannot name a backend; expected letters, digits, `-`, `_` and `.` before `=`")]
    Name(String),
    /// Two have the same name.
    #[error("two backends are called `{0}`; tell them apart with NAME=…")]
    Twice(String),
    /// It could not be made.
    #[error("{0}: {1}")]
    Make(String, String),
}

/// The backend that a user means by `spec`.
///
/// # Errors
/// Why there is none.
pub fn parse(spec: &str, kinds: &[Kind]) -> Result<Named, BackendError> {
    let (name, rest) = split_name(spec)?;
    let (kind_name, argument) = match rest.split_once(':') {
        Some((kind, argument)) => (kind, Some(argument)),
        None => (rest, None),
    };
    let Some(kind) = kinds.iter().find(|kind| kind.name == kind_name) else {
        let known: Vec<String> = kinds.iter().map(Kind::usage).collect();
        return Err(BackendError::Unknown(rest.to_owned(), known.join(", ")));
    };
    let argument = argument.filter(|argument| !argument.trim().is_empty());
    let fits = match argument {
        Some(_) => kind.argument.is_some(),
        None => kind.stands_alone() && !rest.contains(':'),
    };
    if !fits {
        return Err(BackendError::Argument(rest.to_owned(), kind.usage()));
    }
    let made = (kind.make)(argument.unwrap_or_default());
    let backend = made.map_err(|why| BackendError::Make(rest.to_owned(), why))?;
    Ok(Named::new(name.unwrap_or(rest), spec, backend))
}

/// `NAME=` in front of a kind. An argument may well hold an equals sign of its own.
fn split_name(spec: &str) -> Result<(Option<&str>, &str), BackendError> {
    let Some((name, rest)) = spec.split_once('=') else { return Ok((None, spec)) };
    if name.contains(':') {
        return Ok((None, spec));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(BackendError::Name(name.to_owned()));
    }
    Ok((Some(name), rest))
}

/// All the backends that a user names; this machine's own if that is none.
///
/// # Errors
/// The first that cannot be had, or a name that two have.
pub fn parse_all(specs: &[String], kinds: &[Kind]) -> Result<Vec<Named>, BackendError> {
    if specs.is_empty() {
        return Ok(vec![parse(native(), kinds)?]);
    }
    let mut found: Vec<Named> = Vec::new();
    for spec in specs {
        let named = parse(spec, kinds)?;
        if found.iter().any(|known| known.name == named.name) {
            return Err(BackendError::Twice(named.name));
        }
        found.push(named);
    }
    Ok(found)
}

/// The backend that is this machine's own operating system.
#[must_use]
pub const fn native() -> &'static str {
    if cfg!(target_os = "linux") {
        "linux"
    } else if cfg!(windows) {
        "win32"
    } else {
        "model"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Result<Arc<dyn Backend>, String> {
        Ok(Arc::new(hostmem_model::ModelBackend))
    }

    const KINDS: &[Kind] = &[
        Kind { name: "model", argument: None, about: "", make: none },
        Kind { name: "agent", argument: Some("COMMAND"), about: "", make: none },
        Kind { name: "wine", argument: Some("[EXE]"), about: "", make: none },
    ];

    #[test]
    fn a_name_a_kind_and_an_argument_are_told_apart() {
        let named = |spec| parse(spec, KINDS).unwrap().name;
        assert_eq!(named("model"), "model");
        assert_eq!(named("mine=model"), "mine");
        assert_eq!(named("agent:./a --x=1"), "agent:./a --x=1");
        assert_eq!((named("wine"), named("wine:h.exe")), ("wine".into(), "wine:h.exe".into()));
        assert_eq!(named("old=agent:./a --x=1"), "old");
    }

    #[test]
    fn what_cannot_be_a_backend_is_explained() {
        let error = |spec| parse(spec, KINDS).unwrap_err().to_string();
        assert_eq!(
            error("modle"),
            "there is no backend `modle`; expected one of: model, agent:COMMAND, wine[:EXE]"
        );
        assert_eq!(error("agent"), "`agent`: expected `agent:COMMAND`");
        assert_eq!(error("agent: "), "`agent: `: expected `agent:COMMAND`");
        assert_eq!(error("wine:"), "`wine:`: expected `wine[:EXE]`");
        assert_eq!(error("model:x"), "`model:x`: expected `model`");
        assert_eq!(error("model:"), "`model:`: expected `model`");
        assert!(error("a b=model").contains("cannot name a backend"));
    }

    #[test]
    fn two_backends_cannot_share_a_name() {
        let specs = ["model".to_owned(), "model=agent:x".to_owned()];
        assert_eq!(parse_all(&specs, KINDS).unwrap_err(), BackendError::Twice("model".to_owned()));
    }
}
