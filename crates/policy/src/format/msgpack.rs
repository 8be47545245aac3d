//! MessagePack, by rmp's markers: every value with the place of its encoding.

use rmp::Marker;

use crate::fields::{Builder, Undecodable, Value};

const FORMAT: &str = "MessagePack";

pub(super) fn decode(builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    let mut reader = Reader { payload: builder.payload(), at: 0 };
    reader.value(builder)?;
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

    fn take(&mut self, count: usize) -> Result<&'p [u8], Undecodable> {
        let end = self.at.checked_add(count).ok_or_else(|| self.malformed())?;
        let bytes = self.payload.get(self.at..end).ok_or_else(|| self.malformed())?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Undecodable> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn length<const N: usize>(&mut self) -> Result<usize, Undecodable> {
        let bytes = self.array::<N>()?;
        Ok(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn marker(&mut self) -> Result<Marker, Undecodable> {
        self.array::<1>().map(|[byte]| Marker::from_u8(byte))
    }

    /// One value. What is inside it cannot be nested deeper than the builder lets it.
    fn value(&mut self, builder: &mut Builder<'_, 'p>) -> Result<(), Undecodable> {
        let start = self.at;
        let marker = self.marker()?;
        match self.scalar(marker)? {
            Some(value) => builder.scalar(value, Some((start, self.at))),
            None => self.long(marker, start, builder),
        }
    }

    /// A value that has no length of its own.
    fn scalar(&mut self, marker: Marker) -> Result<Option<Value>, Undecodable> {
        Ok(Some(match marker {
            Marker::Null => Value::Null,
            Marker::True => Value::Bool(true),
            Marker::False => Value::Bool(false),
            Marker::FixPos(value) => Value::Int(value.into()),
            Marker::FixNeg(value) => Value::Int(value.into()),
            Marker::U8 => Value::Int(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Value::Int(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Value::Int(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => {
                let value = u64::from_be_bytes(self.array()?);
                i64::try_from(value).map_or(Value::Uint(value), Value::Int)
            }
            Marker::I8 => Value::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Value::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Value::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Value::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Value::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Value::Float(f64::from_be_bytes(self.array()?)),
            Marker::Reserved => return Err(self.malformed()),
            _ => return Ok(None),
        }))
    }

    fn long(
        &mut self,
        marker: Marker,
        start: usize,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        if let Some(length) = self.text_length(marker)? {
            let text = self.text(length)?;
            return builder.text(text, Some((start, self.at)));
        }
        let length = match marker {
            Marker::Bin8 => self.length::<1>()?,
            Marker::Bin16 => self.length::<2>()?,
            Marker::Bin32 => self.length::<4>()?,
            // An extension's type is part of its bytes.
            Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::FixExt4 => 5,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Ext8 => self.length::<1>()? + 1,
            Marker::Ext16 => self.length::<2>()? + 1,
            Marker::Ext32 => self.length::<4>()? + 1,
            _ => return self.container(marker, start, builder),
        };
        let bytes = self.take(length)?;
        builder.bytes(bytes, Some((start, self.at)))
    }

    fn container(
        &mut self,
        marker: Marker,
        start: usize,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<(), Undecodable> {
        let (is_map, count) = match marker {
            Marker::FixArray(count) => (false, count.into()),
            Marker::Array16 => (false, self.length::<2>()?),
            Marker::Array32 => (false, self.length::<4>()?),
            Marker::FixMap(count) => (true, count.into()),
            Marker::Map16 => (true, self.length::<2>()?),
            Marker::Map32 => (true, self.length::<4>()?),
            _ => return Err(self.malformed()),
        };
        // However many values are announced, each is a byte at least, and the builder counts those that come.
        if is_map {
            builder.open_map()?
        } else {
            builder.open_list()?
        }
        for _ in 0..count {
            if is_map {
                self.name(builder)?;
            }
            self.value(builder)?;
        }
        builder.close(Some((start, self.at)))
    }

    /// The name of a value. Whole numbers stand as they are written in decimal; nothing else is a name.
    fn name(&mut self, builder: &mut Builder<'_, 'p>) -> Result<(), Undecodable> {
        let start = self.at;
        let marker = self.marker()?;
        if let Some(length) = self.text_length(marker)? {
            let name = self.text(length)?;
            return builder.key(name);
        }
        match self.scalar(marker)? {
            Some(Value::Int(number)) => builder.key(&number.to_string()),
            Some(Value::Uint(number)) => builder.key(&number.to_string()),
            _ => Err(Undecodable::Malformed { format: FORMAT, at: Some(start) }),
        }
    }

    fn text_length(&mut self, marker: Marker) -> Result<Option<usize>, Undecodable> {
        Ok(Some(match marker {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 => self.length::<1>()?,
            Marker::Str16 => self.length::<2>()?,
            Marker::Str32 => self.length::<4>()?,
            _ => return Ok(None),
        }))
    }

    fn text(&mut self, length: usize) -> Result<&'p str, Undecodable> {
        let bytes = self.take(length)?;
        simdutf8::basic::from_utf8(bytes).map_err(|_| Undecodable::Utf8)
    }
}
