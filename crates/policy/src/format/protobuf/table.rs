//! What messages may hold, compiled from descriptors.

/// All types that a message can hold, the message's own first.
#[derive(Debug, PartialEq)]
pub(super) struct Table {
    pub(super) messages: Box<[Message]>,
    pub(super) enums: Box<[Enum]>,
    /// Whether fields and values stay that are not listed.
    pub(super) keep: bool,
}

/// A type of message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    /// In the order of their numbers.
    pub(super) fields: Box<[Field]>,
    pub(super) oneofs: Box<[Box<str>]>,
    /// How many fields have to be there.
    pub(super) required: usize,
}

/// A field of a message.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    pub(super) oneof: Option<usize>,
    pub(super) required: bool,
}

/// How often a field's value comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Once,
    List,
    /// The field is a message of a key and a value.
    Map,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    Text,
    Bytes,
    Message(usize),
    Enum(usize),
    /// Written between two tags, as nobody has done for long; such a field may not come.
    Group,
}

/// An enumeration: the names of its values, in the order of their numbers.
#[derive(Debug, PartialEq)]
pub(super) struct Enum(pub(super) Box<[(i32, Box<str>)]>);

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Fixed64,
    Length,
    Fixed32,
}

impl Kind {
    /// How one value is written; none where it may not be.
    pub(super) const fn wire(self) -> Option<Wire> {
        Some(match self {
            Self::Int32
            | Self::Int64
            | Self::Uint32
            | Self::Uint64
            | Self::Sint32
            | Self::Sint64
            | Self::Bool
            | Self::Enum(_) => Wire::Varint,
            Self::Double | Self::Fixed64 | Self::Sfixed64 => Wire::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => Wire::Fixed32,
            Self::Text | Self::Bytes | Self::Message(_) => Wire::Length,
            Self::Group => return None,
        })
    }
}

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        let place = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        self.fields.get(place)
    }
}

impl Enum {
    /// The name of a value; the first one where it has several.
    pub(super) fn name(&self, value: i32) -> Option<&str> {
        let place = self.0.binary_search_by_key(&value, |(listed, _)| *listed).ok()?;
        self.0.get(place).map(|(_, name)| &**name)
    }
}
