//! Reads a message off the wire, record by record: what the table does not have, or has otherwise, is undecodable.
//!
//! Where readers may choose (the last of two values, two messages merged into one), nothing is read: every value stands once, and
//! those of a list or map stand together, as every writer puts them.

use super::FORMAT;
use super::table::{Enum, Field, Kind, Message, Shape, Table, Wire};
use crate::fields::{Builder, Undecodable, Value};

/// Fills the builder with what the payload says.
pub(super) fn read(table: &Table, builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    let payload = builder.payload();
    let mut reader = Reader { table, payload, at: 0, end: payload.len() };
    reader.message(table.messages.first(), builder)
}

struct Reader<'a, 'p> {
    table: &'a Table,
    payload: &'p [u8],
    at: usize,
    /// Where the message or value that is read ends.
    end: usize,
}

type Done = Result<(), Undecodable>;

impl<'a, 'p> Reader<'a, 'p> {
    fn malformed(&self) -> Undecodable {
        Undecodable::Malformed { format: FORMAT, at: Some(self.at) }
    }

    const fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    fn take(&mut self, count: usize) -> Result<&'p [u8], Undecodable> {
        let window = self.payload.get(self.at..self.end).unwrap_or_default();
        let bytes = window.get(..count).ok_or_else(|| self.malformed())?;
        self.at += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Undecodable> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, Undecodable> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed())
    }

    fn tag(&mut self) -> Result<(u32, Wire), Undecodable> {
        let start = self.at;
        let malformed = Undecodable::Malformed { format: FORMAT, at: Some(start) };
        let tag = u32::try_from(self.varint()?).map_err(|_| malformed)?;
        let wire = match tag & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Length,
            5 => Wire::Fixed32,
            _ => return Err(malformed),
        };
        if tag >> 3 == 0 { Err(malformed) } else { Ok((tag >> 3, wire)) }
    }

    /// Whether a record of the same field comes next; its tag is then read.
    fn again(&mut self, number: u32) -> Result<Option<Wire>, Undecodable> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.at;
        let (next, wire) = self.tag()?;
        if next == number {
            return Ok(Some(wire));
        }
        self.at = start;
        Ok(None)
    }

    /// Reads inside the window of a length; gives where that stands.
    fn inside(&mut self, read: impl FnOnce(&mut Self) -> Done) -> Result<(usize, usize), Undecodable> {
        let length = usize::try_from(self.varint()?).map_err(|_| self.malformed())?;
        let start = self.at;
        let end = start.checked_add(length).filter(|end| *end <= self.end).ok_or_else(|| self.malformed())?;
        let outer = std::mem::replace(&mut self.end, end);
        read(self)?;
        self.end = outer;
        if self.at == end { Ok((start, end)) } else { Err(self.malformed()) }
    }

    /// A message's fields up to the end of the window, as a map.
    fn message(&mut self, message: Option<&'a Message>, builder: &mut Builder<'_, 'p>) -> Done {
        let message = message.ok_or_else(|| self.malformed())?;
        let start = self.at;
        let (mut required, mut oneofs) = (0, Vec::new());
        builder.open_map()?;
        while !self.is_empty() {
            let begin = self.at;
            let (number, wire) = self.tag()?;
            let Some(field) = message.field(number) else {
                self.unknown(number, wire, begin, builder)?;
                continue;
            };
            required += usize::from(field.required);
            if let Some(oneof) = field.oneof {
                if oneofs.contains(&oneof) {
                    return Err(Undecodable::DuplicateKey);
                }
                oneofs.push(oneof);
                builder.key(message.oneofs.get(oneof).map_or("", |name| name))?;
                builder.text(&field.name, Some((begin, self.at)))?;
            }
            builder.key(&field.name)?;
            match field.shape {
                Shape::Once => self.value(field.kind, wire, builder)?,
                Shape::List => self.list(field, wire, begin, builder)?,
                Shape::Map => self.map(field, wire, begin, builder)?,
            }
        }
        // A value that stands twice is found when the map is closed.
        builder.close(Some((start, self.at)))?;
        if required < message.required { Err(self.malformed()) } else { Ok(()) }
    }

    /// A field that the descriptors do not have, under its number: a list of whole numbers and bytes.
    fn unknown(&mut self, number: u32, wire: Wire, begin: usize, builder: &mut Builder<'_, 'p>) -> Done {
        if !self.table.keep {
            return Err(Undecodable::Malformed { format: FORMAT, at: Some(begin) });
        }
        builder.key(&number.to_string())?;
        builder.open_list()?;
        let mut next = Some(wire);
        while let Some(wire) = next {
            let kind = match wire {
                Wire::Varint => Kind::Uint64,
                Wire::Fixed64 => Kind::Fixed64,
                Wire::Fixed32 => Kind::Fixed32,
                Wire::Length => Kind::Bytes,
            };
            self.value(kind, wire, builder)?;
            next = self.again(number)?;
        }
        builder.close(Some((begin, self.at)))
    }

    fn list(&mut self, field: &Field, wire: Wire, begin: usize, builder: &mut Builder<'_, 'p>) -> Done {
        builder.open_list()?;
        let mut next = Some(wire);
        while let Some(wire) = next {
            // Numbers may stand packed, whatever the descriptors say of it.
            if wire == Wire::Length && field.kind.wire().is_some_and(|one| one != Wire::Length) {
                let one = field.kind.wire().unwrap_or(wire);
                self.inside(|reader| {
                    while !reader.is_empty() {
                        reader.value(field.kind, one, builder)?;
                    }
                    Ok(())
                })?;
            } else {
                self.value(field.kind, wire, builder)?;
            }
            next = self.again(field.number)?;
        }
        builder.close(Some((begin, self.at)))
    }

    fn map(&mut self, field: &Field, wire: Wire, begin: usize, builder: &mut Builder<'_, 'p>) -> Done {
        let Kind::Message(number) = field.kind else { return Err(self.malformed()) };
        let entry = self.table.messages.get(number).ok_or_else(|| self.malformed())?;
        builder.open_map()?;
        let mut next = Some(wire);
        while let Some(wire) = next {
            if wire != Wire::Length {
                return Err(self.malformed());
            }
            self.inside(|reader| reader.entry(entry, builder))?;
            next = self.again(field.number)?;
        }
        builder.close(Some((begin, self.at)))
    }

    /// The key and the value of a map, either of which may be left out where it is the default.
    fn entry(&mut self, entry: &'a Message, builder: &mut Builder<'_, 'p>) -> Done {
        let (Some(key), Some(value)) = (entry.field(1), entry.field(2)) else { return Err(self.malformed()) };
        let mut places = [None; 2];
        while !self.is_empty() {
            let begin = self.at;
            let (number, wire) = self.tag()?;
            let (place, kind) = match number {
                1 => (&mut places[0], key.kind),
                2 => (&mut places[1], value.kind),
                _ => return Err(Undecodable::Malformed { format: FORMAT, at: Some(begin) }),
            };
            if place.is_some() {
                return Err(Undecodable::DuplicateKey);
            }
            *place = Some(self.at);
            if kind.wire() != Some(wire) {
                return Err(Undecodable::Malformed { format: FORMAT, at: Some(begin) });
            }
            self.pass(wire)?;
        }
        let end = self.at;
        match places[0] {
            Some(start) => {
                self.at = start;
                self.key(key.kind, builder)?;
            }
            None => builder.key(if key.kind == Kind::Text {
                ""
            } else if key.kind == Kind::Bool {
                "false"
            } else {
                "0"
            })?,
        }
        match (places[1], value.kind.wire()) {
            (Some(start), Some(wire)) => {
                self.at = start;
                self.value(value.kind, wire, builder)?;
            }
            _ => self.default(value.kind, builder)?,
        }
        self.at = end;
        Ok(())
    }

    /// Passes over one value.
    fn pass(&mut self, wire: Wire) -> Done {
        match wire {
            Wire::Varint => self.varint().map(|_| ()),
            Wire::Fixed64 => self.take(8).map(|_| ()),
            Wire::Fixed32 => self.take(4).map(|_| ()),
            Wire::Length => {
                let length = usize::try_from(self.varint()?).map_err(|_| self.malformed())?;
                self.take(length).map(|_| ())
            }
        }
    }

    /// A map's key, as its text.
    fn key(&mut self, kind: Kind, builder: &mut Builder<'_, 'p>) -> Done {
        if kind == Kind::Text {
            let mut text = "";
            self.inside(|reader| {
                text = reader.text()?;
                Ok(())
            })?;
            return builder.key(text);
        }
        match self.scalar(kind)? {
            Value::Int(number) => builder.key(&number.to_string()),
            Value::Uint(number) => builder.key(&number.to_string()),
            Value::Bool(value) => builder.key(if value { "true" } else { "false" }),
            _ => Err(self.malformed()),
        }
    }

    fn default(&mut self, kind: Kind, builder: &mut Builder<'_, 'p>) -> Done {
        match kind {
            Kind::Text => builder.text("", None),
            Kind::Bytes => builder.bytes(&[], None),
            Kind::Bool => builder.scalar(Value::Bool(false), None),
            Kind::Double | Kind::Float => builder.scalar(Value::Float(0.0), None),
            Kind::Enum(number) => self.named(number, 0, None, builder),
            Kind::Message(number) => {
                let message = self.table.messages.get(number).ok_or_else(|| self.malformed())?;
                builder.open_map()?;
                builder.close(None)?;
                if message.required > 0 { Err(self.malformed()) } else { Ok(()) }
            }
            Kind::Group => Err(self.malformed()),
            _ => builder.scalar(Value::Int(0), None),
        }
    }

    /// One value.
    fn value(&mut self, kind: Kind, wire: Wire, builder: &mut Builder<'_, 'p>) -> Done {
        if kind.wire() != Some(wire) {
            return Err(self.malformed());
        }
        let start = self.at;
        match kind {
            Kind::Text => self.inside(|reader| {
                let start = reader.at;
                let text = reader.text()?;
                builder.text(text, Some((start, reader.at)))
            }),
            Kind::Bytes => self.inside(|reader| {
                let start = reader.at;
                let bytes = reader.take(reader.end - start)?;
                builder.bytes(bytes, Some((start, reader.at)))
            }),
            Kind::Message(number) => {
                let message = self.table.messages.get(number);
                self.inside(|reader| reader.message(message, builder))
            }
            Kind::Enum(number) => {
                let value = signed(self.varint()?).ok_or(Undecodable::Number)?;
                return self.named(number, value, Some((start, self.at)), builder);
            }
            _ => {
                let value = self.scalar(kind)?;
                return builder.scalar(value, Some((start, self.at)));
            }
        }
        .map(|_| ())
    }

    fn named(
        &mut self,
        number: usize,
        value: i32,
        at: Option<(usize, usize)>,
        builder: &mut Builder<'_, 'p>,
    ) -> Done {
        match self.table.enums.get(number).and_then(|names: &Enum| names.name(value)) {
            Some(name) => builder.text(name, at),
            None if self.table.keep => builder.scalar(Value::Int(value.into()), at),
            None => Err(self.malformed()),
        }
    }

    fn text(&mut self) -> Result<&'p str, Undecodable> {
        let bytes = self.take(self.end - self.at)?;
        simdutf8::basic::from_utf8(bytes).map_err(|_| Undecodable::Utf8)
    }

    /// A number, or yes or no. One that its type cannot hold would be cut by some readers.
    fn scalar(&mut self, kind: Kind) -> Result<Value, Undecodable> {
        Ok(match kind {
            Kind::Double => Value::Float(f64::from_le_bytes(self.array()?)),
            Kind::Float => Value::Float(f32::from_le_bytes(self.array()?).into()),
            Kind::Fixed32 => Value::Int(u32::from_le_bytes(self.array()?).into()),
            Kind::Sfixed32 => Value::Int(i32::from_le_bytes(self.array()?).into()),
            Kind::Fixed64 => unsigned(u64::from_le_bytes(self.array()?)),
            Kind::Sfixed64 => Value::Int(i64::from_le_bytes(self.array()?)),
            Kind::Int32 => Value::Int(signed(self.varint()?).ok_or(Undecodable::Number)?.into()),
            Kind::Int64 => Value::Int(self.varint()?.cast_signed()),
            Kind::Uint32 => {
                Value::Int(u32::try_from(self.varint()?).map_err(|_| Undecodable::Number)?.into())
            }
            Kind::Uint64 => unsigned(self.varint()?),
            Kind::Sint32 => {
                let value = u32::try_from(self.varint()?).map_err(|_| Undecodable::Number)?;
                Value::Int(zigzag(value.into()))
            }
            Kind::Sint64 => Value::Int(zigzag(self.varint()?)),
            Kind::Bool => match self.varint()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(Undecodable::Number),
            },
            Kind::Text | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) | Kind::Group => {
                return Err(self.malformed());
            }
        })
    }
}

/// A number of 32 bits, negative ones in the 64 bits that they are written in.
fn signed(value: u64) -> Option<i32> {
    i32::try_from(value.cast_signed()).ok()
}

fn unsigned(value: u64) -> Value {
    i64::try_from(value).map_or(Value::Uint(value), Value::Int)
}

const fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}
