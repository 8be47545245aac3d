//! What each transformation makes of a text.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn apply(name: &str, text: &[u8]) -> String {
    let mut out = Vec::new();
    Transformation::named(name).unwrap().apply(text, &mut out);
    out.iter().map(|&byte| char::from(byte)).collect()
}

#[test]
fn addresses_and_pages_are_decoded() {
    assert_eq!(apply("urlDecode", b"a%20b+c%zz%4"), "a b c%zz%4");
    assert_eq!(apply("urlDecodeUni", b"%u0041%uff1c%u00zz%41"), "A<%u00zzA");
    assert_eq!(apply("htmlEntityDecode", b"&lt;&#x41;&#66&AMP;&nope;&#;&nbsp"), "<AB&&nope;&#;\u{a0}");
    assert_eq!(apply("utf8toUnicode", "aé€".as_bytes()), "a%u00e9%u20ac");
    assert_eq!(apply("urlEncode", b"a b/"), "a+b%2f");
}

#[test]
fn escapes_are_undone() {
    assert_eq!(apply("jsDecode", br"\x41\u0042\103\n\q\400"), "ABC\nq\u{20}0");
    assert_eq!(apply("cssDecode", b"\\61 b\\\nc\\ff1c\\zd"), "abc<zd");
    assert_eq!(apply("escapeSeqDecode", br"\x41\102\n\\\q"), "AB\n\\\\q");
}

#[test]
fn paths_space_and_comments() {
    assert_eq!(apply("normalizePath", b"/a/./b/../../etc//passwd"), "/etc/passwd");
    assert_eq!(apply("normalizePath", b"../../x"), "../../x");
    assert_eq!(apply("normalisePathWin", b"a\\..\\b"), "b");
    assert_eq!(apply("cmdLine", b"C^\"a't /etc ( x,;y"), "cat/etc( x y");
    assert_eq!(apply("compressWhitespace", b"a \t\nb"), "a b");
    assert_eq!(apply("removeWhitespace", b" a\xa0b "), "ab");
    assert_eq!(apply("replaceComments", b"a/*x*/b/*c"), "a b ");
    assert_eq!(apply("removeCommentsChar", b"a/*b*/--c#"), "abc");
    assert_eq!(apply("removeComments", b"a/*b*/c--d"), "ac");
    assert_eq!(apply("removeComments", b"a/*/ # */b<!--> # -->c"), "abc");
    assert_eq!(apply("trim", b"\t a b "), "a b");
}

#[test]
fn digits_and_hashes() {
    assert_eq!(apply("base64Decode", b"aGVsbG8=!x"), "hello");
    assert_eq!(apply("base64DecodeExt", b"aGV!sbG8"), "hello");
    assert_eq!(apply("base64Encode", b"hello"), "aGVsbG8=");
    assert_eq!(apply("hexDecode", b"4142"), "AB");
    assert_eq!(apply("hexEncode", b"AB"), "4142");
    assert_eq!(apply("sqlHexDecode", b"x0x4142 0x"), "xAB 0x");
    assert_eq!(apply("length", b"abcd"), "4");
    assert_eq!(Transformation::named("sha1").map(|sha1| sha1.touches()), Some(ByteSet::ALL));
}

proptest! {
    /// The engine leaves a transformation out on the word of `touches`.
    #[test]
    fn a_text_that_is_not_touched_stays(text in proptest::collection::vec(any::<u8>(), 0..12)) {
        for transformation in Transformation::EVERY {
            let mut out = Vec::new();
            transformation.apply(&text, &mut out);
            prop_assert!(out.len() <= text.len() * 6 + 40);
            if !transformation.touches().meets(ByteSet::of(&text)) && !text.is_empty() {
                prop_assert_eq!(&out, &text, "{:?}", transformation);
            }
        }
    }
}
