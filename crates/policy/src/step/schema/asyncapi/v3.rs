//! Operations of AsyncAPI 3: what the application sends and receives, and over which channel.

use serde_json::Value;

use super::unknown_channel;
use crate::message::Direction;
use crate::step::schema::document::{Fault, Folder};
use crate::step::schema::reference::Target;

/// The messages of a channel in a direction, with their names in the channel.
pub(super) fn messages(
    folder: &Folder,
    root: &Target,
    channel: &str,
    direction: Direction,
) -> Result<Vec<(String, Target)>, Fault> {
    let channel = find_channel(folder, root, channel)?;
    let mut messages = Vec::new();
    for operation in members(root, "operations") {
        let operation = operation.followed(folder)?;
        let action = operation.value().and_then(|value| value.get("action")?.as_str());
        let way = match action {
            Some("receive") => Direction::ToUpstream,
            Some("send") => Direction::ToClient,
            _ => {
                let fault =
                    Fault::new("the operation has no action", "write `action: send` or `action: receive`");
                return Err(operation.at(fault));
            }
        };
        let is_here = is_of(folder, &operation, &channel)?;
        if way == direction && is_here {
            messages.extend(of_operation(folder, &operation, &channel)?);
        }
        // What answers an operation goes the other way, over the same channel where none is named.
        let Some(reply) = operation.child("reply") else { continue };
        let reply = reply.followed(folder)?;
        let is_here =
            if reply.child("channel").is_some() { is_of(folder, &reply, &channel)? } else { is_here };
        if way != direction && is_here {
            messages.extend(of_operation(folder, &reply, &channel)?);
        }
    }
    Ok(messages)
}

/// The channel of this address or, where no address fits, of this name.
fn find_channel(folder: &Folder, root: &Target, wanted: &str) -> Result<Target, Fault> {
    let mut known = Vec::new();
    for channel in members(root, "channels") {
        let followed = channel.clone().followed(folder)?;
        let address = followed.value().and_then(|value| value.get("address")?.as_str());
        let name = channel.pointer.rsplit('/').next().map(super::super::document::unescaped);
        if address == Some(wanted) || name.as_deref() == Some(wanted) {
            return Ok(followed);
        }
        known.extend(address.map(str::to_owned).or(name));
    }
    Err(unknown_channel(root, wanted, &known))
}

/// Whether an operation, or its reply, is of this channel.
fn is_of(folder: &Folder, operation: &Target, channel: &Target) -> Result<bool, Fault> {
    let Some(named) = operation.child("channel") else {
        let fault = Fault::new("the operation has no channel", "write `channel: {$ref: '#/channels/...'}`");
        return Err(operation.at(fault));
    };
    let named = named.followed(folder)?;
    Ok(named.document.name == channel.document.name && named.pointer == channel.pointer)
}

/// The messages that an operation lists, or else all of its channel.
fn of_operation(
    folder: &Folder,
    operation: &Target,
    channel: &Target,
) -> Result<Vec<(String, Target)>, Fault> {
    let listed = match operation.value().and_then(|value| value.get("messages")) {
        Some(Value::Array(items)) => {
            let list = operation.below("messages");
            (0..items.len()).map(|index| list.below(&index.to_string())).collect()
        }
        Some(_) => {
            let fault = Fault::new("`messages` is no list", "list references to the channel's messages");
            return Err(operation.below("messages").at(fault));
        }
        None => members(channel, "messages"),
    };
    let named = |message: Target| {
        // An operation refers to the channel's message, which has the name there.
        let reference = message.value().and_then(|value| value.get("$ref")?.as_str());
        let name = reference.unwrap_or(&message.pointer).rsplit('/').next().unwrap_or_default().to_owned();
        Ok((name, message.followed(folder)?))
    };
    listed.into_iter().map(named).collect()
}

/// What stands in a mapping of a target.
fn members(target: &Target, key: &str) -> Vec<Target> {
    let Some(mapping) = target.child(key) else { return Vec::new() };
    let members = mapping.value().and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, _)| mapping.below(name)).collect()
}
