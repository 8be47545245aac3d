//! Channels of AsyncAPI 2: each says what others `publish` to it and what they `subscribe` to.

use serde_json::Value;

use super::unknown_channel;
use crate::message::Direction;
use crate::step::schema::document::{Fault, Folder};
use crate::step::schema::reference::Target;

/// The messages of a channel in a direction, with names for those that give themselves none.
pub(super) fn messages(
    folder: &Folder,
    root: &Target,
    channel: &str,
    direction: Direction,
) -> Result<Vec<(String, Target)>, Fault> {
    let Some(item) = root.child("channels").and_then(|channels| channels.child(channel)) else {
        let channels = root.value().and_then(|value| value.get("channels")?.as_object());
        let known: Vec<String> = channels.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        return Err(unknown_channel(root, channel, &known));
    };
    let operation = match direction {
        Direction::ToUpstream => "publish",
        Direction::ToClient => "subscribe",
    };
    let Some(operation) = item.followed(folder)?.child(operation) else { return Ok(Vec::new()) };
    let Some(message) = operation.child("message") else {
        let fault = Fault::new("the operation has no `message`", "say what it carries, or leave it out");
        return Err(operation.at(fault));
    };
    let mut messages = Vec::new();
    alternatives(folder, message, &mut messages)?;
    let number = |(number, message)| (format!("message {}", number + 1), message);
    Ok(messages.into_iter().enumerate().map(number).collect())
}

/// A message, or each of several.
fn alternatives(folder: &Folder, message: Target, found: &mut Vec<Target>) -> Result<(), Fault> {
    let message = message.followed(folder)?;
    match message.value().and_then(|value| value.get("oneOf")) {
        None => found.push(message),
        Some(Value::Array(items)) => {
            let list = message.below("oneOf");
            for index in 0..items.len() {
                found.push(list.below(&index.to_string()).followed(folder)?);
            }
        }
        Some(_) => {
            let fault = Fault::new("`oneOf` is no list", "list the messages: `oneOf: [{$ref: ...}]`");
            return Err(message.below("oneOf").at(fault));
        }
    }
    Ok(())
}
