//! What others have said, made fit to be shown: on one line, bounded, and without what a terminal would obey.

/// The longest text that is shown, in characters.
const LONGEST: usize = 160;

/// A text of others.
pub(super) fn text(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        // Letters of any script; nothing that moves a cursor, or turns the direction of what follows.
        if matches!(character, ' '..='~') || character.is_alphanumeric() {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}

/// Bytes of others, such as a header's value.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let end = bytes.len().min(4 * (LONGEST + 1));
    text(&String::from_utf8_lossy(&bytes[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(text("nginx/1.26 (é)"), "nginx/1.26 (é)");
        assert_eq!(text("\x1b[2J\r\nok   all\u{202e}"), "\\u{1b}[2J\\r\\nok   all\\u{202e}");
        assert_eq!(bytes(b"\xff\x00"), "\\u{fffd}\\u{0}");
        let long = text(&"x".repeat(100_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
        assert!(bytes(&[0; 1 << 20]).len() < 12 * LONGEST);
    }
}
