//! The names of backends: from what a user types to something that opens subjects.
//!
//! `model`, `linux`, `agent:COMMAND`: a kind, and behind a colon its argument if it takes one.
//! `NAME=…` in front gives it another name in reports, so that two of a kind can be told apart;
//! `{step=2s}` before the kind limits what it may take ([`crate::limits`]).
//!
//! Deliberately not here: which kinds there are ([`crate::parts`]), and any acting.

use std::fmt;
use std::sync::Arc;

use hostmem_interface::{Backend, Machine, OpenError, Planted, Subject};

use crate::limits::Limits;

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
    /// Makes one.
    pub make: Make,
}

/// What is made from an argument (empty if there is none), or why it cannot be.
pub type Made = Result<Arc<dyn Backend>, String>;

/// How a kind is made.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// It acts in this process.
    Here(fn(&str) -> Made),
    /// It acts in a process of its own, which has limits.
    Apart(fn(&str, Limits) -> Made),
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
    /// Limits that mean nothing.
    #[error("`{0}`: {1}")]
    Limits(String, String),
    /// Limits for what has none.
    #[error("`{0}` acts in this process and has no limits; those in a process of their own have")]
    Unlimited(String),
    /// It could not be made.
    #[error("{0}: {1}")]
    Make(String, String),
}

/// The backend that a user means by `spec`.
///
/// # Errors
/// Why there is none.
pub fn parse(spec: &str, kinds: &[Kind]) -> Result<Named, BackendError> {
    let Parts { name, limits, rest } = split(spec)?;
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
    let argument = argument.unwrap_or_default();
    let made = match kind.make {
        Make::Apart(make) => make(argument, limits),
        Make::Here(make) if limits.is_empty() => make(argument),
        Make::Here(_) => return Err(BackendError::Unlimited(rest.to_owned())),
    };
    let backend = made.map_err(|why| BackendError::Make(rest.to_owned(), why))?;
    Ok(Named::new(name.unwrap_or(rest), spec, backend))
}

/// What a user wrote.
struct Parts<'a> {
    name: Option<&'a str>,
    limits: Limits,
    rest: &'a str,
}

fn split(spec: &str) -> Result<Parts<'_>, BackendError> {
    let (name, rest) = if spec.starts_with('{') { (None, spec) } else { split_name(spec)? };
    let taken = Limits::take(rest);
    let (limits, rest) = taken.map_err(|why| BackendError::Limits(rest.to_owned(), why))?;
    Ok(Parts { name, limits, rest })
}

/// The name by which a specification is told from others; none if it is malformed.
pub(crate) fn name_of(spec: &str) -> Option<&str> {
    split(spec).ok().map(|parts| parts.name.unwrap_or(parts.rest))
}

/// The same with these limits, as far as it says nothing of its own; nothing for what acts in
/// this process.
fn limited(spec: &str, limits: Limits, kinds: &[Kind]) -> Result<Option<String>, BackendError> {
    let Parts { name, limits: own, rest } = split(spec)?;
    let kind = rest.split(':').next();
    let apart = |kind: &&Kind| matches!(kind.make, Make::Apart(_));
    if !kinds.iter().filter(apart).any(|it| Some(it.name) == kind) {
        return Ok(None);
    }
    let name = name.unwrap_or(rest);
    let limits = own.or(limits);
    let within =
        if name == rest { format!("{limits}{rest}") } else { format!("{name}={limits}{rest}") };
    Ok(Some(within))
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

/// All the backends that a user names, this machine's own if that is none, with limits for those
/// that can have any.
///
/// # Errors
/// The first that cannot be had, a name that two have, or limits that are nobody's.
pub fn parse_all(
    specs: &[String],
    limits: Limits,
    kinds: &[Kind],
) -> Result<Vec<Named>, BackendError> {
    let own = [native().to_owned()];
    let specs = if specs.is_empty() { &own } else { specs };
    let mut found: Vec<Named> = Vec::new();
    let mut within = limits.is_empty();
    for spec in specs {
        let limited = limited(spec, limits, kinds)?;
        within |= limited.is_some();
        let named = parse(limited.as_ref().unwrap_or(spec), kinds)?;
        if found.iter().any(|known| known.name == named.name) {
            return Err(BackendError::Twice(named.name));
        }
        found.push(named);
    }
    // Nobody would notice that the option did nothing.
    if within { Ok(found) } else { Err(BackendError::Unlimited(specs.join(", "))) }
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

    fn none(_: &str) -> Made {
        Ok(Arc::new(hostmem_model::ModelBackend))
    }

    fn apart(_: &str, _: Limits) -> Made {
        none("")
    }

    const KINDS: &[Kind] = &[
        Kind { name: "model", argument: None, about: "", make: Make::Here(none) },
        Kind { name: "agent", argument: Some("COMMAND"), about: "", make: Make::Apart(apart) },
        Kind { name: "wine", argument: Some("[EXE]"), about: "", make: Make::Here(none) },
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
        let all = |specs, limits| parse_all(specs, limits, KINDS);
        let twice = all(&specs, Limits::default()).unwrap_err();
        assert_eq!(twice, BackendError::Twice("model".to_owned()));
    }

    #[test]
    fn limits_are_part_of_what_a_user_types_to_get_it_again() {
        let limits = Limits { line: Some(9), ..Limits::default() };
        let all = |specs: &[&str], limits| {
            let specs: Vec<String> = specs.iter().map(|spec| (*spec).to_owned()).collect();
            let found = parse_all(&specs, limits, KINDS)?;
            Ok(found.into_iter().map(|named| (named.name, named.spec)).collect::<Vec<_>>())
        };
        let said = |name: &str, spec: &str| (name.to_owned(), spec.to_owned());
        let found: Result<_, BackendError> =
            all(&["agent:x", "y={line=7}agent:x", "model"], limits);
        let expected = [
            said("agent:x", "{line=9}agent:x"),
            said("y", "y={line=7}agent:x"),
            said("model", "model"),
        ];
        assert_eq!(found.unwrap(), expected);
        // Limits of its own, spelled as we do, are limits too: the option is not in vain.
        let own = all(&["{line=7}agent:x"], limits);
        assert_eq!(own, Ok(vec![said("agent:x", "{line=7}agent:x")]));
        assert_eq!(all(&["model"], limits), Err(BackendError::Unlimited("model".to_owned())));
        assert!(parse("{line=7}model", KINDS).is_err() && parse("{line=7", KINDS).is_err());
        assert_eq!(parse("{step=2s}agent:a=b", KINDS).unwrap().name, "agent:a=b");
    }
}
