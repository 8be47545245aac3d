//! Masking (RFC 6455 section 5.3), eight bytes at a time, over pieces that begin anywhere in a frame.

/// The key turned so that it fits a piece which begins `phase` bytes into the payload.
#[inline]
fn turned(key: [u8; 4], phase: usize) -> [u8; 8] {
    let first = u32::from_le_bytes(key).rotate_right(phase as u32 % 4 * 8);
    (u64::from(first) << 32 | u64::from(first)).to_le_bytes()
}

/// Masks or unmasks `bytes`, which begin `phase` bytes into the payload (only `phase % 4` matters).
#[inline]
pub fn apply(bytes: &mut [u8], key: [u8; 4], phase: usize) {
    let key = turned(key, phase);
    let word = u64::from_ne_bytes(key);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, k) in rest.iter_mut().zip(key) {
        *byte ^= k;
    }
}

/// Writes `source`, masked or unmasked, over the first `source.len()` bytes of `target`; what does not
/// fit `target` is left out.
#[inline]
pub fn copy(source: &[u8], target: &mut [u8], key: [u8; 4], phase: usize) {
    let key = turned(key, phase);
    let word = u64::from_ne_bytes(key);
    let (from, from_rest) = source.as_chunks::<8>();
    let (whole, to_rest) = target.split_at_mut((from.len() * 8).min(target.len()));
    for (from, to) in from.iter().zip(whole.as_chunks_mut::<8>().0) {
        *to = (u64::from_ne_bytes(*from) ^ word).to_ne_bytes();
    }
    for ((from, to), k) in from_rest.iter().zip(to_rest).zip(key) {
        *to = from ^ k;
    }
}

/// Whether `bytes`, masked as they are, say nothing but ASCII.
#[inline]
pub fn is_ascii(bytes: &[u8], key: [u8; 4], phase: usize) -> bool {
    let key = turned(key, phase);
    let word = u64::from_ne_bytes(key);
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut high = chunks.iter().fold(0, |high, chunk| high | (u64::from_ne_bytes(*chunk) ^ word));
    for (byte, k) in rest.iter().zip(key) {
        high |= u64::from(byte ^ k);
    }
    high & 0x8080_8080_8080_8080 == 0
}

/// Appends `source`, unmasked, to `target`.
pub fn append(source: &[u8], target: &mut Vec<u8>, key: [u8; 4], phase: usize) {
    let start = target.len();
    target.extend_from_slice(source);
    apply(&mut target[start..], key, phase);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_mask_like_the_plain_rule(data: Vec<u8>, key: [u8; 4], cut in 0usize..64) {
            let plain: Vec<u8> = data.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            let cut = cut.min(data.len());
            let mut pieces = data.clone();
            let (head, tail) = pieces.split_at_mut(cut);
            apply(head, key, 0);
            apply(tail, key, cut);
            prop_assert_eq!(&pieces, &plain);
            let mut copied = vec![0; data.len()];
            copy(&data[..cut], &mut copied, key, 0);
            copy(&data[cut..], &mut copied[cut..], key, cut);
            prop_assert_eq!(&copied, &plain);
            let mut appended = Vec::new();
            append(&data[..cut], &mut appended, key, 0);
            append(&data[cut..], &mut appended, key, cut);
            prop_assert_eq!(&appended, &plain);
            prop_assert_eq!(is_ascii(&data[cut..], key, cut), plain[cut..].is_ascii());
            let mut ascii: Vec<u8> = data.iter().map(|byte| byte & 0x7F).collect();
            apply(&mut ascii, key, 0);
            prop_assert!(is_ascii(&ascii, key, 0));
        }
    }
}
