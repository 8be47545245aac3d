//! Protocol Buffers: what prost-reflect writes is read, and what readers could take for two things is not.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, MessageDescriptor, Value as Written};
use serde_json::{Value, json};
use wicketgate_config::{At, Problems};

use super::*;
use crate::fields::Bounds;
use crate::format::tests::{decode, decode_within};
use crate::format::{Format, RawFormat};
use crate::fuzz::descriptors::{NAME, set};

fn format(unknown: RawUnknown) -> Format {
    Format::Protobuf(Arc::new(Protobuf::new(&set(), NAME, unknown).unwrap()))
}

static STRICT: LazyLock<Format> = LazyLock::new(|| format(RawUnknown::Refuse));
static EVERYTHING: LazyLock<MessageDescriptor> =
    LazyLock::new(|| DescriptorPool::decode(&set()[..]).unwrap().get_message_by_name(NAME).unwrap());

/// A message of these fields, as prost-reflect writes it.
fn message(fields: &[(&str, Written)]) -> DynamicMessage {
    let mut message = DynamicMessage::new(EVERYTHING.clone());
    for (name, value) in fields {
        message.set_field_by_name(name, value.clone());
    }
    message
}

#[test]
fn every_type_is_read_as_it_was_written() {
    let child = message(&[("colour", Written::EnumNumber(-1)), ("note", Written::String("n".into()))]);
    let written = message(&[
        ("d", Written::F64(0.25)),
        ("f", Written::F32(-1.5)),
        ("i32", Written::I32(-3)),
        ("i64", Written::I64(i64::MIN)),
        ("u32", Written::U32(u32::MAX)),
        ("u64", Written::U64(u64::MAX)),
        ("s32", Written::I32(i32::MIN)),
        ("s64", Written::I64(i64::MIN)),
        ("x32", Written::U32(u32::MAX)),
        ("x64", Written::U64(u64::MAX)),
        ("y32", Written::I32(-1)),
        ("y64", Written::I64(-2)),
        ("flag", Written::Bool(true)),
        ("text", Written::String("söder".into())),
        ("raw", Written::Bytes(b"\xff\x00".to_vec().into())),
        ("colour", Written::EnumNumber(1)),
        ("numbers", Written::List(vec![Written::I32(1), Written::I32(-1)])),
        ("words", Written::List(vec![Written::String("a".into()), Written::String(String::new())])),
        ("counts", Written::Map([(MapKey::String("k".into()), Written::I32(7))].into())),
        ("inner", Written::Map([(MapKey::U64(9), Written::Message(child.clone()))].into())),
        ("child", Written::Message(child.clone())),
        ("list", Written::List(vec![Written::Message(child), Written::Message(message(&[]))])),
        ("maybe", Written::I32(0)),
    ]);
    let inner = json!({"colour": "NONE", "body": "note", "note": "n"});
    let expected = json!({
        "d": 0.25, "f": -1.5, "i32": -3, "i64": i64::MIN, "u32": u32::MAX, "u64": u64::MAX, "s32": i32::MIN,
        "s64": i64::MIN, "x32": u32::MAX, "x64": u64::MAX, "y32": -1, "y64": -2, "flag": true, "text": "söder",
        "raw": "0xff00", "colour": "GREEN", "numbers": [1, -1], "words": ["a", ""], "counts": {"k": 7},
        "inner": {"9": inner}, "child": inner, "list": [inner, {}], "maybe": 0,
    });
    assert_eq!(decode(&STRICT, &written.encode_to_vec()).unwrap(), expected);
    assert_eq!(decode(&STRICT, b"").unwrap(), json!({}));
}

