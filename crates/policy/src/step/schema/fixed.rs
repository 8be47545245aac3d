//! Which kinds of message a schema is for: where it fixes the field that says so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::Folder;
use super::reference::Target;

/// How deep a schema is looked into.
const MAX_DEPTH: usize = 32;

/// The kinds that a schema lets the field under these names have; none where it may be any.
pub(super) fn kinds(folder: &Folder, schema: &Target, names: &[&str]) -> Option<BTreeSet<String>> {
    within(folder, schema, names, MAX_DEPTH)
}

fn within(folder: &Folder, schema: &Target, names: &[&str], depth: usize) -> Option<BTreeSet<String>> {
    let depth = depth.checked_sub(1)?;
    let value = schema.value()?.as_object()?;
    let referred = value.get("$ref").and_then(Value::as_str);
    // What a reference leads to was looked at before: it is there.
    let referred = referred.and_then(|reference| schema.refer(folder, reference).ok().flatten());
    let here = match names {
        [] => constants(value.get("const"), value.get("enum")),
        [name, rest @ ..] => {
            let property = schema.child("properties").and_then(|properties| properties.child(name));
            property.and_then(|property| within(folder, &property, rest, depth))
        }
    };
    here.or_else(|| within(folder, &referred?, names, depth))
        .or_else(|| items(schema, "allOf").iter().find_map(|part| within(folder, part, names, depth)))
        .or_else(|| {
            let alternatives = ["oneOf", "anyOf"].into_iter().find_map(|key| {
                let items = items(schema, key);
                (!items.is_empty()).then_some(items)
            })?;
            let kinds = alternatives.iter().map(|part| within(folder, part, names, depth));
            kinds.collect::<Option<Vec<_>>>().map(|kinds| kinds.into_iter().flatten().collect())
        })
}

/// The kinds of these constants: a kind is a text or a whole number.
fn constants(constant: Option<&Value>, options: Option<&Value>) -> Option<BTreeSet<String>> {
    let kind = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() => Some(number.to_string()),
        _ => None,
    };
    match (constant, options) {
        (Some(constant), _) => kind(constant).map(|kind| BTreeSet::from([kind])),
        (None, Some(Value::Array(options))) => options.iter().map(kind).collect(),
        _ => None,
    }
}

fn items(schema: &Target, key: &str) -> Vec<Target> {
    let items = schema.value().and_then(|value| value.get(key)?.as_array());
    let list = schema.below(key);
    (0..items.map_or(0, Vec::len)).map(|index| list.below(&index.to_string())).collect()
}
