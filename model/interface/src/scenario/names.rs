//! The names that steps bind while a scenario is read, and addresses relative to them.
//!
//! Deliberately not here: what a name stands for when the scenario runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::json::{Json, Node, quote};
use super::read::ReadError;
use super::value::{number_in, parse_number};
use super::{Name, Place, Position};
use crate::Address;

/// A group of overlapping steps, and the thread that a step of it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    /// Which group of the file.
    pub(super) group: u32,
    pub(super) thread: u32,
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    name: Name,
    heap: bool,
    lane: Option<Lane>,
}

/// Every name bound so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    index: BTreeMap<Arc<str>, Bound>,
}

impl Names {
    /// The names in order of binding.
    pub(super) fn into_list(self) -> Vec<Arc<str>> {
        self.list
    }

    /// Binds a name.
    pub(super) fn bind(
        &mut self,
        node: &Node<'_>,
        heap: bool,
        lane: Option<Lane>,
    ) -> Result<Name, ReadError> {
        let text = match &node.json {
            Json::Text(text) if identifier(text) == text.len() && !text.is_empty() => &**text,
            _ => {
                let found = node.describe();
                return Err(node.wrong(format!(
                    "{found} is not a name; expected letters, digits and _, not beginning with \
                     a digit"
                )));
            }
        };
        if self.index.contains_key(text) {
            return Err(node.wrong(format!("an earlier step binds the name {}", quote(text))));
        }
        let name = Name(u32::try_from(self.list.len()).expect("at most 10 million steps"));
        let text: Arc<str> = Arc::from(text);
        self.list.push(Arc::clone(&text));
        self.index.insert(text, Bound { name, heap, lane });
        Ok(name)
    }

    fn find(&self, at: Position, text: &str, lane: Option<Lane>) -> Result<Bound, ReadError> {
        let Some(&bound) = self.index.get(text) else {
            let near = self.list.iter().rev().take(64).map(|name| &**name);
            let hint = super::value::did_you_mean(text, near);
            let message = format!("no earlier step binds the name {}{hint}", quote(text));
            return Err(ReadError::new(at, message));
        };
        match (bound.lane, lane) {
            (Some(a), Some(b)) if a.group == b.group && a.thread != b.thread => {
                let message = format!(
                    "{} is bound by a step that overlaps this one in time, on thread {}",
                    quote(text),
                    a.thread
                );
                Err(ReadError::new(at, message))
            }
            _ => Ok(bound),
        }
    }

    /// The heap that a name stands for.
    pub(super) fn heap(&self, node: &Node<'_>, lane: Option<Lane>) -> Result<Name, ReadError> {
        let Json::Text(text) = &node.json else {
            let found = node.describe();
            return Err(node.wrong(format!("found {found}, expected the name of a heap")));
        };
        let bound = self.find(node.at, text, lane)?;
        if !bound.heap {
            return Err(node.wrong(format!(
                "{} is an address; expected the name of a heap, bound by CreateMalloc",
                quote(text)
            )));
        }
        Ok(bound.name)
    }

    /// An address: null, a number, or relative to a name.
    pub(super) fn place(&self, node: &Node<'_>, lane: Option<Lane>) -> Result<Place, ReadError> {
        let text = match &node.json {
            Json::Null => return Ok(Place::NULL),
            Json::Number(_) => {
                return number_in(node, u64::MAX).map(|at| Place::Absolute(Address(at)));
            }
            Json::Text(text) => &**text,
            _ => return Err(not_an_address(node)),
        };
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return number_in(node, u64::MAX).map(|at| Place::Absolute(Address(at)));
        }
        let (base, offset) = text.split_at(identifier(text));
        if base.is_empty() {
            return Err(not_an_address(node));
        }
        let digits = || {
            parse_number(&offset[1..]).map_err(|why| node.wrong(format!("{}: {why}", quote(text))))
        };
        let offset = match offset.chars().next() {
            None => 0,
            Some('+') => digits()?,
            Some('-') => digits()?.wrapping_neg(),
            Some(_) => return Err(not_an_address(node)),
        };
        let bound = self.find(node.at, base, lane)?;
        if bound.heap {
            return Err(node.wrong(format!("{} is a heap; expected an address", quote(base))));
        }
        Ok(Place::Relative { name: bound.name, offset })
    }
}

fn not_an_address(node: &Node<'_>) -> ReadError {
    node.wrong(format!(
        "{} is not an address; expected null, a number, or a name with an offset as in \
         \"p+0x1000\"",
        node.describe()
    ))
}

/// How many bytes at the front of `text` are a name.
fn identifier(text: &str) -> usize {
    let mut bytes = text.bytes();
    match bytes.next() {
        Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
            1 + bytes.take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
        }
        _ => 0,
    }
}
