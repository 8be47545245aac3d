//! Sets of bytes: which ones a text has, or a rule needs.

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const NONE: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes that stand in a text.
    pub(crate) const fn of(text: &[u8]) -> Self {
        let (mut set, mut at) = ([0; 4], 0);
        while at < text.len() {
            set[(text[at] >> 6) as usize] |= 1 << (text[at] & 63);
            at += 1;
        }
        Self(set)
    }

    /// The same, faster where a text is long.
    pub(crate) fn of_long(text: &[u8]) -> Self {
        if text.len() < 64 {
            return Self::of(text);
        }
        let mut seen = [0_u8; 256];
        for &byte in text {
            seen[usize::from(byte)] = 1;
        }
        let word = |seen: &[u8]| seen.iter().rev().fold(0, |word, one| word << 1 | u64::from(*one));
        Self([word(&seen[..64]), word(&seen[64..128]), word(&seen[128..192]), word(&seen[192..])])
    }

    /// All bytes from one to another.
    pub(crate) fn range(from: u8, to: u8) -> Self {
        (from..=to).fold(Self::NONE, Self::with)
    }

    pub(crate) const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    pub(crate) const fn has(self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    pub(crate) const fn meets(self, other: Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        (a & e) | (b & f) | (c & g) | (d & h) != 0
    }

    pub(crate) const fn len(self) -> u32 {
        let [a, b, c, d] = self.0;
        a.count_ones() + b.count_ones() + c.count_ones() + d.count_ones()
    }

    /// The same, with letters of either case as small ones.
    pub(crate) const fn folded(mut self) -> Self {
        const LETTERS: u64 = 0x07ff_fffe;
        let capitals = self.0[1] & LETTERS;
        self.0[1] = (self.0[1] & !LETTERS) | (capitals << 32);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_set_knows_no_case() {
        let set = ByteSet::of(b"AZ@[m\xff").folded();
        assert_eq!(set, ByteSet::of(b"az@[m\xff"));
        assert!(set.meets(ByteSet::of(b"z")) && !set.has(b'A') && set.has(0xff));
        assert_eq!(ByteSet::range(b'a', b'c').len(), 3);
        let every: Vec<u8> = (0..=255).filter(|byte| byte % 3 != 1).collect();
        assert_eq!(ByteSet::of_long(&every), ByteSet::of(&every));
    }
}
