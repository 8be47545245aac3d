//! Entry points for fuzzing: any bytes in, a panic where a promise of a decoder is broken.
//!
//! They are compiled always, so that the committed corpus is replayed by ordinary tests.

pub(crate) mod descriptors;
mod packs;

use std::sync::{Arc, LazyLock};

pub use packs::{graphql, packs};
use serde_json::{Map, Value};
use wicketgate_config::{Problems, part};

use crate::fields::{Bounds, Field, Fields, Shown, Tree, Undecodable};
use crate::format::Format;
use crate::format::custom::config::RawCustom;
use crate::format::custom::words::RawUnknown;
use crate::format::protobuf::Protobuf;

/// Bounds that small inputs come upon.
const SMALL: Bounds = Bounds { depth: 8, values: 64, keys: 8, key: 8, text: 32 };

/// JSON: what is read is what serde_json reads.
pub fn json(data: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(data);
    let ours = decode(&Format::Json, data, |fields| fields.root().map(|root| value(&root)));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, Some(theirs)),
        (Ok(_), Err(error)) => panic!("it is no JSON: {error}"),
        (Err(Undecodable::Malformed { .. } | Undecodable::Trailing { .. }), Ok(_)) => panic!("it is JSON"),
        (Err(_), _) => {}
    }
}

/// MessagePack.
pub fn msgpack(data: &[u8]) {
    let _ = decode(&Format::Msgpack, data, |_| ());
}

/// CBOR.
pub fn cbor(data: &[u8]) {
    let _ = decode(&Format::Cbor, data, |_| ());
}

/// Protocol Buffers, with what is unknown refused and kept: what passes refused passes kept.
pub fn protobuf(data: &[u8]) {
    static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
        let set = descriptors::set();
        let formats = [RawUnknown::Refuse, RawUnknown::Keep].into_iter();
        let formats = formats.filter_map(|unknown| Protobuf::new(&set, descriptors::NAME, unknown).ok());
        formats.map(|protobuf| Format::Protobuf(Arc::new(protobuf))).collect()
    });
    let [strict, open] = FORMATS.as_slice() else { panic!("the descriptors are not accepted") };
    let strict = decode(strict, data, |fields| fields.root().map(|root| value(&root)));
    let open = decode(open, data, |fields| fields.root().map(|root| value(&root)));
    assert!(strict.is_err() || strict == open, "what is known depends on what happens to the unknown");
}

/// Declared formats: the first byte says which one reads the rest. The last of them is declared by the input itself, up to
/// a line `---`, behind which the message follows.
pub fn custom(data: &[u8]) {
    static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
        let declared = [include_str!("fuzz/everything.yaml"), include_str!("fuzz/lines.yaml")];
        declared.iter().filter_map(|text| declare(text)).collect()
    });
    let Some((which, data)) = data.split_first() else { return };
    let number = usize::from(*which) % (FORMATS.len() + 1);
    assert_eq!(FORMATS.len(), 2, "a format of the fuzzer's is not accepted");
    if let Some(format) = FORMATS.get(number) {
        let _ = decode(format, data, |_| ());
        return;
    }
    let mark = b"\n---\n";
    let Some(end) = data.windows(mark.len()).position(|window| window == mark) else { return };
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    if let Some(format) = declare(text) {
        let _ = decode(&format, &data[end + mark.len()..], |_| ());
    }
}

fn declare(text: &str) -> Option<Format> {
    let raw: RawCustom = part("fuzz.yaml", text).ok()?;
    let mut problems = Problems::default();
    let custom = raw.check(&mut problems);
    (!problems.has_errors()).then(|| Format::Custom(Arc::new(custom)))
}

/// Decodes within the usual bounds and within small ones: less may pass within these, and nothing else.
fn decode<T>(format: &Format, payload: &[u8], read: impl Fn(Fields<'_>) -> T) -> Result<T, Undecodable> {
    let mut tree = Tree::default();
    let is_small = format.decode(payload, &mut tree, &SMALL).is_ok();
    if is_small {
        assert!(tree.len() <= SMALL.values, "more values than are allowed");
    }
    let whole = format.decode(payload, &mut tree, &Bounds::default());
    assert!(whole.is_ok() || !is_small, "it passes within smaller bounds alone");
    whole?;
    let fields = Fields::new(&tree, payload);
    fields.all().for_each(|field| sound(&field, payload));
    Ok(read(fields))
}

/// Every field stands in the message, and in what it belongs to.
fn sound(field: &Field<'_>, payload: &[u8]) {
    let count = field.children().count();
    match field.show() {
        Shown::List(values) | Shown::Map(values) => assert_eq!(values, count, "a wrong count"),
        _ => assert_eq!(count, 0, "something in what holds nothing"),
    }
    let Some(at) = field.at() else { return };
    assert!(at.end <= payload.len(), "{} stands outside the message", field.path());
    if let Some(around) = field.parent().and_then(|parent| parent.at()) {
        assert!(around.start <= at.start && at.end <= around.end, "{} stands outside its own", field.path());
    }
}

fn value(field: &Field<'_>) -> Value {
    match field.show() {
        Shown::Null => Value::Null,
        Shown::Bool(value) => value.into(),
        Shown::Int(value) => value.into(),
        Shown::Uint(value) => value.into(),
        Shown::Float(value) => value.into(),
        Shown::Text(text) => text.into(),
        Shown::Bytes(bytes) => bytes.into(),
        Shown::List(_) => field.children().map(|child| value(&child)).collect(),
        Shown::Map(_) => {
            let named = field.children().map(|child| (child.key().unwrap_or_default().into(), value(&child)));
            Value::Object(named.collect::<Map<_, _>>())
        }
    }
}
