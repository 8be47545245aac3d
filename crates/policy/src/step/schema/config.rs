//! `schema` as it is written in the configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jsonschema::Draft;
use schemars::{JsonSchema, Schema as JsonSchemaOf, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use wicketgate_config::{At, Place, Problems, Switch, Table};

use super::asyncapi::{self, Carried};
use super::compiled::Compiled;
use super::document::{Document, Fault, Folder};
use super::library::Library;
use super::reference::Target;
use super::{Channel, Kinds, Message, Plan, Schema, fixed};
use crate::step::Stage;

/// What messages have to fit. It has one of `file`, `inline`, `kinds` and `asyncapi`.
///
/// Schemas are JSON Schema: 2020-12, or the draft that `$schema` names (2019-09, draft-07, -06, -04). A file is JSON where its name
/// ends in `.json`, and else YAML; a relative path starts at the working directory. A file has at most 4 MiB, and at most 50 belong to
/// one step. References lead to the schema itself and to files beside it; nothing is fetched. Patterns are matched in
/// linear time: look-around and back-references are refused. Bytes of MessagePack and CBOR are texts in base64url; a
/// number that is none (NaN, infinity) is null.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSchema {
    /// The file of a schema for every message.
    file: Option<At<String>>,
    /// A schema for every message.
    inline: Option<At<Value>>,
    /// A schema for each kind of message, as the policy's `kind` has them: a file, `{file: FILE}` or `{inline: SCHEMA}`.
    kinds: Option<At<Table<At<RawSource>>>>,
    /// What happens to kinds of message that `kinds` does not have. Default: `refuse`.
    otherwise: Option<At<RawOtherwise>>,
    /// The file of an AsyncAPI document, 2.0 to 2.6 or 3.0. A message passes if it fits one of those that `channel` carries in
    /// its direction. The document is the server's: from clients come what it receives (`publish` in 2.x, `receive` in 3.0),
    /// to clients goes what it sends (`subscribe`, `send`). Only payloads are compared. Where their schemas fix the policy's
    /// `kind` by `const` or `enum`, a message is compared with those of its kind.
    asyncapi: Option<At<String>>,
    /// The channel of the AsyncAPI document, by its name or, in 3.0, its address.
    channel: Option<At<String>>,
    /// Whether `format` is checked, as in `format: date-time`; formats that JSON Schema does not know never are. Default:
    /// `on`.
    formats: Option<Switch>,
}

/// What happens to a message that no schema is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawOtherwise {
    /// It does not pass.
    #[default]
    Refuse,
    /// It passes.
    Pass,
}

