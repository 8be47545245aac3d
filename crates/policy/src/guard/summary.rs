//! Which characters a text has at all: one look that spares most others.

/// A set of characters: each of ASCII's punctuation has a place of its own; digits, control characters and all that is
/// not ASCII have one each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary(u64);

impl Summary {
    /// What `text` has.
    pub(super) fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |all, &byte| all | PLACES[byte as usize]))
    }

    /// Whether it has all of `other`.
    pub(super) const fn has_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it has any of `other`.
    pub(super) const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The set of these characters, for tables: `set(b"<>")`.
pub(super) const fn set(characters: &[u8]) -> Summary {
    let (mut all, mut index) = (0, 0);
    while index < characters.len() {
        all |= PLACES[characters[index] as usize];
        index += 1;
    }
    Summary(all)
}

const PLACES: [u64; 256] = {
    let mut table = [0; 256];
    let (mut byte, mut next) = (0usize, 0);
    while byte < 256 {
        let character = byte as u8;
        table[byte] = match character {
            b' ' | b'a'..=b'z' | b'A'..=b'Z' => 0,
            b'0'..=b'9' => 1 << 63,
            b'\n' => 1 << 62,
            0 => 1 << 61,
            1..=31 | 127 => 1 << 60,
            128.. => 1 << 59,
            _ => {
                next += 1;
                1 << (next - 1)
            }
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_of_punctuation_has_a_place() {
        let marks: Vec<u8> = (33..127u8).filter(u8::is_ascii_punctuation).collect();
        assert_eq!(marks.len(), 32);
        for mark in &marks {
            let others: Vec<u8> = marks.iter().copied().filter(|other| other != mark).collect();
            assert!(!Summary::of(&others).has_any(set(&[*mark])));
            assert!(Summary::of(&[*mark]).has_all(set(&[*mark])));
        }
        for (text, place) in [("7", &b"0"[..]), ("\n", b"\n"), ("\t", b"\r"), ("\0", b"\0"), ("é", b"\xff")]
        {
            assert_eq!(Summary::of(text.as_bytes()), set(place));
        }
    }
}
