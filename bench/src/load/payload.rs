//! The messages of one cell: built once, masked with rotating keys, recognised again without copying.

use anyhow::{Result, bail, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::frame;

const TEXT: u8 = 1;
/// Every message opens with its sequence number in eight hexadecimal digits.
const SEQUENCE: usize = 8;
const SYNC_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A frame ready to be sent.
struct Template {
    frame: Vec<u8>,
    payload_at: usize,
    mask: [u8; 4],
    /// The compressed payload, where the cell compresses.
    packed: Vec<u8>,
    plain: Vec<u8>,
}

/// What is sent and what must come back.
pub(crate) struct Payload {
    templates: Vec<Template>,
    size: usize,
    compressed: bool,
}

impl Payload {
    /// Text messages of `size` bytes, at least eight.
    pub(crate) fn new(size: usize, compressed: bool) -> Result<Self> {
        ensure!(size >= SEQUENCE, "a message has room for its sequence number: at least {SEQUENCE} bytes");
        let count = if size <= 4096 { 16 } else { 4 };
        let templates =
            (0..count).map(|index| Template::new(index, size, compressed)).collect::<Result<_>>()?;
        Ok(Self { templates, size, compressed })
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.compressed
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn template(&self, sequence: u32) -> &Template {
        &self.templates[sequence as usize % self.templates.len()]
    }

    /// Appends the frame of message `sequence`.
    pub(crate) fn put(&self, sequence: u32, out: &mut Vec<u8>) {
        let template = self.template(sequence);
        let start = out.len() + template.payload_at;
        out.extend_from_slice(&template.frame);
        if !self.compressed {
            let mut digits = digits(sequence);
            frame::apply_mask(&mut digits, template.mask, 0);
            out[start..start + SEQUENCE].copy_from_slice(&digits);
        }
    }

    /// Whether `piece` is what message `sequence` holds from `position` on.
    pub(crate) fn matches(&self, sequence: u32, position: usize, piece: &[u8]) -> bool {
        let Some(wanted) = self.template(sequence).plain.get(position..position + piece.len()) else {
            return false;
        };
        let number = piece.len().min(SEQUENCE.saturating_sub(position));
        piece[number..] == wanted[number..]
            && (number == 0 || digits(sequence)[position..position + number] == piece[..number])
    }

    /// Checks an assembled message of a cell that compresses. A proxy that passes compressed bytes on
    /// is recognised by them; another's answer is inflated.
    pub(crate) fn check_packed(&self, sequence: u32, bytes: &[u8], compressed: bool) -> Result<()> {
        let template = self.template(sequence);
        if compressed && bytes == template.packed || !compressed && bytes == template.plain {
            return Ok(());
        }
        ensure!(compressed, "message {sequence} came back changed");
        let mut plain = vec![0; self.size + 64];
        let mut inflater = Decompress::new(false);
        for part in [bytes, &SYNC_TAIL] {
            let (fed, made) = (inflater.total_in() as usize, inflater.total_out() as usize);
            inflater.decompress(part, &mut plain[made..], FlushDecompress::Sync)?;
            ensure!(inflater.total_in() as usize - fed == part.len(), "message {sequence} came back longer");
        }
        plain.truncate(inflater.total_out() as usize);
        ensure!(plain == template.plain, "message {sequence} came back changed");
        Ok(())
    }
}

impl Template {
    fn new(index: u32, size: usize, compressed: bool) -> Result<Self> {
        let mut plain = text(size, if compressed { index + 1 } else { 1 });
        plain[..SEQUENCE].copy_from_slice(&digits(index));
        let packed = if compressed { pack(&plain)? } else { Vec::new() };
        let body = if compressed { &packed } else { &plain };
        let mask = (index + 1).wrapping_mul(0x9e37_79b9).to_be_bytes();
        let first = frame::FIN | TEXT | if compressed { frame::RSV1 } else { 0 };
        let mut frame = Vec::with_capacity(body.len() + 14);
        frame::put(&mut frame, first, body.len(), Some(mask));
        let payload_at = frame.len();
        frame.extend_from_slice(body);
        frame::apply_mask(&mut frame[payload_at..], mask, 0);
        Ok(Self { frame, payload_at, mask, packed, plain })
    }
}

/// One nibble to a byte, most significant first, all eight at once.
fn digits(sequence: u32) -> [u8; SEQUENCE] {
    let mut nibbles = u64::from(sequence);
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (nibbles + 0x3030_3030_3030_3030 + letters * 0x27).to_be_bytes()
}

/// JSON-like text, mostly ASCII as chat and market data are, the same for the same seed.
fn text(size: usize, seed: u32) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "\"price\":",
        "\"user\":",
        "\"text\":",
        "1042.75,",
        "\"side\":\"buy\",",
        "hello ",
        "session ",
        "\"id\":",
        "7731,",
        "true,",
        "{\"at\":",
        "1763800000,",
        "}",
        "caf\u{e9} ",
        "gateway ",
        "\"symbol\":\"WKT\",",
    ];
    let mut out = String::from("00000000");
    let mut state = seed;
    while out.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = WORDS[(state >> 28) as usize];
        if out.len() + word.len() > size {
            out.push('.');
        } else {
            out.push_str(word);
        }
    }
    out.into_bytes()
}

