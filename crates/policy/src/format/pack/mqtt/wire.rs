//! The bytes of MQTT packets: numbers, texts and properties, read one after the other.

use crate::fields::{Builder, Undecodable, Value};
use crate::format::pack::{Breach, malformed};

pub(super) const FORMAT: &str = "MQTT packet";

/// Reads a packet.
#[derive(Debug)]
pub(super) struct Reader<'p> {
    bytes: &'p [u8],
    at: usize,
}

/// Where the packet that begins here ends; none where that does not show yet.
pub(super) fn extent(bytes: &[u8]) -> Result<Option<usize>, Breach> {
    let mut length = 0;
    for (number, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * number);
        if byte & 0x80 == 0 {
            return Ok(Some(2 + number + length));
        }
    }
    if bytes.len() > 4 { Err(malformed(FORMAT)) } else { Ok(None) }
}

impl<'p> Reader<'p> {
    /// Reads what is behind the fixed header.
    pub(super) fn new(bytes: &'p [u8]) -> Self {
        let length = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0).unwrap_or(bytes.len());
        Self { bytes, at: (length + 2).min(bytes.len()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) const fn broken(&self) -> Breach {
        Breach::Undecodable(Undecodable::Malformed { format: FORMAT, at: Some(self.at) })
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'p [u8], Breach> {
        let end = self.at.checked_add(count).ok_or(self.broken())?;
        let bytes = self.bytes.get(self.at..end).ok_or(self.broken())?;
        self.at = end;
        Ok(bytes)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'p [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    pub(super) fn u8(&mut self) -> Result<u8, Breach> {
        Ok(self.take(1)?.iter().fold(0, |_, byte| *byte))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Breach> {
        Ok(self.take(2)?.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    fn u32(&mut self) -> Result<u32, Breach> {
        Ok(self.take(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Bytes behind their length.
    pub(super) fn bytes(&mut self) -> Result<&'p [u8], Breach> {
        let length = self.u16()?;
        self.take(length.into())
    }

    /// A text behind its length (section 1.5.4): no U+0000.
    pub(super) fn text(&mut self) -> Result<&'p str, Breach> {
        let bytes = self.bytes()?;
        let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Breach::Undecodable(Undecodable::Utf8))?;
        if text.contains('\0') { Err(self.broken()) } else { Ok(text) }
    }

    fn variable(&mut self) -> Result<u32, Breach> {
        let mut number = 0;
        for place in 0..4 {
            let byte = self.u8()?;
            number |= u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.broken())
    }

    /// Properties (section 2.2.2), as a map under `key`. Those that a packet of the type may have are not told apart: what matters is
    /// that everybody reads them alike. Each stands once, but for those of users.
    pub(super) fn properties(
        &mut self,
        key: &str,
        builder: &mut Builder<'_, '_>,
    ) -> Result<Noted<'p>, Breach> {
        let length = self.variable()? as usize;
        let mut own = Reader { bytes: self.take(length)?, at: 0 };
        let mut noted = Noted::default();
        builder.key(key)?;
        builder.open_map()?;
        let mut users = Vec::new();
        let mut subscriptions = Vec::new();
        while !own.is_empty() {
            let number = own.variable()?;
            match number {
                0x26 => users.push((own.text()?, own.text()?)),
                0x0b => subscriptions.push(own.variable()?),
                number => {
                    let (name, kind) = property(number).ok_or(self.broken())?;
                    builder.key(name)?;
                    match kind {
                        Kind::Byte => builder.scalar(Value::Int(own.u8()?.into()), None)?,
                        Kind::Two => {
                            let value = own.u16()?;
                            noted.alias |= number == 0x23;
                            builder.scalar(Value::Int(value.into()), None)?;
                        }
                        Kind::Four => builder.scalar(Value::Int(own.u32()?.into()), None)?,
                        Kind::Text => {
                            let text = own.text()?;
                            if number == 0x03 {
                                noted.content_type = Some(text);
                            }
                            builder.text(text, None)?;
                        }
                        Kind::Bytes => builder.bytes(own.bytes()?, None)?,
                    }
                }
            }
        }
        if !users.is_empty() {
            builder.key("user")?;
            builder.open_list()?;
            for (name, value) in users {
                builder.open_map()?;
                builder.key("name")?;
                builder.text(name, None)?;
                builder.key("value")?;
                builder.text(value, None)?;
                builder.close(None)?;
            }
            builder.close(None)?;
        }
        if !subscriptions.is_empty() {
            builder.key("subscriptions")?;
            builder.open_list()?;
            for number in subscriptions {
                builder.scalar(Value::Int(number.into()), None)?;
            }
            builder.close(None)?;
        }
        builder.close(None)?;
        Ok(noted)
    }
}

/// What of the properties matters to the gateway.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted<'p> {
    pub(super) alias: bool,
    pub(super) content_type: Option<&'p str>,
}

enum Kind {
    Byte,
    Two,
    Four,
    Text,
    Bytes,
}

const fn property(number: u32) -> Option<(&'static str, Kind)> {
    Some(match number {
        0x01 => ("payload_format", Kind::Byte),
        0x02 => ("message_expiry", Kind::Four),
        0x03 => ("content_type", Kind::Text),
        0x08 => ("response_topic", Kind::Text),
        0x09 => ("correlation_data", Kind::Bytes),
        0x11 => ("session_expiry", Kind::Four),
        0x12 => ("assigned_client_id", Kind::Text),
        0x13 => ("server_keep_alive", Kind::Two),
        0x15 => ("authentication_method", Kind::Text),
        0x16 => ("authentication_data", Kind::Bytes),
        0x17 => ("request_problem", Kind::Byte),
        0x18 => ("will_delay", Kind::Four),
        0x19 => ("request_response", Kind::Byte),
        0x1a => ("response_information", Kind::Text),
        0x1c => ("server_reference", Kind::Text),
        0x1f => ("reason", Kind::Text),
        0x21 => ("receive_maximum", Kind::Two),
        0x22 => ("topic_alias_maximum", Kind::Two),
        0x23 => ("topic_alias", Kind::Two),
        0x24 => ("maximum_qos", Kind::Byte),
        0x25 => ("retain_available", Kind::Byte),
        0x27 => ("maximum_packet", Kind::Four),
        0x28 => ("wildcards_available", Kind::Byte),
        0x29 => ("subscription_ids_available", Kind::Byte),
        0x2a => ("shared_available", Kind::Byte),
        _ => return None,
    })
}
