//! The messages of one cell: built once, masked with rotating keys, recognised again without copying.

use anyhow::{Result, bail, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::frame;

const TEXT: u8 = 1;
/// Every message has its sequence number in eight hexadecimal digits.
const SEQUENCE: usize = 8;
const BEFORE: &str = r#"{"type":"chat","id":""#;
const BEHIND: &str =
    r#"","user":{"name":"Ann Miller","room":7731},"at":1763800000,"side":"buy","price":1042.75,"text":""#;
const END: &str = r#""}"#;
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
    /// Where the sequence number stands.
    number_at: usize,
    compressed: bool,
}

impl Payload {
    /// From so many bytes on messages are objects of JSON, with their number in a field; shorter ones begin with it.
    pub(crate) const OBJECT: usize = 160;

    /// Text messages of `size` bytes, at least eight.
    pub(crate) fn new(size: usize, compressed: bool) -> Result<Self> {
        ensure!(size >= SEQUENCE, "a message has room for its sequence number: at least {SEQUENCE} bytes");
        let count = if size <= 4096 { 16 } else { 4 };
        let templates =
            (0..count).map(|index| Template::new(index, size, compressed)).collect::<Result<_>>()?;
        Ok(Self { templates, size, number_at: number_at(size), compressed })
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
        let start = out.len() + template.payload_at + self.number_at;
        out.extend_from_slice(&template.frame);
        if !self.compressed {
            let mut digits = digits(sequence);
            frame::apply_mask(&mut digits, template.mask, self.number_at);
            out[start..start + SEQUENCE].copy_from_slice(&digits);
        }
    }

    /// Whether `piece` is what message `sequence` holds from `position` on.
    pub(crate) fn matches(&self, sequence: u32, position: usize, piece: &[u8]) -> bool {
        let end = position + piece.len();
        let Some(wanted) = self.template(sequence).plain.get(position..end) else {
            return false;
        };
        // The part of the piece that is of the number.
        let of_number = |at: usize| at.clamp(position, end) - position;
        let (from, to) = (of_number(self.number_at), of_number(self.number_at + SEQUENCE));
        piece[..from] == wanted[..from]
            && piece[to..] == wanted[to..]
            && (from == to || {
                let first = position + from - self.number_at;
                digits(sequence)[first..first + to - from] == piece[from..to]
            })
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
        let number_at = number_at(size);
        plain[number_at..number_at + SEQUENCE].copy_from_slice(&digits(index));
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

/// Where the number of a message of so many bytes stands.
const fn number_at(size: usize) -> usize {
    if size < Payload::OBJECT { 0 } else { BEFORE.len() }
}

/// What a chat says, mostly ASCII, the same for the same seed.
fn text(size: usize, seed: u32) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "price ",
        "user ",
        "text, ",
        "1042.75 ",
        "buy ",
        "hello ",
        "session ",
        "id ",
        "7731 ",
        "true ",
        "at ",
        "1763800000 ",
        "caf\u{e9} ",
        "gateway ",
        "symbol ",
        "WKT ",
    ];
    let (before, behind, end) = if size < Payload::OBJECT { ("", "", "") } else { (BEFORE, BEHIND, END) };
    let mut out = format!("{before}00000000{behind}");
    let mut state = seed;
    while out.len() + end.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = WORDS[(state >> 28) as usize];
        if out.len() + word.len() + end.len() > size {
            out.push('.');
        } else {
            out.push_str(word);
        }
    }
    out.push_str(end);
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
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((json["id"].as_str(), body.len()), (Some("12345678"), 1024));
        for cut in 0..=body.len() {
            assert!(payload.matches(0x1234_5678, 0, &body[..cut]));
            assert!(payload.matches(0x1234_5678, cut, &body[cut..]));
        }
        assert!(!payload.matches(0x1234_5679, 0, &body));
        assert!(!payload.matches(0x1234_5678, 1, &body));
        for at in [3, payload.number_at + 3, 500] {
            let mut spoilt = body.clone();
            spoilt[at] ^= 1;
            assert!(!payload.matches(0x1234_5678, 0, &spoilt));
        }
        let short = Payload::new(8, false).unwrap();
        assert_eq!(sent(&short, 7), b"00000007");
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
