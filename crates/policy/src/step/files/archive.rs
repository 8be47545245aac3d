//! Archives that burst: how much comes out of one is known before it goes on.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::Refused;
use super::kind::Kind;

/// How other files are in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    /// Not at all.
    Nothing,
    /// As ZIP has it: also in office documents and Java archives.
    Zip,
    /// One, by RFC 1952.
    Gzip,
    /// One, by RFC 1950.
    Zlib,
    /// In a way that is not looked into.
    Unknown,
}

/// What may come out of an archive.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Bytes, of all its files together.
    pub(super) size: usize,
    /// How many times its own size.
    pub(super) ratio: usize,
    /// Files.
    pub(super) entries: usize,
    /// Whether archives may be in it.
    pub(super) nested: bool,
}

/// What any small archive may come to, whatever the ratio.
const SMALL: usize = 64 * 1024;

/// Checks what comes out of an archive.
pub(super) fn check(packed: Packed, file: &[u8], limits: &Limits) -> Result<(), Refused> {
    match packed {
        Packed::Nothing => Ok(()),
        Packed::Zip => zip(file, limits).ok_or(("archive_malformed", "the archive cannot be read".into()))?,
        Packed::Gzip => inflate(MultiGzDecoder::new(file), file.len(), limits),
        Packed::Zlib => inflate(ZlibDecoder::new(file), file.len(), limits),
        Packed::Unknown => Err(("archive_opaque", "it is an archive that cannot be looked into".into())),
    }
}

impl Limits {
    fn most(&self, packed: usize) -> usize {
        self.size.min(packed.saturating_mul(self.ratio).max(SMALL))
    }
}

fn bomb() -> Refused {
    ("archive_bomb", "more comes out of the archive than may".into())
}

fn nested() -> Refused {
    ("archive_nested", "there is an archive in the archive".into())
}

/// Inflates up to what may come out, and keeps none of it but the beginning.
fn inflate(mut inflated: impl Read, packed: usize, limits: &Limits) -> Result<(), Refused> {
    let most = limits.most(packed);
    let (mut total, mut buffer) = (0, [0; 8 * 1024]);
    loop {
        let read = match inflated.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(_) => return Err(("archive_malformed", "the archive cannot be read".into())),
        };
        let first = buffer.get(..read).unwrap_or_default();
        if total == 0 && !limits.nested && Kind::of(first).is_some_and(|kind| kind.packed != Packed::Nothing)
        {
            return Err(nested());
        }
        total += read;
        if total > most {
            return Err(bomb());
        }
    }
}

/// What a ZIP's directory says of it (APPNOTE 4.3.12, 4.3.16); nothing where it says nothing that can be right.
fn zip(file: &[u8], limits: &Limits) -> Option<Result<(), Refused>> {
    // The last record, and a comment of 64 KiB at most.
    let tail = file.len().saturating_sub(22 + 0xffff);
    let end = tail + memchr::memmem::rfind(file.get(tail..)?, b"PK\x05\x06")?;
    let entries = u16_at(file, end + 10)?;
    let (size, start) = (u32_at(file, end + 12)?, u32_at(file, end + 16)?);
    // ZIP64 is for archives of 4 GiB: no message has one.
    if entries == 0xffff || size == u32::MAX || start == u32::MAX {
        return None;
    }
    if usize::from(entries) > limits.entries {
        return Some(Err(("archive_entries", "there are too many files in the archive".into())));
    }
    // Where something stands before the archive, its places are off by that.
    let mut at = end.checked_sub(size as usize)?;
    let (mut packed, mut total) = (0usize, 0usize);
    for _ in 0..entries {
        if file.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let (method, inside) = (u16_at(file, at + 10)?, u32_at(file, at + 20)? as usize);
        let unpacked = u32_at(file, at + 24)?;
        let [name, extra, comment] = [28, 30, 32].map(|place| u16_at(file, at + place).map(usize::from));
        let (name, skip) = (name?, extra?.checked_add(comment?)?);
        if unpacked == u32::MAX || method == 0 && unpacked as usize != inside {
            return None;
        }
        packed = packed.saturating_add(inside);
        total = total.saturating_add(unpacked as usize);
        if !limits.nested && is_archive(file.get(at + 46..at + 46 + name)?) {
            return Some(Err(nested()));
        }
        at = at + 46 + name + skip;
    }
    if at > end {
        return None;
    }
    // Files that share their bytes are how a small archive becomes a huge one.
    Some(if packed > file.len() || total > limits.most(file.len()) { Err(bomb()) } else { Ok(()) })
}

/// Whether a file's name is that of an archive.
fn is_archive(name: &[u8]) -> bool {
    const ENDS: &[&str] =
        &["zip", "gz", "tgz", "7z", "rar", "xz", "bz2", "zst", "lz4", "tar", "jar", "war", "apk"];
    let name = name.to_ascii_lowercase();
    let end = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    end.len() < name.len() && ENDS.iter().any(|known| known.as_bytes() == end)
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*file.get(at..)?.first_chunk()?))
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?))
}
