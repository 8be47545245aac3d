//! `files`, by what passes and what does not.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use base64::Engine;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::archive::{self, Limits, Packed};
use super::kind::{Kind, names};
use crate::testing::{judge, problems};
use crate::{Direction, Verdict};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The class of the finding; empty where the message passes.
fn run(files: &str, file: &str) -> String {
    let policy = format!("name: p\nformat: json\nto_upstream:\n  - {{files: {files}, then: drop}}\n");
    let message = serde_json::json!({"name": "x", "data": file}).to_string();
    let judged = judge(&policy, Direction::ToUpstream, message.as_bytes());
    match judged.verdict {
        Verdict::Forward(_) => String::new(),
        _ => {
            assert_eq!(&*judged.findings[0].path, "data");
            judged.findings[0].class.into()
        }
    }
}

/// A ZIP with these files, stored or made up: names, sizes packed and unpacked.
fn zip(files: &[(&str, u32, u32)]) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(4 + files.iter().map(|file| file.1 as usize).sum::<usize>().min(1_000), 0);
    let start = bytes.len();
    for (name, packed, unpacked) in files {
        bytes.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0");
        bytes.extend_from_slice(&packed.to_le_bytes());
        bytes.extend_from_slice(&unpacked.to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(name.as_bytes());
    }
    let size = (bytes.len() - start) as u32;
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&(files.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&(files.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&(start as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn types_are_told_by_their_bytes() {
    let images = "{paths: [data], types: [png, jpeg]}";
    assert_eq!(run(images, &base64(PNG)), "");
    assert_eq!(run(images, &format!("data:image/png;base64,{}", base64(PNG))), "");
    assert_eq!(run(images, base64(PNG).trim_end_matches('=')), "");
    assert_eq!(run(images, &base64(b"\xff\xd8\xff\xfb\xef\xbe").replace('+', "-").replace('/', "_")), "");
    assert_eq!(run(images, &base64(b"MZ\x90\0")), "file_type");
    assert_eq!(run(images, &format!("data:image/png;base64,{}", base64(b"MZ\x90\0"))), "file_type");
    assert_eq!(run(images, &base64(b"plain text")), "file_type");
    assert_eq!(run(images, "no base64!"), "not_base64");
    assert_eq!(run(images, "data:text/plain,hello"), "not_base64");
    assert_eq!(run("{paths: [data], max_size: 10}", &base64(PNG)), "file_too_large");
    assert_eq!(run("{paths: [data], max_size: 16}", &base64(PNG)), "");
    assert_eq!(run("{}", "texts are files only at paths"), "");
}

#[test]
fn bytes_are_files_without_a_path() {
    let policy = "name: p\nformat: binary\nto_upstream:\n  - {files: {types: png}, then: drop}\n";
    assert!(matches!(judge(policy, Direction::ToUpstream, PNG).verdict, Verdict::Forward(_)));
    assert!(matches!(judge(policy, Direction::ToUpstream, b"\x7fELF\0").verdict, Verdict::Drop));
}

#[test]
fn archives_do_not_burst() {
    let files = "{paths: [data], archives: {max_entries: 3}}";
    assert_eq!(run(files, &base64(&zip(&[("a.txt", 100, 1000), ("b", 10, 10)]))), "");
    for (archive, expected) in [
        (zip(&[("a", 100, 1 << 30)]), "archive_bomb"),
        (zip(&[("a", 900, 10), ("b", 900, 10)]), "archive_bomb"),
        (zip(&[("a", 9, 9); 4]), "archive_entries"),
        (zip(&[("x/A.ZIP", 9, 9)]), "archive_nested"),
        (zip(&[("a", 9, u32::MAX)]), "archive_malformed"),
        (zip(&[("a", 9, 9)])[..60].to_vec(), "archive_malformed"),
        (gzip(&vec![0; 20 << 20]), "archive_bomb"),
        (gzip(&gzip(b"x")), "archive_nested"),
        (gzip(&[7; 100])[..20].to_vec(), "archive_malformed"),
        (b"7z\xbc\xaf\x27\x1c".to_vec(), "archive_opaque"),
    ] {
        assert_eq!(run(files, &base64(&archive)), expected);
    }
    assert_eq!(run(files, &base64(&gzip(&[7; 1000]))), "");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&vec![0; 1 << 20]).unwrap();
    assert_eq!(run(files, &base64(&zlib.finish().unwrap())), "archive_bomb");
    assert_eq!(run("{paths: [data], archives: {nested: on}}", &base64(&gzip(&gzip(b"x")))), "");
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (raw, expected) in [
        ("{types: []}", "no type is listed"),
        ("{types: [png, docx]}", "`docx` is no type of file"),
        ("{paths: ['a..b']}", "`a..b` is no path"),
        ("{max_size: 2GiB}", "`max_size` is 2GiB"),
        ("{archives: {max_ratio: 0}}", "`max_ratio` is 0"),
    ] {
        let told = problems(&format!("name: p\nformat: json\nto_upstream:\n  - files: {raw}\n"));
        assert!(told.iter().any(|told| told.contains(expected) && told.starts_with("4:")), "{raw}: {told:?}");
    }
    assert!(names().len() > 30 && names().iter().all(|name| Kind::named(name).is_some()));
}

proptest! {
    #[test]
    fn no_bytes_panic(
        start in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"\x1f\x8b\x08\0", b"\x78\x9c"]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
        end in prop::sample::select(vec![&b""[..], b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x40\0\0\0\0\0\0\0\0\0"]),
    ) {
        let file = [start, &rest, end].concat();
        let limits = Limits { size: 1 << 20, ratio: 100, entries: 10, nested: false };
        for packed in [Packed::Zip, Packed::Gzip, Packed::Zlib] {
            let _ = archive::check(packed, &file, &limits);
        }
        let _ = Kind::of(&file);
    }
}
