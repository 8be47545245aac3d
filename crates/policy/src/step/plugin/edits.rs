//! Changes of single fields, as a component asks for them.

use wicketgate_plugin::{Edit, Fault, Value};

use super::{Effect, New};
use crate::fields::{Fields, NodeId, Path, Shown};
use crate::finding::Hit;
use crate::rewrite::{Change, Edits, NewValue};

/// What a component's changes make of a message. One that cannot be made is the component's fault.
pub(super) fn effect(edits: Vec<Edit>, fields: &Fields<'_>) -> Result<Effect, Fault> {
    let (mut made, mut count) = (Edits::default(), 0);
    for Edit { path, value } in edits {
        let Ok(place) = path.parse::<Path>() else { return Err(Fault::Answer("a path that is none")) };
        // One value for many fields would be much more than the component answered.
        if !place.is_single() {
            return Err(Fault::Answer("a path that means several fields"));
        }
        let Some((field, change)) = change(&place, value, fields)? else { continue };
        made.push(field, change);
        count += 1;
    }
    if made.is_empty() {
        return Ok(Effect::Pass);
    }
    let hit = Hit::whole("rewritten", format!("the component changed fields: {count}"));
    Ok(Effect::Rewrite(vec![hit], New::Edits(made)))
}

/// The change of one field, at the field or at the map that gets it; none where there is nothing to remove.
fn change(
    place: &Path,
    value: Option<Value>,
    fields: &Fields<'_>,
) -> Result<Option<(NodeId, Change)>, Fault> {
    let known = place.first(fields);
    let Some(value) = value else {
        return match known {
            // There is a verdict for that.
            Some(field) if field.parent().is_none() => Err(Fault::Answer("to remove the whole message")),
            known => Ok(known.map(|field| (field.id(), Change::Remove))),
        };
    };
    let value = new_value(value)?;
    if let Some(field) = known {
        return Ok(Some((field.id(), Change::Replace(value))));
    }
    let home = place.split_last().and_then(|(home, name)| Some((home.first(fields)?, name)));
    match home {
        Some((home, name)) if matches!(home.show(), Shown::Map(_)) => {
            Ok(Some((home.id(), Change::Insert(name.into(), value))))
        }
        _ => Err(Fault::Answer("a value for a field that can stand nowhere")),
    }
}

fn new_value(value: Value) -> Result<NewValue, Fault> {
    Ok(match value {
        Value::Null => NewValue::Null,
        Value::Bool(value) => NewValue::Bool(value),
        Value::Int(value) => NewValue::Int(value),
        Value::Uint(value) => NewValue::Uint(value),
        Value::Float(value) => NewValue::Float(value),
        Value::Text(text) => NewValue::Text(text),
        Value::Bytes(bytes) => NewValue::Bytes(bytes),
        Value::List(_) | Value::Map(_) => return Err(Fault::Answer("a list or map for a field")),
    })
}
