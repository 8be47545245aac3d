//! From declared fields to a program, with every mistake in them.

use std::collections::HashSet;

use wicketgate_config::{At, Item, Place, Problems};

use super::config::{RawBits, RawCase, RawField};
use super::extent;
use super::keys;
use super::length::RawIf;
use super::program::{
    Algorithm, Body, Extent, Matches, Names, Number, Op, Part, Quote, Scope, Test, Times, What,
};
use super::scope::{Frame, Kind};
use super::values;
use super::words::{RawAlgorithm, RawEndian, RawEscape, RawType, RawUnknown};

/// The most fields of one format.
const MAX_FIELDS: usize = 1_000;
/// The most fields inside each other.
const MAX_DEPTH: usize = 16;

/// Compiles the fields of one format.
pub(super) struct Compiler<'a> {
    /// The names of `structs`.
    pub(super) structs: &'a [At<String>],
    pub(super) endian: RawEndian,
    pub(super) problems: &'a mut Problems,
    /// How many fields there were.
    pub(super) fields: usize,
    /// How many lists and structs are around the field at hand.
    pub(super) depth: usize,
}

/// Where a field stands.
#[derive(Clone, Copy)]
pub(super) enum Stand {
    /// Among the fields of a message or struct.
    Field,
    /// It is the value of a list, tag or name: those of text protocols end where they are cut.
    Value { cut: bool, quote: Option<Quote> },
}

