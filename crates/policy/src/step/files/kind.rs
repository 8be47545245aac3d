//! Types of files, by the bytes that they have at fixed places.

use super::archive::Packed;

/// A type of file.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Bytes, and where they stand. All of them do.
    marks: &'static [(usize, &'static [u8])],
    /// How other files are in it.
    pub(super) packed: Packed,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const fn plain(name: &'static str, marks: &'static [(usize, &'static [u8])]) -> Kind {
    Kind { name, marks, packed: Packed::Nothing }
}

const fn packed(name: &'static str, marks: &'static [(usize, &'static [u8])], packed: Packed) -> Kind {
    Kind { name, marks, packed }
}

/// The first that fits is the type; a name may have several forms.
const KINDS: &[Kind] = &[
    plain("png", &[(0, b"\x89PNG\r\n\x1a\n")]),
    plain("jpeg", &[(0, b"\xff\xd8\xff")]),
    plain("gif", &[(0, b"GIF87a")]),
    plain("gif", &[(0, b"GIF89a")]),
    plain("webp", &[(0, b"RIFF"), (8, b"WEBP")]),
    plain("avif", &[(4, b"ftypavif")]),
    plain("heic", &[(4, b"ftyphei")]),
    plain("heic", &[(4, b"ftypmif1")]),
    plain("bmp", &[(0, b"BM"), (6, b"\0\0\0\0")]),
    plain("tiff", &[(0, b"II*\0")]),
    plain("tiff", &[(0, b"MM\0*")]),
    plain("ico", &[(0, b"\0\0\x01\0")]),
    plain("pdf", &[(0, b"%PDF-")]),
    plain("rtf", &[(0, b"{\\rtf")]),
    plain("ole", &[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")]),
    plain("mp3", &[(0, b"ID3")]),
    plain("mp3", &[(0, b"\xff\xfb")]),
    plain("wav", &[(0, b"RIFF"), (8, b"WAVE")]),
    plain("flac", &[(0, b"fLaC")]),
    plain("ogg", &[(0, b"OggS")]),
    plain("mp4", &[(4, b"ftyp")]),
    plain("webm", &[(0, b"\x1a\x45\xdf\xa3")]),
    plain("avi", &[(0, b"RIFF"), (8, b"AVI ")]),
    plain("elf", &[(0, b"\x7fELF")]),
    plain("exe", &[(0, b"MZ")]),
    plain("macho", &[(0, b"\xcf\xfa\xed\xfe")]),
    plain("macho", &[(0, b"\xce\xfa\xed\xfe")]),
    plain("class", &[(0, b"\xca\xfe\xba\xbe")]),
    plain("wasm", &[(0, b"\0asm")]),
    plain("sqlite", &[(0, b"SQLite format 3\0")]),
    plain("woff", &[(0, b"wOFF")]),
    plain("woff", &[(0, b"wOF2")]),
    packed("zip", &[(0, b"PK\x03\x04")], Packed::Zip),
    packed("zip", &[(0, b"PK\x05\x06")], Packed::Zip),
    packed("gzip", &[(0, b"\x1f\x8b")], Packed::Gzip),
    packed("zlib", &[(0, b"\x78\x01")], Packed::Zlib),
    packed("zlib", &[(0, b"\x78\x5e")], Packed::Zlib),
    packed("zlib", &[(0, b"\x78\x9c")], Packed::Zlib),
    packed("zlib", &[(0, b"\x78\xda")], Packed::Zlib),
    packed("7z", &[(0, b"7z\xbc\xaf\x27\x1c")], Packed::Unknown),
    packed("rar", &[(0, b"Rar!\x1a\x07")], Packed::Unknown),
    packed("xz", &[(0, b"\xfd7zXZ\0")], Packed::Unknown),
    packed("bzip2", &[(0, b"BZh")], Packed::Unknown),
    packed("zstd", &[(0, b"\x28\xb5\x2f\xfd")], Packed::Unknown),
    packed("lz4", &[(0, b"\x04\x22\x4d\x18")], Packed::Unknown),
    plain("tar", &[(257, b"ustar")]),
];

/// The names of all types, each once.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    names.dedup();
    names
}

impl Kind {
    /// The type of a file.
    pub(super) fn of(file: &[u8]) -> Option<&'static Self> {
        KINDS
            .iter()
            .find(|kind| kind.marks.iter().all(|(at, bytes)| file.get(*at..at + bytes.len()) == Some(*bytes)))
    }

    /// The type of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}
