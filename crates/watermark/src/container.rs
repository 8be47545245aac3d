//! What a picture's file says of itself, read before any memory is taken for its pixels.

use crate::refusal::Refusal;

/// How a picture's file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG: baseline and progressive.
    Jpeg,
    /// WebP, with loss or without.
    WebP,
}

/// What a picture's file may come to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file, and of the one that comes out.
    pub size: usize,
    /// Pixels. Each takes up to 32 bytes while it is worked on.
    pub pixels: u64,
    /// Bytes of all that is not the picture: EXIF, XMP, comments, colour profiles.
    pub metadata: usize,
}

/// What a picture's file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is written.
    pub format: Format,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// The longest side: no browser shows more.
const MAX_SIDE: u32 = 16_384;
/// The most scans of a JPEG: progressive ones have about ten, and every one goes over all pixels.
const MAX_SCANS: usize = 32;
/// The most parts of a file that are not its pixels.
const MAX_PARTS: usize = 1_000;
/// Bytes that a pixel takes while it is worked on: decoded, as RGBA, its brightness, and what is around it.
const BYTES_A_PIXEL: u64 = 32;

impl Header {
    /// Bytes that it takes to mark the picture.
    pub const fn memory(&self) -> u64 {
        self.width as u64 * self.height as u64 * BYTES_A_PIXEL
    }
}

impl Format {
    /// The format of a file that begins so.
    pub fn of(file: &[u8]) -> Option<Self> {
        match file {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }
}

/// Reads a file's structure from its beginning to its end, without decoding.
pub fn inspect(file: &[u8], limits: &Limits) -> Result<Header, Refusal> {
    let format = Format::of(file).ok_or(Refusal::Unknown)?;
    if file.len() > limits.size {
        return Err(Refusal::TooLarge);
    }
    let mut survey = Survey { size: None, metadata: 0, parts: 0, limits };
    match format {
        Format::Png => png(file, &mut survey),
        Format::Jpeg => jpeg(file, &mut survey),
        Format::WebP => webp(file, &mut survey),
    }?;
    let (width, height) = survey.size.ok_or(Refusal::Malformed)?;
    Ok(Header { format, width, height })
}

struct Survey<'a> {
    size: Option<(u32, u32)>,
    metadata: usize,
    parts: usize,
    limits: &'a Limits,
}

impl Survey<'_> {
    /// Takes a size that the file says it has; two have to agree.
    fn size(&mut self, width: u32, height: u32) -> Result<(), Refusal> {
        if width == 0 || height == 0 {
            return Err(Refusal::Empty);
        }
        let pixels = u64::from(width) * u64::from(height);
        if width > MAX_SIDE || height > MAX_SIDE || pixels > self.limits.pixels {
            return Err(Refusal::TooManyPixels);
        }
        match self.size.replace((width, height)) {
            Some(before) if before != (width, height) => Err(Refusal::Malformed),
            _ => Ok(()),
        }
    }

    fn metadata(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.metadata = self.metadata.saturating_add(bytes);
        self.parts += 1;
        if self.metadata > self.limits.metadata || self.parts > MAX_PARTS {
            return Err(Refusal::Metadata);
        }
        Ok(())
    }
}

/// PNG, third edition, section 5: a signature, then chunks of length, type, data and check.
fn png(file: &[u8], survey: &mut Survey<'_>) -> Result<(), Refusal> {
    let (mut at, mut packed) = (8, 0);
    loop {
        let length = u32_be(file, at)? as usize;
        let kind = piece(file, at + 4, 4)?;
        let data = piece(file, at + 8, length)?;
        piece(file, at + 8 + length, 4)?;
        if survey.size.is_none() != (kind == b"IHDR") {
            return Err(Refusal::Malformed);
        }
        match kind {
            b"IHDR" => survey.size(u32_be(data, 0)?, u32_be(data, 4)?)?,
            b"IDAT" => packed += length as u64,
            b"PLTE" => {}
            b"acTL" | b"fcTL" | b"fdAT" => return Err(Refusal::Animated),
            b"IEND" => {
                let (width, height) = survey.size.unwrap_or_default();
                // Eight bytes a pixel and one a row, of each of an interlaced picture's passes: packed, it is hardly more.
                let most = (u64::from(width) * 8 + 16) * (u64::from(height) + 8) * 2;
                let is_whole = at + 12 + length == file.len();
                return match is_whole {
                    true if packed > most => Err(Refusal::Malformed),
                    true => Ok(()),
                    false => Err(Refusal::Trailing),
                };
            }
            _ => survey.metadata(length + 12)?,
        }
        at += 12 + length;
    }
}

