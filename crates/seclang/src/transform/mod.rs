//! Transformations: what is done to a value before a rule looks at it. As ModSecurity 3 does it, byte for byte.

mod encoding;
mod escape;
mod path;
mod space;
mod web;

use crate::byte_set::ByteSet;
pub(crate) use web::unescape;

/// One transformation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transformation {
    Base64Decode,
    Base64DecodeExt,
    Base64Encode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    NormalizePath,
    NormalizePathWin,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Sha1,
    SqlHexDecode,
    Trim,
    TrimLeft,
    TrimRight,
    Uppercase,
    UrlDecode,
    UrlDecodeUni,
    UrlEncode,
    Utf8ToUnicode,
}

/// Bytes that are white space, and the space that breaks no line.
const SPACES: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r\xa0");

impl Transformation {
    /// The transformation of this name, as in `t:NAME`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "base64decode" => Self::Base64Decode,
            "base64decodeext" => Self::Base64DecodeExt,
            "base64encode" => Self::Base64Encode,
            "cmdline" => Self::CmdLine,
            "compresswhitespace" => Self::CompressWhitespace,
            "cssdecode" => Self::CssDecode,
            "escapeseqdecode" => Self::EscapeSeqDecode,
            "hexdecode" => Self::HexDecode,
            "hexencode" => Self::HexEncode,
            "htmlentitydecode" => Self::HtmlEntityDecode,
            "jsdecode" => Self::JsDecode,
            "length" => Self::Length,
            "lowercase" => Self::Lowercase,
            "normalizepath" | "normalisepath" => Self::NormalizePath,
            "normalizepathwin" | "normalisepathwin" => Self::NormalizePathWin,
            "removecomments" => Self::RemoveComments,
            "removecommentschar" => Self::RemoveCommentsChar,
            "removenulls" => Self::RemoveNulls,
            "removewhitespace" => Self::RemoveWhitespace,
            "replacecomments" => Self::ReplaceComments,
            "replacenulls" => Self::ReplaceNulls,
            "sha1" => Self::Sha1,
            "sqlhexdecode" => Self::SqlHexDecode,
            "trim" => Self::Trim,
            "trimleft" => Self::TrimLeft,
            "trimright" => Self::TrimRight,
            "uppercase" => Self::Uppercase,
            "urldecode" => Self::UrlDecode,
            "urldecodeuni" => Self::UrlDecodeUni,
            "urlencode" => Self::UrlEncode,
            "utf8tounicode" => Self::Utf8ToUnicode,
            _ => return None,
        })
    }

    /// A text without any of these bytes stays as it is.
    pub(crate) const fn touches(self) -> ByteSet {
        match self {
            Self::Base64Decode
            | Self::Base64DecodeExt
            | Self::Base64Encode
            | Self::HexDecode
            | Self::HexEncode
            | Self::Length
            | Self::Sha1
            | Self::UrlEncode => ByteSet::ALL,
            Self::CmdLine => ByteSet::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\"'\\^ ,;\t\r\n/("),
            Self::CompressWhitespace | Self::RemoveWhitespace => SPACES,
            Self::Trim | Self::TrimLeft | Self::TrimRight => ByteSet::of(b" \t\n\x0b\x0c\r"),
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => ByteSet::of(b"\\"),
            Self::HtmlEntityDecode => ByteSet::of(b"&"),
            Self::Lowercase => ByteSet::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            Self::Uppercase => ByteSet::of(b"abcdefghijklmnopqrstuvwxyz"),
            Self::NormalizePath => ByteSet::of(b"/."),
            Self::NormalizePathWin => ByteSet::of(b"/.\\"),
            Self::RemoveComments | Self::RemoveCommentsChar => ByteSet::of(b"/*-#<"),
            Self::ReplaceComments => ByteSet::of(b"/"),
            Self::RemoveNulls | Self::ReplaceNulls => ByteSet::of(b"\0"),
            Self::SqlHexDecode => ByteSet::of(b"0"),
            Self::UrlDecode | Self::UrlDecodeUni => ByteSet::of(b"%+"),
            Self::Utf8ToUnicode => {
                let (mut set, mut byte) = (ByteSet::NONE, 0x80);
                while byte <= 0xff {
                    set = set.with(byte as u8);
                    byte += 1;
                }
                set
            }
        }
    }

    /// Whether all that it does is to write small letters.
    pub(crate) const fn only_folds(self) -> bool {
        matches!(self, Self::Lowercase)
    }

    /// Whether it is soon seen that a text stays as it is.
    pub(crate) fn leaves(self, text: &[u8]) -> bool {
        match self {
            Self::CompressWhitespace => space::is_compressed(text),
            Self::NormalizePath => !path::may_change(text),
            _ => false,
        }
    }

    /// Writes the transformed text to `out`, which is empty. It is at most six times as long, and in most cases no longer.
    pub(crate) fn apply(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Base64Decode => encoding::base64_decode(text, false, out),
            Self::Base64DecodeExt => encoding::base64_decode(text, true, out),
            Self::Base64Encode => encoding::base64_encode(text, out),
            Self::CmdLine => space::cmd_line(text, out),
            Self::CompressWhitespace => space::compress(text, out),
            Self::CssDecode => escape::css(text, out),
            Self::EscapeSeqDecode => escape::ansi_c(text, out),
            Self::HexDecode => encoding::hex_decode(text, out),
            Self::HexEncode => encoding::hex_encode(text, out),
            Self::HtmlEntityDecode => web::html_entities(text, out),
            Self::JsDecode => escape::js(text, out),
            Self::Length => out.extend_from_slice(text.len().to_string().as_bytes()),
            Self::Lowercase => out.extend(text.iter().map(u8::to_ascii_lowercase)),
            Self::NormalizePath => path::normalize(text, out),
            Self::NormalizePathWin => {
                let slashed: Vec<u8> =
                    text.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect();
                path::normalize(&slashed, out);
            }
            Self::RemoveComments => space::remove_comments(text, out),
            Self::RemoveCommentsChar => space::remove_comment_marks(text, out),
            Self::RemoveNulls => out.extend(text.iter().filter(|byte| **byte != 0)),
            Self::RemoveWhitespace => out.extend(text.iter().filter(|byte| !SPACES.has(**byte))),
            Self::ReplaceComments => space::replace_comments(text, out),
            Self::ReplaceNulls => out.extend(text.iter().map(|&byte| if byte == 0 { b' ' } else { byte })),
            Self::Sha1 => encoding::sha1(text, out),
            Self::SqlHexDecode => encoding::sql_hex_decode(text, out),
            Self::Trim => out.extend_from_slice(space::trim_left(space::trim_right(text))),
            Self::TrimLeft => out.extend_from_slice(space::trim_left(text)),
            Self::TrimRight => out.extend_from_slice(space::trim_right(text)),
            Self::Uppercase => out.extend(text.iter().map(u8::to_ascii_uppercase)),
            Self::UrlDecode => web::url_decode(text, out),
            Self::UrlDecodeUni => web::url_decode_uni(text, out),
            Self::UrlEncode => web::url_encode(text, out),
            Self::Utf8ToUnicode => web::utf8_to_unicode(text, out),
        }
    }

    /// Every transformation.
    pub(crate) const EVERY: [Self; 31] = [
        Self::Base64Decode,
        Self::Base64DecodeExt,
        Self::Base64Encode,
        Self::CmdLine,
        Self::CompressWhitespace,
        Self::CssDecode,
        Self::EscapeSeqDecode,
        Self::HexDecode,
        Self::HexEncode,
        Self::HtmlEntityDecode,
        Self::JsDecode,
        Self::Length,
        Self::Lowercase,
        Self::NormalizePath,
        Self::NormalizePathWin,
        Self::RemoveComments,
        Self::RemoveCommentsChar,
        Self::RemoveNulls,
        Self::RemoveWhitespace,
        Self::ReplaceComments,
        Self::ReplaceNulls,
        Self::Sha1,
        Self::SqlHexDecode,
        Self::Trim,
        Self::TrimLeft,
        Self::TrimRight,
        Self::Uppercase,
        Self::UrlDecode,
        Self::UrlDecodeUni,
        Self::UrlEncode,
        Self::Utf8ToUnicode,
    ];
}

/// The value of a hexadecimal digit.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte of two hexadecimal digits at the start of `text`.
fn pair(text: &[u8]) -> Option<u8> {
    let [high, low, ..] = *text else { return None };
    Some(digit(high)? << 4 | digit(low)?)
}

/// The byte of four hexadecimal digits: the last two, and full-width forms of ASCII as ASCII.
fn quad(text: &[u8]) -> Option<u8> {
    let (high, low) = (pair(text)?, pair(text.get(2..)?)?);
    Some(full_width(high, low))
}

/// A character of two bytes as one: full-width forms of ASCII as ASCII.
const fn full_width(high: u8, low: u8) -> u8 {
    match high {
        0xff if low > 0 && low < 0x5f => low + 0x20,
        _ => low,
    }
}

#[cfg(test)]
mod tests;
