//! Payloads of messages: which language their schemas are written in.

use jsonschema::Draft;
use serde_json::Value;

use crate::step::schema::document::{Fault, Folder};
use crate::step::schema::reference::Target;

/// The schema of a message's payload, and its draft.
pub(super) fn payload(folder: &Folder, message: &Target) -> Result<(Option<Target>, Draft), Fault> {
    if !message.value().is_some_and(Value::is_object) {
        let fault = Fault::new("this is no message", "a message is a mapping with a `payload`");
        return Err(message.at(fault));
    }
    let Some(payload) = message.child("payload") else { return Ok((None, Draft::Draft7)) };
    // In version 2 the format stands in the message, in version 3 beside the schema, which may be referred to.
    let beside = payload.clone().followed(folder)?;
    match (message.child("schemaFormat"), beside.child("schemaFormat"), beside.child("schema")) {
        (Some(format), ..) => Ok((Some(payload), draft(&format)?)),
        (None, Some(format), Some(schema)) => Ok((Some(schema), draft(&format)?)),
        _ => Ok((Some(payload), Draft::Draft7)),
    }
}

/// The draft that a format stands for: AsyncAPI's own language is a superset of draft 7.
fn draft(format: &Target) -> Result<Draft, Fault> {
    let said = format.value().and_then(Value::as_str).unwrap_or_default();
    let (kind, version) = said.split_once(';').unwrap_or((said, ""));
    let kind = kind.trim().trim_end_matches("+json").trim_end_matches("+yaml");
    let version = version.trim().trim_start_matches("version=");
    match (kind, version) {
        ("application/vnd.aai.asyncapi", _) | ("application/schema", "draft-07") => Ok(Draft::Draft7),
        ("application/schema", "draft-04") => Ok(Draft::Draft4),
        ("application/schema", "draft-06") => Ok(Draft::Draft6),
        ("application/schema", "2019-09" | "draft-2019-09") => Ok(Draft::Draft201909),
        ("application/schema", "" | "2020-12" | "draft-2020-12") => Ok(Draft::Draft202012),
        _ => {
            let help = "payloads are compared with JSON Schema and AsyncAPI's own schemas alone: write it as one of them, as in \
                        `application/schema+json;version=draft-07`";
            Err(format.at(Fault::new(format!("the schema's format is `{said}`"), help)))
        }
    }
}
