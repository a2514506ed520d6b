//! Seeds: the one number from which every random case follows, the same on every machine.
//!
//! A [`Seed`] is what a person types: a decimal or hexadecimal number of 64 bits, or a commit
//! id of 40 hexadecimal digits, so that each commit is tested with work of its own and can
//! still be replayed by anyone. A [`CaseSeed`] is the 256-bit key of one case:
//!
//! ```text
//! key(seed)        = SHA-256("hostmem seed/1" ‖ 0x00 ‖ kind ‖ value, big-endian)
//! case(seed, k)    = SHA-256("hostmem case/1" ‖ 0x00 ‖ key(seed) ‖ k, 64 bits big-endian)
//! ```
//!
//! where `kind` is one byte, 0 for a number (8 bytes) and 1 for a commit id (20 bytes). A case
//! draws from ChaCha8 with that key. This derivation is a promise: changing it changes every
//! digest, so it carries a version.
//!
//! Deliberately not here: any source of entropy. A run without `--seed` uses
//! [`Seed::DEFAULT`], so that two people who type the same command see the same work.

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Seed {
    /// A number.
    Number(u64),
    /// A commit id (SHA-1).
    Commit([u8; 20]),
}

impl Seed {
    /// The seed of a run that names none.
    pub const DEFAULT: Self = Self::Number(1);

    fn key(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"hostmem seed/1\0");
        match self {
            Self::Number(number) => {
                hash.update([0]);
                hash.update(number.to_be_bytes());
            }
            Self::Commit(id) => {
                hash.update([1]);
                hash.update(id);
            }
        }
        hash.finalize().into()
    }

    /// The seed of the case with that index, counted from 0.
    #[must_use]
    pub fn case(&self, index: u64) -> CaseSeed {
        let mut hash = Sha256::new();
        hash.update(b"hostmem case/1\0");
        hash.update(self.key());
        hash.update(index.to_be_bytes());
        CaseSeed(hash.finalize().into())
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is wrong with the text of a seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no seed; expected a decimal number or 0x… of 64 bits, or a 40-digit commit id")]
pub struct SeedError(String);

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let wrong = || SeedError(text.to_owned());
        // 40 digits cannot be a number of 64 bits, so the two forms never meet.
        if text.len() == 40 {
            return commit(text).map(Self::Commit).ok_or_else(wrong);
        }
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        // `from_str_radix` would take a sign.
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u64::from_str_radix(digits, radix).map(Self::Number).map_err(|_| wrong())
    }
}

fn commit(text: &str) -> Option<[u8; 20]> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut id = [0; 20];
    for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(id)
}

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        seed.to_string()
    }
}

impl TryFrom<String> for Seed {
    type Error = SeedError;

    fn try_from(text: String) -> Result<Self, SeedError> {
        text.parse()
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Commit(id) => id.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// The seed of one case: a ChaCha key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CaseSeed(pub [u8; 32]);

impl CaseSeed {
    /// The only source of chance in a case.
    #[must_use]
    pub fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.0)
    }
}

impl fmt::Display for CaseSeed {
    /// The first 64 bits: enough to tell cases apart in a report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::Rng;

    use super::*;

    #[test]
    fn every_written_form_reads_back() {
        assert_eq!("42".parse(), Ok(Seed::Number(42)));
        assert_eq!("0x2A".parse(), Ok(Seed::Number(42)));
        assert_eq!("0xffffffffffffffff".parse(), Ok(Seed::Number(u64::MAX)));
        let id = "bd25c2d0000000000000000000000000000000ff";
        let seed: Seed = id.parse().unwrap();
        assert!(matches!(seed, Seed::Commit(_)));
        assert_eq!(seed.to_string(), id);
        assert_eq!(Seed::Number(42).to_string(), "42");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "0x", "-1", "+1", "1.5", "seed", "18446744073709551616", "0x1_0", "4 2"] {
            let error = text.parse::<Seed>().unwrap_err();
            assert!(error.to_string().contains("expected"), "{text}");
        }
        assert!("0x10000000000000000".parse::<Seed>().is_err());
        assert!("zd25c2d0000000000000000000000000000000ff".parse::<Seed>().is_err());
    }

    #[test]
    fn a_number_and_the_commit_id_with_its_digits_are_different_seeds() {
        let id: Seed = format!("{:040}", 42).parse().unwrap();
        assert_ne!(id.case(0), Seed::Number(42).case(0));
    }

    /// Known answers: a change of the derivation is a change of every digest there is.
    #[test]
    fn the_derivation_is_the_documented_one_for_ever() {
        assert_eq!(Seed::Number(42).case(0).to_string(), "e112c6272bff1f20");
        assert_eq!(Seed::Number(42).case(0).rng().next_u64(), 0xa63e_4d20_dda4_3da9);
        let id: Seed = "bd25c2d0000000000000000000000000000000ff".parse().unwrap();
        assert_eq!(id.case(7).to_string(), "580c2070349e3539");
    }
}
