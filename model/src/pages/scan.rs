//! Searching and counting in a slice of page states.
//!
//! Each scan takes a block of bytes at a time and folds it without a branch, which the
//! compiler turns into vector code; only the block that decides is read byte by byte.

/// Bytes to a block. Counts of a block fit a byte.
const BLOCK: usize = 32;

/// How many states at the beginning equal `state`.
pub(super) fn prefix(states: &[u8], state: u8) -> usize {
    let mixed = |block: &[u8]| block.iter().fold(0, |odd, &other| odd | (other ^ state)) != 0;
    let start = whole_blocks_before(states, mixed);
    let rest = &states[start..];
    start + rest.iter().position(|&other| other != state).unwrap_or(rest.len())
}

/// Place of the first state 0.
pub(super) fn first_zero(states: &[u8]) -> Option<usize> {
    let hit = |block: &[u8]| block.iter().fold(u8::MAX, |least, &state| least.min(state)) == 0;
    let start = whole_blocks_before(states, hit);
    states[start..].iter().position(|&state| state == 0).map(|at| start + at)
}

/// How many states are not 0.
pub(super) fn count_nonzero(states: &[u8]) -> usize {
    let (blocks, rest) = states.as_chunks::<BLOCK>();
    let blocks = blocks.iter().map(|block| usize::from(count_few(block))).sum::<usize>();
    blocks + usize::from(count_few(rest))
}

/// As [`count_nonzero`], for at most 255 states.
pub(super) fn count_few(states: &[u8]) -> u8 {
    states.iter().fold(0_u8, |count, &state| count.wrapping_add(u8::from(state != 0)))
}

/// The length of the blocks before the first one that is a hit, or before the rest that
/// fills no block.
fn whole_blocks_before(states: &[u8], hit: impl Fn(&[u8]) -> bool) -> usize {
    let (blocks, _) = states.as_chunks::<BLOCK>();
    BLOCK * blocks.iter().position(|block| hit(block)).unwrap_or(blocks.len())
}
