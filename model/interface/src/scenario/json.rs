//! JSON with the position of every value, read value by value.
//!
//! `serde_json` keeps no positions below the top level, and a scenario may have ten million
//! steps: so the reader pulls one element at a time through [`Parser::elements`] and only
//! ever holds the tree of one step.
//!
//! Deliberately not here: what a member means, and escapes and number syntax, which
//! `serde_json` knows.

use std::borrow::Cow;

use super::Position;
use super::read::ReadError;

/// The format nests five deep.
const MAX_DEPTH: u32 = 16;
/// No object of the format has a third of this.
const MAX_MEMBERS: usize = 64;
const NOT_JSON: &str = "not valid JSON";

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) at: Position,
    pub(super) json: Json<'a>,
}

/// A member's name, where it begins, and its value.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    pub(super) at: Position,
    pub(super) name: Cow<'a, str>,
    pub(super) value: Node<'a>,
}

/// A value. Numbers stay text: no digit may get lost.
#[derive(Clone, Debug)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<Member<'a>>),
}

impl Node<'_> {
    /// What a message says was found.
    pub(super) fn describe(&self) -> String {
        match &self.json {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(text) => shorten(text),
            Json::Text(text) => quote(text),
            Json::Array(_) => "an array".to_owned(),
            Json::Object(_) => "an object".to_owned(),
        }
    }
}

/// A text as a message shows it: quoted, escaped, and not longer than a line.
pub(super) fn quote(text: &str) -> String {
    format!("{:?}", shorten(text))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A reader of one text, at some place in it.
pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    depth: u32,
}

impl<'a> Parser<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, line_start: 0, depth: 0 }
    }

    /// Where the next token begins.
    pub(super) fn here(&mut self) -> Position {
        self.peek();
        let column = self.at - self.line_start + 1;
        Position { line: self.line, column: u32::try_from(column).expect("at most 256 MiB") }
    }

    /// The first byte of the next token.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => return Some(byte),
            }
        }
        None
    }

    /// That nothing follows.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected(NOT_JSON, "nothing after the end of the object")),
        }
    }

    pub(super) fn unexpected(&mut self, what: &str, expected: &str) -> ReadError {
        let at = self.here();
        let found = match self.text[self.at..].chars().next() {
            None => "the file ends".to_owned(),
            Some(c) if c.is_control() => format!("found the byte {:#04x}", u32::from(c)),
            Some('"') => "found a string".to_owned(),
            Some(c) => format!("found \"{c}\""),
        };
        ReadError::new(at, format!("{what}: {found}, expected {expected}"))
    }

    fn take(&mut self, byte: u8, expected: &str) -> Result<(), ReadError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(NOT_JSON, expected))
    }

    fn enter(&mut self) -> Result<(), ReadError> {
        let at = self.here();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ReadError::new(at, "values are nested too deeply for a scenario"));
        }
        Ok(())
    }

    /// Reads an object and hands each member's name on; `each` must read the value.
    pub(super) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, Position, &Cow<'a, str>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.enter()?;
        self.take(b'{', "an object")?;
        let mut seen: Vec<Cow<'a, str>> = Vec::new();
        let mut more = self.peek() != Some(b'}');
        while more {
            let at = self.here();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected(NOT_JSON, "a member's name in quotes"));
            }
            let name = self.string()?;
            if seen.contains(&name) {
                return Err(ReadError::new(at, format!("member {} stands twice", quote(&name))));
            }
            if seen.len() == MAX_MEMBERS {
                return Err(ReadError::new(at, "too many members for any object of the format"));
            }
            self.take(b':', "\":\"")?;
            each(self, at, &name)?;
            seen.push(name);
            more = self.another(b'}')?;
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array; `each` must read one element.
    pub(super) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.enter()?;
        self.take(b'[', "an array")?;
        let mut more = self.peek() != Some(b']');
        while more {
            each(self)?;
            more = self.another(b']')?;
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Whether a comma says that one more follows; leaves the closing bracket.
    fn another(&mut self, close: u8) -> Result<bool, ReadError> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                if self.peek() == Some(close) {
                    return Err(self.unexpected(NOT_JSON, "another value after the comma"));
                }
                Ok(true)
            }
            Some(byte) if byte == close => Ok(false),
            _ => Err(self.unexpected(NOT_JSON, &format!("\",\" or \"{}\"", char::from(close)))),
        }
    }

    /// Reads one value of any kind.
    pub(super) fn value(&mut self) -> Result<Node<'a>, ReadError> {
        let at = self.here();
        let json = match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.members(|parser, at, name| {
                    let name = name.clone();
                    members.push(Member { at, name, value: parser.value()? });
                    Ok(())
                })?;
                Json::Object(members)
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                self.elements(|parser| {
                    elements.push(parser.value()?);
                    Ok(())
                })?;
                Json::Array(elements)
            }
            Some(b'"') => Json::Text(self.string()?),
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'-' => self.word()?,
            _ => return Err(self.unexpected(NOT_JSON, "a value")),
        };
        Ok(Node { at, json })
    }

    /// `null`, `true`, `false` or a number.
    fn word(&mut self) -> Result<Json<'a>, ReadError> {
        let at = self.here();
        let part_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| part_of_word(byte)).count();
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        match text {
            "null" => Ok(Json::Null),
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            _ if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
                Ok(Json::Number(text))
            }
            _ => {
                let found = shorten(text);
                let hint = if text.starts_with("0x") {
                    " (hexadecimal numbers stand in quotes)"
                } else {
                    ""
                };
                Err(ReadError::new(at, format!("not valid JSON: {found} is no value{hint}")))
            }
        }
    }

    /// A string, its escapes undone. The next byte is the opening quote.
    fn string(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let at = self.here();
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut end = start + 1;
        let mut escaped = false;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(0x20..) => end += 1,
                _ => return Err(ReadError::new(at, "not valid JSON: this string does not end")),
            }
        }
        self.at = end + 1;
        if !escaped {
            return Ok(Cow::Borrowed(&self.text[start + 1..end]));
        }
        match serde_json::from_str(&self.text[start..=end]) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => Err(ReadError::new(at, "not valid JSON: a wrong escape in this string")),
        }
    }
}
