//! Reads a message by its program: every step takes bytes of the window that it stands in, and none beyond.

use super::program::{
    Body, Count, Extent, MAX_SLOTS, Names, Number, Op, Part, Quote, Scope, Slot, Times, What,
};
use super::{FORMAT, quote};
use crate::fields::{Builder, Undecodable, Value};

/// Fills the builder with what the payload says.
pub(super) fn read(
    root: &Scope,
    structs: &[Scope],
    builder: &mut Builder<'_, '_>,
) -> Result<(), Undecodable> {
    let payload = builder.payload();
    let mut reader = Reader { structs, payload, at: 0, end: payload.len() };
    reader.fields(root, &mut Frame::default(), builder)?;
    match reader.is_empty() {
        true => Ok(()),
        false => Err(Undecodable::Trailing { format: FORMAT }),
    }
}

/// What the fields of a message, or of a named struct, are referred to by.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) slots: [Slot; MAX_SLOTS],
    /// Where the struct that is read begins.
    start: usize,
}

pub(super) struct Reader<'a, 'p> {
    structs: &'a [Scope],
    payload: &'p [u8],
    pub(super) at: usize,
    /// Where the window ends.
    pub(super) end: usize,
}

/// The window around the one that was entered.
pub(super) struct Outer {
    /// Where reading goes on.
    next: usize,
    end: usize,
}

type Done = Result<(), Undecodable>;

