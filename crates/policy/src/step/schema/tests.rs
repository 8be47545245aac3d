//! Schemas end to end: a policy, a message, what is found.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use wicketgate_config::Problems;
use wicketgate_wire::{CloseCode, DataKind};

use super::instance::{self, Part};
use crate::fields::{Bounds, Fields, Tree};
use crate::format::Format;
use crate::{Direction, Facts, Message, Outcome, Policy, RawPolicy, Session, Verdict};

/// A policy of one step in both directions, or what is wrong with it: sentence and remedy.
pub(super) fn policy(format: &str, step: &str) -> Result<Policy, Vec<String>> {
    let text = format!("name: p\nformat: {format}\nkind: type\nto_upstream: [{step}]\nto_client: [{step}]\n");
    let raw: RawPolicy = wicketgate_config::part("policy.yaml", &text).map_err(|report| {
        report.problems().map(|problem| format!("{} | {}", problem.what, problem.help)).collect::<Vec<_>>()
    })?;
    let mut problems = Problems::default();
    let policy = raw.check(&mut problems);
    match policy {
        Some(policy) if !problems.has_errors() => Ok(policy),
        _ => Err(problems.iter().map(|problem| format!("{} | {}", problem.what, problem.help)).collect()),
    }
}

pub(super) fn judge(policy: &Policy, direction: Direction, kind: DataKind, payload: &[u8]) -> Outcome {
    let mut session = Session::new(Arc::new(Facts::default()));
    policy.judge(&mut session, direction, Message { kind, payload })
}

/// What is found in a JSON message from a client: class, rule, path and detail of the only finding.
pub(super) fn found(policy: &Policy, payload: &str) -> Option<(String, String, String, String)> {
    found_in(policy, Direction::ToUpstream, payload)
}

pub(super) fn found_in(
    policy: &Policy,
    direction: Direction,
    payload: &str,
) -> Option<(String, String, String, String)> {
    let outcome = judge(policy, direction, DataKind::Text, payload.as_bytes());
    assert_eq!(outcome.findings.is_empty(), matches!(outcome.verdict, Verdict::Forward(_)), "{outcome:?}");
    let finding = outcome.findings.first()?;
    let rule = finding.rule.as_deref().unwrap_or_default();
    Some((finding.class.into(), rule.into(), finding.path.to_string(), finding.detail.to_string()))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

const ORDER: &str = r##"{
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["order"],
    "properties": {
        "order": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "integer", "minimum": 1},
                "items": {"type": "array", "uniqueItems": true, "items": {"$ref": "#/$defs/item"}}
            }
        }
    },
    "$defs": {
        "item": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 8, "pattern": "^[a-z]+$"}},
            "additionalProperties": false
        }
    }
}"##;