/// A schema: its file, or what it says.
#[derive(Clone, Debug)]
pub enum RawSource {
    /// The file that it stands in.
    File(String),
    /// It stands here.
    Inline(Value),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawWord {
    /// The file that it stands in.
    File(String),
    /// It stands here.
    Inline(Value),
}

impl<'de> Deserialize<'de> for RawSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, `{file: FILE}` or `{inline: SCHEMA}`")
            }

            fn visit_str<E: de::Error>(self, file: &str) -> Result<RawSource, E> {
                Ok(RawSource::File(file.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawSource, A::Error> {
                Ok(match RawWord::deserialize(MapAccessDeserializer::new(map))? {
                    RawWord::File(file) => RawSource::File(file),
                    RawWord::Inline(schema) => RawSource::Inline(schema),
                })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawSource {
    fn schema_name() -> Cow<'static, str> {
        "RawSource".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> JsonSchemaOf {
        let word = generator.subschema_for::<RawWord>();
        json_schema!({ "anyOf": [{ "type": "string" }, word] })
    }
}

/// The most kinds of one step, and the most messages of one channel.
const MAX_KINDS: usize = 1_000;

impl Schema {
    /// Reads and compiles the schemas; what is wrong goes to `problems`.
    pub(crate) fn check(raw: At<RawSchema>, stage: &Stage<'_>, problems: &mut Problems) -> Option<Self> {
        let At { value: raw, place } = raw;
        let formats = raw.formats.is_none_or(Switch::is_on);
        if let (Some(otherwise), None) = (&raw.otherwise, &raw.kinds) {
            problems.error(
                otherwise.place,
                "`otherwise` belongs to `kinds`",
                "add `kinds:`, or leave it out",
            );
        }
        if let (Some(channel), None) = (&raw.channel, &raw.asyncapi) {
            problems.error(
                channel.place,
                "`channel` belongs to `asyncapi`",
                "add `asyncapi:`, or leave it out",
            );
        }
        let plan = match (raw.file, raw.inline, raw.kinds, raw.asyncapi) {
            (Some(file), None, None, None) => {
                Plan::All(schema(RawSource::File(file.value), file.place, formats, problems)?)
            }
            (None, Some(inline), None, None) => {
                Plan::All(schema(RawSource::Inline(inline.value), inline.place, formats, problems)?)
            }
            (None, None, Some(kinds), None) => {
                let others_pass = raw.otherwise.is_some_and(|at| at.value == RawOtherwise::Pass);
                Plan::Kinds(Kinds { of: of_kinds(kinds, stage, formats, problems), others_pass })
            }
            (None, None, None, Some(file)) => {
                let Some(name) = raw.channel else {
                    problems.error(
                        file.place,
                        "no channel is named",
                        "add `channel:`, as in `channel: /chat`",
                    );
                    return None;
                };
                Plan::Channel(noted(channel(&file, &name, stage, formats, problems), file.place, problems)?)
            }
            _ => {
                let what = "a schema step has one of `file`, `inline`, `kinds` and `asyncapi`";
                problems.error(place, what, "write one of them, as in `schema: {file: chat.schema.json}`");
                return None;
            }
        };
        Some(Self(Arc::new(plan)))
    }
}

fn noted<T>(result: Result<T, Fault>, place: Place, problems: &mut Problems) -> Option<T> {
    result.map_err(|Fault { what, help }| problems.error(place, what, help)).ok()
}

/// Compiles one schema.
fn schema(raw: RawSource, place: Place, formats: bool, problems: &mut Problems) -> Option<Compiled> {
    let read = match raw {
        RawSource::File(file) => Folder::of(&file),
        RawSource::Inline(value) => Ok(Folder::inline(value)),
    };
    let compiled = read.and_then(|(folder, document)| {
        says_something(&document)?;
        let target = Target::root(document);
        let mut library = Library::new(folder, Draft::Draft202012, formats);
        library.add(&target)?;
        library.compile(&target)
    });
    noted(compiled, place, problems)
}

/// A document without any keyword would let everything pass: it is meant to be something else.
fn says_something(document: &Arc<Document>) -> Result<(), Fault> {
    let Value::Object(members) = &document.value else { return Ok(()) };
    let root = Target::root(document.clone());
    if members.contains_key("asyncapi") {
        let fault = Fault::new("this is an AsyncAPI document", "write `asyncapi: FILE` and `channel:`");
        return Err(root.at(fault));
    }
    let is_keyword = |key: &String| KEYWORDS.contains(&key.as_str());
    if members.is_empty() || members.keys().any(is_keyword) {
        return Ok(());
    }
    let help = "write a schema, as `{type: object}`; `{}` or `true` lets everything pass";
    Err(root.at(Fault::new("no keyword of JSON Schema stands in it, so it would let everything pass", help)))
}

/// The keywords that a schema's beginning can hold a message by.
const KEYWORDS: [&str; 35] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "type",
];

fn of_kinds(
    raw: At<Table<At<RawSource>>>,
    stage: &Stage<'_>,
    formats: bool,
    problems: &mut Problems,
) -> HashMap<Box<str>, Compiled> {
    let place = raw.place;
    if !stage.has_kinds {
        let help = "say where messages have it: `kind: type` in the policy";
        problems.error(place, "the policy's messages have no kind", help);
    }
    if raw.value.0.is_empty() || raw.value.0.len() > MAX_KINDS {
        let what = format!("{} kinds of message are listed", raw.value.0.len());
        problems.error(place, what, format!("list 1 to {MAX_KINDS}"));
    }
    let mut of = HashMap::new();
    for (kind, source) in raw.value.0 {
        if kind.value.contains('*') {
            let what = format!("`{}` is no kind of message", kind.value);
            problems.error(kind.place, what, "name each kind; `otherwise` says what happens to the rest");
        }
        if let Some(compiled) = schema(source.value, source.place, formats, problems) {
            of.insert(kind.value.into(), compiled);
        }
    }
    of
}

fn channel(
    file: &At<String>,
    name: &At<String>,
    stage: &Stage<'_>,
    formats: bool,
    problems: &mut Problems,
) -> Result<Channel, Fault> {
    let (folder, document) = Folder::of(&file.value)?;
    let carried = asyncapi::carried(&folder, document, &name.value, stage.direction)?;
    if carried.len() > MAX_KINDS {
        let what = format!("the channel carries {} messages", carried.len());
        return Err(Fault::new(what, format!("{MAX_KINDS} at most")));
    }
    let library = |draft: &Draft| Library::new(folder.clone(), *draft, formats);
    let mut libraries: HashMap<Draft, Library> = HashMap::new();
    for Carried { payload, draft, .. } in &carried {
        let library = libraries.entry(*draft).or_insert_with_key(library);
        payload.iter().try_for_each(|payload| library.add(payload))?;
    }
    let names = stage.kind.and_then(|kind| kind.names());
    let mut channel = Channel {
        name: name.value.as_str().into(),
        messages: Vec::with_capacity(carried.len()),
        of: HashMap::new(),
        of_any: Vec::new(),
    };
    for (number, Carried { name: message, payload, draft }) in carried.into_iter().enumerate() {
        if payload.is_none() {
            let what = format!("the message `{message}` of `{}` says nothing of its payload", name.value);
            problems.warning(name.place, what, "any message passes as this one: give it a `payload`");
        }
        let kinds = match (&payload, &names) {
            (Some(payload), Some(names)) => fixed::kinds(&folder, payload, names),
            _ => None,
        };
        match kinds {
            Some(kinds) => {
                kinds.into_iter().for_each(|kind| channel.of.entry(kind.into()).or_default().push(number));
            }
            None => channel.of_any.push(number),
        }
        let library = libraries.entry(draft).or_insert_with_key(library);
        let payload = payload.map(|payload| library.compile(&payload)).transpose()?;
        channel.messages.push(Message { name: message, payload });
    }
    Ok(channel)
}
