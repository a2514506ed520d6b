//! What a file begins with: of what kind it is, before anybody tries to run or to load it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Whether a file begins with these bytes.
///
/// # Errors
/// Those of reading it.
pub(crate) fn begins_with(path: &Path, magic: &[u8]) -> io::Result<bool> {
    let mut begins = Vec::new();
    File::open(path)?.take(magic.len() as u64).read_to_end(&mut begins)?;
    Ok(begins == magic)
}
