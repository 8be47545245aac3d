//! Sets of small numbers.

/// A set of numbers below a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Box<[u64]>);

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(crate) fn new(bound: usize) -> Self {
        Self(vec![0; words(bound)].into())
    }

    pub(crate) fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub(crate) fn has(&self, number: usize) -> bool {
        has(&self.0, number)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }
}

/// How many words a set of numbers below `bound` takes.
pub(crate) const fn words(bound: usize) -> usize {
    bound.div_ceil(64)
}

/// Whether a number is in the set that these words are.
pub(crate) fn has(set: &[u64], number: usize) -> bool {
    set.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
}