fn pack(plain: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(plain.len() + 64);
    Compress::new(Compression::default(), false).compress_vec(plain, &mut packed, FlushCompress::Sync)?;
    if !packed.ends_with(&SYNC_TAIL) {
        bail!("compressed data does not end with the sync marker");
    }
    packed.truncate(packed.len() - SYNC_TAIL.len());
    Ok(packed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sent(payload: &Payload, sequence: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        payload.put(sequence, &mut bytes);
        let (head, at) = frame::parse(&bytes).unwrap();
        let mut body = bytes.split_off(at);
        assert_eq!(head.length, body.len() as u64);
        frame::apply_mask(&mut body, head.mask.unwrap(), 0);
        body
    }

    #[test]
    fn digits_are_hexadecimal() {
        for number in [0, 9, 10, 0xdead_beef, u32::MAX] {
            assert_eq!(digits(number), *format!("{number:08x}").as_bytes().first_chunk::<8>().unwrap());
        }
    }

    #[test]
    fn only_the_right_bytes_match() {
        let payload = Payload::new(1024, false).unwrap();
        let body = sent(&payload, 0x1234_5678);
        assert!(std::str::from_utf8(&body).is_ok());
        for cut in 0..=body.len() {
            assert!(payload.matches(0x1234_5678, 0, &body[..cut]));
            assert!(payload.matches(0x1234_5678, cut, &body[cut..]));
        }
        assert!(!payload.matches(0x1234_5679, 0, &body));
        assert!(!payload.matches(0x1234_5678, 1, &body));
        let mut spoilt = body;
        spoilt[500] ^= 1;
        assert!(!payload.matches(0x1234_5678, 0, &spoilt));
    }

    #[test]
    fn compressed_messages_are_checked_packed_repacked_and_plain() {
        let payload = Payload::new(4096, true).unwrap();
        let packed = sent(&payload, 3);
        assert!(packed.len() < 2048);
        payload.check_packed(3, &packed, true).unwrap();
        payload.check_packed(3, &payload.template(3).plain, false).unwrap();
        let mut other = Vec::with_capacity(8192);
        Compress::new(Compression::fast(), false)
            .compress_vec(&payload.template(3).plain, &mut other, FlushCompress::Sync)
            .unwrap();
        payload.check_packed(3, &other[..other.len() - 4], true).unwrap();
        assert!(payload.check_packed(4, &packed, true).is_err());
        assert!(payload.check_packed(3, &packed[..packed.len() - 9], true).is_err());
    }
}
