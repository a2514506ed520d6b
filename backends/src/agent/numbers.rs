//! Numbers as the protocol writes them, in flat arrays.
//!
//! A number is a JSON integer, or the same digits in quotes. hostmem puts quotes where the value
//! is beyond ±(2^53 - 1), which a language whose numbers are doubles could not read exactly;
//! either form is understood anywhere.
//!
//! Deliberately not here: fractions and exponents. `4096.0` is no number of the protocol.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// The largest integer that every language reads exactly (`Number.MAX_SAFE_INTEGER`).
const SAFE: i128 = (1 << 53) - 1;

/// A number between -2^63 and 2^64 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub i128);

/// A call or an answer.
pub(super) type Flat = Vec<Number>;

impl<T: Into<i128>> From<T> for Number {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) if self.0.abs() <= SAFE => to.serialize_i64(number),
            _ => to.collect_str(&self.0),
        }
    }
}

struct Digits;

impl Visitor<'_> for Digits {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from -2^63 to 2^64 - 1, in quotes or not")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        let plain = text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i128>().ok().filter(|_| plain);
        let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
        let number = number.filter(|number| range.contains(number));
        number.map(Number).ok_or_else(|| E::custom(format!("\"{text}\" is no number")))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Digits)
    }
}

/// Takes numbers from the front of a flat array.
pub(super) struct Taker<'a> {
    rest: &'a [Number],
    taken: usize,
}

impl<'a> Taker<'a> {
    pub(super) const fn new(numbers: &'a [Number]) -> Self {
        Self { rest: numbers, taken: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next number, which is `what`.
    pub(super) fn any(&mut self, what: &str) -> Result<i128, String> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| {
            format!("it has {} numbers, and lacks the next one: {what}", self.taken)
        })?;
        self.rest = rest;
        self.taken += 1;
        Ok(first.0)
    }

    fn fitting<T: TryFrom<i128>>(&mut self, what: &str) -> Result<T, String> {
        let number = self.any(what)?;
        T::try_from(number).map_err(|_| format!("{number} cannot be {what}"))
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, String> {
        self.fitting(what)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, String> {
        self.fitting(what)
    }

    pub(super) fn i32(&mut self, what: &str) -> Result<i32, String> {
        self.fitting(what)
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8, String> {
        self.fitting(what)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), String> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(format!("it has {} numbers, {more} too many", self.taken + more)),
        }
    }
}

/// Bytes as runs: how many, which byte, and so on to the end.
pub(super) fn write_runs(bytes: &[u8], into: &mut Flat) {
    for run in bytes.chunk_by(|a, b| a == b) {
        into.push(Number(run.len() as i128));
        into.push(run[0].into());
    }
}

/// The inverse of [`write_runs`]: all that is left, at most `most` bytes.
pub(super) fn read_runs(from: &mut Taker<'_>, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while !from.is_empty() {
        let (count, byte) = (from.u64("the length of a run")?, from.u8("a byte")?);
        let length = (bytes.len() as u64).saturating_add(count);
        if length > most {
            return Err(format!(
                "it has {length} bytes or more, and {most} were asked for \
                 (numbers are pairs: how many, which byte)"
            ));
        }
        bytes.resize(usize::try_from(length).map_err(|_| "too many bytes")?, byte);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_2_to_the_53_stand_in_quotes_and_both_forms_are_read() {
        let flat: Flat = [0, -1, SAFE, SAFE + 1, -SAFE, -SAFE - 1, u64::MAX.into()]
            .into_iter()
            .map(Number)
            .collect();
        let text = serde_json::to_string(&flat).unwrap();
        let expected = "[0,-1,9007199254740991,\"9007199254740992\",-9007199254740991,\
                        \"-9007199254740992\",\"18446744073709551615\"]";
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Flat>(&text).unwrap(), flat);
        let bare = "[\"7\",18446744073709551615,9007199254740993]";
        let read = serde_json::from_str::<Flat>(bare).unwrap();
        assert_eq!(read, [Number(7), Number(u64::MAX.into()), Number(SAFE + 2)]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let texts = ["4096.0", "\"\"", "\"0x10\"", "\"-\"", "\"+1\"", "true", "null", "1e3"];
        for text in texts.into_iter().chain(["\"18446744073709551616\"", "\"1 \""]) {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_runs() {
        let mut flat = Flat::new();
        write_runs(&[0, 0, 0, 7, 1, 1], &mut flat);
        assert_eq!(flat, [3, 0, 1, 7, 2, 1].map(|it: i128| Number(it)));
        assert_eq!(read_runs(&mut Taker::new(&flat), 6).unwrap(), [0, 0, 0, 7, 1, 1]);
        assert!(read_runs(&mut Taker::new(&flat), 5).unwrap_err().contains("5 were asked for"));
        let endless = [Number(u64::MAX.into()), Number(0)];
        assert!(read_runs(&mut Taker::new(&endless), 4096).is_err());
        assert!(read_runs(&mut Taker::new(&flat[..1]), 6).unwrap_err().contains("a byte"));
    }
}
