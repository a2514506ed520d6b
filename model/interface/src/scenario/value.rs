//! Single values of the format: numbers, words with names, bytes, lists.
//!
//! Every refusal says what was found and what was expected.
//!
//! Deliberately not here: addresses, which need the names bound so far ([`super::names`]).

use super::json::{Json, Node, quote};
use super::read::ReadError;
use super::table::Word;

impl Node<'_> {
    /// An error at this value.
    pub(super) fn wrong(&self, message: impl Into<String>) -> ReadError {
        ReadError::new(self.at, message)
    }
}

/// `; did you mean "…"?` if one of `names` is close enough, else nothing.
pub(super) fn did_you_mean<'n>(found: &str, names: impl Iterator<Item = &'n str>) -> String {
    let distance = |name: &str| {
        if name.eq_ignore_ascii_case(found) { 0 } else { strsim::damerau_levenshtein(found, name) }
    };
    let near = names.map(|name| (distance(name), name)).min();
    match near {
        Some((distance, name)) if found.len() <= 64 && distance <= name.len() / 4 => {
            format!("; did you mean \"{name}\"?")
        }
        _ => String::new(),
    }
}

/// Says that `found` is none of `names`.
pub(super) fn unknown(what: &str, found: &str, names: &[&str]) -> String {
    unknown_in(what, found, "", names)
}

/// Says that `found` is none of `names`, and where one of them was expected.
pub(super) fn unknown_in(what: &str, found: &str, place: &str, names: &[&str]) -> String {
    let hint = did_you_mean(found, names.iter().copied());
    let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let separator = if hint.is_empty() { "; " } else { " " };
    format!("unknown {what} {}{place}{hint}{separator}expected one of {list}", quote(found))
}

/// Reads a text.
pub(super) fn text<'n>(node: &'n Node<'_>) -> Result<&'n str, ReadError> {
    match &node.json {
        Json::Text(text) => Ok(text),
        _ => Err(node.wrong(format!("found {}, expected a string", node.describe()))),
    }
}

/// Reads `true` or `false`.
pub(super) fn boolean(node: &Node<'_>) -> Result<bool, ReadError> {
    match node.json {
        Json::Bool(value) => Ok(value),
        _ => Err(node.wrong(format!("found {}, expected true or false", node.describe()))),
    }
}

/// Reads the digits of a number: decimal, or hexadecimal behind `0x`.
pub(super) fn parse_number(digits: &str) -> Result<u64, String> {
    let (plain, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None => (digits, 10),
    };
    if plain.is_empty() || !plain.chars().all(|c| c.is_digit(radix)) {
        return Err(format!(
            "{} is not a number; expected digits, or 0x and hexadecimal digits, without a sign \
             or a fraction",
            quote(digits)
        ));
    }
    u64::from_str_radix(plain, radix).map_err(|_| format!("{digits} does not fit into 64 bits"))
}

/// Reads a number up to `max`, bare or in a string.
pub(super) fn number_in(node: &Node<'_>, max: u64) -> Result<u64, ReadError> {
    let value = match &node.json {
        Json::Number(text) => {
            if text.starts_with('-') {
                return Err(node.wrong(format!("{text} is negative; expected 0 or more")));
            }
            if text.contains(['.', 'e', 'E']) {
                return Err(node.wrong(format!("{text} is not written as an integer")));
            }
            parse_number(text)
        }
        Json::Text(text) => parse_number(text),
        _ => Err(format!("found {}, expected a number", node.describe())),
    };
    match value {
        Ok(value) if value > max => {
            Err(node.wrong(format!("{} is too large; expected at most {max}", node.describe())))
        }
        Ok(value) => Ok(value),
        Err(why) => Err(node.wrong(why)),
    }
}

/// Reads a number of at most 32 bits.
pub(super) fn number_32(node: &Node<'_>) -> Result<u32, ReadError> {
    number_in(node, u64::from(u32::MAX))
        .map(|value| u32::try_from(value).expect("at most 2^32 - 1"))
}

/// Reads one byte.
pub(super) fn byte(node: &Node<'_>) -> Result<u8, ReadError> {
    number_in(node, 255).map(|value| u8::try_from(value).expect("at most 255"))
}

/// Reads a word: a number, or its names.
pub(super) fn word(node: &Node<'_>, word: &Word) -> Result<u32, ReadError> {
    let Json::Text(text) = &node.json else {
        return match node.json {
            Json::Number(_) => number_32(node),
            _ => Err(node.wrong(format!(
                "found {}, expected {} by name or number",
                node.describe(),
                word.what
            ))),
        };
    };
    let part = |part: &str| -> Result<u32, ReadError> {
        let part = part.trim();
        if let Some(&(_, value)) = word.names.iter().find(|(name, _)| *name == part) {
            return Ok(value);
        }
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            let value = parse_number(part).map_err(|why| node.wrong(why))?;
            return u32::try_from(value)
                .map_err(|_| node.wrong(format!("{part} does not fit into 32 bits")));
        }
        let names: Vec<_> = word.names.iter().map(|&(name, _)| name).collect();
        let what = format!("name {} in {}", quote(part), word.what);
        let hint = did_you_mean(part, names.iter().copied());
        let separator = if hint.is_empty() { ";" } else { "" };
        let join = if word.set { " joined by |" } else { "" };
        let list = names.join(", ");
        Err(node.wrong(format!(
            "unknown {what}{hint}{separator} expected a number or names{join} out of {list}"
        )))
    };
    if word.set {
        text.split('|').try_fold(0, |bits, piece| Ok(bits | part(piece)?))
    } else {
        part(text)
    }
}

/// Reads bytes in memory order, two hex digits each.
pub(super) fn hex(node: &Node<'_>) -> Result<Vec<u8>, ReadError> {
    let digits = match &node.json {
        Json::Text(text) => text.as_bytes(),
        _ => {
            let found = node.describe();
            return Err(node.wrong(format!("found {found}, expected hex digits in a string")));
        }
    };
    if let Some(wrong) = digits.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        return Err(node.wrong(format!(
            "{} is not made of hex digits: look at digit {}",
            node.describe(),
            wrong + 1
        )));
    }
    if !digits.len().is_multiple_of(2) {
        return Err(node.wrong(format!(
            "{} hex digits: expected an even number, two for each byte",
            digits.len()
        )));
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    };
    Ok(digits.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect())
}

/// Reads a list.
pub(super) fn list<T>(
    node: &Node<'_>,
    each: impl FnMut(&Node<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    match &node.json {
        Json::Array(elements) => elements.iter().map(each).collect(),
        _ => Err(node.wrong(format!("found {}, expected an array", node.describe()))),
    }
}

/// Reads one value, or a list of alternatives.
pub(super) fn alternatives<T>(
    node: &Node<'_>,
    mut each: impl FnMut(&Node<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    match &node.json {
        Json::Array(elements) if elements.is_empty() => {
            Err(node.wrong("an empty list of alternatives; expected at least one"))
        }
        Json::Array(elements) => elements.iter().map(each).collect(),
        _ => each(node).map(|only| vec![only]),
    }
}