#[test]
fn lists_and_maps_are_read_however_they_are_written() {
    for (bytes, expected) in [
        // Numbers one by one, packed, and both.
        (&b"\x88\x01\x01\x88\x01\x02"[..], json!({"numbers": [1, 2]})),
        (b"\x8a\x01\x02\x01\x02\x88\x01\x03", json!({"numbers": [1, 2, 3]})),
        (b"\x8a\x01\x00", json!({"numbers": []})),
        // An entry without its value, without its key, with the value first, and with neither.
        (b"\x9a\x01\x03\x0a\x01a", json!({"counts": {"a": 0}})),
        (b"\x9a\x01\x02\x10\x05", json!({"counts": {"": 5}})),
        (b"\x9a\x01\x05\x10\x05\x0a\x01a", json!({"counts": {"a": 5}})),
        (b"\x9a\x01\x00", json!({"counts": {"": 0}})),
        (b"\xa2\x01\x02\x08\x01", json!({"inner": {"1": {}}})),
    ] {
        assert_eq!(decode(&STRICT, bytes).unwrap(), expected, "{bytes:x?}");
    }
}

#[test]
fn what_readers_could_take_for_two_things_is_refused() {
    for (bytes, label) in [
        (&b"\x18\x01\x18\x02"[..], "duplicate_key"),
        (b"\xaa\x01\x00\xaa\x01\x00", "duplicate_key"),
        (b"\x88\x01\x01\x18\x01\x88\x01\x02", "duplicate_key"),
        (b"\xb2\x01\x01a\xba\x01\x00", "duplicate_key"),
        (b"\x9a\x01\x03\x0a\x01a\x9a\x01\x03\x0a\x01a", "duplicate_key"),
        (b"\x9a\x01\x06\x0a\x01a\x0a\x01b", "duplicate_key"),
        (b"\x9a\x01\x02\x18\x01", "malformed"),
        (b"\x18\xff\xff\xff\xff\xff\x01", "number_out_of_range"),
        (b"\x28\xff\xff\xff\xff\xff\x01", "number_out_of_range"),
        (b"\x68\x02", "number_out_of_range"),
        (b"\x80\x01\x07", "malformed"),
        (b"\x72\x01\xff", "invalid_utf8"),
        // Wrong types on the wire, groups, number 0, unknown numbers.
        (b"\x1a\x01\x01", "malformed"),
        (b"\x08\x01", "malformed"),
        (b"\x1b\x1c", "malformed"),
        (b"\x00\x01", "malformed"),
        (b"\xf0\x01\x01", "malformed"),
        // Lengths beyond what they stand in, and messages that end too early.
        (b"\x72\x05a", "malformed"),
        (b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "malformed"),
        (b"\xaa\x01\x02\x72\x05aaaaa", "malformed"),
        (b"\x18", "malformed"),
        (b"\x09\x01", "malformed"),
        (b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "malformed"),
        (b"\x8a\x01\x02\x01\x80", "malformed"),
    ] {
        assert_eq!(decode(&STRICT, bytes).map_err(|error| error.label()), Err(label), "{bytes:x?}");
    }
}

#[test]
fn what_is_unknown_is_kept_by_word() {
    let format = format(RawUnknown::Keep);
    let bytes = b"\x80\x01\x07\xf0\x01\x05\xf0\x01\x06\xfa\x02\x01\xff\xf5\x03\x01\x00\x00\x00";
    let expected = json!({"colour": 7, "30": [5, 6], "47": ["0xff"], "62": [1]});
    assert_eq!(decode(&format, bytes).unwrap(), expected);
    assert!(decode(&format, b"\xf3\x01\xf4\x01").is_err(), "a group");
}

#[test]
fn nesting_has_a_bound() {
    let mut bytes = Vec::new();
    for _ in 0..20 {
        let mut outer = b"\xaa\x01".to_vec();
        outer.push(u8::try_from(bytes.len()).unwrap());
        outer.extend(bytes);
        bytes = outer;
    }
    assert!(decode(&STRICT, &bytes).is_ok());
    let bounds = Bounds { depth: 20, ..Bounds::default() };
    assert_eq!(decode_within(&STRICT, &bytes, &bounds), Err(Undecodable::Depth));
}

#[test]
fn required_fields_are_there() {
    let mut set = FileDescriptorSet::decode(&set()[..]).unwrap();
    let file: &mut FileDescriptorProto = &mut set.file[0];
    file.syntax = Some("proto2".into());
    file.message_type[0].field.retain(|field| field.name() == "i32");
    file.message_type[0].field[0]
        .set_label(prost_reflect::prost_types::field_descriptor_proto::Label::Required);
    file.message_type[0].oneof_decl.clear();
    file.message_type[0].nested_type.clear();
    let protobuf = Protobuf::new(&set.encode_to_vec(), NAME, RawUnknown::Refuse).unwrap();
    let format = Format::Protobuf(Arc::new(protobuf));
    assert_eq!(decode(&format, b"\x18\x01").unwrap(), json!({"i32": 1}));
    assert!(decode(&format, b"").is_err());
}

