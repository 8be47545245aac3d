//! Packets of Engine.IO 4 and Socket.IO 5 as fields.

use crate::fields::{Builder, Value};
use crate::format::json;
use crate::format::pack::{Breach, malformed};

pub(super) const FORMAT: &str = "Socket.IO packet";

/// Reads a text message: `type`, and of Socket.IO's `namespace`, `id`, `attachments` and `data`.
pub(super) fn decode(builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let text = std::str::from_utf8(builder.payload()).map_err(|_| malformed(FORMAT))?;
    let (first, rest) = text.split_at_checked(1).ok_or(malformed(FORMAT))?;
    builder.open_map()?;
    builder.key("type")?;
    match (first, rest) {
        ("0", handshake) => {
            builder.text("open", None)?;
            builder.key("data")?;
            json::value(builder, handshake.as_bytes())?;
        }
        ("1", "") => builder.text("close", None)?,
        ("2", "") => builder.text("ping", None)?,
        ("3", "") => builder.text("pong", None)?,
        ("2" | "3", "probe") => builder.text("probe", None)?,
        ("4", packet) => socket(packet, builder)?,
        ("5", "") => builder.text("upgrade", None)?,
        ("6", "") => builder.text("noop", None)?,
        _ => return Err(malformed(FORMAT)),
    }
    Ok(builder.close(None)?)
}

/// Reads a binary message.
pub(super) fn attachment(builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let payload = builder.payload();
    builder.open_map()?;
    builder.key("type")?;
    builder.text("attachment", None)?;
    builder.key("data")?;
    builder.bytes(payload, None)?;
    Ok(builder.close(None)?)
}

/// `TYPE[ATTACHMENTS-][NAMESPACE,][ID][JSON]`
fn socket(packet: &str, builder: &mut Builder<'_, '_>) -> Result<(), Breach> {
    let (number, mut rest) = packet.split_at_checked(1).ok_or(malformed(FORMAT))?;
    let (kind, binary) = match number {
        "0" => ("connect", false),
        "1" => ("disconnect", false),
        "2" => ("event", false),
        "3" => ("ack", false),
        "4" => ("connect_error", false),
        "5" => ("event", true),
        "6" => ("ack", true),
        _ => return Err(malformed(FORMAT)),
    };
    builder.text(kind, None)?;
    if binary {
        let (count, behind) = rest.split_once('-').ok_or(malformed(FORMAT))?;
        set(builder, "attachments", count)?;
        rest = behind;
    }
    builder.key("namespace")?;
    if rest.starts_with('/') {
        let (namespace, behind) = rest.split_once(',').unwrap_or((rest, ""));
        // Libraries cut a query off, each as it likes.
        if namespace.contains(|c: char| c == '?' || c.is_control()) {
            return Err(malformed(FORMAT));
        }
        builder.text(namespace, None)?;
        rest = behind;
    } else {
        builder.text("/", None)?;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if let Some((id, behind)) = rest.split_at_checked(digits).filter(|(id, _)| !id.is_empty()) {
        if !matches!(kind, "event" | "ack") {
            return Err(malformed(FORMAT));
        }
        set(builder, "id", id)?;
        rest = behind;
    }
    if rest.is_empty() {
        return if matches!(kind, "connect" | "disconnect") { Ok(()) } else { Err(malformed(FORMAT)) };
    }
    if kind == "disconnect" {
        return Err(malformed(FORMAT));
    }
    builder.key("data")?;
    Ok(json::value(builder, rest.as_bytes())?)
}

/// A number as the libraries write it: without zeros before it.
fn set(builder: &mut Builder<'_, '_>, key: &str, digits: &str) -> Result<(), Breach> {
    let is_plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    let number = digits.parse::<u32>().ok().filter(|_| is_plain).ok_or(malformed(FORMAT))?;
    builder.key(key)?;
    Ok(builder.scalar(Value::Int(number.into()), None)?)
}
