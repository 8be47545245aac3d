//! AsyncAPI documents: which messages a channel carries in a direction, and the schemas of their payloads.
//!
//! A document describes an application, and that is the server. What it receives is what clients send: in version 2 others
//! `publish` it, in version 3 the application's operation is `receive`.

mod format;
mod v2;
mod v3;

use std::sync::Arc;

use jsonschema::Draft;
use serde_json::Value;

use super::document::{Document, Fault, Folder};
use super::reference::Target;
use crate::message::Direction;

/// A message that a channel carries.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    /// Its name in the document.
    pub(super) name: Box<str>,
    /// What its payload has to fit; none where the document does not say, and any payload does.
    pub(super) payload: Option<Target>,
    /// Which draft that is written in.
    pub(super) draft: Draft,
}

/// The messages of a channel in a direction, each once. There are none where the channel carries nothing that way.
pub(super) fn carried(
    folder: &Folder,
    document: Arc<Document>,
    channel: &str,
    direction: Direction,
) -> Result<Vec<Carried>, Fault> {
    let root = Target::root(document);
    let messages = match version(&root)? {
        Version::Two => v2::messages(folder, &root, channel, direction)?,
        Version::Three => v3::messages(folder, &root, channel, direction)?,
    };
    let mut carried: Vec<Carried> = Vec::with_capacity(messages.len());
    let mut seen = std::collections::BTreeSet::new();
    for (name, message) in messages {
        if !seen.insert((message.document.name.clone(), message.pointer.clone())) {
            continue;
        }
        let name = message_name(&message).unwrap_or(name);
        let (payload, draft) = format::payload(folder, &message)?;
        carried.push(Carried { name: name.into(), payload, draft });
    }
    Ok(carried)
}

enum Version {
    Two,
    Three,
}

fn version(root: &Target) -> Result<Version, Fault> {
    let said = root.value().and_then(|value| value.get("asyncapi"));
    let text = match said {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => {
            let help = "give a document that begins with `asyncapi: 3.0.0` or `asyncapi: 2.6.0`";
            return Err(root.at(Fault::new("this is no AsyncAPI document", help)));
        }
    };
    let mut parts = text.split('.');
    match (parts.next(), parts.next()) {
        (Some("2"), _) => Ok(Version::Two),
        (Some("3"), Some("0") | None) => Ok(Version::Three),
        _ => {
            let fault = Fault::new(
                format!("the document is written in AsyncAPI {text}"),
                "2.0 to 2.6 and 3.0 are known: convert it to one of them",
            );
            Err(root.below("asyncapi").at(fault))
        }
    }
}

/// The name that a message gives itself.
fn message_name(message: &Target) -> Option<String> {
    let value = message.value()?;
    let name = ["messageId", "name"].into_iter().find_map(|key| value.get(key)?.as_str());
    name.or_else(|| {
        message.pointer.starts_with("/components/messages/").then(|| message.pointer.rsplit('/').next())?
    })
    .map(super::document::unescaped)
}

/// The fault of a document that has no such channel: it names those that there are.
fn unknown_channel(root: &Target, channel: &str, known: &[String]) -> Fault {
    const SHOWN: usize = 10;
    let help = match known {
        [] => "the document has no channels at all".to_owned(),
        known => {
            let shown: Vec<String> = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            format!("write `channel:` with one of {}", shown.join(", "))
        }
    };
    root.below("channels").at(Fault::new(format!("there is no channel `{channel}`"), help))
}

#[cfg(test)]
mod tests;