#[test]
fn descriptors_that_do_not_do_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    let check = |bytes: &[u8], message: &str| {
        std::fs::write(&path, bytes).unwrap();
        let raw = RawProtobuf {
            descriptor_set: At::nowhere(path.clone()),
            message: At::nowhere(message.into()),
            unknown: RawUnknown::Refuse,
        };
        let mut problems = Problems::default();
        let format = RawFormat::check(At::nowhere(RawFormat::Protobuf(raw)), &mut problems);
        (format.is_some(), problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>())
    };
    assert_eq!(check(&set(), NAME), (true, Vec::new()));
    let (usable, problems) = check(&set(), "test.Nothing");
    assert!(!usable && problems[0].contains("no message `test.Nothing`"), "{problems:?}");
    let (usable, problems) = check(b"syntax = \"proto3\";", NAME);
    assert!(!usable && problems[0].contains("no complete set of descriptors"), "{problems:?}");
    let mut incomplete = FileDescriptorSet::decode(&set()[..]).unwrap();
    incomplete.file[0].dependency.push("missing.proto".into());
    let (usable, problems) = check(&incomplete.encode_to_vec(), NAME);
    assert!(!usable && problems[0].contains("missing.proto"), "{problems:?}");
}

fn any_message() -> impl Strategy<Value = (DynamicMessage, Value)> {
    let leaf =
        (any::<i32>(), any::<u64>(), any::<i64>(), ".{0,8}", prop::collection::vec(any::<i32>(), 1..5))
            .prop_map(|(i32, u64, s64, text, numbers)| {
                let list = numbers.iter().map(|number| Written::I32(*number)).collect();
                let fields = [
                    ("u64", Written::U64(u64), json!(u64)),
                    ("s64", Written::I64(s64), json!(s64)),
                    ("numbers", Written::List(list), json!(numbers)),
                    ("maybe", Written::I32(i32), json!(i32)),
                    ("text", Written::String(text.clone()), json!(text)),
                ];
                let (mut written, mut read) = (message(&[]), json!({}));
                for (name, value, expected) in fields {
                    // What is the default is not written.
                    if value != Written::U64(0)
                        && value != Written::I64(0)
                        && value != Written::String(String::new())
                    {
                        written.set_field_by_name(name, value);
                        read[name] = expected;
                    }
                }
                (written, read)
            });
    leaf.prop_recursive(4, 20, 3, |inner| {
        (prop::collection::vec(inner.clone(), 1..4), prop::collection::hash_map(any::<u64>(), inner, 1..3))
            .prop_map(|(list, map)| {
                let mut written = message(&[]);
                let values = list.iter().map(|(value, _)| Written::Message(value.clone())).collect();
                written.set_field_by_name("list", Written::List(values));
                let entry = |(key, (value, _)): (&u64, &(DynamicMessage, Value))| {
                    (MapKey::U64(*key), Written::Message(value.clone()))
                };
                written.set_field_by_name("inner", Written::Map(map.iter().map(entry).collect()));
                let list: Vec<&Value> = list.iter().map(|(_, value)| value).collect();
                let inner: serde_json::Map<_, _> =
                    map.iter().map(|(key, (_, value))| (key.to_string(), value.clone())).collect();
                (written, json!({"list": list, "inner": inner}))
            })
    })
}

proptest! {
    #[test]
    fn every_message_comes_back_out((written, expected) in any_message()) {
        prop_assert_eq!(decode(&STRICT, &written.encode_to_vec()).unwrap(), expected);
    }

    /// Whatever we read, prost-reflect reads as well.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if decode(&STRICT, &bytes).is_ok() {
            prop_assert!(DynamicMessage::decode(EVERYTHING.clone(), &bytes[..]).is_ok());
        }
    }
}