/// ITU-T T.81, annex B: markers, most with a segment behind them, and scans of coded data.
fn jpeg(file: &[u8], survey: &mut Survey<'_>) -> Result<(), Refusal> {
    let (mut at, mut scans) = (2, 0);
    loop {
        let [0xff, marker] = *piece(file, at, 2)? else { return Err(Refusal::Malformed) };
        at += 2;
        match marker {
            // A byte that fills.
            0xff => {
                at -= 1;
                survey.metadata(1)?;
                continue;
            }
            0xd9 if scans == 0 => return Err(Refusal::Malformed),
            0xd9 => return if at == file.len() { Ok(()) } else { Err(Refusal::Trailing) },
            _ => {}
        }
        let length = usize::from(u16_be(file, at)?);
        let segment = piece(file, at, length)?;
        if length < 2 {
            return Err(Refusal::Malformed);
        }
        match marker {
            0xc0..=0xc2 => {
                if survey.size.is_some() {
                    return Err(Refusal::Malformed);
                }
                survey.size(u32::from(u16_be(segment, 5)?), u32::from(u16_be(segment, 3)?))?;
            }
            // Tables of codes and of quantities, and how often it starts anew.
            0xc4 | 0xdb | 0xdd => survey.metadata(0)?,
            0xe0..=0xef | 0xfe => survey.metadata(length + 2)?,
            0xda => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(Refusal::TooManyScans);
                }
            }
            _ => return Err(Refusal::Malformed),
        }
        at += length;
        if marker == 0xda {
            at = end_of_scan(file, at)?;
        }
    }
}

/// Where the marker behind a scan's coded data stands: not a stuffed byte, nor a restart.
fn end_of_scan(file: &[u8], from: usize) -> Result<usize, Refusal> {
    let mut at = from;
    loop {
        let rest = file.get(at..).unwrap_or_default();
        at += rest.iter().position(|byte| *byte == 0xff).ok_or(Refusal::Truncated)?;
        match *piece(file, at, 2)? {
            [_, 0x00 | 0xd0..=0xd7] => at += 2,
            _ => return Ok(at),
        }
    }
}

/// RFC 9649: RIFF chunks of type, length and data, each at an even place.
fn webp(file: &[u8], survey: &mut Survey<'_>) -> Result<(), Refusal> {
    let length = u32_le(file, 4)? as usize;
    let end = length.checked_add(8).ok_or(Refusal::Truncated)?;
    if end != file.len() {
        return Err(if end > file.len() { Refusal::Truncated } else { Refusal::Trailing });
    }
    let (mut at, mut pictures) = (12, 0);
    while at < end {
        let kind = piece(file, at, 4)?;
        let length = u32_le(file, at + 4)? as usize;
        let data = piece(file, at + 8, length)?;
        match kind {
            b"VP8X" => {
                let [flags] = array(data, 0)?;
                if flags & 0x02 != 0 {
                    return Err(Refusal::Animated);
                }
                survey.size(u24_le(data, 4)? + 1, u24_le(data, 7)? + 1)?;
            }
            b"VP8 " => {
                if piece(data, 3, 3)? != [0x9d, 0x01, 0x2a] {
                    return Err(Refusal::Malformed);
                }
                let side = |at| Ok(u32::from(u16_le(data, at)? & 0x3fff));
                survey.size(side(6)?, side(8)?)?;
                pictures += 1;
            }
            b"VP8L" => {
                if piece(data, 0, 1)? != [0x2f] {
                    return Err(Refusal::Malformed);
                }
                let bits = u32_le(data, 1)?;
                survey.size((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)?;
                pictures += 1;
            }
            b"ALPH" => {}
            b"ANIM" | b"ANMF" => return Err(Refusal::Animated),
            _ => survey.metadata(length + 8)?,
        }
        at += 8 + length + length % 2;
    }
    if pictures == 1 { Ok(()) } else { Err(Refusal::Malformed) }
}

fn piece(file: &[u8], at: usize, length: usize) -> Result<&[u8], Refusal> {
    let end = at.checked_add(length).ok_or(Refusal::Truncated)?;
    file.get(at..end).ok_or(Refusal::Truncated)
}

fn array<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N], Refusal> {
    file.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(Refusal::Truncated)
}

fn u32_be(file: &[u8], at: usize) -> Result<u32, Refusal> {
    array(file, at).map(u32::from_be_bytes)
}

fn u16_be(file: &[u8], at: usize) -> Result<u16, Refusal> {
    array(file, at).map(u16::from_be_bytes)
}

fn u32_le(file: &[u8], at: usize) -> Result<u32, Refusal> {
    array(file, at).map(u32::from_le_bytes)
}

fn u16_le(file: &[u8], at: usize) -> Result<u16, Refusal> {
    array(file, at).map(u16::from_le_bytes)
}

fn u24_le(file: &[u8], at: usize) -> Result<u32, Refusal> {
    let [a, b, c] = array(file, at)?;
    Ok(u32::from_le_bytes([a, b, c, 0]))
}
