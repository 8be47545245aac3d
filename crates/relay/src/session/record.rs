//! Records on the wire: the one place that reads and writes them. The table is at the top of the [session](super).

use bytes::{BufMut, Bytes, BytesMut};

use super::{Ended, Fault, Reason, SessionId};

pub(super) const VERSION: u8 = 1;

pub(super) const ATTACH: u8 = 1;
pub(super) const DATA: u8 = 2;
pub(super) const ACK: u8 = 3;
pub(super) const PING: u8 = 4;
pub(super) const PONG: u8 = 5;
pub(super) const FIN: u8 = 6;
pub(super) const CLOSE: u8 = 7;

/// Bytes of an ATTACH before its tag.
pub(super) const UNTAGGED: usize = 2 + 16 + 3 * 8;
/// Bytes of a whole ATTACH.
pub(super) const ATTACH_LEN: usize = UNTAGGED + 32;
/// Bytes of DATA before its payload.
pub(super) const DATA_HEADER: usize = 1 + 8 + 4;
/// Bytes of a CLOSE before its text.
const CLOSE_HEADER: usize = 1 + 2 + 2;
/// Bytes of the longest record, DATA's payload apart: fewer are left over where one is not complete.
pub(super) const LONGEST: usize = CLOSE_HEADER + Ended::MAX_TEXT;

/// What the first record of a carrier says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attach {
    pub(super) session: SessionId,
    pub(super) epoch: u64,
    pub(super) received: u64,
    pub(super) window: u64,
    pub(super) tag: [u8; 32],
}

impl Attach {
    /// What the tag is made over, the role apart.
    pub(super) fn untagged(&self) -> [u8; UNTAGGED] {
        let mut bytes = [0; UNTAGGED];
        let mut out = &mut bytes[..];
        out.put_u8(ATTACH);
        out.put_u8(VERSION);
        out.put_slice(&self.session.0);
        out.put_u64(self.epoch);
        out.put_u64(self.received);
        out.put_u64(self.window);
        bytes
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(ATTACH_LEN);
        out.put_slice(&self.untagged());
        out.put_slice(&self.tag);
        out.freeze()
    }

    fn read(input: &[u8]) -> Option<Self> {
        Some(Self {
            session: SessionId(field(input, 2)?),
            epoch: u64_at(input, 18)?,
            received: u64_at(input, 26)?,
            window: u64_at(input, 34)?,
            tag: field(input, UNTAGGED)?,
        })
    }
}

/// A record; of DATA the header only.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Attach(Attach),
    Data { offset: u64, length: u32 },
    Ack { received: u64, window: u64 },
    Ping(u64),
    Pong(u64),
    Fin(u64),
    Close(Reason, &'a str),
}

impl<'a> Record<'a> {
    /// The record that `input` begins with, and how many bytes it takes; `None` where it is not complete.
    #[inline]
    pub(super) fn parse(input: &'a [u8]) -> Result<Option<(Self, usize)>, Fault> {
        let Some(kind) = input.first() else { return Ok(None) };
        Ok(match *kind {
            DATA => data(input),
            ACK => ack(input),
            PING => number(input).map(|(number, len)| (Self::Ping(number), len)),
            PONG => number(input).map(|(number, len)| (Self::Pong(number), len)),
            FIN => number(input).map(|(offset, len)| (Self::Fin(offset), len)),
            CLOSE => read_close(input)?,
            ATTACH => match input.get(1) {
                // Told before the rest is there: it may be of another length.
                Some(version) if *version != VERSION => return Err(Fault::Version(*version)),
                _ => Attach::read(input).map(|attach| (Self::Attach(attach), ATTACH_LEN)),
            },
            other => return Err(Fault::UnknownRecord(other)),
        })
    }
}

fn data(input: &[u8]) -> Option<(Record<'_>, usize)> {
    let length = u32::from_be_bytes(field(input, 9)?);
    Some((Record::Data { offset: u64_at(input, 1)?, length }, DATA_HEADER))
}

fn ack(input: &[u8]) -> Option<(Record<'_>, usize)> {
    Some((Record::Ack { received: u64_at(input, 1)?, window: u64_at(input, 9)? }, 17))
}

fn number(input: &[u8]) -> Option<(u64, usize)> {
    Some((u64_at(input, 1)?, 9))
}

