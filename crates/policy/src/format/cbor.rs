//! CBOR (RFC 8949), by ciborium-ll's headers: every value with the place of its encoding.

use ciborium_ll::{Decoder, Header, simple};

use crate::fields::{Builder, Undecodable, Value};

const FORMAT: &str = "CBOR";

pub(super) fn decode(builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    let mut reader = Reader { payload: builder.payload(), at: 0 };
    let header = reader.header()?;
    reader.value(header, 0, builder)?;
    if reader.at < reader.payload.len() {
        return Err(Undecodable::Trailing { format: FORMAT });
    }
    Ok(())
}

struct Reader<'p> {
    payload: &'p [u8],
    at: usize,
}

impl<'p> Reader<'p> {
    fn malformed(&self) -> Undecodable {
        Undecodable::Malformed { format: FORMAT, at: Some(self.at) }
    }

    /// The next header. Tags say how a value is meant, not what it is: they are passed over.
    fn header(&mut self) -> Result<Header, Undecodable> {
        loop {
            let rest = self.payload.get(self.at..).unwrap_or_default();
            let mut decoder = Decoder::from(rest);
            let header = decoder.pull().map_err(|_| self.malformed())?;
            self.at += decoder.offset();
            if !matches!(header, Header::Tag(_)) {
                return Ok(header);
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<&'p [u8], Undecodable> {
        let end = self.at.checked_add(count).ok_or_else(|| self.malformed())?;
        let bytes = self.payload.get(self.at..end).ok_or_else(|| self.malformed())?;
        self.at = end;
        Ok(bytes)
    }

    /// One value, whose header was read from `start` on. What is inside it cannot be nested deeper than the builder
    /// lets it.
    fn value(
        &mut self,
        header: Header,
        start: usize,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        let value = match header {
            Header::Positive(value) => i64::try_from(value).map_or(Value::Uint(value), Value::Int),
            Header::Negative(value) => Value::Int(negative(value)?),
            Header::Float(value) => Value::Float(value),
            Header::Simple(simple::FALSE) => Value::Bool(false),
            Header::Simple(simple::TRUE) => Value::Bool(true),
            Header::Simple(simple::NULL | simple::UNDEFINED) => Value::Null,
            Header::Simple(_) | Header::Break | Header::Tag(_) => return Err(self.malformed()),
            Header::Bytes(Some(length)) => {
                let bytes = self.take(length)?;
                return builder.bytes(bytes, Some((start, self.at)));
            }
            Header::Text(Some(length)) => {
                let text = self.text(length)?;
                return builder.text(text, Some((start, self.at)));
            }
            Header::Bytes(None) => {
                let mut bytes = Vec::new();
                while let Some(length) = self.chunk(false)? {
                    bytes.extend_from_slice(self.take(length)?);
                }
                return builder.bytes(&bytes, Some((start, self.at)));
            }
            Header::Text(None) => {
                let text = self.chunked_text()?;
                return builder.text(&text, Some((start, self.at)));
            }
            Header::Array(count) => return self.list(count, start, builder),
            Header::Map(count) => return self.map(count, start, builder),
        };
        builder.scalar(value, Some((start, self.at)))
    }

    fn list(
        &mut self,
        count: Option<usize>,
        start: usize,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        builder.open_list()?;
        // However many values are announced, each is a byte at least, and the builder counts those that come.
        for _ in 0..count.unwrap_or(usize::MAX) {
            let start = self.at;
            match self.header()? {
                Header::Break if count.is_none() => break,
                header => self.value(header, start, builder)?,
            }
        }
        builder.close(Some((start, self.at)))
    }

    fn map(
        &mut self,
        count: Option<usize>,
        start: usize,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        builder.open_map()?;
        for _ in 0..count.unwrap_or(usize::MAX) {
            match self.header()? {
                Header::Break if count.is_none() => break,
                // Whole numbers stand as they are written in decimal; nothing else is a name.
                Header::Positive(number) => builder.key(&number.to_string())?,
                Header::Negative(number) => builder.key(&negative(number)?.to_string())?,
                Header::Text(Some(length)) => {
                    let name = self.text(length)?;
                    builder.key(name)?;
                }
                Header::Text(None) => {
                    let name = self.chunked_text()?;
                    builder.key(&name)?;
                }
                _ => return Err(self.malformed()),
            }
            let start = self.at;
            let header = self.header()?;
            self.value(header, start, builder)?;
        }
        builder.close(Some((start, self.at)))
    }

    fn text(&mut self, length: usize) -> Result<&'p str, Undecodable> {
        let bytes = self.take(length)?;
        simdutf8::basic::from_utf8(bytes).map_err(|_| Undecodable::Utf8)
    }

    /// Text in chunks, each of which is UTF-8 by itself (RFC 8949 section 3.2.3).
    fn chunked_text(&mut self) -> Result<String, Undecodable> {
        let mut text = String::new();
        while let Some(length) = self.chunk(true)? {
            text.push_str(self.text(length)?);
        }
        Ok(text)
    }

    /// The length of the next chunk; none behind the last one.
    fn chunk(&mut self, text: bool) -> Result<Option<usize>, Undecodable> {
        match self.header()? {
            Header::Text(Some(length)) if text => Ok(Some(length)),
            Header::Bytes(Some(length)) if !text => Ok(Some(length)),
            Header::Break => Ok(None),
            _ => Err(self.malformed()),
        }
    }
}

fn negative(value: u64) -> Result<i64, Undecodable> {
    i64::try_from(value).map(|value| -1 - value).map_err(|_| Undecodable::Number)
}
