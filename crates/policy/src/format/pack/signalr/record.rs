//! Records of SignalR's hub protocol, in either encoding.

use crate::fields::{Field, Shown};
use crate::format::pack::{Breach, is_list, is_map, malformed, only, whole};

pub(super) const FORMAT: &str = "SignalR record";

/// What of a record matters to the protocol.
#[derive(Debug)]
pub(super) struct Record<'m> {
    pub(super) number: u64,
    pub(super) id: Option<&'m str>,
    pub(super) target: Option<&'m str>,
    pub(super) streams: Option<Field<'m>>,
}

/// A record's length, behind how many bytes: seven bits of it in each, the lowest first.
pub(super) fn length(bytes: &[u8]) -> Result<(usize, usize), Breach> {
    let mut length = 0;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((place + 1, length));
        }
    }
    Err(if bytes.len() < 5 { Breach::Partial } else { malformed(FORMAT) })
}

impl<'m> Record<'m> {
    /// Reads a record; what its type does not have is none.
    pub(super) fn read(packet: &Field<'m>, packed: bool) -> Result<Self, Breach> {
        let record = match (packed, is_map(packet)) {
            (true, false) => Self::packed(packet),
            (false, true) => Self::json(packet),
            _ => None,
        };
        record.ok_or(malformed(FORMAT))
    }

    fn json(packet: &Field<'m>) -> Option<Self> {
        let number = whole(&packet.get("type")?)?;
        let names: &[&str] = match number {
            1 | 4 => &["type", "headers", "invocationId", "target", "arguments", "streamIds"],
            2 => &["type", "headers", "invocationId", "item"],
            3 => &["type", "headers", "invocationId", "result", "error"],
            5 => &["type", "headers", "invocationId"],
            6 => &["type"],
            7 => &["type", "error", "allowReconnect"],
            8 | 9 => &["type", "sequenceId"],
            _ => return None,
        };
        let arguments = packet.get("arguments");
        if !only(packet, names) || (matches!(number, 1 | 4) && !arguments.is_some_and(|list| is_list(&list)))
        {
            return None;
        }
        let text = |name| match packet.get(name).map(|field| field.show()) {
            None | Some(Shown::Null) => Some(None),
            Some(Shown::Text(text)) => Some(Some(text)),
            Some(_) => None,
        };
        let streams = packet.get("streamIds").filter(|list| list.show() != Shown::Null);
        if streams.is_some_and(|list| !is_list(&list)) {
            return None;
        }
        Some(Self { number, id: text("invocationId")?, target: text("target")?, streams })
    }

    fn packed(packet: &Field<'m>) -> Option<Self> {
        let Shown::List(count) = packet.show() else { return None };
        let number = whole(&packet.nth(0)?)?;
        let range = match number {
            1 | 4 => 5..=6,
            2 => 4..=4,
            3 => 4..=5,
            5 => 3..=3,
            6 => 1..=1,
            7 => 2..=3,
            8 | 9 => 2..=2,
            _ => return None,
        };
        if !range.contains(&count) || (number < 6 && !is_map(&packet.nth(1)?)) {
            return None;
        }
        let id = match number {
            1..=5 => match packet.nth(2)?.show() {
                Shown::Null => None,
                Shown::Text(id) => Some(id),
                _ => return None,
            },
            _ => None,
        };
        if !matches!(number, 1 | 4) {
            return Some(Self { number, id, target: None, streams: None });
        }
        let target = packet.nth(3)?.text()?;
        is_list(&packet.nth(4)?).then_some(())?;
        let streams = packet.nth(5);
        if streams.is_some_and(|list| !is_list(&list)) {
            return None;
        }
        Some(Self { number, id, target: Some(target), streams })
    }

    /// What kind of message it is, where it names no target.
    pub(super) const fn kind(&self) -> &'static str {
        match self.number {
            5 => "cancel",
            6 => "ping",
            7 => "close",
            8 => "ack",
            _ => "sequence",
        }
    }
}
