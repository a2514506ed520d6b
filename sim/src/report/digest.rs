//! The fingerprint of a run: equal for equal seed and options on every machine, so that one
//! short line tells whether two runs saw the same.
//!
//! It is SHA-256 over the records of the cases in case order ([`CaseResult::record`]).
//!
//! Deliberately not here: what goes into a record (the runner), and anything that is not
//! behaviour: backend names, paths and positions.

use sha2::{Digest, Sha256};

use super::CaseResult;

/// The digest of a run, in hexadecimal.
#[must_use]
pub fn of(results: &[CaseResult]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"hostmem digest/1\0");
    for result in results {
        hash.update(result.record);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
