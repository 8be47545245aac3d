//! What a declared format is compiled to: fields in their order, with what they refer to by number.

use std::ops::Range;

/// The most fields of one message, or of one struct of `structs`, that others refer to.
pub(super) const MAX_SLOTS: usize = 32;

/// Fields in the order in which they stand, as one value: a message or a struct.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scope {
    pub(super) ops: Box<[Op]>,
    /// The slots of its fields: they are empty when it begins.
    pub(super) slots: Range<usize>,
}

/// One field.
#[derive(Debug, PartialEq)]
pub(super) struct Op {
    pub(super) name: Option<Box<str>>,
    pub(super) only: Option<Test>,
    pub(super) extent: Extent,
    pub(super) what: What,
    /// Where its value is kept for fields that refer to it.
    pub(super) slot: Option<usize>,
}

/// What a field is.
#[derive(Debug, PartialEq)]
pub(super) enum What {
    Number(Number, Names<i128>),
    Float { bytes: usize, little: bool },
    Text { quote: Option<Quote>, empty: bool, names: Names<Box<[u8]>> },
    Bytes,
    Integer(Names<i128>),
    Decimal,
    Constant(Box<[u8]>),
    Padding { any: bool },
    Bits(Number, Box<[Part]>),
    Struct(Body),
    List(Box<Op>, Times),
    Tlv(Tlv),
    Pairs(Pairs),
    Switch { slot: usize, cases: Box<[(Matches, Box<[Op]>)]>, default: Option<Box<[Op]>> },
    Checksum { algorithm: Algorithm, little: bool, skip: usize },
}

/// How a whole number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Fixed { bytes: usize, signed: bool, little: bool },
    Varint { zigzag: bool },
}

/// Names for values.
#[derive(Debug, PartialEq)]
pub(super) struct Names<K> {
    pub(super) list: Box<[(K, Box<str>)]>,
    /// Whether a value that is not listed stays as it is.
    pub(super) keep: bool,
}

/// Part of a number.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    pub(super) name: Option<Box<str>>,
    pub(super) width: u32,
    pub(super) names: Names<i128>,
    pub(super) slot: Option<usize>,
}

/// The fields of a struct.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    /// They stand here, and share their slots with what they stand in.
    Inline(Scope),
    /// They stand under this number, and have slots of their own.
    Named(usize),
}

/// How often the values of a list come.
#[derive(Debug, PartialEq)]
pub(super) enum Times {
    Count(Count),
    UntilEnd,
    Parted { by: Box<[u8]>, quote: Option<Quote> },
}

/// A number of bytes or of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Count {
    Fixed(u64),
    Slot(usize, i64),
    Prefix(Number, i64),
}

/// Where a field ends.
#[derive(Debug, PartialEq)]
pub(super) enum Extent {
    /// Where its own parts end.
    Own,
    /// So many bytes before the end of what it stands in.
    Rest(usize),
    Bytes(Count),
    Until {
        delimiter: Box<[u8]>,
        or_end: bool,
        quote: Option<Quote>,
    },
}

/// The character around texts in which delimiters do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) byte: u8,
    /// Whether a quote inside stands behind a backslash rather than twice.
    pub(super) backslash: bool,
}

/// Values that each begin with a tag and a length.
#[derive(Debug, PartialEq)]
pub(super) struct Tlv {
    pub(super) tag: Number,
    pub(super) size: Number,
    pub(super) plus: i64,
    /// In the order of their tags.
    pub(super) entries: Box<[(i128, Op)]>,
    pub(super) keep: bool,
    pub(super) repeat: bool,
}

/// Names and values.
#[derive(Debug, PartialEq)]
pub(super) struct Pairs {
    pub(super) separator: Box<[u8]>,
    pub(super) assign: Box<[u8]>,
    pub(super) quote: Option<Quote>,
    /// In the order of their names.
    pub(super) entries: Box<[(Box<str>, Op)]>,
    /// What names have that are not listed; none where they are refused.
    pub(super) other: Option<Box<Op>>,
}

/// A condition.
#[derive(Debug, PartialEq)]
pub(super) struct Test {
    pub(super) slot: usize,
    pub(super) matches: Matches,
}

/// Some values of a slot.
#[derive(Debug, PartialEq)]
pub(super) enum Matches {
    NonZero,
    Numbers(Box<[i128]>),
    Texts(Box<[Box<[u8]>]>),
}

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc16Modbus,
    Crc16Ccitt,
    Sum8,
    Xor8,
}

/// What a slot holds while a message is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Slot {
    /// The field was not there.
    #[default]
    Empty,
    Number(i128),
    /// A text by its place in the payload.
    Text(usize, usize),
}

impl Matches {
    /// Whether a slot holds one of the values.
    pub(super) fn holds(&self, slot: Slot, payload: &[u8]) -> bool {
        match (self, slot) {
            (Self::NonZero, Slot::Number(number)) => number != 0,
            (Self::Numbers(numbers), Slot::Number(number)) => numbers.contains(&number),
            (Self::Texts(texts), Slot::Text(start, end)) => {
                let text = payload.get(start..end).unwrap_or_default();
                texts.iter().any(|listed| **listed == *text)
            }
            _ => false,
        }
    }
}

impl<K: PartialEq> Names<K> {
    /// The name of a value: none where there are no names, or where it is kept as it is.
    ///
    /// # Errors
    /// A value that is not listed and is not kept.
    pub(super) fn name(&self, is: impl Fn(&K) -> bool) -> Result<Option<&str>, Unlisted> {
        match self.list.iter().find(|(value, _)| is(value)) {
            Some((_, name)) => Ok(Some(name)),
            None if self.keep || self.list.is_empty() => Ok(None),
            None => Err(Unlisted),
        }
    }
}

/// A value that is not among those that are listed.
#[derive(Debug)]
pub(super) struct Unlisted;

impl Op {
    /// Whether it never takes a byte.
    pub(super) fn is_void(&self) -> bool {
        match (&self.extent, &self.what) {
            (Extent::Bytes(Count::Fixed(0)), _) => true,
            (Extent::Own, What::Struct(Body::Inline(scope))) => scope.ops.iter().all(Self::is_void),
            (Extent::Own, What::List(item, Times::Count(count))) => {
                *count == Count::Fixed(0) || matches!(count, Count::Fixed(_)) && item.is_void()
            }
            (_, What::Switch { cases, default, .. }) => {
                let mut all = cases.iter().map(|(_, ops)| ops).chain(default);
                all.all(|ops| ops.iter().all(Self::is_void))
            }
            _ => false,
        }
    }
}
