//! Whole words, of lists of any length: each word of a text is hashed once, and most are told apart by one bit.

use super::normal::{PADDING, is_word};

/// Entries that begin with a word, in normal form.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// All entries, one behind the other, and [`PADDING`].
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// One more than the number of an entry, by the hash of its first word; 0 where there is none. At most half are taken.
    slots: Vec<u32>,
    /// A bit for every hash there is: at least sixteen for each entry.
    filter: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: u32,
    length: u32,
}

/// Bytes that are looked through at a time.
const BLOCK: usize = 64;
/// How many entries may begin with one word, before they are better found in another way.
pub(super) const ALIKE: usize = 32;

/// The first word of an entry that begins with one.
pub(super) fn first_word(entry: &[u8]) -> Option<&[u8]> {
    let length = entry.iter().take_while(|byte| is_word(**byte)).count();
    entry.get(..length).filter(|word| !word.is_empty())
}

impl Words {
    /// Of entries in normal form that begin with a word, none longer than 64 KiB.
    pub(super) fn new<'a>(list: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut words = Self::default();
        for entry in list {
            let Some(first) = first_word(entry) else { continue };
            let (start, length) = (words.text.len() as u32, entry.len() as u32);
            let mut padded = first.to_vec();
            padded.extend_from_slice(&[0; PADDING]);
            let hash = hash(&padded, 0, first.len());
            words.text.extend_from_slice(entry);
            words.entries.push(Entry { hash, start, length });
        }
        words.text.shrink_to_fit();
        words.entries.shrink_to_fit();
        words.slots = vec![0; (words.entries.len() * 2).next_power_of_two()];
        words.filter = vec![0; (words.entries.len() / 4).next_power_of_two().max(64)];
        for number in 0..words.entries.len() {
            let hash = words.entries[number].hash;
            let bit = hash as usize & (words.filter.len() * 64 - 1);
            words.filter[bit / 64] |= 1 << (bit % 64);
            let mut slot = words.slot(hash);
            while words.slots[slot] != 0 {
                slot = (slot + 1) & (words.slots.len() - 1);
            }
            words.slots[slot] = number as u32 + 1;
        }
        words
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where an entry stands in a normal text, with its padding, between what is no word.
    pub(super) fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        let length = text.len().checked_sub(PADDING)?;
        let (mut inside, mut open) = (0, 0);
        for at in (0..length).step_by(BLOCK) {
            let mask = word_mask(text.get(at..)?, length - at);
            let before = mask << 1 | inside;
            // Where words begin, and where the bytes behind them stand: by turns.
            let (mut starts, mut ends) = (mask & !before, before & !mask);
            if inside == 0 {
                open = at + starts.trailing_zeros() as usize;
                starts &= starts.wrapping_sub(1);
            }
            inside = mask >> (BLOCK - 1);
            while ends != 0 {
                if let Some(found) = self.word(text, open, at + ends.trailing_zeros() as usize) {
                    return Some(found);
                }
                ends &= ends - 1;
                open = at + starts.trailing_zeros() as usize;
                starts &= starts.wrapping_sub(1);
            }
        }
        if inside != 0 { self.word(text, open, length) } else { None }
    }

    #[inline]
    fn word(&self, text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
        let hash = hash(text, start, end);
        let bit = hash as usize & (self.filter.len() * 64 - 1);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
            return None;
        }
        self.entry(text, start, hash)
    }

    #[cold]
    fn entry(&self, text: &[u8], start: usize, hash: u64) -> Option<(usize, usize)> {
        let mut slot = self.slot(hash);
        while let Some(number) = self.slots[slot].checked_sub(1) {
            let entry = self.entries[number as usize];
            if entry.hash == hash
                && let Some(length) = self.stands(entry, text.get(start..text.len() - PADDING)?)
            {
                return Some((start, start + length));
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        None
    }

    /// How long an entry is in a text that it stands at the beginning of. A space is as many as there are.
    fn stands(&self, entry: Entry, text: &[u8]) -> Option<usize> {
        let entry = self.text.get(entry.start as usize..)?.get(..entry.length as usize)?;
        let mut at = 0;
        for byte in entry {
            let here = *text.get(at)?;
            match byte {
                b' ' if here.is_ascii_whitespace() => {
                    at += text.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                }
                byte if *byte == here => at += 1,
                _ => return None,
            }
        }
        let is_apart =
            !(entry.last().copied().is_some_and(is_word) && text.get(at).copied().is_some_and(is_word));
        is_apart.then_some(at)
    }

    fn slot(&self, hash: u64) -> usize {
        // The lower bits are those of the filter.
        (hash >> 32) as usize & (self.slots.len() - 1)
    }
}

/// A bit for each of the next 64 bytes that belongs to a word, of those that there are.
#[inline]
fn word_mask(text: &[u8], length: usize) -> u64 {
    let mut block = [b' '; BLOCK];
    match text.first_chunk::<BLOCK>() {
        Some(whole) => block = *whole,
        None => block.iter_mut().zip(text).for_each(|(here, byte)| *here = *byte),
    }
    // As `is_word`, without a branch, so that many bytes are told at once.
    let mut flags = [0u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(&block) {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        *flag = u8::from(letter | digit | (*byte >= 0x80));
    }
    let mut mask = 0;
    for (number, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        // Gathers the lowest bits of eight bytes in the highest one.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * number);
    }
    if length < BLOCK { mask & ((1 << length) - 1) } else { mask }
}

/// The hash of a word, by its length and its first and last eight bytes; eight bytes behind its beginning can be read.
#[inline]
fn hash(text: &[u8], start: usize, end: usize) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let eight = |at: usize| {
        let bytes = text.get(at..).and_then(|rest| rest.first_chunk::<8>());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let length = end.saturating_sub(start).max(1);
    let first = eight(start) & u64::MAX >> (64 - 8 * length.min(8));
    let last = if length > 8 { eight(end - 8) } else { 0 };
    let hash = (first ^ last.rotate_left(29) ^ length as u64).wrapping_mul(FACTOR);
    hash ^ hash >> 32
}