impl<'p> Reader<'_, 'p> {
    pub(super) fn malformed(&self) -> Undecodable {
        Undecodable::Malformed { format: FORMAT, at: Some(self.at) }
    }

    pub(super) fn window(&self) -> &'p [u8] {
        self.payload.get(self.at..self.end).unwrap_or_default()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'p [u8], Undecodable> {
        let bytes = self.window().get(..count).ok_or_else(|| self.malformed())?;
        self.at += count;
        Ok(bytes)
    }

    /// The rest of the window.
    fn take_all(&mut self) -> &'p [u8] {
        let bytes = self.window();
        self.at = self.end;
        bytes
    }

    /// Enters a window of so many bytes.
    pub(super) fn enter(&mut self, count: usize) -> Result<Outer, Undecodable> {
        self.enter_before(count, 0)
    }

    /// Enters a window of so many bytes, behind which some are passed over.
    pub(super) fn enter_before(&mut self, count: usize, passed: usize) -> Result<Outer, Undecodable> {
        if count > self.window().len() {
            return Err(self.malformed());
        }
        let outer = Outer { next: self.at + count + passed, end: self.end };
        self.end = self.at + count;
        Ok(outer)
    }

    /// Leaves a window, of which nothing may be left.
    pub(super) fn leave(&mut self, outer: Outer) -> Done {
        if !self.is_empty() {
            return Err(self.malformed());
        }
        (self.at, self.end) = (outer.next, outer.end);
        Ok(())
    }

    pub(super) fn number(&mut self, number: Number) -> Result<i128, Undecodable> {
        match number {
            Number::Fixed { bytes: count, signed, little } => {
                let bytes = self.take(count)?;
                let value = unsigned(bytes, little);
                // The highest bit stands for its negative where there is a sign.
                let is_negative = signed && value >> (8 * count - 1) != 0;
                Ok(i128::from(value) - if is_negative { 1 << (8 * count) } else { 0 })
            }
            Number::Varint { zigzag } => {
                let value = self.varint()?;
                let half = i128::from(value >> 1);
                Ok(if !zigzag {
                    value.into()
                } else if value & 1 == 0 {
                    half
                } else {
                    -1 - half
                })
            }
        }
    }

    /// A number in LEB128; two spellings of one number would be two messages to some readers.
    fn varint(&mut self) -> Result<u64, Undecodable> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            let is_last = byte & 0x80 == 0;
            if shift == 63 && byte > 1 || is_last && byte == 0 && shift > 0 {
                return Err(self.malformed());
            }
            value |= u64::from(byte & 0x7f) << shift;
            if is_last {
                return Ok(value);
            }
            shift += 7;
        }
    }

    pub(super) fn count(&mut self, count: Count, frame: &Frame) -> Result<usize, Undecodable> {
        let (number, plus) = match count {
            Count::Fixed(number) => (number.into(), 0),
            Count::Slot(slot, plus) => match frame.slots.get(slot) {
                Some(Slot::Number(number)) => (*number, plus),
                _ => return Err(self.malformed()),
            },
            Count::Prefix(number, plus) => (self.number(number)?, plus),
        };
        number.checked_add(plus.into()).and_then(|sum| sum.try_into().ok()).ok_or_else(|| self.malformed())
    }

    /// The fields of a message or struct, as a map.
    pub(super) fn fields(&mut self, scope: &Scope, frame: &mut Frame, builder: &mut Builder<'_, 'p>) -> Done {
        let (start, outer) = (self.at, std::mem::replace(&mut frame.start, self.at));
        frame.slots.get_mut(scope.slots.clone()).unwrap_or_default().fill(Slot::Empty);
        builder.open_map()?;
        self.ops(&scope.ops, frame, builder)?;
        frame.start = outer;
        builder.close(Some((start, self.at)))
    }

    pub(super) fn ops(&mut self, ops: &[Op], frame: &mut Frame, builder: &mut Builder<'_, 'p>) -> Done {
        ops.iter().try_for_each(|op| self.op(op, frame, builder))
    }

    /// One field. Its name was given to the builder before where it has none of its own.
    pub(super) fn op(&mut self, op: &Op, frame: &mut Frame, builder: &mut Builder<'_, 'p>) -> Done {
        if let Some(test) = &op.only
            && !frame.slots.get(test.slot).is_some_and(|slot| test.matches.holds(*slot, self.payload))
        {
            return Ok(());
        }
        if let Some(name) = &op.name {
            builder.key(name)?;
        }
        let outer = match &op.extent {
            Extent::Own => return self.what(op, frame, builder),
            Extent::Rest(less) => {
                let count = self.window().len().checked_sub(*less).ok_or_else(|| self.malformed())?;
                self.enter(count)?
            }
            Extent::Bytes(count) => {
                let count = self.count(*count, frame)?;
                self.enter(count)?
            }
            Extent::Until { delimiter, or_end, quote } => {
                match quote::find(self.window(), delimiter, *quote) {
                    Some(count) => self.enter_before(count, delimiter.len())?,
                    None if *or_end => self.enter(self.window().len())?,
                    None => return Err(self.malformed()),
                }
            }
        };
        self.what(op, frame, builder)?;
        self.leave(outer)
    }

    fn what(&mut self, op: &Op, frame: &mut Frame, builder: &mut Builder<'_, 'p>) -> Done {
        let start = self.at;
        let slot = match &op.what {
            What::Number(number, names) => {
                let value = self.number(*number)?;
                self.named(value, names, start, builder)?;
                Slot::Number(value)
            }
            What::Float { bytes, little } => {
                let value = float(self.take(*bytes)?, *little);
                return builder.scalar(Value::Float(value), Some((start, self.at)));
            }
            What::Text { quote, empty, names } => self.text(*quote, *empty, names, builder)?,
            What::Bytes => {
                let bytes = self.take_all();
                return builder.bytes(bytes, Some((start, self.at)));
            }
            What::Integer(names) => {
                let value = integer(self.window()).ok_or_else(|| self.malformed())?;
                self.take_all();
                self.named(value, names, start, builder)?;
                Slot::Number(value)
            }
            What::Decimal => {
                let value = decimal(self.window()).ok_or_else(|| self.malformed())?;
                self.take_all();
                return builder.scalar(Value::Float(value), Some((start, self.at)));
            }
            What::Constant(bytes) => return self.constant(bytes),
            What::Padding { any } => return self.padding(*any),
            What::Bits(number, parts) => return self.bits(op.name.is_some(), *number, parts, frame, builder),
            What::Struct(Body::Inline(scope)) => return self.fields(scope, frame, builder),
            What::Struct(Body::Named(number)) => {
                let scope = self.structs.get(*number).ok_or_else(|| self.malformed())?;
                return self.fields(scope, &mut Frame::default(), builder);
            }
            What::List(item, times) => return self.list(item, times, frame, builder),
            What::Tlv(tlv) => return self.tlv(tlv, frame, builder),
            What::Pairs(pairs) => return self.pairs(pairs, frame, builder),
            What::Switch { slot, cases, default } => {
                let value = frame.slots.get(*slot).copied().unwrap_or_default();
                let case = cases.iter().find(|(matches, _)| matches.holds(value, self.payload));
                let ops = case.map(|(_, ops)| ops).or(default.as_ref()).ok_or_else(|| self.malformed())?;
                return self.in_switch(op, ops, frame, builder);
            }
            What::Checksum { algorithm, little, skip } => {
                let over = self.payload.get(frame.start..start).and_then(|bytes| bytes.get(*skip..));
                let expected = over.map(|bytes| u64::from(algorithm.of(bytes)));
                let found = unsigned(self.take(algorithm.bytes())?, *little);
                return if expected == Some(found) { Ok(()) } else { Err(self.malformed()) };
            }
        };
        if let Some(place) = op.slot.and_then(|number| frame.slots.get_mut(number)) {
            *place = slot;
        }
        Ok(())
    }

    /// The fields of a case: under the switch's own name, or beside it.
    fn in_switch(&mut self, op: &Op, ops: &[Op], frame: &mut Frame, builder: &mut Builder<'_, 'p>) -> Done {
        if op.name.is_none() {
            return self.ops(ops, frame, builder);
        }
        let start = self.at;
        builder.open_map()?;
        self.ops(ops, frame, builder)?;
        builder.close(Some((start, self.at)))
    }

    /// A whole number, or its name.
    fn named(
        &mut self,
        value: i128,
        names: &Names<i128>,
        start: usize,
        builder: &mut Builder<'_, 'p>,
    ) -> Done {
        let at = Some((start, self.at));
        match names.name(|listed| *listed == value).map_err(|_| self.malformed())? {
            Some(name) => builder.text(name, at),
            None => builder.scalar(whole(value)?, at),
        }
    }

    fn text(
        &mut self,
        quote: Option<Quote>,
        empty: bool,
        names: &Names<Box<[u8]>>,
        builder: &mut Builder<'_, 'p>,
    ) -> Result<Slot, Undecodable> {
        let (start, raw) = (self.at, self.window());
        if raw.is_empty() && !empty {
            return Err(self.malformed());
        }
        let bytes = match quote {
            Some(quote) => quote::unquoted(raw, quote).ok_or_else(|| self.malformed())?,
            None => raw.into(),
        };
        let text = simdutf8::basic::from_utf8(&bytes).map_err(|_| Undecodable::Utf8)?;
        let name = names.name(|listed| **listed == *bytes).map_err(|_| self.malformed())?;
        self.take_all();
        builder.text(name.unwrap_or(text), Some((start, self.at)))?;
        Ok(Slot::Text(start, self.at))
    }

    fn constant(&mut self, bytes: &[u8]) -> Done {
        if !self.window().starts_with(bytes) {
            return Err(self.malformed());
        }
        self.take(bytes.len()).map(|_| ())
    }

    fn padding(&mut self, any: bool) -> Done {
        if !any && self.window().iter().any(|byte| *byte != 0) {
            return Err(self.malformed());
        }
        self.take_all();
        Ok(())
    }

    fn bits(
        &mut self,
        as_map: bool,
        number: Number,
        parts: &[Part],
        frame: &mut Frame,
        builder: &mut Builder<'_, 'p>,
    ) -> Done {
        let start = self.at;
        let value = self.number(number)?;
        if as_map {
            builder.open_map()?;
        }
        let mut left: u32 = parts.iter().map(|part| part.width).sum();
        for part in parts {
            left -= part.width;
            let bits = value >> left & ((1 << part.width) - 1);
            let Some(name) = &part.name else {
                if bits != 0 {
                    return Err(Undecodable::Malformed { format: FORMAT, at: Some(start) });
                }
                continue;
            };
            builder.key(name)?;
            match part.width == 1 && part.names.list.is_empty() {
                true => builder.scalar(Value::Bool(bits != 0), Some((start, self.at)))?,
                false => self.named(bits, &part.names, start, builder)?,
            }
            if let Some(place) = part.slot.and_then(|number| frame.slots.get_mut(number)) {
                *place = Slot::Number(bits);
            }
        }
        if as_map { builder.close(Some((start, self.at))) } else { Ok(()) }
    }

    fn list(&mut self, item: &Op, times: &Times, frame: &mut Frame, builder: &mut Builder<'_, 'p>) -> Done {
        // A prefix is no part of the list's own window.
        let count = match times {
            Times::Count(count) => self.count(*count, frame)?,
            Times::UntilEnd | Times::Parted { .. } => usize::MAX,
        };
        let start = self.at;
        builder.open_list()?;
        if let Times::Parted { by, quote } = times {
            self.parted(by, *quote, |reader| reader.op(item, frame, builder))?;
            return builder.close(Some((start, self.at)));
        }
        for _ in 0..count {
            if count == usize::MAX && self.is_empty() {
                break;
            }
            let before = self.at;
            self.op(item, frame, builder)?;
            // However often it is announced: what takes no byte could go on for ever.
            if self.at == before {
                return Err(self.malformed());
            }
        }
        builder.close(Some((start, self.at)))
    }

    /// Reads every piece between separators up to the end of the window; there is none in an empty one.
    pub(super) fn parted(
        &mut self,
        separator: &[u8],
        quote: Option<Quote>,
        mut piece: impl FnMut(&mut Self) -> Done,
    ) -> Done {
        let mut is_more = !self.is_empty();
        while is_more {
            let found = quote::find(self.window(), separator, quote);
            let outer = match found {
                Some(count) => self.enter_before(count, separator.len())?,
                None => self.enter(self.window().len())?,
            };
            piece(self)?;
            self.leave(outer)?;
            is_more = found.is_some();
        }
        Ok(())
    }
}

