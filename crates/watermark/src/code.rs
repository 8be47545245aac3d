//! The code that a tag is written in: a convolutional code of rate 1/3 and constraint length 7, decoded by Viterbi's algorithm
//! from how sure each bit is. 32 bits of a keyed check stand beside the tag.

use crate::key::{Key, Tag};

/// Bits of a tag and its check.
const SAID: usize = 64 + 32;
/// Bits that bring the encoder back to where it began.
const TAIL: usize = 6;
/// Bits that are written for each.
const RATE: usize = 3;
/// The code's polynomials, 133, 145 and 175 in octal: of its length, those with the greatest free distance.
const POLYNOMIALS: [u8; RATE] = [0o133, 0o145, 0o175];
const STATES: usize = 1 << TAIL;

/// Bits in which a tag is written.
pub(crate) const BITS: usize = (SAID + TAIL) * RATE;

/// A tag as signs: 1 for a bit that is not set, -1 for one that is.
pub(crate) fn encode(tag: Tag, key: &Key) -> Vec<f32> {
    let said = u128::from(tag.0) << 32 | u128::from(key.check(tag));
    let mut state = 0;
    let mut signs = Vec::with_capacity(BITS);
    for at in 0..SAID + TAIL {
        let bit = if at < SAID { (said >> (SAID - 1 - at) & 1) as usize } else { 0 };
        signs.extend(written(state, bit));
        state = next(state, bit);
    }
    signs
}

/// The tag whose signs are nearest to these, if its check is right.
pub(crate) fn decode(signs: &[f32], key: &Key) -> Option<Tag> {
    let mut scores = [f32::MIN; STATES];
    scores[0] = 0.0;
    // For each step, from which of two states the best way to each state came.
    let mut ways: Vec<[bool; STATES]> = Vec::with_capacity(SAID + TAIL);
    for (at, heard) in signs.chunks_exact(RATE).take(SAID + TAIL).enumerate() {
        let (mut then, mut way) = ([f32::MIN; STATES], [false; STATES]);
        for (state, score) in scores.iter().enumerate().filter(|(_, score)| **score > f32::MIN) {
            for bit in 0..=usize::from(at < SAID) {
                let fit: f32 = written(state, bit).iter().zip(heard).map(|(sign, heard)| sign * heard).sum();
                let to = next(state, bit);
                if score + fit > then[to] {
                    then[to] = score + fit;
                    // The oldest bit is the one that the next state has forgotten.
                    way[to] = state & 1 != 0;
                }
            }
        }
        scores = then;
        ways.push(way);
    }
    let (mut state, mut said) = (0, 0u128);
    for (at, way) in ways.iter().enumerate().rev() {
        let bit = state >> (TAIL - 1);
        if at < SAID {
            said |= (bit as u128) << (SAID - 1 - at);
        }
        state = (state << 1 & (STATES - 1)) | usize::from(way[state]);
    }
    let tag = Tag((said >> 32) as u64);
    (key.check(tag) == said as u32).then_some(tag)
}

fn written(state: usize, bit: usize) -> [f32; RATE] {
    let register = (bit << TAIL | state) as u8;
    POLYNOMIALS.map(|taps| if (register & taps).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 })
}

const fn next(state: usize, bit: usize) -> usize {
    (bit << TAIL | state) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_through_with_a_fifth_of_its_bits_wrong() {
        let key = Key::new(b"one");
        let tag = Tag(0x0123_4567_89ab_cdef);
        let mut signs = encode(tag, &key);
        assert_eq!(signs.len(), BITS);
        signs.iter_mut().step_by(6).for_each(|sign| *sign = -*sign * 0.5);
        assert_eq!(decode(&signs, &key), Some(tag));
        assert_eq!(decode(&signs, &Key::new(b"another")), None);
        assert_eq!(decode(&[], &key), None);
        assert_eq!(decode(&vec![f32::NAN; BITS], &key), None);
    }
}
