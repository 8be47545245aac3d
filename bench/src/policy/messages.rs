//! What is judged: a chat of any length, in JSON.

use serde_json::{Value, json};

/// An ordinary line of a chat.
pub(super) const CHAT: &str = "Good morning! We're meeting at 10:30 in the small room (2nd floor), don't forget the slides; see you & Ann there. ";

/// A message of so many bytes.
pub(super) fn chat(size: usize) -> Value {
    let mut message = json!({
        "type": "message", "id": 48_213, "channel": "general", "user": {"name": "Ann Miller", "locale": "en-GB"},
        "sent": "2026-03-01T10:20:30Z", "tags": ["team", "room"], "text": "",
    });
    let spare = size.saturating_sub(message.to_string().len());
    message["text"] = filled(CHAT, spare).into();
    message
}

/// The line, over and over, up to so many characters.
pub(super) fn filled(line: &str, size: usize) -> String {
    line.chars().cycle().take(size).collect()
}