fn unsigned(bytes: &[u8], little: bool) -> u64 {
    let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) }
}

fn float(bytes: &[u8], little: bool) -> f64 {
    let bits = unsigned(bytes, little);
    match u32::try_from(bits) {
        Ok(bits) if bytes.len() == 4 => f32::from_bits(bits).into(),
        _ => f64::from_bits(bits),
    }
}

fn whole(value: i128) -> Result<Value, Undecodable> {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Ok(Value::Int(value)),
        (_, Ok(value)) => Ok(Value::Uint(value)),
        _ => Err(Undecodable::Number),
    }
}

/// A whole number in the one way to write it.
fn integer(bytes: &[u8]) -> Option<i128> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let is_negative = digits.len() < bytes.len();
    let is_written_well = match digits {
        [b'0'] => !is_negative,
        [b'0', ..] | [] => false,
        digits => digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit),
    };
    let value = digits
        .iter()
        .filter(|_| is_written_well)
        .fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
    is_written_well.then_some(if is_negative { -value } else { value })
}

fn decimal(bytes: &[u8]) -> Option<f64> {
    // serde_json passes over white space around a number.
    let is_bare = bytes.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
        && bytes.last().is_some_and(u8::is_ascii_digit);
    serde_json::from_slice(bytes).ok().filter(|_| is_bare)
}
