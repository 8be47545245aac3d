//! Paths without steps that lead nowhere.

/// Whether a text may be another one without them. What has no slash is one step.
pub(super) fn may_change(text: &[u8]) -> bool {
    text == b"." || memchr::memchr(b'/', text).is_some()
}

/// Without `//`, `/./` and `/x/../`.
pub(super) fn normalize(text: &[u8], out: &mut Vec<u8>) {
    let rooted = text.first() == Some(&b'/');
    let trailing = matches!(text.last(), Some(b'/')) || text.ends_with(b"/.") || text.ends_with(b"/..");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in text.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(&last) if last != b".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    if rooted {
        out.push(b'/');
    }
    out.extend(parts.join(&b'/'));
    if trailing && !parts.is_empty() {
        out.push(b'/');
    }
}
