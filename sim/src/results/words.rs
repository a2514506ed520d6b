//! How the words and bytes of a result are spelt in a results file: as in reports.

use hostmem_interface::Grain;
use hostmem_interface::scenario::Level;

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// A record: 64 hexadecimal digits.
pub mod record {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// # Errors
    /// Those of `out`.
    pub fn serialize<S: Serializer>(record: &[u8; 32], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::hex(record))
    }

    /// # Errors
    /// If it is no record.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(input)?;
        super::unhex(&text).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits"))
    }
}

macro_rules! spelt {
    ($module:ident, $type:ty, $about:literal, $all:expr) => {
        #[doc = $about]
        pub mod $module {
            use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

            use super::*;

            /// # Errors
            /// Those of `out`.
            pub fn serialize<S: Serializer>(it: &$type, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(it.name())
            }

            /// # Errors
            /// If there is no such word.
            pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<$type, D::Error> {
                let text = String::deserialize(input)?;
                let all: &[$type] = &$all;
                all.iter().copied().find(|it| it.name() == text).ok_or_else(|| {
                    let names: Vec<&str> = all.iter().map(|it| it.name()).collect();
                    D::Error::custom(format!("`{text}`: expected one of {}", names.join(", ")))
                })
            }
        }
    };
}

spelt!(level, Level, "A level.", [Level::Must, Level::Should, Level::May]);
spelt!(grain, Grain, "A grain.", [Grain::Win32, Grain::Hresult, Grain::YesNo]);