#[test]
fn a_finding_tells_field_keyword_and_place() {
    let folder = folder(&[("order.json", ORDER)]);
    let policy =
        policy("json", &format!("{{schema: {{file: {}}}}}", file(folder.path(), "order.json"))).unwrap();
    assert_eq!(found(&policy, r#"{"order": {"id": 1, "items": [{"name": "tea"}]}}"#), None);
    for (message, rule, path, place) in [
        (r#"{}"#, "required", "$", "order.json#/required"),
        (r#"[]"#, "type", "$", "order.json#/type"),
        (
            r#"{"order": {"id": 0}}"#,
            "minimum",
            "order.id",
            "order.json#/properties/order/properties/id/minimum",
        ),
        (r#"{"order": {"id": 1.5}}"#, "type", "order.id", "order.json#/properties/order/properties/id/type"),
        (
            r#"{"order": {"id": 1, "items": [{}, {"name": "hunter2hunter2"}]}}"#,
            "maxLength",
            "order.items[1].name",
            "order.json#/$defs/item/properties/name/maxLength",
        ),
        (
            r#"{"order": {"id": 1, "items": [{"name": "Tea"}]}}"#,
            "pattern",
            "order.items[0].name",
            "order.json#/$defs/item/properties/name/pattern",
        ),
        (
            r#"{"order": {"id": 1, "items": [{"secret": 1}]}}"#,
            "additionalProperties",
            "order.items[0]",
            "order.json#/$defs/item/additionalProperties",
        ),
        (
            r#"{"order": {"id": 1, "items": [{"name": "a"}, {"name": "a"}]}}"#,
            "uniqueItems",
            "order.items",
            "order.json#/properties/order/properties/items/uniqueItems",
        ),
    ] {
        let (class, found_rule, found_path, detail) = found(&policy, message).unwrap();
        assert_eq!((&*class, &*found_rule, &*found_path), ("schema", rule, path), "{message}");
        assert_eq!(detail, format!("breaks `{rule}` at {place}"), "{message}");
    }
}

#[test]
fn each_kind_has_its_schema() {
    let folder = folder(&[("chat.yaml", "properties: {text: {maxLength: 3}}\nrequired: [text]\n")]);
    let kinds = format!(
        "chat: {}, join: {{inline: {{properties: {{room: {{type: integer}}}}}}}}",
        file(folder.path(), "chat.yaml")
    );
    let refusing = policy("json", &format!("{{schema: {{kinds: {{{kinds}}}}}}}")).unwrap();
    let passing = policy("json", &format!("{{schema: {{kinds: {{{kinds}}}, otherwise: pass}}}}")).unwrap();
    for policy in [&refusing, &passing] {
        assert_eq!(found(policy, r#"{"type": "chat", "text": "abc"}"#), None);
        assert_eq!(found(policy, r#"{"type": "join", "room": 7}"#), None);
        assert_eq!(found(policy, r#"{"type": "chat", "text": "abcd"}"#).unwrap().2, "text");
        assert_eq!(found(policy, r#"{"type": "join", "room": "7"}"#).unwrap().2, "room");
    }
    for message in [r#"{"type": "other"}"#, r#"{"text": "abc"}"#] {
        assert_eq!(found(&refusing, message).unwrap().0, "no_schema");
        assert_eq!(found(&passing, message), None);
    }
}

#[test]
fn observing_records_and_lets_pass() {
    let policy = policy("json", "{mode: observe, schema: {inline: {type: object}}}").unwrap();
    let outcome = judge(&policy, Direction::ToUpstream, DataKind::Text, b"[]");
    assert!(matches!(outcome.verdict, Verdict::Forward(_)));
    assert_eq!(&*outcome.findings[0].step, "schema-1");
}

#[test]
fn binary_formats_are_compared_like_json() {
    let schema = "{schema: {inline: {type: object, properties: {n: {type: integer, maximum: 9}, b: {type: string, \
                  maxLength: 4, const: AQID}, f: {type: number}}, required: [n], additionalProperties: false}}}";
    let msgpack = policy("msgpack", schema).unwrap();
    let cbor = policy("cbor", schema).unwrap();
    let good: &[u8] = b"\x82\xa1n\x05\xa1b\xc4\x03\x01\x02\x03";
    let too_large: &[u8] = b"\x81\xa1n\x0a";
    let no_number: &[u8] = b"\x82\xa1n\x05\xa1f\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00";
    for (payload, path) in [(good, None), (too_large, Some("n")), (no_number, Some("f"))] {
        let outcome = judge(&msgpack, Direction::ToUpstream, DataKind::Binary, payload);
        assert_eq!(outcome.findings.first().map(|finding| &*finding.path), path, "{outcome:?}");
    }
    let good: &[u8] = b"\xa2\x61n\x05\x61b\x43\x01\x02\x03";
    let wrong: &[u8] = b"\xa2\x61n\x05\x61b\x43\x01\x02\x04";
    for (payload, path) in [(good, None), (wrong, Some("b"))] {
        let outcome = judge(&cbor, Direction::ToUpstream, DataKind::Binary, payload);
        assert_eq!(outcome.findings.first().map(|finding| &*finding.path), path, "{outcome:?}");
    }
}

#[test]
fn text_is_compared_as_one_string() {
    let policy = policy("text", "{schema: {inline: {type: string, maxLength: 2}}}").unwrap();
    assert_eq!(found(&policy, "éé"), None);
    assert_eq!(found(&policy, "ééé").unwrap().2, "$");
}

#[test]
fn references_lead_to_files_beside_the_schema() {
    let folder = folder(&[
        ("a.json", r##"{"$ref": "b.yaml#/$defs/name"}"##),
        ("b.yaml", "$defs:\n  name: {$ref: '#/$defs/text'}\n  text: {type: string, maxLength: 2}\n"),
        (
            "c.json",
            r##"{"$id": "https://example.com/c.json", "allOf": [{"$ref": "d.json"}, {"$ref": "b.yaml#/$defs/text"}]}"##,
        ),
        ("d.json", r##"{"$id": "https://example.com/d.json", "pattern": "^a"}"##),
        ("e.json", r##"{"$ref": "https://example.com/d.json"}"##),
    ]);
    let schema = |name| policy("text", &format!("{{schema: {{file: {}}}}}", file(folder.path(), name)));
    let (plain, with_id, by_address) =
        (schema("a.json").unwrap(), schema("c.json").unwrap(), schema("e.json").unwrap());
    assert_eq!(found(&plain, "ab"), None);
    assert_eq!(found(&plain, "abc").unwrap().3, "breaks `maxLength` at b.yaml#/$defs/text/maxLength");
    assert_eq!(found(&with_id, "ab"), None);
    assert_eq!(found(&with_id, "b").unwrap().1, "pattern");
    assert_eq!(found(&with_id, "abc").unwrap().1, "maxLength");
    assert_eq!(found(&by_address, "b").unwrap().1, "pattern");
}

#[test]
fn recursion_ends_with_the_message() {
    let schema = "{schema: {inline: {properties: {next: {$ref: '#'}}, additionalProperties: false}}}";
    let deep = policy("json", schema).unwrap();
    assert_eq!(found(&deep, r#"{"next": {"next": {}}}"#), None);
    assert_eq!(found(&deep, r#"{"next": {"next": {"x": 1}}}"#).unwrap().2, "next.next");
    let circle =
        "{schema: {inline: {$ref: '#/$defs/a', $defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}}}}";
    if let Ok(circle) = policy("json", circle) {
        found(&circle, "{}");
    }
}

#[test]
fn the_meant_alternative_tells_its_error() {
    let schema = "{schema: {inline: {oneOf: [{properties: {op: {const: a}, n: {type: integer}}, required: [op]}, \
                  {properties: {op: {const: b}, n: {type: string}}, required: [op]}]}}}";
    let policy = policy("json", schema).unwrap();
    assert_eq!(found(&policy, r#"{"op": "b", "n": "x"}"#), None);
    assert_eq!(found(&policy, r#"{"op": "b", "n": 1}"#).unwrap().2, "n");
    assert_eq!(found(&policy, r#"{"op": "c", "n": 1}"#).unwrap().1, "oneOf");
}

#[test]
fn formats_are_checked_unless_they_are_off() {
    let on = policy("text", "{schema: {inline: {format: date-time}}}").unwrap();
    let off = policy("text", "{schema: {inline: {format: date-time}, formats: off}}").unwrap();
    let unknown = policy("text", "{schema: {inline: {format: int32}}}").unwrap();
    assert_eq!(found(&on, "2026-11-27T10:00:00Z"), None);
    assert_eq!(found(&on, "yesterday").unwrap().1, "format");
    assert_eq!(found(&off, "yesterday"), None);
    assert_eq!(found(&unknown, "yesterday"), None);
}

#[test]
fn what_is_no_good_schema_is_refused() {
    let deep = format!("{}{}", r#"{"not": "#.repeat(200), "}".repeat(200));
    let nested = format!("{}{}", r#"{"not": "#.repeat(140), "}".repeat(140));
    let huge = format!(r#"{{"title": "{}"}}"#, "x".repeat(5 << 20));
    let folder = folder(&[
        ("http.json", r#"{"properties": {"a": {"$ref": "https://example.com/a.json"}}}"#),
        ("up.yaml", "properties:\n  a:\n    $ref: ../secret.json\n"),
        ("root.json", r#"{"$ref": "/etc/passwd"}"#),
        ("url.json", r#"{"$ref": "file:///etc/passwd"}"#),
        ("draft.json", r#"{"$schema": "https://example.com/mine", "type": "string"}"#),
        ("type.yaml", "properties:\n  a:\n    type: strin\n"),
        ("wrong.json", r##"{"$ref": "#/$defs/a", "$defs": {"a": {"maxLength": "x"}}}"##),
        ("nowhere.json", r##"{"$ref": "#/$defs/a"}"##),
        ("missing.json", r##"{"$ref": "other.json"}"##),
        ("look.json", r#"{"pattern": "^(?!admin)"}"#),
        ("large.json", r#"{"pattern": "^(a{1000}){1000}$"}"#),
        ("list.json", "[1]"),
        ("broken.json", "{"),
        ("broken.yaml", "a: [\n"),
        ("foreign.json", r#"{"openapi": "3.1.0"}"#),
        ("async.yaml", "asyncapi: 3.0.0\n"),
        ("deep.json", &deep),
        ("nested.json", &nested),
        ("huge.json", &huge),
    ]);
    for (name, what, help) in [
        (
            "http.json",
            "`http.json`, `#/properties/a`: the schema refers to `https://example.com/a.json`, and nothing",
            "`$defs`",
        ),
        (
            "up.yaml",
            "`up.yaml`, line 3, `#/properties/a`: `../secret.json` is outside the folder",
            "into that folder",
        ),
        ("root.json", "`/etc/passwd` is outside the folder", "into that folder"),
        ("url.json", "refers to `file:///etc/passwd`, and nothing is fetched", "`$defs`"),
        ("draft.json", "`$schema` is `https://example.com/mine`, which is none of the drafts", "2020-12"),
        ("type.yaml", "`type.yaml`, line 3, `#/properties/a/type`: ", "keyword"),
        ("wrong.json", "`wrong.json`, `#/$defs/a/maxLength`: ", "keyword"),
        ("nowhere.json", "the reference `#/$defs/a` leads nowhere", "name what is there"),
        ("missing.json", "cannot read `", "check the path"),
        ("look.json", "`look.json`", "look-around"),
        ("large.json", "`large.json`", "linear time"),
        ("list.json", "this is no schema", "mapping"),
        ("broken.json", "`broken.json` is no JSON", "mend it"),
        ("broken.yaml", "`broken.yaml`, line ", "check"),
        ("foreign.json", "no keyword of JSON Schema stands in it", "`{type: object}`"),
        ("async.yaml", "this is an AsyncAPI document", "`asyncapi: FILE`"),
        ("deep.json", "recursion limit exceeded", "mend it"),
        ("nested.json", "recursion limit exceeded", "mend it"),
        ("huge.json", "longer than 4 MiB", "readable file"),
        ("absent.json", "absent.json` (No such file", "check the path"),
    ] {
        let problems =
            policy("json", &format!("{{schema: {{file: {}}}}}", file(folder.path(), name))).unwrap_err();
        assert!(problems[0].contains(what), "{name}: {problems:?}");
        let said = problems[0].split(" | ").nth(1).unwrap();
        assert!(said.contains(help), "{name}: {problems:?}");
        // The step stands in both directions.
        assert_eq!(problems.len(), 2, "{name}: {problems:?}");
    }
}

#[test]
fn what_is_no_good_step_is_refused() {
    for (step, what) in [
        ("{}", "has one of `file`"),
        ("{file: a.json, inline: {}}", "has one of `file`"),
        ("{inline: {}, otherwise: pass}", "`otherwise` belongs to `kinds`"),
        ("{inline: {}, channel: /chat}", "`channel` belongs to `asyncapi`"),
        ("{asyncapi: a.yaml}", "no channel is named"),
        ("{kinds: {'a*': {inline: true}}}", "`a*` is no kind"),
        ("{kinds: {}}", "0 kinds"),
        ("{kinds: {a: {fil: a.json}}}", "fil"),
        ("{inline: {$ref: other.json}}", "inside the configuration refers to `other.json`"),
    ] {
        let problems = policy("json", &format!("{{schema: {step}}}")).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(what)), "{step}: {problems:?}");
    }
}

/// A policy whose schema asks a bit of everything.
static TANGLED: LazyLock<Policy> = LazyLock::new(|| {
    let schema = "{then: {close: 4400}, schema: {inline: {anyOf: [{type: string, maxLength: 3, pattern: '^a*$'}, \
                  {type: number, multipleOf: 0.1, minimum: 0}, {type: array, uniqueItems: true, items: {$ref: '#'}, \
                  contains: {type: integer}}, {type: object, propertyNames: {maxLength: 5}, \
                  additionalProperties: {$ref: '#'}, not: {required: [a]}}], unevaluatedProperties: false}}}";
    policy("json", schema).unwrap()
});

proptest! {
    /// Whatever a message says, it gets a verdict, and what is found names nothing that it says but its field.
    #[test]
    fn no_message_is_too_much(text in "\\PC*", number in any::<f64>(), depth in 0usize..40) {
        let text = serde_json::to_string(&text).unwrap();
        let number = serde_json::to_string(&number).unwrap();
        let nested = format!("{}{text}{}", "[".repeat(depth), "]".repeat(depth));
        for message in [&text, &number, &nested, &format!("{{{text}: {number}, \"b\": [{number}, {text}]}}"),
            &format!("[{text}, {text}, {number}, {{\"a\": null}}]"), &format!("{{\"a/b~c\": {nested}}}")]
        {
            let outcome = judge(&TANGLED, Direction::ToUpstream, DataKind::Text, message.as_bytes());
            match outcome.verdict {
                Verdict::Forward(_) => prop_assert!(outcome.findings.is_empty()),
                Verdict::Close(code) => prop_assert!(code == CloseCode(4400) || outcome.findings[0].class != "schema"),
                verdict => prop_assert!(false, "{verdict:?}"),
            }
        }
    }

    /// Fields are compared as the validator compares its own JSON: the same verdict, and the same first error.
    #[test]
    fn fields_are_compared_as_json_is(value in json()) {
        let text = value.to_string();
        let value: Value = serde_json::from_str(&text).unwrap();
        let mut tree = Tree::default();
        Format::Json.decode(text.as_bytes(), &mut tree, &Bounds::default()).unwrap();
        let fields = Fields::new(&tree, text.as_bytes());
        for (ours, theirs) in &*PAIRS {
            let ours = ours.validate(Part::Field(fields.root().unwrap()));
            let theirs = theirs.validate(&value);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{} {:?}", text, theirs);
            if let (Err(ours), Err(theirs)) = (ours, theirs) {
                prop_assert_eq!(ours.instance_path().as_str(), theirs.instance_path().as_str());
                prop_assert_eq!(ours.schema_path().as_str(), theirs.schema_path().as_str());
                prop_assert!(ours.instance().is_null(), "no error holds what the message says");
            }
        }
    }
}

/// Schemas for fields and for JSON.
static PAIRS: LazyLock<Vec<(Validator<instance::Message>, Validator)>> = LazyLock::new(|| {
    let schemas = [
        json!({"anyOf": [{"type": "string", "maxLength": 3, "pattern": "^[ab]*$"}, {"type": "number", "multipleOf": 0.5},
            {"type": "array", "uniqueItems": true, "items": {"$ref": "#"}, "minItems": 1},
            {"type": "object", "propertyNames": {"maxLength": 1}, "additionalProperties": {"$ref": "#"}}]}),
        json!({"properties": {"a": {"const": 1}, "b": {"enum": ["a", [1, {"a": null}], {"b": 0.0}, true]}}, "required": ["a"]}),
        json!({"type": ["integer", "array", "object"], "unevaluatedProperties": false, "unevaluatedItems": {"type": "integer"},
            "patternProperties": {"^a": true}, "prefixItems": [{"type": "string"}]}),
        json!({"contains": {"type": "integer", "exclusiveMinimum": 0}, "maxContains": 2, "dependentRequired": {"a": ["b"]},
            "if": {"type": "number", "minimum": -1e18, "maximum": 18446744073709551615u64}, "then": {"type": "integer"},
            "else": {"not": {"type": "null"}}, "maxProperties": 3}),
    ];
    let pair = |schema: &Value| {
        (jsonschema::options_for().build(schema).unwrap(), jsonschema::validator_for(schema).unwrap())
    };
    schemas.iter().map(pair).collect()
});

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(0.5), Just(1e300), any::<f64>()]
            .prop_map(Value::from),
        "[a-c]{0,4}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map("[a-c]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
