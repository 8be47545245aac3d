//! A set of rules.

/// So many words of bits.
const WORDS: usize = 8;

/// A set of rules, by their place in the catalogue: 512 at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RuleSet([u64; WORDS]);

impl RuleSet {
    #[cfg(test)]
    pub(super) const CAPACITY: usize = WORDS * 64;

    pub(super) fn clear(&mut self) {
        self.0 = [0; WORDS];
    }

    /// Takes a rule in; whether it is new.
    pub(super) fn insert(&mut self, rule: usize) -> bool {
        let Some(word) = self.0.get_mut(rule / 64) else { return false };
        let bit = 1 << (rule % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Those that are in both.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        self
    }

    /// Those that are in one of them.
    pub(super) fn with(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// Those that are not in the other.
    pub(super) fn without(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    /// Their places, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(index, mut word)| {
            std::iter::from_fn(move || {
                (word != 0).then(|| {
                    let bit = word.trailing_zeros() as usize;
                    word &= word - 1;
                    index * 64 + bit
                })
            })
        })
    }
}
