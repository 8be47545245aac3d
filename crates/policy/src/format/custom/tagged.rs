//! Values that each say what they are: tag, length and value; name and value.

use super::program::{Op, Pairs, Tlv};
use super::quote;
use super::read::{Frame, Reader};
use crate::fields::{Builder, Undecodable};

impl<'p> Reader<'_, 'p> {
    /// Tags, lengths and values up to the end of the window: each is a tag at least, which takes a byte.
    pub(super) fn tlv(
        &mut self,
        tlv: &Tlv,
        frame: &mut Frame,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        let start = self.at;
        if tlv.repeat {
            builder.open_list()?
        } else {
            builder.open_map()?
        }
        while !self.is_empty() {
            let begin = self.at;
            let tag = self.number(tlv.tag)?;
            let found = tlv.entries.binary_search_by_key(&tag, |(tag, _)| *tag).ok();
            let entry = found.and_then(|place| tlv.entries.get(place));
            if entry.is_none() && !tlv.keep {
                return Err(Undecodable::Malformed { format: super::FORMAT, at: Some(begin) });
            }
            let size = self.number(tlv.size)?.saturating_add(tlv.plus.into());
            let outer = self.enter(size.try_into().map_err(|_| self.malformed())?)?;
            if tlv.repeat {
                builder.open_map()?;
            }
            match entry {
                Some((_, op)) => self.op(op, frame, builder)?,
                None => {
                    builder.key(&tag.to_string())?;
                    let (from, bytes) = (self.at, self.take(self.end - self.at)?);
                    builder.bytes(bytes, Some((from, self.at)))?;
                }
            }
            self.leave(outer)?;
            if tlv.repeat {
                builder.close(Some((begin, self.at)))?;
            }
        }
        builder.close(Some((start, self.at)))
    }

    /// Names and values up to the end of the window.
    pub(super) fn pairs(
        &mut self,
        pairs: &Pairs,
        frame: &mut Frame,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        let start = self.at;
        builder.open_map()?;
        self.parted(&pairs.separator, pairs.quote, |reader| {
            let end = quote::find(reader.window(), &pairs.assign, None).ok_or_else(|| reader.malformed())?;
            let (begin, name) = (reader.at, reader.take(end)?);
            let name = simdutf8::basic::from_utf8(name).map_err(|_| Undecodable::Utf8)?;
            let malformed = Undecodable::Malformed { format: super::FORMAT, at: Some(begin) };
            if name.is_empty() || pairs.quote.is_some_and(|quote| name.as_bytes().contains(&quote.byte)) {
                return Err(malformed);
            }
            let op = pairs.op(name).ok_or(malformed)?;
            reader.take(pairs.assign.len())?;
            if op.name.is_none() {
                builder.key(name)?;
            }
            reader.op(op, frame, builder)
        })?;
        builder.close(Some((start, self.at)))
    }
}

impl Pairs {
    /// What stands behind a name; none where it may not be there.
    fn op(&self, name: &str) -> Option<&Op> {
        let found = self.entries.binary_search_by(|(listed, _)| (**listed).cmp(name)).ok();
        let listed = found.and_then(|place| self.entries.get(place)).map(|(_, op)| op);
        listed.or(self.other.as_deref())
    }
}
