//! Bytes of which each says where it belongs, and whoever counts what is missing, what comes twice, and what is another.

/// Odd, so that words can be turned back.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
/// Farther than any stream goes, in words.
const END: u64 = 1 << 40;
/// Bytes that are looked at to find where a stream goes on: two words, wherever they begin.
const LOOK: usize = 8 + 16;

/// A stream of such bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern(pub(super) u64);

impl Pattern {
    fn word(self, index: u64) -> [u8; 8] {
        index.wrapping_add(self.0 << 32).wrapping_mul(FACTOR).to_le_bytes()
    }

    /// Which word this is, of any that a stream can have.
    fn index(self, word: [u8; 8]) -> Option<u64> {
        // By Newton: each step doubles the bits that are right.
        let inverse = (0..6)
            .fold(FACTOR, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(FACTOR.wrapping_mul(inverse))));
        let index = u64::from_le_bytes(word).wrapping_mul(inverse).wrapping_sub(self.0 << 32);
        (index < END).then_some(index)
    }

    /// The bytes from this one on.
    pub(super) fn bytes(self, from: u64, length: usize) -> Vec<u8> {
        let skipped = usize::try_from(from % 8).unwrap();
        let mut bytes = Vec::with_capacity(skipped + length + 8);
        let mut index = from / 8;
        while bytes.len() < skipped + length {
            bytes.extend_from_slice(&self.word(index));
            index += 1;
        }
        bytes.truncate(skipped + length);
        bytes.drain(..skipped);
        bytes
    }

    /// Where these bytes belong; `None` where they are none of it.
    fn place(self, bytes: &[u8]) -> Option<u64> {
        (0..8).find_map(|skipped| {
            let words = bytes.get(skipped..skipped + 16)?;
            let (one, two) = (words[..8].try_into().ok()?, words[8..].try_into().ok()?);
            let index = self.index(one)?;
            let follows = self.index(two) == Some(index + 1);
            let begin = (index * 8).checked_sub(skipped as u64)?;
            (follows && self.bytes(begin, skipped) == bytes[..skipped]).then_some(begin)
        })
    }
}

/// What has come of a stream.
#[derive(Debug)]
pub(super) struct Checked {
    pattern: Pattern,
    /// Where the next byte belongs.
    at: u64,
    /// What does not go on from there, until there is enough to see what it is.
    odd: Vec<u8>,
    faults: Faults,
}

/// Bytes that were not as they should have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) repeated: u64,
    pub(super) altered: u64,
}

impl Faults {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            lost: self.lost + other.lost,
            repeated: self.repeated + other.repeated,
            altered: self.altered + other.altered,
        }
    }
}

impl Checked {
    pub(super) fn new(pattern: Pattern) -> Self {
        Self { pattern, at: 0, odd: Vec::new(), faults: Faults::default() }
    }

    /// Bytes that came, each in its place.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// What is wrong until now; what was sent and is to come still does not count.
    pub(super) fn faults(&self) -> Faults {
        Faults { altered: self.faults.altered + self.odd.len() as u64, ..self.faults }
    }

    /// What is wrong with a stream that is over, of which so many bytes were sent.
    pub(super) fn ended(&self, sent: u64) -> Faults {
        let mut faults = self.faults();
        faults.lost += sent.saturating_sub(self.at);
        faults.repeated += self.at.saturating_sub(sent);
        faults
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = match self.odd.is_empty() {
            true => bytes,
            false => {
                joined = [std::mem::take(&mut self.odd), bytes.to_vec()].concat();
                &joined[..]
            }
        };
        while !rest.is_empty() {
            let want = self.pattern.bytes(self.at, rest.len());
            if rest == want {
                self.at += rest.len() as u64;
                return;
            }
            let same = rest.iter().zip(&want).take_while(|(came, want)| came == want).count();
            self.at += same as u64;
            rest = &rest[same..];
            if rest.len() < LOOK {
                self.odd = rest.to_vec();
                return;
            }
            match self.pattern.place(&rest[..LOOK]) {
                Some(place) => {
                    self.faults.lost += place.saturating_sub(self.at);
                    self.faults.repeated += self.at.saturating_sub(place);
                    self.at = place;
                }
                None => {
                    self.faults.altered += 1;
                    self.at += 1;
                    rest = &rest[1..];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[(u64, usize)], sent: u64) -> Faults {
        let pattern = Pattern(7);
        let stream: Vec<u8> = pieces.iter().flat_map(|&(from, length)| pattern.bytes(from, length)).collect();
        let mut checked = Checked::new(pattern);
        // Pieces as they come, not as they were sent.
        stream.chunks(13).for_each(|piece| checked.take(piece));
        checked.ended(sent)
    }

    #[test]
    fn what_is_missing_and_what_comes_twice_is_counted() {
        let good = Faults::default();
        assert_eq!(of(&[(0, 1000)], 1000), good);
        assert_eq!(of(&[(0, 101), (101, 899)], 1000), good);
        assert_eq!(of(&[(0, 101), (104, 896)], 1000), Faults { lost: 3, ..good });
        assert_eq!(of(&[(0, 104), (99, 901)], 1000), Faults { repeated: 5, ..good });
        assert_eq!(of(&[(0, 950)], 1000), Faults { lost: 50, ..good });
        assert_eq!(of(&[(0, 200), (0, 1000)], 1000), Faults { repeated: 200, ..good });
    }

    #[test]
    fn another_byte_is_counted() {
        let pattern = Pattern(9);
        let mut stream = pattern.bytes(0, 1000);
        stream[500] ^= 1;
        let mut checked = Checked::new(pattern);
        checked.take(&stream);
        assert_eq!(checked.ended(1000), Faults { altered: 1, ..Faults::default() });
    }
}
