//! Numbers, texts and lists as bytes, and back with every length checked.
//!
//! Deliberately not here: what they mean.

use std::fmt;

use hostmem_interface::Address;

/// Bytes that are no message; the word says where they stopped being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage(pub &'static str);

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message that cannot be read at its {}", self.0)
    }
}

impl std::error::Error for Garbage {}

/// Appends.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn address(&mut self, value: Address) {
        self.u64(value.0);
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.u64(value.len() as u64);
        self.0.extend(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.u8(0),
            Some(value) => {
                self.u8(1);
                write(self, value);
            }
        }
    }

    pub(super) fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.u64(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }
}

/// Takes from the front.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Garbage> {
        if self.0.is_empty() { Ok(()) } else { Err(Garbage("end")) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Garbage> {
        let (front, rest) = self.0.split_first_chunk().ok_or(Garbage("numbers"))?;
        self.0 = rest;
        Ok(*front)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Garbage> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Garbage> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Garbage> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn address(&mut self) -> Result<Address, Garbage> {
        self.u64().map(Address)
    }

    /// A length, which cannot exceed the bytes that are left.
    fn length(&mut self) -> Result<usize, Garbage> {
        let length = usize::try_from(self.u64()?).map_err(|_| Garbage("lengths"))?;
        if length <= self.0.len() { Ok(length) } else { Err(Garbage("lengths")) }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Garbage> {
        let length = self.length()?;
        let (front, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn text(&mut self) -> Result<String, Garbage> {
        let bytes = self.bytes()?;
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| Garbage("texts"))
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Garbage>,
    ) -> Result<Option<T>, Garbage> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Garbage("options")),
        }
    }

    /// A list; each element has at least one byte, so its length is bounded by the frame.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Garbage>,
    ) -> Result<Vec<T>, Garbage> {
        let length = self.length()?;
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }
}
