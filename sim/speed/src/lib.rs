//! How fast hostmem is, in ratios to what else does the same work in the same run.
//!
//! `cargo bench -p hostmem-speed --bench speed` prints every table; `--quick` less of each, and
//! `--json FILE` writes the figures for programs too. BENCHMARKS.md at the root holds a run.
//!
//! Map, in reading order:
//!
//! * [`stream`]: the calls that all replay; [`contestant`]: who does;
//! * [`live`]: the stream by live reservations; [`holes`]: first fit; [`huge`]: single calls on
//!   what is large; [`bytes`]: memory;
//! * [`step`]: a differential step beside proptest-state-machine; [`campaign`]: a whole campaign
//!   beside it; [`exhaust`]: an exhaustive search beside `stateright`; [`recordings`]: a real
//!   system, bare and cross-checked;
//! * [`measure`], [`table`]: figures and how they are told.
//!
//! Deliberately not here: any assertion about time. A slow machine fails no test.

pub mod bytes;
pub mod campaign;
pub mod contestant;
pub mod exhaust;
pub mod holes;
pub mod huge;
pub mod live;
pub mod measure;
pub mod recordings;
pub mod step;
pub mod stream;
pub mod table;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Everything, in some minutes.
    Full,
    /// Small sizes and few rounds, in seconds.
    Quick,
}
