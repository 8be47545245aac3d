//! UTF-8 over a stream of pieces (RFC 6455 section 8.1): a violation is found in the piece that holds it.

use std::ops::DerefMut;

use crate::mask;

/// What is judged at once stays in the nearest cache.
const BLOCK: usize = 16 * 1024;

/// The bytes seen so far cannot be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

/// Checks one text message, piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8Stream {
    /// The first bytes of a character that the next piece has to complete.
    pending: [u8; 4],
    pending_len: u8,
}

impl Utf8Stream {
    /// Takes the next piece in clear.
    ///
    /// # Errors
    /// No continuation could make this UTF-8.
    #[inline]
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        if self.pending_len == 0 && piece.is_ascii() { Ok(()) } else { self.push_characters(piece) }
    }

    /// Takes the next piece as it was masked. What is not plain ASCII is unmasked block by block, through `scratch` (not
    /// empty), which is only asked for then.
    ///
    /// # Errors
    /// No continuation could make this UTF-8.
    #[inline]
    pub fn push_masked<S: DerefMut<Target = [u8]>>(
        &mut self,
        piece: &[u8],
        key: [u8; 4],
        phase: usize,
        scratch: impl Fn() -> S,
    ) -> Result<(), InvalidUtf8> {
        let mut at = 0;
        for block in piece.chunks(BLOCK) {
            let phase = phase.wrapping_add(at);
            at += block.len();
            if self.pending_len > 0 || !mask::is_ascii(block, key, phase) {
                self.push_unmasked(block, key, phase, &mut scratch())?;
            }
        }
        Ok(())
    }

    fn push_unmasked(
        &mut self,
        block: &[u8],
        key: [u8; 4],
        phase: usize,
        scratch: &mut [u8],
    ) -> Result<(), InvalidUtf8> {
        let mut at = 0;
        for part in block.chunks(scratch.len()) {
            let clear = &mut scratch[..part.len()];
            mask::copy(part, clear, key, phase.wrapping_add(at));
            at += part.len();
            self.push_characters(clear)?;
        }
        Ok(())
    }

    fn push_characters(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        if self.pending_len > 0 {
            piece = self.complete_pending(piece)?;
            if self.pending_len > 0 {
                return Ok(());
            }
        }
        let tail = incomplete_tail(piece);
        let (whole, tail) = piece.split_at(piece.len() - tail);
        simdutf8::basic::from_utf8(whole).map_err(|_| InvalidUtf8)?;
        if !tail.is_empty() {
            self.pending[..tail.len()].copy_from_slice(tail);
            self.pending_len = tail.len() as u8;
            self.check_pending()?;
        }
        Ok(())
    }

    /// Ends the message, and is ready for the next one.
    ///
    /// # Errors
    /// The last character is not complete.
    #[inline]
    pub fn finish(&mut self) -> Result<(), InvalidUtf8> {
        if std::mem::take(&mut self.pending_len) == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }

    fn complete_pending<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], InvalidUtf8> {
        for (taken, &byte) in piece.iter().enumerate() {
            self.pending[usize::from(self.pending_len)] = byte;
            self.pending_len += 1;
            if self.check_pending()? {
                self.pending_len = 0;
                return Ok(&piece[taken + 1..]);
            }
        }
        Ok(&[])
    }

    /// Whether the pending bytes are one whole character; an error where they can never become one.
    fn check_pending(&self) -> Result<bool, InvalidUtf8> {
        match std::str::from_utf8(&self.pending[..usize::from(self.pending_len)]) {
            Ok(_) => Ok(true),
            Err(error) if error.error_len().is_none() => Ok(false),
            Err(_) => Err(InvalidUtf8),
        }
    }
}

/// How many bytes at the end begin a character without completing it.
#[inline]
fn incomplete_tail(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        if byte & 0xC0 == 0x80 {
            continue;
        }
        let needs = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        return if needs > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judge(pieces: &[&[u8]]) -> Result<(), InvalidUtf8> {
        let mut stream = Utf8Stream::default();
        for piece in pieces {
            stream.push(piece)?;
        }
        stream.finish()
    }

    #[test]
    fn a_violation_is_found_in_its_own_piece() {
        let mut stream = Utf8Stream::default();
        stream.push(b"\xce\xba\xe1\xbd\xb9\xcf").unwrap();
        stream.push(b"\x83\xf4").unwrap();
        assert_eq!(stream.push(b"\x90"), Err(InvalidUtf8));
        assert_eq!(judge(&[b"\xf0\x9f", b"\x98"]), Err(InvalidUtf8));
        assert_eq!(judge(&[b"\xf0\x9f", b"\x98", b"\x80"]), Ok(()));
        assert_eq!(judge(&[b"\xed\xa0"]), Err(InvalidUtf8));
    }

    proptest! {
        #[test]
        fn pieces_are_judged_like_the_whole(
            data in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                (any::<String>(), any::<Vec<u8>>()).prop_map(|(s, v)| [s.into_bytes(), v].concat()),
            ],
            cuts in prop::collection::vec(0usize..200, 0..6),
            key: [u8; 4],
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(data.len())).collect();
            cuts.sort_unstable();
            cuts.push(data.len());
            let (mut clear, mut masked, mut from) = (Utf8Stream::default(), Utf8Stream::default(), 0);
            let (mut clear_ok, mut masked_ok) = (true, true);
            for cut in cuts {
                clear_ok = clear_ok && clear.push(&data[from..cut]).is_ok();
                let mut piece = data[from..cut].to_vec();
                mask::apply(&mut piece, key, from);
                masked_ok = masked_ok && masked.push_masked(&piece, key, from, || vec![0; 16]).is_ok();
                from = cut;
            }
            let whole = std::str::from_utf8(&data).is_ok();
            prop_assert_eq!(clear_ok && clear.finish().is_ok(), whole);
            prop_assert_eq!(masked_ok && masked.finish().is_ok(), whole);
        }
    }
}