fn read_close(input: &[u8]) -> Result<Option<(Record<'_>, usize)>, Fault> {
    let (Some(code), Some(len)) = (field(input, 1), field(input, 3)) else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes(len));
    if len > Ended::MAX_TEXT {
        return Err(Fault::CloseText);
    }
    let end = CLOSE_HEADER + len;
    let Some(text) = input.get(CLOSE_HEADER..end) else { return Ok(None) };
    let text = std::str::from_utf8(text).map_err(|_| Fault::CloseText)?;
    Ok(Some((Record::Close(Reason::from_code(u16::from_be_bytes(code)), text), end)))
}

fn field<const N: usize>(input: &[u8], at: usize) -> Option<[u8; N]> {
    input.get(at..at + N)?.try_into().ok()
}

fn u64_at(input: &[u8], at: usize) -> Option<u64> {
    field(input, at).map(u64::from_be_bytes)
}

#[inline]
pub(super) fn data_header(offset: u64, length: u32) -> [u8; DATA_HEADER] {
    let mut bytes = [DATA; DATA_HEADER];
    bytes[1..9].copy_from_slice(&offset.to_be_bytes());
    bytes[9..].copy_from_slice(&length.to_be_bytes());
    bytes
}

pub(super) fn ack_record(received: u64, window: u64) -> [u8; 17] {
    let mut bytes = [ACK; 17];
    bytes[1..9].copy_from_slice(&received.to_be_bytes());
    bytes[9..].copy_from_slice(&window.to_be_bytes());
    bytes
}

/// PING, PONG or FIN.
pub(super) fn number_record(kind: u8, number: u64) -> [u8; 9] {
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// CLOSE with a text of at most 256 bytes.
pub(super) fn close(reason: Reason, text: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(CLOSE_HEADER + text.len());
    out.put_u8(CLOSE);
    out.put_u16(reason.code());
    out.put_u16(text.len() as u16);
    out.put_slice(text.as_bytes());
    out.freeze()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_read_only_when_it_is_whole() {
        let attach =
            Attach { session: SessionId([7; 16]), epoch: 1, received: 2, window: u64::MAX, tag: [9; 32] };
        let all: [(Bytes, Record<'_>); 7] = [
            (attach.encode(), Record::Attach(attach.clone())),
            (Bytes::copy_from_slice(&data_header(3, u32::MAX)), Record::Data { offset: 3, length: u32::MAX }),
            (Bytes::copy_from_slice(&ack_record(4, 5)), Record::Ack { received: 4, window: 5 }),
            (Bytes::copy_from_slice(&number_record(PING, 6)), Record::Ping(6)),
            (Bytes::copy_from_slice(&number_record(PONG, 7)), Record::Pong(7)),
            (Bytes::copy_from_slice(&number_record(FIN, 8)), Record::Fin(8)),
            (close(Reason::Other(600), "né"), Record::Close(Reason::Other(600), "né")),
        ];
        for (bytes, record) in &all {
            for cut in 0..bytes.len() {
                assert_eq!(Record::parse(&bytes[..cut]), Ok(None), "{record:?} cut at {cut}");
            }
            assert!(bytes.len() <= LONGEST);
            let longer = [&bytes[..], b"more"].concat();
            let (read, len) = Record::parse(&longer).unwrap().unwrap();
            assert_eq!((&read, len), (record, bytes.len()));
        }
    }

    #[test]
    fn what_cannot_become_a_record_is_refused_at_once() {
        assert_eq!(Record::parse(&[0]), Err(Fault::UnknownRecord(0)));
        assert_eq!(Record::parse(b"<"), Err(Fault::UnknownRecord(b'<')));
        assert_eq!(Record::parse(&[ATTACH, 2]), Err(Fault::Version(2)));
        assert_eq!(Record::parse(&[CLOSE, 0, 1, 1, 1]), Err(Fault::CloseText));
        assert_eq!(Record::parse(&[CLOSE, 0, 1, 0, 1, 0xff]), Err(Fault::CloseText));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_a_beginning_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0u8..9) {
            let bytes = [&[kind][..], &bytes[..]].concat();
            match Record::parse(&bytes) {
                Ok(Some((_, len))) => prop_assert!(0 < len && len <= bytes.len() && len <= LONGEST),
                Ok(None) => prop_assert!(bytes.len() < LONGEST),
                Err(_) => {}
            }
        }
    }
}
