//! MQTT packets as fields.

use super::RawPayload;
use super::wire::{FORMAT, Noted, Reader};
use crate::fields::{Builder, Undecodable, Value};
use crate::format::json;
use crate::format::pack::breach::Feature;
use crate::format::pack::{Breach, malformed};

/// The types of packet (section 2.1.2), by their numbers.
const TYPES: [&str; 16] = [
    "",
    "connect",
    "connack",
    "publish",
    "puback",
    "pubrec",
    "pubrel",
    "pubcomp",
    "subscribe",
    "suback",
    "unsubscribe",
    "unsuback",
    "pingreq",
    "pingresp",
    "disconnect",
    "auth",
];

/// Reads a packet of a session of this version; of CONNECT, that in it counts.
pub(super) fn decode(version: u8, payload: RawPayload, builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let packet = builder.payload();
    let first = *packet.first().ok_or(malformed(FORMAT))?;
    let (number, flags) = (first >> 4, first & 15);
    let kind = TYPES.get(usize::from(number)).copied().unwrap_or_default();
    let expected = if matches!(number, 6 | 8 | 10) { 2 } else { 0 };
    if kind.is_empty() || (number != 3 && flags != expected) {
        return Err(malformed(FORMAT));
    }
    let mut reader = Reader::new(packet);
    builder.open_map()?;
    builder.key("packet")?;
    builder.text(kind, None)?;
    let is_five = version == 5;
    match kind {
        "connect" => connect(payload, &mut reader, builder)?,
        "connack" => {
            set(builder, "session_present", Value::Bool(reader.u8()? == 1))?;
            code(&mut reader, builder)?;
            if is_five {
                reader.properties("properties", builder)?;
            }
        }
        "publish" => publish(flags, is_five, payload, &mut reader, builder)?,
        "puback" | "pubrec" | "pubrel" | "pubcomp" => {
            id(&mut reader, builder)?;
            if is_five && !reader.is_empty() {
                code(&mut reader, builder)?;
                if !reader.is_empty() {
                    reader.properties("properties", builder)?;
                }
            }
        }
        "subscribe" | "unsubscribe" => {
            id(&mut reader, builder)?;
            if is_five {
                reader.properties("properties", builder)?;
            }
            filters(kind == "subscribe", &mut reader, builder)?;
        }
        "suback" | "unsuback" => {
            id(&mut reader, builder)?;
            if is_five {
                reader.properties("properties", builder)?;
            }
            builder.key("codes")?;
            builder.open_list()?;
            for code in reader.rest() {
                builder.scalar(Value::Int((*code).into()), None)?;
            }
            builder.close(None)?;
        }
        "disconnect" | "auth" if is_five && !reader.is_empty() => {
            code(&mut reader, builder)?;
            if !reader.is_empty() {
                reader.properties("properties", builder)?;
            }
        }
        "auth" if !is_five => return Err(malformed(FORMAT)),
        _ => {}
    }
    if !reader.is_empty() {
        return Err(Breach::Undecodable(Undecodable::Trailing { format: FORMAT }));
    }
    Ok(builder.close(None)?)
}

fn connect(
    payload: RawPayload,
    reader: &mut Reader<'_>,
    builder: &mut Builder<'_, '_>,
) -> Result<(), Breach> {
    let name = reader.text()?;
    let version = reader.u8()?;
    if name != "MQTT" {
        return Err(reader.broken());
    }
    let flags = reader.u8()?;
    let (will, qos) = (flags & 4 != 0, flags >> 3 & 3);
    if flags & 1 != 0 || qos == 3 || (!will && flags & 0x38 != 0) || (version < 5 && flags & 0xc0 == 0x40) {
        return Err(reader.broken());
    }
    set(builder, "version", Value::Int(version.into()))?;
    set(builder, "clean", Value::Bool(flags & 2 != 0))?;
    set(builder, "keep_alive", Value::Int(reader.u16()?.into()))?;
    if version == 5 {
        reader.properties("properties", builder)?;
    }
    builder.key("client_id")?;
    builder.text(reader.text()?, None)?;
    if will {
        builder.key("will")?;
        builder.open_map()?;
        let noted = if version == 5 { reader.properties("properties", builder)? } else { Noted::default() };
        builder.key("topic")?;
        builder.text(reader.text()?, None)?;
        set(builder, "qos", Value::Int(qos.into()))?;
        set(builder, "retain", Value::Bool(flags & 0x20 != 0))?;
        content(payload, &noted, reader.bytes()?, builder)?;
        builder.close(None)?;
    }
    if flags & 0x80 != 0 {
        builder.key("username")?;
        builder.text(reader.text()?, None)?;
    }
    if flags & 0x40 != 0 {
        builder.key("password")?;
        builder.bytes(reader.bytes()?, None)?;
    }
    Ok(())
}