impl Compiler<'_> {
    /// The fields of a message or struct.
    pub(super) fn scope(&mut self, fields: At<Vec<Item<RawField>>>, frame: &mut Frame) -> Scope {
        let first = frame.slots();
        let mut names = HashSet::new();
        let ops = self.fields(fields, frame, &mut names);
        Scope { ops, slots: first..frame.slots() }
    }

    /// Fields one after the other; `names` are those that are taken.
    fn fields(
        &mut self,
        fields: At<Vec<Item<RawField>>>,
        frame: &mut Frame,
        names: &mut HashSet<String>,
    ) -> Box<[Op]> {
        self.depth += 1;
        let mut ops = Vec::with_capacity(fields.value.len());
        let mut open: Option<Place> = None;
        for field in fields.value {
            let (place, conditional) = (field.place, field.value.only.is_some());
            let Some(op) = self.field(field, Stand::Field, frame, names) else { continue };
            if let Some(rest) = open.filter(|_| !op.is_void() && !conditional) {
                let what = "nothing is left for this field: one before it takes the rest";
                let help = "give that one a length, such as `{plus: -4}` for all but the last 4 bytes";
                self.problems.clash(place, what, help, (rest, "this one"));
            }
            let is_open = matches!(op.what, What::List(_, Times::UntilEnd | Times::Parted { .. }));
            if !conditional && (op.extent == Extent::Rest(0) || is_open && op.extent == Extent::Own) {
                open = Some(place);
            }
            ops.push(op);
        }
        self.depth -= 1;
        ops.into()
    }

    /// One field; none where it cannot be compiled.
    pub(super) fn field(
        &mut self,
        raw: Item<RawField>,
        stand: Stand,
        frame: &mut Frame,
        names: &mut HashSet<String>,
    ) -> Option<Op> {
        if self.depth > MAX_DEPTH {
            let what = format!("fields stand more than {MAX_DEPTH} deep in each other");
            self.problems.error(raw.place, what, "write some of them under `structs`, and `use` those");
            return None;
        }
        self.fields += 1;
        if self.fields == MAX_FIELDS + 1 {
            self.problems.error(
                raw.place,
                format!("there are more than {MAX_FIELDS} fields"),
                "leave some out",
            );
        }
        let (mut raw, place) =
            (raw.whole.then_some(raw.value).filter(|_| self.fields <= MAX_FIELDS)?, raw.place);
        let Some(what) = raw.what.as_ref().map(|at| at.value) else {
            self.problems.error(place, "the field has no type", "add `type:`, as in `type: u16`");
            return None;
        };
        keys::check(&raw, what, self.problems);
        self.check_stand(&raw, what, place, stand);
        if let Some(name) = &raw.name {
            self.check_name(name, names);
        }
        let only = raw.only.take().and_then(|only| self.only(only, frame));
        let quote = self.quote(&raw).or(match stand {
            Stand::Value { quote, .. } => quote,
            Stand::Field => None,
        });
        let extent = extent::of(self, &raw, what, place, quote, frame);
        let (mark, name) = (frame.mark(), raw.name.take());
        let kind = self.kind(&raw, what, quote);
        let is_cut =
            matches!(extent, Extent::Until { .. }) || matches!(stand, Stand::Value { cut: true, .. });
        let what =
            self.what(raw, what, place, Around { quote, is_cut, name: name.as_ref() }, frame, names)?;
        match (&what, &name) {
            (What::Struct(Body::Inline(_)) | What::Bits(..), Some(name)) => frame.wrap(mark, &name.value),
            (What::Bits(..), None) => {}
            _ => frame.forget(mark),
        }
        let slot = name.as_ref().and_then(|name| frame.bind(name, kind, self.problems));
        let gives_none = matches!(what, What::Constant(_) | What::Padding { .. } | What::Checksum { .. });
        let name = name.filter(|_| !gives_none).map(|name| name.value.into());
        Some(Op { name, only, extent, what, slot })
    }

    fn check_stand(&mut self, raw: &RawField, what: RawType, place: Place, stand: Stand) {
        let is_silent = matches!(what, RawType::Constant | RawType::Padding | RawType::Checksum);
        let may_be_nameless = is_silent || matches!(what, RawType::Bits | RawType::Switch);
        match stand {
            Stand::Field if raw.name.is_none() && !may_be_nameless => {
                self.problems.error(place, "the field has no name", "add `name:`");
            }
            Stand::Value { .. } if is_silent || matches!(what, RawType::Switch | RawType::Bits) => {
                let what = format!("a field of type `{}` cannot stand here", what.word());
                self.problems.error(place, what, "put it into a `struct`");
            }
            Stand::Value { .. } if raw.only.is_some() => {
                self.problems.error(place, "`if` cannot stand here", "put the field into a `struct`");
            }
            _ => {}
        }
    }

    fn check_name(&mut self, name: &At<String>, names: &mut HashSet<String>) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            let what = format!("`{}` is no name for a field", name.value);
            self.problems.error(name.place, what, "a name has 1 to 64 letters, digits, `_` and `-`");
        }
        if !names.insert(name.value.clone()) {
            let what = format!("`{}` is the name of a field beside it already", name.value);
            self.problems.error(name.place, what, "give it another one");
        }
    }

    fn only(&mut self, raw: At<RawIf>, frame: &Frame) -> Option<Test> {
        match raw.value {
            RawIf::Field(field) => {
                let field = At { value: field, place: raw.place };
                let slot = frame.flag(&field, self.problems)?;
                Some(Test { slot, matches: Matches::NonZero })
            }
            RawIf::Is(is) => {
                let (slot, matches) = frame.matches(&is.field, &is.is.value, self.problems)?;
                Some(Test { slot, matches })
            }
        }
    }

    fn quote(&mut self, raw: &RawField) -> Option<Quote> {
        let escape = raw.escape.as_ref();
        let Some(quote) = &raw.quote else {
            if let Some(escape) = escape {
                self.problems.error(escape.place, "`escape` stands without `quote`", "add `quote: '\"'`");
            }
            return None;
        };
        let backslash = escape.is_some_and(|escape| escape.value == RawEscape::Backslash);
        match quote.as_bytes() {
            [byte] if byte.is_ascii_punctuation() && *byte != b'\\' => Some(Quote { byte: *byte, backslash }),
            _ => {
                let what = format!("`{}` is no quote", quote.value);
                self.problems.error(quote.place, what, "give one punctuation character of ASCII: `'\"'`");
                None
            }
        }
    }

    /// What others may compare the field's value with.
    fn kind(&mut self, raw: &RawField, what: RawType, quote: Option<Quote>) -> Kind {
        let values = raw.values.as_ref();
        match what {
            RawType::Text if quote.is_some() => Kind::Nothing("is a text that may stand in quotes"),
            RawType::Text => Kind::Text(values::texts(values, &mut Problems::default())),
            what if what.is_whole() || what == RawType::Integer => {
                Kind::Number(values::numbers(values, &mut Problems::default()))
            }
            _ => Kind::Nothing("is neither a number nor a text"),
        }
    }

    /// A whole number of this type.
    pub(super) fn number(&self, what: RawType, endian: Option<&At<RawEndian>>) -> Number {
        let little = endian.map_or(self.endian, |at| at.value) == RawEndian::Little;
        let (bytes, signed) = match what {
            RawType::Varint => return Number::Varint { zigzag: false },
            RawType::Zigzag => return Number::Varint { zigzag: true },
            RawType::U16 => (2, false),
            RawType::U24 => (3, false),
            RawType::U32 => (4, false),
            RawType::U64 => (8, false),
            RawType::I8 => (1, true),
            RawType::I16 => (2, true),
            RawType::I32 => (4, true),
            RawType::I64 => (8, true),
            _ => (1, false),
        };
        Number::Fixed { bytes, signed, little }
    }

    fn names<K: PartialEq>(&self, list: Vec<(K, Box<str>)>, unknown: Option<RawUnknown>) -> Names<K> {
        Names { list: list.into(), keep: unknown == Some(RawUnknown::Keep) }
    }

    fn what(
        &mut self,
        raw: RawField,
        what: RawType,
        place: Place,
        around: Around<'_>,
        frame: &mut Frame,
        names: &mut HashSet<String>,
    ) -> Option<What> {
        let little = raw.endian.as_ref().map_or(self.endian, |at| at.value) == RawEndian::Little;
        let unknown = raw.unknown.as_ref().map(|at| at.value);
        if let (Some(at), None, true) = (&raw.unknown, &raw.values, around.asks_for_values(what)) {
            self.problems.error(
                at.place,
                "`unknown` stands without `values`",
                "list the values that have names",
            );
        }
        Some(match what {
            what if what.is_whole() => {
                let list = values::numbers(raw.values.as_ref(), self.problems);
                What::Number(self.number(what, raw.endian.as_ref()), self.names(list, unknown))
            }
            RawType::F32 => What::Float { bytes: 4, little },
            RawType::F64 => What::Float { bytes: 8, little },
            RawType::Text => {
                let list = values::texts(raw.values.as_ref(), self.problems);
                let empty = raw.empty.map_or(!around.is_cut, |at| at.value);
                What::Text { quote: around.quote, empty, names: self.names(list, unknown) }
            }
            RawType::Bytes => What::Bytes,
            RawType::Integer => {
                let list = values::numbers(raw.values.as_ref(), self.problems);
                What::Integer(self.names(list, unknown))
            }
            RawType::Decimal => What::Decimal,
            RawType::Constant => What::Constant(values::constant(&raw, place, self.problems)?),
            RawType::Padding => What::Padding { any: raw.any.is_some_and(|at| at.value) },
            RawType::Bits => return self.bits(raw, place, around.name, frame, names),
            RawType::Struct => What::Struct(self.body(raw, place, frame)?),
            RawType::List => return self.list(raw, place, around.quote, frame),
            RawType::Tlv => What::Tlv(self.tlv(raw, place, frame)),
            RawType::Pairs => What::Pairs(self.pairs(raw, place, around.quote, frame)?),
            RawType::Switch => return self.switch(raw, place, around.name, frame, names),
            RawType::Checksum => {
                let Some(algorithm) = raw.algorithm else {
                    let help = "add `algorithm:`, as in `algorithm: crc32`";
                    self.problems.error(place, "the checksum has no algorithm", help);
                    return None;
                };
                let skip = raw.skip.map_or(0, |at| at.value as usize);
                What::Checksum { algorithm: algorithm.value.into(), little, skip }
            }
            _ => return None,
        })
    }

    fn body(&mut self, raw: RawField, place: Place, frame: &mut Frame) -> Option<Body> {
        match (raw.fields, raw.named) {
            (Some(fields), None) => Some(Body::Inline(self.scope(fields, frame))),
            (None, Some(name)) => self.named(&name).map(Body::Named),
            (fields, _) => {
                let what = if fields.is_some() { "both `fields` and `use`" } else { "no fields" };
                let help = "give it either `fields:`, or `use:` with a name of `structs`";
                self.problems.error(place, format!("the struct has {what}"), help);
                None
            }
        }
    }

    fn named(&mut self, name: &At<String>) -> Option<usize> {
        let found = self.structs.iter().position(|known| known.value == name.value);
        if found.is_none() {
            let known: Vec<&str> = self.structs.iter().map(|known| &*known.value).collect();
            let what = format!("there is no `{}` under `structs`", name.value);
            self.problems.error(name.place, what, wicketgate_config::alternatives(&name.value, &known));
        }
        found
    }

    fn bits(
        &mut self,
        raw: RawField,
        place: Place,
        name: Option<&At<String>>,
        frame: &mut Frame,
        names: &mut HashSet<String>,
    ) -> Option<What> {
        let of = raw.of.as_ref().map_or(RawType::U8, |at| at.value);
        let number = self.number(of, raw.endian.as_ref());
        let (RawType::U8 | RawType::U16 | RawType::U32 | RawType::U64, Number::Fixed { bytes, .. }) =
            (of, number)
        else {
            let place = raw.of.map_or(place, |at| at.place);
            let what = format!("`{}` has no bits to name", of.word());
            self.problems.error(place, what, "there are `u8`, `u16`, `u32`, `u64`");
            return None;
        };
        let raw = raw.bits.unwrap_or(At { value: Vec::new(), place });
        let mut own = HashSet::new();
        let names = if name.is_some() { &mut own } else { names };
        let width: u64 = raw.value.iter().map(|part| u64::from(part.value.width.value)).sum();
        if width != 8 * bytes as u64 || raw.value.iter().any(|part| part.value.width.value == 0) {
            let what = format!("the widths are {width} bits together, and `{}` has {}", of.word(), 8 * bytes);
            self.problems.error(
                raw.place,
                what,
                "name them all, the highest first; `{width: 3}` for those of no use",
            );
            return None;
        }
        let parts = raw.value.into_iter().filter_map(|part| self.part(part, frame, names));
        Some(What::Bits(number, parts.collect()))
    }

    fn part(&mut self, raw: Item<RawBits>, frame: &mut Frame, names: &mut HashSet<String>) -> Option<Part> {
        let raw = raw.whole.then_some(raw.value)?;
        let list = values::numbers(raw.values.as_ref(), self.problems);
        let kind = match raw.width.value == 1 && list.is_empty() {
            true => Kind::Bool,
            false => Kind::Number(list.clone()),
        };
        let slot = raw.name.as_ref().and_then(|name| {
            self.check_name(name, names);
            frame.bind(name, kind, self.problems)
        });
        let names = self.names(list, Some(raw.unknown));
        Some(Part {
            name: raw.name.map(|name| name.value.into()),
            width: raw.width.value.into(),
            names,
            slot,
        })
    }

    fn list(&mut self, raw: RawField, place: Place, quote: Option<Quote>, frame: &mut Frame) -> Option<What> {
        let times = match (&raw.separator, &raw.count) {
            (Some(separator), None) => {
                Times::Parted { by: values::delimiter("separator", separator, self.problems), quote }
            }
            (None, Some(count)) => {
                extent::count(self, count, raw.endian.as_ref(), frame).map_or(Times::UntilEnd, Times::Count)
            }
            (None, None) => Times::UntilEnd,
            (Some(separator), Some(count)) => {
                let what = "the list has both `count` and `separator`";
                let other = (separator.place, "the other one");
                self.problems.clash(
                    count.place,
                    what,
                    "values between separators are as many as there are",
                    other,
                );
                return None;
            }
        };
        let Some(item) = raw.item else {
            self.problems.error(
                place,
                "the list has no `item`",
                "add `item: {type: u16}`, or what it consists of",
            );
            return None;
        };
        let at = item.place;
        if let Some(name) = &item.value.name {
            self.problems.error(name.place, "values of a list have no names", "remove the name");
        }
        let stand = Stand::Value { cut: matches!(times, Times::Parted { .. }), quote };
        let item = self.value(*item, stand, frame)?;
        if item.is_void() {
            let what = "a value of the list takes no byte: it could come any number of times";
            self.problems.error(at, what, "give it a field that is always there");
        }
        Some(What::List(Box::new(item), times))
    }

    /// The value of a list, tag or name. Nothing outside may refer to what is in it.
    pub(super) fn value(&mut self, raw: Item<RawField>, stand: Stand, frame: &mut Frame) -> Option<Op> {
        let mark = frame.mark();
        self.depth += 1;
        let op = self.field(raw, stand, frame, &mut HashSet::new());
        self.depth -= 1;
        frame.forget(mark);
        op
    }

    fn switch(
        &mut self,
        raw: RawField,
        place: Place,
        name: Option<&At<String>>,
        frame: &mut Frame,
        names: &HashSet<String>,
    ) -> Option<What> {
        let (Some(on), Some(cases)) = (raw.on, raw.cases) else {
            self.problems.error(
                place,
                "the switch lacks `on` or `cases`",
                "add `on: FIELD` and `cases: [{is: VALUE, fields: [...]}]`",
            );
            return None;
        };
        let names = if name.is_some() { HashSet::new() } else { names.clone() };
        let mut slot = None;
        let one = |compiler: &mut Self, fields, frame: &mut Frame| {
            let mark = frame.mark();
            let ops = compiler.fields(fields, frame, &mut names.clone());
            frame.forget(mark);
            ops
        };
        let mut all = Vec::with_capacity(cases.value.len());
        for case in cases.value {
            let Some(RawCase { is, fields }) = case.whole.then_some(case.value) else { continue };
            let (found, matches) = frame.matches(&on, &is.value, self.problems)?;
            slot = Some(found);
            all.push((matches, one(self, fields, frame)));
        }
        let default = raw.default.map(|fields| one(self, fields, frame));
        if slot.is_none() {
            self.problems.error(cases.place, "the switch has no case", "add `{is: VALUE, fields: [...]}`");
        }
        Some(What::Switch { slot: slot?, cases: all.into(), default })
    }
}

/// What is known of a field beside its own keys.
struct Around<'a> {
    quote: Option<Quote>,
    /// Whether it ends where a delimiter stands.
    is_cut: bool,
    name: Option<&'a At<String>>,
}

impl Around<'_> {
    const fn asks_for_values(&self, what: RawType) -> bool {
        !matches!(what, RawType::Tlv | RawType::Pairs)
    }
}

impl RawType {
    /// Whether it is a whole number in binary.
    pub(super) const fn is_whole(self) -> bool {
        matches!(
            self,
            Self::U8
                | Self::U16
                | Self::U24
                | Self::U32
                | Self::U64
                | Self::I8
                | Self::I16
                | Self::I32
                | Self::I64
                | Self::Varint
                | Self::Zigzag
        )
    }
}

impl From<RawAlgorithm> for Algorithm {
    fn from(raw: RawAlgorithm) -> Self {
        match raw {
            RawAlgorithm::Crc32 => Self::Crc32,
            RawAlgorithm::Crc16Modbus => Self::Crc16Modbus,
            RawAlgorithm::Crc16Ccitt => Self::Crc16Ccitt,
            RawAlgorithm::Sum8 => Self::Sum8,
            RawAlgorithm::Xor8 => Self::Xor8,
        }
    }
}
