//! JSON values in MessagePack and CBOR, written by hand: the tests share no code with the gateway's decoders.

use serde_json::Value;

/// How one of the packed formats writes the beginning of a value: what it is, and a length or a number.
type Head = fn(Kind, u64) -> Vec<u8>;

#[derive(Clone, Copy)]
enum Kind {
    Whole,
    Negative,
    Text,
    List,
    Map,
}

pub(super) fn msgpack(value: &Value) -> Vec<u8> {
    encode(value, 0xc0, [0xc2, 0xc3], 0xcb, |kind, n| {
        let long = |marker: u8| [vec![marker], (n as u32).to_be_bytes().to_vec()].concat();
        match kind {
            Kind::Whole if n < 128 => vec![n as u8],
            Kind::Whole => [vec![0xcf], n.to_be_bytes().to_vec()].concat(),
            Kind::Negative => [vec![0xd3], (-1 - n as i64).to_be_bytes().to_vec()].concat(),
            Kind::Text => long(0xdb),
            Kind::List => long(0xdd),
            Kind::Map => long(0xdf),
        }
    })
}

pub(super) fn cbor(value: &Value) -> Vec<u8> {
    encode(value, 0xf6, [0xf4, 0xf5], 0xfb, |kind, n| {
        let major: u8 = match kind {
            Kind::Whole => 0,
            Kind::Negative => 1,
            Kind::Text => 3,
            Kind::List => 4,
            Kind::Map => 5,
        };
        match n {
            0..24 => vec![major << 5 | n as u8],
            n => [vec![major << 5 | 27], n.to_be_bytes().to_vec()].concat(),
        }
    })
}

fn encode(value: &Value, null: u8, truth: [u8; 2], float: u8, head: Head) -> Vec<u8> {
    let inner = |value: &Value| encode(value, null, truth, float, head);
    let text = |text: &str| [head(Kind::Text, text.len() as u64), text.as_bytes().to_vec()].concat();
    match value {
        Value::Null => vec![null],
        Value::Bool(value) => vec![truth[usize::from(*value)]],
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => head(Kind::Whole, number),
            (_, Some(number), _) => head(Kind::Negative, (-1 - number) as u64),
            (_, _, number) => [vec![float], number.unwrap().to_be_bytes().to_vec()].concat(),
        },
        Value::String(value) => text(value),
        Value::Array(list) => {
            let items: Vec<u8> = list.iter().flat_map(inner).collect();
            [head(Kind::List, list.len() as u64), items].concat()
        }
        Value::Object(map) => {
            let members: Vec<u8> =
                map.iter().flat_map(|(name, value)| [text(name), inner(value)].concat()).collect();
            [head(Kind::Map, map.len() as u64), members].concat()
        }
    }
}
