//! The one source of randomness: every decision of a generator comes from a [`Draw`], so a
//! seed is the whole of a case.
//!
//! The stream is ChaCha8 in words of 64 bits, and every decision is made of them with
//! integer arithmetic alone: the same seed draws the same everywhere. A draw can also be
//! made of given words ([`Draw::from_words`]), which is how proptest drives the same
//! generators and shrinks them: words that run out are zero, and zero decides for the
//! first, the smallest and the "no".
//!
//! Deliberately not here: what is drawn ([`crate::intent`], [`crate::workload`]), how a
//! seed is written, and entropy of the machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of decisions.
#[derive(Clone, Debug)]
pub struct Draw {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Seeded(Box<ChaCha8Rng>),
    Recorded(Box<ChaCha8Rng>, Vec<u64>),
    Words(std::vec::IntoIter<u64>),
}

impl Draw {
    /// The stream of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { source: Source::Seeded(Box::new(ChaCha8Rng::from_seed(seed))) }
    }

    /// The stream of a small seed: that of the 32 bytes that begin with it and go on with 0.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::from_seed(bytes)
    }

    /// The stream of a seed, kept as it is drawn: [`Self::into_words`] gives it back.
    #[must_use]
    pub fn recording(seed: [u8; 32]) -> Self {
        let stream = Box::new(ChaCha8Rng::from_seed(seed));
        Self { source: Source::Recorded(stream, Vec::new()) }
    }

    /// The words that a recording stream has given; none of any other.
    #[must_use]
    pub fn into_words(self) -> Vec<u64> {
        match self.source {
            Source::Recorded(_, words) => words,
            Source::Seeded(_) | Source::Words(_) => Vec::new(),
        }
    }

    /// The stream of these words, and then of zeros.
    #[must_use]
    pub fn from_words(words: Vec<u64>) -> Self {
        Self { source: Source::Words(words.into_iter()) }
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        match &mut self.source {
            Source::Seeded(stream) => stream.next_u64(),
            Source::Recorded(stream, words) => {
                let word = stream.next_u64();
                words.push(word);
                word
            }
            Source::Words(words) => words.next().unwrap_or(0),
        }
    }

    /// Any number below `bound`; 0 if `bound` is 0.
    ///
    /// The high half of a product: off from even by less than `bound` in 2^64, and a larger
    /// word never gives a smaller number.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.word()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the high half of a product of two words")
    }

    /// Any number from `low` to `high`, both included; `low` if they are the wrong way round.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low) {
            Some(u64::MAX) => self.word(),
            Some(span) => low + self.below(span + 1),
            None => low,
        }
    }

    /// An index into `len` things; 0 if there is none.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a length")
    }

    /// Yes in `part` of `whole` cases.
    pub fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) >= whole.saturating_sub(part)
    }

    /// One of some things.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.index(things.len())]
    }

    /// An index, each as likely as its weight says; 0 if all weights are.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let mut left = self.below(total);
        for (index, weight) in weights.iter().copied().map(u64::from).enumerate() {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }

    /// A number from `low` to `high`, both included, every power of two between them equally
    /// likely: sizes of objects and requests are spread like that.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        let low = low.max(1);
        let exponent = self.between(u64::from(low.ilog2()), u64::from(high.max(1).ilog2()));
        let start = 1 << exponent;
        self.between(low.max(start), high.min(start | (start - 1)).max(low))
    }

    /// Some bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count.next_multiple_of(8));
        while bytes.len() < count {
            bytes.extend_from_slice(&self.word().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_same_stream_for_ever() {
        let mut draw = Draw::from_number(1);
        let words: Vec<u64> = (0..3).map(|_| draw.word()).collect();
        let mut bytes = [0; 32];
        bytes[0] = 1;
        let mut again = Draw::from_seed(bytes);
        assert_eq!(words, [again.word(), again.word(), again.word()]);
    }

    #[test]
    fn the_stream_is_that_of_chacha8() {
        // The published test vector of an all-zero key: a change here makes old seeds
        // worthless.
        let mut draw = Draw::from_number(0);
        let words = [draw.word(), draw.word(), draw.word()];
        assert_eq!(words, [0xD640_5F89_2FEF_003E, 0xA1A5_091F_E8B8_5B7F, 0x3B7F_9ACE_C30E_842C]);
    }

    #[test]
    fn words_that_run_out_decide_for_the_first_and_the_smallest() {
        let mut draw = Draw::from_words(vec![u64::MAX]);
        assert_eq!(draw.below(10), 9);
        assert_eq!(draw.below(10), 0);
        assert!(!draw.chance(9, 10));
        assert_eq!(draw.weighted(&[0, 3, 4]), 1);
        assert_eq!(draw.log_uniform(24, 1000), 24);
    }

    #[test]
    fn a_recorded_stream_is_the_same_again() {
        let mut draw = Draw::recording([3; 32]);
        let words = [draw.word(), draw.word()];
        let mut seeded = Draw::from_seed([3; 32]);
        assert_eq!(words, [seeded.word(), seeded.word()]);
        assert_eq!(draw.into_words(), words);
    }

    #[test]
    fn draws_stay_in_their_bounds_and_reach_them() {
        let mut draw = Draw::from_number(7);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[draw.index(5)] = true;
            assert!((3..=9).contains(&draw.between(3, 9)));
            assert!((100..=5000).contains(&draw.log_uniform(100, 5000)));
            assert_ne!(draw.weighted(&[1, 0, 1]), 1);
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(draw.below(0), 0);
        assert_eq!(draw.between(9, 3), 9);
        assert_eq!(draw.bytes(11).len(), 11);
        assert!((0..100).any(|_| draw.chance(1, 4)) && (0..100).any(|_| !draw.chance(3, 4)));
    }
}
