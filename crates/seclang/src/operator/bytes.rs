//! Bytes and encodings that may stand in a value.

use crate::byte_set::ByteSet;

/// The bytes that are outside of ranges, as in `9,10,32-126`.
pub(super) fn range(text: &str) -> Result<ByteSet, String> {
    let mut set = ByteSet::NONE;
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        match (from.trim().parse::<u8>(), to.trim().parse::<u8>()) {
            (Ok(from), Ok(to)) if from <= to => set = set.or(ByteSet::range(from, to)),
            _ => return Err(format!("`{part}` is no range of bytes")),
        }
    }
    let outside = (0..=255).filter(|byte| !set.has(*byte));
    Ok(outside.fold(ByteSet::NONE, ByteSet::with))
}

/// Whether every `%` has two digits behind it.
pub(crate) fn is_url_encoded(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text)
        .all(|at| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether it is UTF-8.
pub(crate) fn is_utf8(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_encodings() {
        let outside = range("9,10,32-126").unwrap_or_default();
        assert!(outside.has(0) && outside.has(127) && !outside.has(b'a') && !outside.has(9));
        assert!(range("300").is_err() && range("9-8").is_err());
        assert!(is_url_encoded(b"a%20b") && !is_url_encoded(b"%2") && !is_url_encoded(b"%zz"));
    }
}
