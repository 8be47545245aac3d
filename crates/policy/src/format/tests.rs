//! Decoders, by what they make of messages and by what they refuse.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::Format;
use crate::fields::{Bounds, Field, Fields, Shown, Tree, Undecodable};

pub(super) fn decode(format: &Format, payload: &[u8]) -> Result<serde_json::Value, Undecodable> {
    decode_within(format, payload, &Bounds::default())
}

pub(super) fn decode_within(
    format: &Format,
    payload: &[u8],
    bounds: &Bounds,
) -> Result<serde_json::Value, Undecodable> {
    let mut tree = Tree::default();
    format.decode(payload, &mut tree, bounds)?;
    Ok(value(&Fields::new(&tree, payload).root().unwrap()))
}

/// A field as JSON; bytes as hexadecimal behind `0x`.
fn value(field: &Field<'_>) -> serde_json::Value {
    match field.show() {
        Shown::Null => json!(null),
        Shown::Bool(value) => json!(value),
        Shown::Int(value) => json!(value),
        Shown::Uint(value) => json!(value),
        Shown::Float(value) => json!(value),
        Shown::Text(text) => json!(text),
        Shown::Bytes(bytes) => {
            json!(bytes.iter().fold("0x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")))
        }
        Shown::List(count) => {
            let values: Vec<_> = field.children().map(|child| value(&child)).collect();
            assert_eq!(values.len(), count);
            json!(values)
        }
        Shown::Map(count) => {
            let named = field.children().map(|child| (child.key().unwrap().to_owned(), value(&child)));
            let named: serde_json::Map<_, _> = named.collect();
            assert_eq!(named.len(), count);
            json!(named)
        }
    }
}

#[test]
fn json_is_read_as_serde_json_reads_it() {
    let text = r#" {"type":"order","n":[1,-2,18446744073709551615,1.5e3],"s":"a\u00e9\n\"","t":true,"z":null,"e":{},"l":[]} "#;
    let expected: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(decode(&Format::Json, text.as_bytes()).unwrap(), expected);
}

#[test]
fn json_that_two_readers_could_take_for_two_things_is_refused() {
    for (text, label) in [
        (r#"{"a":1,"a":2}"#, "duplicate_key"),
        (r#"{"a":1,"\u0061":2}"#, "duplicate_key"),
        (r#"{"a":1}{"#, "trailing_data"),
        (r#"{"a":1,}"#, "malformed"),
        (r#"{'a':1}"#, "malformed"),
        (r#"{"a":1e999}"#, "number_out_of_range"),
        (r#""\ud800""#, "malformed"),
        ("NaN", "malformed"),
        ("", "malformed"),
        ("\u{feff}{}", "malformed"),
    ] {
        assert_eq!(decode(&Format::Json, text.as_bytes()).unwrap_err().label(), label, "{text}");
    }
    let many: String = (0..100).map(|n| format!("\"k{n}\":0,")).collect();
    let twice = format!("{{{many}\"k50\":1}}");
    assert_eq!(decode(&Format::Json, twice.as_bytes()), Err(Undecodable::DuplicateKey));
    let once = format!("{{{many}\"k100\":1}}");
    assert!(decode(&Format::Json, once.as_bytes()).is_ok());
}

#[test]
fn every_bound_is_kept_by_every_format() {
    let bounds = Bounds { depth: 2, values: 6, keys: 3, key: 4, text: 8 };
    for (good, bad, expected) in [
        (json!([[1]]), json!([[[1]]]), Undecodable::Depth),
        (json!([1, 2, 3, 4, 5]), json!([1, 2, 3, 4, 5, 6]), Undecodable::Values),
        (json!({"a":1,"b":2,"c":3}), json!({"a":1,"b":2,"c":3,"d":4}), Undecodable::Keys),
        (json!({"abcd":1}), json!({"abcde":1}), Undecodable::KeyLength),
        (json!("12345678"), json!("123456789"), Undecodable::TextLength),
    ] {
        for format in [Format::Json, Format::Msgpack, Format::Cbor] {
            let name = format.name();
            assert_eq!(decode_within(&format, &encode(&format, &good), &bounds), Ok(good.clone()), "{name}");
            assert_eq!(decode_within(&format, &encode(&format, &bad), &bounds), Err(expected), "{name}");
        }
    }
    let deep = "[".repeat(10_000);
    assert_eq!(decode(&Format::Json, deep.as_bytes()), Err(Undecodable::Depth));
    assert_eq!(decode(&Format::Msgpack, &[0x91; 10_000]), Err(Undecodable::Depth));
    assert_eq!(decode(&Format::Cbor, &[0x81; 10_000]), Err(Undecodable::Depth));
}

fn encode(format: &Format, value: &serde_json::Value) -> Vec<u8> {
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

#[test]
fn what_json_does_not_have_is_read_too() {
    for (format, hex, expected) in [
        (Format::Msgpack, &b"\xc4\x02\x01\xff"[..], json!("0x01ff")),
        (Format::Msgpack, b"\xd4\x05\x07", json!("0x0507")),
        (Format::Msgpack, b"\x82\x01\xa1a\xff\xa1b", json!({"1": "a", "-1": "b"})),
        (Format::Cbor, b"\x42\x01\xff", json!("0x01ff")),
        (Format::Cbor, b"\xa2\x01\x61a\x20\x61b", json!({"1": "a", "-1": "b"})),
        (Format::Cbor, b"\x7f\x61a\x61b\xff", json!("ab")),
        (Format::Cbor, b"\x5f\x41\x01\x41\x02\xff", json!("0x0102")),
        (Format::Cbor, b"\x9f\x01\xbf\x61a\xf5\xff\xff", json!([1, {"a": true}])),
        (Format::Cbor, b"\xc1\x1a\x51\x4b\x67\xb0", json!(1_363_896_240)),
    ] {
        assert_eq!(decode(&format, hex).unwrap(), expected, "{hex:x?}");
    }
    for (format, hex) in [
        (Format::Msgpack, &b"\xc1"[..]),
        (Format::Msgpack, b"\xa3ab"),
        (Format::Msgpack, b"\x81\xc0\x01"),
        (Format::Msgpack, b"\xdd\xff\xff\xff\xff\x01"),
        (Format::Msgpack, b"\x01\x01"),
        (Format::Msgpack, b"\xa1\xff"),
        (Format::Cbor, b"\x61\xff"),
        (Format::Cbor, b"\xff"),
        (Format::Cbor, b"\x7f\x41a\xff"),
        (Format::Cbor, b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        (Format::Cbor, b"\xa2\x01\x01\x61\x31\x02"),
        (Format::Cbor, b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        assert!(decode(&format, hex).is_err(), "{hex:x?}");
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(f64::from(value) / 8.0)),
        ".{0,20}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|values| json!(values)),
            prop::collection::hash_map(".{0,6}", inner, 0..8).prop_map(|named| json!(named)),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_comes_back_out_of_every_format(value in any_json()) {
        for format in [Format::Json, Format::Msgpack, Format::Cbor] {
            prop_assert_eq!(decode(&format, &encode(&format, &value)).unwrap(), value.clone());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Text, Format::Binary, Format::Json, Format::Msgpack, Format::Cbor] {
            let _ = decode(&format, &bytes);
        }
    }

    #[test]
    fn nothing_is_read_out_of_a_part(value in any_json(), cut in any::<prop::sample::Index>()) {
        for format in [Format::Msgpack, Format::Cbor] {
            let whole = encode(&format, &value);
            let part = &whole[..cut.index(whole.len())];
            prop_assert!(decode(&format, part).is_err());
        }
    }
}