fn publish(
    flags: u8,
    is_five: bool,
    payload: RawPayload,
    reader: &mut Reader<'_>,
    builder: &mut Builder<'_, '_>,
) -> Result<(), Breach> {
    let qos = flags >> 1 & 3;
    if qos == 3 || (qos == 0 && flags & 8 != 0) {
        return Err(reader.broken());
    }
    builder.key("topic")?;
    builder.text(reader.text()?, None)?;
    set(builder, "qos", Value::Int(qos.into()))?;
    set(builder, "retain", Value::Bool(flags & 1 != 0))?;
    set(builder, "dup", Value::Bool(flags & 8 != 0))?;
    if qos > 0 {
        id(reader, builder)?;
    }
    let noted = if is_five { reader.properties("properties", builder)? } else { Noted::default() };
    if noted.alias {
        // A number in place of a topic is what nobody's rules are about.
        return Err(Breach::Off(Feature::TopicAlias));
    }
    let content_bytes = reader.rest();
    content(payload, &noted, content_bytes, builder)
}

/// What is published: JSON, text or bytes.
fn content(
    payload: RawPayload,
    noted: &Noted<'_>,
    bytes: &[u8],
    builder: &mut Builder<'_, '_>,
) -> Result<(), Breach> {
    let says_json = noted.content_type.is_some_and(|kind| kind.starts_with("application/json"));
    builder.key("payload")?;
    match payload {
        RawPayload::Json => Ok(json::value(builder, bytes)?),
        // An empty one takes a retained message away.
        RawPayload::Auto if says_json && !bytes.is_empty() => Ok(json::value(builder, bytes)?),
        RawPayload::Auto | RawPayload::Text => match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Ok(builder.text(text, None)?),
            Err(_) if payload == RawPayload::Text => Err(Breach::Undecodable(Undecodable::Utf8)),
            Err(_) => Ok(builder.bytes(bytes, None)?),
        },
        RawPayload::Binary => Ok(builder.bytes(bytes, None)?),
    }
}

fn filters(options: bool, reader: &mut Reader<'_>, builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    if reader.is_empty() {
        return Err(reader.broken());
    }
    builder.key("filters")?;
    builder.open_list()?;
    while !reader.is_empty() {
        let filter = reader.text()?;
        if !options {
            builder.text(filter, None)?;
            continue;
        }
        let option = reader.u8()?;
        if option & 3 == 3 || option >> 6 != 0 {
            return Err(reader.broken());
        }
        builder.open_map()?;
        builder.key("filter")?;
        builder.text(filter, None)?;
        set(builder, "qos", Value::Int((option & 3).into()))?;
        builder.close(None)?;
    }
    Ok(builder.close(None)?)
}

fn id(reader: &mut Reader<'_>, builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let id = reader.u16()?;
    if id == 0 {
        return Err(reader.broken());
    }
    set(builder, "id", Value::Int(id.into()))
}

fn code(reader: &mut Reader<'_>, builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let code = reader.u8()?;
    set(builder, "code", Value::Int(code.into()))
}

fn set(builder: &mut Builder<'_, '_>, key: &str, value: Value) -> Result<(), Breach> {
    builder.key(key)?;
    Ok(builder.scalar(value, None)?)
}
