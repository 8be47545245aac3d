//! Declared formats: two private protocols whole, every type of field by itself, and mistakes in declarations.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};
use wicketgate_config::part;

use super::*;
use crate::fields::{Bounds, Fields, Tree};
use crate::format::Format;
use crate::format::tests::{decode, decode_within};

/// A format and what is wrong with it.
fn checked(yaml: &str) -> (Format, Vec<String>) {
    let raw: RawCustom = part("test.yaml", yaml).unwrap_or_else(|report| panic!("{report:?}"));
    let mut problems = Problems::default();
    let custom = raw.check(&mut problems);
    (Format::Custom(Arc::new(custom)), problems.iter().map(|problem| problem.what.clone()).collect())
}

fn format(yaml: &str) -> Format {
    let (format, problems) = checked(yaml);
    assert_eq!(problems, [""; 0], "{yaml}");
    format
}

/// A binary format of these fields.
fn binary(fields: &str) -> Format {
    format(&format!("type: binary\nfields:\n{fields}"))
}

/// A text format of these fields.
fn text(fields: &str) -> Format {
    format(&format!("type: text\nfields:\n{fields}"))
}

fn reads(format: &Format, payload: &[u8], expected: Value) {
    assert_eq!(decode(format, payload), Ok(expected), "{payload:x?}");
}

fn refuses(format: &Format, payload: &[u8], label: &str) {
    assert_eq!(decode(format, payload).map_err(|error| error.label()), Err(label), "{payload:x?}");
}

const TELEMETRY: &str = include_str!("../../../../../examples/private-protocol/telemetry.yaml");

