//! Rewriting: what changes, and that nothing else does.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Change, Edits, NewValue};
use crate::fields::{Bounds, Fields, NodeId, Path, Shown, Tree};
use crate::format::Format;

fn rewrite(format: &Format, payload: &[u8], edit: impl FnOnce(&Fields<'_>, &mut Edits)) -> Option<Vec<u8>> {
    let mut tree = Tree::default();
    format.decode(payload, &mut tree, &Bounds::default()).unwrap();
    let fields = Fields::new(&tree, payload);
    let mut edits = Edits::default();
    edit(&fields, &mut edits);
    edits.apply(format, &fields).ok()
}

fn at(path: &str, change: Change) -> impl FnOnce(&Fields<'_>, &mut Edits) {
    move |fields, edits| {
        let path: Path = path.parse().unwrap();
        path.each(fields, |field| edits.push(field.id(), change.clone()));
    }
}

fn json(payload: &str, path: &str, change: Change) -> String {
    String::from_utf8(rewrite(&Format::Json, payload.as_bytes(), at(path, change)).unwrap()).unwrap()
}

fn text(text: &str) -> Change {
    Change::Replace(NewValue::Text(text.into()))
}

#[test]
fn json_keeps_spaces_spelling_and_escapes() {
    let message = " {\n \"a\" : [ 1.50e0 , \"x\\u0041\" ] ,\t\"b\\/c\":{\"p\" : true}, \"é\":null } ";
    for (path, change, expected) in [
        ("a[0]", text("q\"\n"), r#" {n "a" : [ "q\"\n" , "x\u0041" ] ,t"b\/c":{"p" : true}, "é":null } "#),
        ("a[0]", Change::Remove, r#" {n "a" : [ "x\u0041" ] ,t"b\/c":{"p" : true}, "é":null } "#),
        ("a[1]", Change::Remove, r#" {n "a" : [ 1.50e0 ] ,t"b\/c":{"p" : true}, "é":null } "#),
        ("a[*]", Change::Remove, r#" {n "a" : [  ] ,t"b\/c":{"p" : true}, "é":null } "#),
        ("a", Change::Remove, r#" {n "b\/c":{"p" : true}, "é":null } "#),
        (r#"["b/c"]"#, Change::Remove, r#" {n "a" : [ 1.50e0 , "x\u0041" ], "é":null } "#),
        (r#"["b/c"].p"#, Change::Remove, r#" {n "a" : [ 1.50e0 , "x\u0041" ] ,t"b\/c":{}, "é":null } "#),
        ("é", Change::Remove, r#" {n "a" : [ 1.50e0 , "x\u0041" ] ,t"b\/c":{"p" : true} } "#),
        ("*", Change::Remove, " {n  } "),
        ("$", Change::Remove, " null "),
        (
            r#"["b/c"]"#,
            Change::Insert("n".into(), NewValue::Int(-7)),
            r#" {n "a" : [ 1.50e0 , "x\u0041" ] ,t"b\/c":{"p" : true,"n":-7}, "é":null } "#,
        ),
        (
            "$",
            Change::Insert("n".into(), NewValue::Bool(false)),
            r#" {n "a" : [ 1.50e0 , "x\u0041" ] ,t"b\/c":{"p" : true}, "é":null,"n":false } "#,
        ),
    ] {
        let expected = expected.replacen("{n", "{\n", 1).replace(",t\"", ",\t\"");
        assert_eq!(json(message, path, change), expected, "{path}");
    }
    assert_eq!(json("{ }", "$", Change::Insert("a".into(), NewValue::Null)), "{\"a\":null }");
}

#[test]
fn a_stretch_of_a_text_changes_and_its_escapes_stay() {
    let message = r#"{"a":"\u00e9\ud83d\ude00 4\u0031 x\n\"é😀"}"#;
    for (piece, expected) in [
        ("41", r#"{"a":"\u00e9\ud83d\ude00 ** x\n\"é😀"}"#),
        ("é", r#"{"a":"**\ud83d\ude00 4\u0031 x\n\"é😀"}"#),
        ("😀 4", r#"{"a":"\u00e9**\u0031 x\n\"é😀"}"#),
        ("\n\"é", r#"{"a":"\u00e9\ud83d\ude00 4\u0031 x**😀"}"#),
        ("\"é😀", r#"{"a":"\u00e9\ud83d\ude00 4\u0031 x\n**"}"#),
    ] {
        let start = "é😀 41 x\n\"é😀".find(piece).unwrap();
        let change = Change::Splice(vec![(start..start + piece.len(), "**".into())]);
        assert_eq!(json(message, "a", change), expected, "{piece}");
    }
}

#[test]
fn counts_and_lengths_above_are_corrected() {
    let long = "y".repeat(40);
    let splice = || Change::Splice(vec![(0..1, "y".repeat(40))]);
    for (format, before, path, change, after) in [
        (
            Format::Msgpack,
            &b"\x82\xa1a\x01\xa1b\x92\x01\x02"[..],
            "b[0]",
            Change::Remove,
            b"\x82\xa1a\x01\xa1b\x91\x02".to_vec(),
        ),
        (
            Format::Msgpack,
            b"\xde\x00\x02\xa1a\x01\xa1b\x02",
            "a",
            Change::Remove,
            b"\xde\x00\x01\xa1b\x02".to_vec(),
        ),
        (Format::Msgpack, b"\x81\xa1a\xa1x", "a", splice(), [b"\x81\xa1a\xd9\x28", long.as_bytes()].concat()),
        (
            Format::Msgpack,
            b"\x81\xa1a\xd4\x05x",
            "a",
            Change::Splice(vec![(1..2, "yz".into())]),
            b"\x81\xa1a\xc4\x03\x05yz".to_vec(),
        ),
        (
            Format::Msgpack,
            b"\x81\xa1a\x80",
            "a",
            Change::Insert("k".into(), NewValue::Uint(1 << 63)),
            b"\x81\xa1a\x81\xa1k\xcf\x80\0\0\0\0\0\0\0".to_vec(),
        ),
        (
            Format::Cbor,
            b"\xa2\x61a\x01\x61b\x82\x01\x02",
            "b[1]",
            Change::Remove,
            b"\xa2\x61a\x01\x61b\x81\x01".to_vec(),
        ),
        (Format::Cbor, b"\xb9\0\x02\x61a\x01\x61b\x02", "b", Change::Remove, b"\xb9\0\x01\x61a\x01".to_vec()),
        (
            Format::Cbor,
            b"\xbf\x61a\x9f\x01\x02\xff\xff",
            "a[0]",
            Change::Remove,
            b"\xbf\x61a\x9f\x02\xff\xff".to_vec(),
        ),
        (
            Format::Cbor,
            b"\xbf\x61a\x01\xff",
            "$",
            Change::Insert("k".into(), NewValue::Int(-1)),
            b"\xbf\x61a\x01\x61k\x20\xff".to_vec(),
        ),
        (
            Format::Cbor,
            b"\xa1\x61a\xd8\x20\x61x",
            "a",
            splice(),
            [b"\xa1\x61a\xd8\x20\x78\x28", long.as_bytes()].concat(),
        ),
        (
            Format::Cbor,
            b"\xa1\x61a\x7f\x61x\x61z\xff",
            "a",
            Change::Splice(vec![(0..1, "y".into())]),
            b"\xa1\x61a\x62yz".to_vec(),
        ),
        (
            Format::Cbor,
            b"\xc1\xa1\x61a\x41x",
            "a",
            Change::Splice(vec![(0..1, "yz".into())]),
            b"\xc1\xa1\x61a\x42yz".to_vec(),
        ),
        (Format::Cbor, b"\x01", "$", Change::Remove, b"\xf6".to_vec()),
    ] {
        let new = rewrite(&format, before, at(path, change)).unwrap();
        assert_eq!(new, after, "{} {path}: {new:x?}", format.name());
    }
}

#[test]
fn text_and_bytes_are_one_field() {
    for format in [Format::Text, Format::Binary] {
        let change = Change::Splice(vec![(0..1, String::new()), (2..3, "long".into())]);
        assert_eq!(rewrite(&format, b"abcd", at("$", change)).unwrap(), b"blongd");
        assert_eq!(rewrite(&format, b"abcd", at("$", text("new"))).unwrap(), b"new");
        assert_eq!(rewrite(&format, b"abcd", at("$", Change::Remove)).unwrap(), b"");
        assert_eq!(rewrite(&format, b"abcd", at("$", Change::Insert("a".into(), NewValue::Null))), None);
    }
}

#[test]
fn a_message_does_not_grow_without_end() {
    let big = "x".repeat(super::MAX_GROWTH);
    let message = br#"{"a":1,"b":2}"#;
    assert!(rewrite(&Format::Json, message, at("a", text(&big[4..]))).is_some());
    assert!(rewrite(&Format::Json, message, at("*", text(&big[4..]))).is_none());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(f64::from(value) + 0.1)),
        ".{0,5}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|values| json!(values)),
            prop::collection::hash_map(".{0,6}", inner, 0..8).prop_map(|named| json!(named)),
        ]
    })
}

#[derive(Clone, Debug)]
enum Op {
    Replace(Value),
    Remove,
    Insert(Value),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![any_json().prop_map(Op::Replace), Just(Op::Remove), any_json().prop_map(Op::Insert)]
}

fn size(value: &Value) -> u32 {
    1 + match value {
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(named) => named.values().map(size).sum(),
        _ => 0,
    }
}

/// The same changes to a value; `number` counts its values as a tree does.
fn model(value: &Value, number: &mut u32, ops: &BTreeMap<u32, Op>, root: bool) -> Option<Value> {
    let op = ops.get(number);
    match op {
        Some(Op::Replace(new)) => {
            *number += size(value);
            return Some(new.clone());
        }
        Some(Op::Remove) => {
            *number += size(value);
            return root.then_some(Value::Null);
        }
        _ => *number += 1,
    }
    Some(match value {
        Value::Array(values) => {
            values.iter().filter_map(|value| model(value, number, ops, false)).collect::<Vec<_>>().into()
        }
        Value::Object(named) => {
            let mut new = serde_json::Map::new();
            for (name, value) in named {
                new.extend(model(value, number, ops, false).map(|value| (name.clone(), value)));
            }
            if let Some(Op::Insert(value)) = op {
                new.insert("inserted".into(), value.clone());
            }
            new.into()
        }
        value => value.clone(),
    })
}

fn encode(format: &Format, value: &Value) -> Vec<u8> {
    match format {
        Format::Msgpack => rmp_serde::to_vec_named(value).unwrap(),
        Format::Cbor => {
            let mut bytes = Vec::new();
            ciborium::into_writer(value, &mut bytes).unwrap();
            bytes
        }
        _ => serde_json::to_vec(value).unwrap(),
    }
}

/// A value as JSON with spaces, escapes and spellings that no serializer would choose; what stands in a leaf's place where
/// `instead` has one.
fn odd(value: &Value, number: &mut u32, noise: &[u8], instead: &BTreeMap<u32, &str>, out: &mut String) {
    let mine = *number;
    *number += 1;
    let space = |turn: u32, out: &mut String| {
        let noise = noise[(mine + turn) as usize % noise.len()];
        out.push_str(["", " ", "\n", " \t", "\r\n  "][usize::from(noise) % 5]);
    };
    let string = |text: &str, out: &mut String| {
        out.push('"');
        for (turn, c) in text.chars().enumerate() {
            match noise[(mine as usize + turn) % noise.len()] % 3 {
                0 => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04X}"))),
                _ => {
                    let quoted = serde_json::to_string(&c).unwrap();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
        }
        out.push('"');
    };
    match value {
        Value::Array(values) => {
            out.push('[');
            for (turn, value) in values.iter().enumerate() {
                out.push_str(if turn > 0 { "," } else { "" });
                space(1, out);
                odd(value, number, noise, instead, out);
                space(2, out);
            }
            out.push(']');
        }
        Value::Object(named) => {
            out.push('{');
            for (turn, (name, value)) in named.iter().enumerate() {
                out.push_str(if turn > 0 { "," } else { "" });
                space(3, out);
                string(name, out);
                space(4, out);
                out.push(':');
                space(5, out);
                odd(value, number, noise, instead, out);
                space(6, out);
            }
            out.push('}');
        }
        _ if instead.contains_key(&mine) => out.push_str(instead[&mine]),
        Value::String(text) => string(text, out),
        value => out.push_str(&value.to_string()),
    }
}

proptest! {
    /// What an encoder writes for a value becomes, byte for byte, what it writes for the changed value. Values are small
    /// enough for no head to need another length: those stay as long as they came, where they can.
    #[test]
    fn changes_are_those_that_were_asked_for(
        value in any_json(),
        ops in prop::collection::vec((any::<prop::sample::Index>(), any_op()), 1..8),
    ) {
        for format in [Format::Json, Format::Msgpack, Format::Cbor] {
            let payload = encode(&format, &value);
            let mut wanted = BTreeMap::new();
            let new = rewrite(&format, &payload, |fields, edits| {
                let all: Vec<_> = fields.all().collect();
                for (index, op) in &ops {
                    let field = index.get(&all);
                    let id = field.id();
                    if matches!(op, Op::Insert(_)) && !matches!(field.show(), Shown::Map(_)) {
                        continue;
                    }
                    if wanted.contains_key(&id.number()) {
                        continue;
                    }
                    wanted.insert(id.number(), op.clone());
                    edits.push(id, match op {
                        Op::Replace(value) => Change::Replace(NewValue::from_json(value)),
                        Op::Remove => Change::Remove,
                        Op::Insert(value) => Change::Insert("inserted".into(), NewValue::from_json(value)),
                    });
                }
            });
            let expected = model(&value, &mut 0, &wanted, true).unwrap();
            prop_assert_eq!(new.unwrap(), encode(&format, &expected), "{}", format.name());
        }
    }

    /// JSON of any spelling keeps every byte that is not of a changed leaf.
    #[test]
    fn no_other_byte_changes(
        value in any_json(),
        noise in prop::collection::vec(any::<u8>(), 1..30),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let (mut before, mut after) = (String::new(), String::new());
        odd(&value, &mut 0, &noise, &BTreeMap::new(), &mut before);
        let mut instead = BTreeMap::new();
        let new = rewrite(&Format::Json, before.as_bytes(), |fields, edits| {
            let leaves: Vec<_> = fields.all().filter(|field| field.children().next().is_none()).collect();
            for pick in picks {
                let field = pick.get(&leaves);
                if !matches!(field.show(), Shown::List(_) | Shown::Map(_)) {
                    instead.insert(field.id().number(), r#""new""#);
                    edits.push(field.id(), text("new"));
                }
            }
        });
        odd(&value, &mut 0, &noise, &instead, &mut after);
        prop_assert_eq!(String::from_utf8(new.unwrap()).unwrap(), after);
    }

    /// A stretch of a text changes in every format to what it is in the text itself.
    #[test]
    fn a_stretch_changes_alike_everywhere(
        parts in (".{0,2}", ".{1,2}", ".{0,2}"),
        new in ".{0,1}",
        noise in prop::collection::vec(any::<u8>(), 1..30),
    ) {
        let whole = format!("{}{}{}", parts.0, parts.1, parts.2);
        let stretch = parts.0.len()..parts.0.len() + parts.1.len();
        let expected = json!([format!("{}{new}{}", parts.0, parts.2)]);
        for format in [Format::Json, Format::Msgpack, Format::Cbor] {
            let payload = match format {
                Format::Json => {
                    let mut out = String::new();
                    odd(&json!([whole]), &mut 0, &noise, &BTreeMap::new(), &mut out);
                    out.into_bytes()
                }
                _ => encode(&format, &json!([whole])),
            };
            let change = Change::Splice(vec![(stretch.clone(), new.clone())]);
            let id = NodeId::ROOT.next();
            let out = rewrite(&format, &payload, |_, edits| edits.push(id, change)).unwrap();
            match format {
                Format::Json => prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected.clone()),
                _ => prop_assert_eq!(out, encode(&format, &expected)),
            }
        }
    }
}