static TELEMETRY_FORMAT: LazyLock<Format> = LazyLock::new(|| format(TELEMETRY));
static CONSOLE_FORMAT: LazyLock<Format> = LazyLock::new(console);

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// A message of the telemetry protocol.
fn report(flags: u8, kind: u8, time: Option<u64>, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"WT\x01".to_vec();
    bytes.extend_from_slice(&[flags, kind, 0, 0, 1, 0]);
    bytes.extend(time.iter().flat_map(|time| time.to_be_bytes()));
    bytes.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn a_length_prefixed_protocol_is_read() {
    let telemetry = format(TELEMETRY);
    let position = [1.5_f32.to_be_bytes(), (-2.0_f32).to_be_bytes()].concat();
    let body = [
        tlv(1, "söder".as_bytes()),
        tlv(2, &(-40_i16).to_be_bytes()),
        tlv(3, &position),
        tlv(4, &[0, 1, 1, 0]),
        tlv(5, &[1, 1, 80, 2, 1, 1, 1, 1, 90, 3, 0]),
    ];
    let message = report(0b1100_0000, 2, Some(1 << 63), &body.concat());
    let expected = json!({
        "version": "v1", "timed": true, "priority": 2, "type": "report", "device": 256, "time": 1_u64 << 63, "size": 46,
        "body": {
            "name": "söder", "temperature": -40, "position": {"latitude": 1.5, "longitude": -2.0},
            "readings": [1, 256], "sensors": [{"level": 80}, {"unit": "percent"}, {"level": 90}, {"firmware": "0x"}],
        },
    });
    reads(&telemetry, &message, expected);
    reads(
        &telemetry,
        &report(0, 1, None, &[]),
        json!({"version": "v1", "timed": false, "priority": 0, "type": "hello", "device": 256, "size": 0, "body": {}}),
    );
    for (message, why) in [
        (report(0, 9, None, &[]), "an unknown type"),
        (report(1, 1, None, &[]), "a bit of no use"),
        (report(0, 1, None, &tlv(7, b"")), "an unknown tag"),
        (report(0, 1, None, &tlv(2, &[1, 2, 3])), "a value too long for its tag"),
        (report(0, 1, None, &tlv(2, &[1])), "a value too short for its tag"),
        (report(0, 1, None, &[1, 0, 9, b'x']), "a length beyond the body"),
        (report(0, 1, None, &tlv(5, &[1, 9, 80])), "a length beyond its value"),
        (report(0x80, 1, None, &[]), "no time where one is announced"),
    ] {
        assert!(decode(&telemetry, &message).is_err(), "{why}");
    }
    refuses(&telemetry, &report(0, 1, None, &[tlv(2, &[0, 1]), tlv(2, &[0, 2])].concat()), "duplicate_key");
    refuses(&telemetry, &report(0, 1, None, &tlv(1, b"\xff")), "invalid_utf8");
    let mut changed = message.clone();
    changed[20] ^= 1;
    refuses(&telemetry, &changed, "malformed");
    refuses(&telemetry, &[&message[..], b"x"].concat(), "trailing_data");
}

#[test]
fn every_value_knows_where_it_stands() {
    let telemetry = format(TELEMETRY);
    let message = report(0, 1, None, &tlv(1, b"name"));
    let mut tree = Tree::default();
    telemetry.decode(&message, &mut tree, &Bounds::default()).unwrap();
    let fields = Fields::new(&tree, &message);
    let at = |path: &str| path.parse::<Path>().unwrap().first(&fields).unwrap().at().unwrap();
    assert_eq!((at("type"), at("device"), at("body.name")), (4..5, 5..9, 14..18));
    assert_eq!((at("body"), at("$")), (11..18, 0..22));
}

/// The policy of the example that declares the text protocol.
fn console() -> Format {
    #[derive(serde::Deserialize)]
    struct Example {
        policies: Vec<Value>,
    }
    let text = include_str!("../../../../../examples/private-protocol/wicketgate.yaml");
    let example: Example = part("wicketgate.yaml", text).unwrap();
    format(&example.policies[1]["format"]["custom"].to_string())
}

#[test]
fn a_delimited_protocol_is_read() {
    let console = console();
    for (line, expected) in [
        (
            r#"LOGIN ann "a ""good"" one""#,
            json!({"command": "login", "user": "ann", "password": "a \"good\" one"}),
        ),
        ("LOGIN ann secret", json!({"command": "login", "user": "ann", "password": "secret"})),
        ("SAY hall good", json!({"command": "say", "room": "hall", "text": "good"})),
        (
            r#"SET colour=red;size="1;2=3";volume=-7"#,
            json!({"command": "set", "options": {"colour": "red", "size": "1;2=3", "volume": -7}}),
        ),
        ("SET size=", json!({"command": "set", "options": {"size": ""}})),
        ("SET ", json!({"command": "set", "options": {}})),
        ("ERR 404 no such room", json!({"command": "err", "code": 404, "reason": "no such room"})),
        ("QUIT", json!({"command": "quit"})),
    ] {
        reads(&console, line.as_bytes(), expected);
    }
    for line in [
        "",
        "quit",
        "LOGOUT",
        " QUIT",
        "LOGIN",
        "LOGIN ann",
        "LOGIN  secret",
        "SAY hall \"good",
        "SAY hall go\"od",
        "SET colour=blue",
        "SET weight=1",
        "SET colour",
        "SET =red",
        "SET colour=red;",
        "SET volume=01",
        "SET volume=+1",
        "SET volume=1e3",
        "SET volume=",
        "ERR x y",
        "QUIT\n",
    ] {
        refuses(&console, line.as_bytes(), "malformed");
    }
    refuses(&console, b"QUIT now", "trailing_data");
    refuses(&console, b"SET size=1;size=2", "duplicate_key");
}

#[test]
fn numbers_are_read_in_every_way_of_writing() {
    let all = binary(
        "- {name: a, type: u16}\n- {name: b, type: u16, endian: little}\n- {name: c, type: u24}\n- {name: d, type: i8}\n\
         - {name: e, type: i64}\n- {name: f, type: f64, endian: little}\n- {name: g, type: i32, endian: little}\n",
    );
    let mut bytes = vec![1, 2, 1, 2, 1, 0, 0, 0x80];
    bytes.extend_from_slice(&i64::MIN.to_be_bytes());
    bytes.extend_from_slice(&0.25_f64.to_le_bytes());
    bytes.extend_from_slice(&(-2_i32).to_le_bytes());
    let expected = json!({"a": 258, "b": 513, "c": 65536, "d": -128, "e": i64::MIN, "f": 0.25, "g": -2});
    reads(&all, &bytes, expected);
    let varint = binary("- {name: n, type: varint}");
    reads(&varint, b"\x00", json!({"n": 0}));
    reads(&varint, b"\xe5\x8e\x26", json!({"n": 624_485}));
    reads(&varint, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", json!({"n": u64::MAX}));
    for bad in [&b"\x80"[..], b"\x80\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", &[0x80; 11]] {
        refuses(&varint, bad, "malformed");
    }
    let zigzag = binary("- {name: n, type: zigzag}");
    reads(&zigzag, b"\x03", json!({"n": -2}));
    reads(&zigzag, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", json!({"n": i64::MIN}));
    let decimal = text("- {name: n, type: decimal}");
    reads(&decimal, b"-1.5e3", json!({"n": -1500.0}));
    for bad in ["", " 1", "1 ", "+1", "01", ".5", "1.", "NaN", "1e999", "0x1"] {
        refuses(&decimal, bad.as_bytes(), "malformed");
    }
    let integer = text("- {name: n, type: integer}");
    reads(&integer, b"18446744073709551615", json!({"n": u64::MAX}));
    refuses(&integer, b"18446744073709551616", "number_out_of_range");
    refuses(&integer, b"-9223372036854775809", "number_out_of_range");
    refuses(&integer, &[b'9'; 1000], "malformed");
}

#[test]
fn lengths_are_where_they_are_declared() {
    let all = binary(
        "- {name: head, type: struct, fields: [{name: size, type: u8}, {name: kind, type: u8}]}\n\
         - {name: a, type: text, length: {field: head.size, plus: -2}}\n- {name: b, type: bytes, length: {prefix: u16, endian: little}}\n\
         - {name: c, type: text, until: \"\\0\"}\n- {type: padding, length: 2}\n- {name: d, type: bytes, length: {plus: -1}}\n\
         - {name: e, type: u8}\n",
    );
    let expected = json!({
        "head": {"size": 4, "kind": 1}, "a": "ab", "b": "0x010203", "c": "cd", "d": "0x0909", "e": 7,
    });
    reads(&all, b"\x04\x01ab\x03\x00\x01\x02\x03cd\0\0\0\x09\x09\x07", expected);
    for bad in [
        &b"\x01\x01ab\x03\x00\x01\x02\x03cd\0\0\0\x09\x09\x07"[..],
        b"\x04\x01ab\xff\xff\x01\x02\x03cd\0\0\0\x09\x09\x07",
        b"\x04\x01ab\x03\x00\x01\x02\x03cd\0\0\x01\x09\x09\x07",
        b"\x04\x01ab\x03\x00\x01\x02\x03cd",
        b"\x04\x01ab\x03\x00\x01\x02\x03cd\0\0\0",
    ] {
        refuses(&all, bad, "malformed");
    }
}

#[test]
fn lists_end_as_they_are_declared() {
    let counted = binary("- {name: n, type: u8}\n- {name: l, type: list, count: n, item: {type: u16}}");
    reads(&counted, &[2, 0, 1, 0, 2], json!({"n": 2, "l": [1, 2]}));
    refuses(&counted, &[2, 0, 1, 0], "malformed");
    refuses(&counted, &[1, 0, 1, 0], "trailing_data");
    let nested = binary(
        "- {name: l, type: list, count: {prefix: u8}, item: {type: list, length: {prefix: u8}, item: {type: u8}}}",
    );
    reads(&nested, &[2, 1, 9, 0], json!({"l": [[9], []]}));
    let parted = text("- {name: l, type: list, separator: ', ', quote: \"'\", item: {type: text}}");
    reads(&parted, b"a, 'b, c', 'it''s'", json!({"l": ["a", "b, c", "it's"]}));
    reads(&parted, b"", json!({"l": []}));
    for bad in ["a, ", ", a", "a, 'b", "a, b'c"] {
        refuses(&parted, bad.as_bytes(), "malformed");
    }
    let lines = text(
        "- {name: lines, type: list, separator: \"\\r\\n\", item: {type: list, separator: ',', item: {type: integer}}}",
    );
    reads(&lines, b"1,2\r\n3\r\n", json!({"lines": [[1, 2], [3], []]}));
}

#[test]
fn fields_depend_on_earlier_ones() {
    let format = binary(
        "- {name: kind, type: u8, values: {1: a, 2: b, 3: c}, unknown: keep}\n\
         - {name: flags, type: bits, bits: [{name: long, width: 1}, {name: mode, width: 2, values: {0: off, 1: on}}, {width: 5}]}\n\
         - {name: extra, type: u8, if: flags.long}\n- {name: more, type: u8, if: {field: flags.mode, is: on}}\n\
         - type: switch\n  on: kind\n  cases: [{is: a, fields: [{name: x, type: u8}]}, {is: b, fields: []}]\n  default: [{name: y, type: u16}]\n",
    );
    let (_, problems) = checked(
        "type: binary\nfields: [{name: kind, type: u8, values: {1: a}}, {type: switch, on: kind, cases: [{is: z, fields: []}]}]",
    );
    assert_eq!(problems, ["the field never is `z`"]);
    reads(&format, &[1, 0, 5], json!({"kind": "a", "flags": {"long": false, "mode": "off"}, "x": 5}));
    reads(&format, &[2, 0x80, 5], json!({"kind": "b", "flags": {"long": true, "mode": "off"}, "extra": 5}));
    reads(
        &format,
        &[9, 0x20, 5, 0, 6],
        json!({"kind": 9, "flags": {"long": false, "mode": "on"}, "more": 5, "y": 6}),
    );
    refuses(&format, &[1, 0x40, 5], "malformed");
    let named = text(
        "- {name: c, type: text, until: ' '}\n- {name: body, type: switch, on: c, cases: [{is: X, fields: [{name: x, type: text}]}]}",
    );
    reads(&named, b"X 1", json!({"c": "X", "body": {"x": "1"}}));
    refuses(&named, b"Y 1", "malformed");
}

#[test]
fn a_value_of_before_does_not_count_again() {
    let format = binary(
        "- name: l\n  type: list\n  item:\n    type: struct\n    fields:\n      - {name: has, type: u8}\n\
         \x20     - {name: n, type: u8, if: has}\n      - {name: x, type: u8, if: n}\n",
    );
    reads(&format, &[1, 1, 7, 0], json!({"l": [{"has": 1, "n": 1, "x": 7}, {"has": 0}]}));
}

#[test]
fn structs_may_stand_in_themselves_within_bounds() {
    let tree = format(
        "type: binary\nfields: [{name: root, type: struct, use: node}]\nstructs:\n  node:\n    - {name: value, type: u8}\n\
         \x20   - {name: inner, type: list, count: {prefix: u8}, item: {type: struct, use: node}}\n",
    );
    reads(
        &tree,
        &[1, 2, 2, 0, 3, 1, 4, 0],
        json!({"root": {"value": 1, "inner": [{"value": 2, "inner": []}, {"value": 3, "inner": [{"value": 4, "inner": []}]}]}}),
    );
    refuses(&tree, &[1; 10_000], "too_deep");
    let bounds = Bounds { values: 10, ..Bounds::default() };
    let list = binary("- {name: l, type: list, item: {type: u8}}");
    assert_eq!(decode_within(&list, &[0; 9], &bounds), Err(Undecodable::Values));
}

#[test]
fn checksums_cover_the_struct_that_they_stand_in() {
    let format = binary(
        "- {name: skipped, type: u8}\n- {type: checksum, algorithm: xor8}\n\
         - {name: s, type: struct, fields: [{name: a, type: u16}, {type: checksum, algorithm: sum8, skip: 1}]}\n",
    );
    reads(&format, &[9, 9, 1, 2, 2], json!({"skipped": 9, "s": {"a": 258}}));
    refuses(&format, &[9, 9, 1, 2, 3], "malformed");
}

#[test]
fn what_takes_no_byte_does_not_go_on_for_ever() {
    let format = binary(
        "- {name: n, type: u32}\n- {name: l, type: list, count: n, item: {type: struct, fields: [{name: t, type: bytes, length: n}]}}",
    );
    refuses(&format, &[0xff, 0xff, 0xff, 0xff], "malformed");
    let format = binary(
        "- {name: l, type: list, count: {prefix: u32}, item: {type: struct, fields: [{name: t, type: bytes}]}}",
    );
    refuses(&format, &[0xff, 0xff, 0xff, 0xff], "malformed");
}

#[test]
fn mistakes_are_found_with_their_places() {
    for (fields, what) in [
        ("- {name: a}", "the field has no type"),
        ("- {type: u8}", "the field has no name"),
        ("- {name: a.b, type: u8}", "`a.b` is no name for a field"),
        ("- {name: a, type: u8}\n- {name: a, type: u8}", "`a` is the name of a field beside it already"),
        ("- {name: a, type: u8, until: x}", "`until` says nothing about a field of type `u8`"),
        ("- {name: a, type: text, length: b}", "no field before this one is called `b`"),
        ("- {name: b, type: text, length: 1}\n- {name: a, type: text, length: b}", "`b` is a text"),
        ("- {name: b, type: f32}\n- {name: a, type: text, length: b}", "`b` is neither a number nor a text"),
        ("- {name: a, type: text, length: 1, until: x}", "the field has both `length` and `until`"),
        ("- {name: a, type: text, length: {plus: 1}}", "it is not said where the length stands"),
        ("- {name: a, type: text, length: {prefix: text}}", "`text` is no whole number"),
        ("- {name: a, type: text, until: ''}", "`until` has 0 bytes"),
        ("- {name: a, type: text, or_end: true}", "`or_end` stands without `until`"),
        ("- {name: a, type: text, quote: ab}", "`ab` is no quote"),
        ("- {name: a, type: text, escape: double}", "`escape` stands without `quote`"),
        ("- {name: a, type: u8, values: {x: y}}", "`x` is no whole number"),
        ("- {name: a, type: u8, values: {1: y, 0x1: z}}", "`0x1` has a name already"),
        ("- {name: a, type: u8, unknown: keep}", "`unknown` stands without `values`"),
        ("- {type: constant}", "it is not said what has to stand in the constant"),
        ("- {type: constant, hex: '5'}", "this is no hexadecimal"),
        ("- {type: padding}", "the padding has no length"),
        ("- {type: bits, bits: [{width: 7}]}", "the widths are 7 bits together, and `u8` has 8"),
        ("- {type: bits, of: u24, bits: [{width: 8}]}", "`u24` has no bits to name"),
        ("- {name: a, type: struct}", "the struct has no fields"),
        ("- {name: a, type: struct, use: b}", "there is no `b` under `structs`"),
        ("- {name: a, type: list}", "the list has no `item`"),
        ("- {name: a, type: list, item: {type: u8, name: b}}", "values of a list have no names"),
        (
            "- {name: a, type: list, item: {type: padding, length: 1}}",
            "a field of type `padding` cannot stand here",
        ),
        (
            "- {name: a, type: list, item: {type: u8}, count: 1, separator: x}",
            "the list has both `count` and `separator`",
        ),
        (
            "- {name: a, type: list, item: {type: bytes, length: 0}}",
            "a value of the list takes no byte: it could come any number of times",
        ),
        (
            "- {name: a, type: list, item: {type: struct, fields: []}}",
            "a value of the list takes no byte: it could come any number of times",
        ),
        ("- {name: a, type: tlv}", "no tag is listed, and others are refused"),
        ("- {name: a, type: tlv, tag: text, unknown: keep}", "`text` is no whole number"),
        ("- {name: a, type: tlv, entries: {x: {name: b, type: u8}}}", "`x` is no tag"),
        ("- {name: a, type: tlv, entries: {1: {type: u8}}}", "the tag's value has no name"),
        ("- {name: a, type: pairs}", "it is not said what parts the pairs"),
        ("- {type: switch, on: a}", "the switch lacks `on` or `cases`"),
        ("- {type: checksum}", "the checksum has no algorithm"),
        (
            "- {name: a, type: bytes}\n- {name: b, type: u8}",
            "nothing is left for this field: one before it takes the rest",
        ),
        ("- {name: a, type: text}\n- {name: b, type: u8, if: a}", "`a` is neither a number nor one bit"),
    ] {
        let (_, problems) = checked(&format!("type: binary\nfields:\n{fields}"));
        assert!(problems.iter().any(|problem| problem == what), "{fields}: {problems:?}");
    }
    let deep = format!("{}{{type: u8}}{}", "{type: list, item: ".repeat(20), "}".repeat(20)).replacen(
        "{type",
        "{name: a, type",
        1,
    );
    let (_, problems) = checked(&format!("type: binary\nfields: [{deep}]"));
    assert_eq!(problems, ["fields stand more than 16 deep in each other"]);
    let many: String = (0..1_100).map(|n| format!("- {{name: f{n}, type: u8}}\n")).collect();
    assert_eq!(checked(&format!("type: binary\nfields:\n{many}")).1, ["there are more than 1000 fields"]);
    let endless = "type: binary\nfields: []\nstructs: {a: [{name: b, type: struct, use: b}], b: [{name: a, type: struct, use: a}]}";
    assert_eq!(checked(endless).1.len(), 2);
}

proptest! {
    #[test]
    fn telemetry_comes_back_out(
        flags in 0_u8..4, name in "[^\u{0}]{0,20}", temperature in any::<i16>(), readings in prop::collection::vec(any::<u16>(), 0..20),
        time in any::<u64>(), cut in any::<prop::sample::Index>(),
    ) {
        let readings_bytes: Vec<u8> = readings.iter().flat_map(|reading| reading.to_be_bytes()).collect();
        let body = [tlv(1, name.as_bytes()), tlv(2, &temperature.to_be_bytes()), tlv(4, &readings_bytes)].concat();
        let message = report(0x80 | flags << 5, 2, Some(time), &body);
        let telemetry = &*TELEMETRY_FORMAT;
        let value = decode(telemetry, &message).unwrap();
        prop_assert_eq!(&value["body"], &json!({"name": name, "temperature": temperature, "readings": readings}));
        prop_assert_eq!((&value["priority"], &value["time"]), (&json!(flags), &json!(time)));
        prop_assert!(decode(telemetry, &message[..cut.index(message.len())]).is_err());
    }

    #[test]
    fn quoted_text_comes_back_out(texts in prop::collection::vec("[ -~]{0,8}", 1..6)) {
        let format = text("- {name: l, type: list, separator: ' ', quote: '\"', item: {type: text}}");
        let line: Vec<String> = texts.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\""))).collect();
        prop_assert_eq!(decode(&format, line.join(" ").as_bytes()).unwrap(), json!({"l": texts}));
    }

    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..100), line in "[ -~]{0,40}") {
        let mut message = report(0x80, 2, Some(1), &bytes);
        let _ = decode(&TELEMETRY_FORMAT, &message);
        message.truncate(bytes.len());
        let _ = decode(&TELEMETRY_FORMAT, &message);
        let _ = decode(&CONSOLE_FORMAT, line.as_bytes());
    }
}
