//! From a descriptor set to the table of what a message may hold.

use std::collections::HashMap;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, MessageDescriptor,
};

use super::BadDescriptors;
use super::table::{Enum, Field, Kind, Message, Shape, Table};

/// The table for a message of this name.
pub(super) fn table(set: &[u8], message: &str, keep: bool) -> Result<Table, BadDescriptors> {
    let pool = DescriptorPool::decode(set).map_err(|error| BadDescriptors::Set(error.to_string()))?;
    let message = pool.get_message_by_name(message).ok_or(BadDescriptors::NoMessage)?;
    let mut loader = Loader::default();
    loader.message(message);
    let mut messages = Vec::new();
    // Each message's fields may add messages that were not seen before.
    while let Some(next) = loader.found.get(messages.len()).cloned() {
        messages.push(loader.fields(&next));
    }
    Ok(Table { messages: messages.into(), enums: loader.enums.into(), keep })
}

/// Messages and enumerations by their names, in the order in which they were found.
#[derive(Default)]
struct Loader {
    numbers: HashMap<String, usize>,
    found: Vec<MessageDescriptor>,
    enum_numbers: HashMap<String, usize>,
    enums: Vec<Enum>,
}

impl Loader {
    fn message(&mut self, message: MessageDescriptor) -> usize {
        let next = self.found.len();
        let number = *self.numbers.entry(message.full_name().to_owned()).or_insert(next);
        if number == next {
            self.found.push(message);
        }
        number
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> usize {
        let next = self.enums.len();
        let number = *self.enum_numbers.entry(descriptor.full_name().to_owned()).or_insert(next);
        if number == next {
            let mut values: Vec<(i32, Box<str>)> =
                descriptor.values().map(|value| (value.number(), value.name().into())).collect();
            // Sorting keeps names of one number in their order: the first one stays.
            values.sort_by_key(|(number, _)| *number);
            values.dedup_by_key(|(number, _)| *number);
            self.enums.push(Enum(values.into()));
        }
        number
    }

    fn fields(&mut self, message: &MessageDescriptor) -> Message {
        let mut oneofs: Vec<Box<str>> = Vec::new();
        let mut fields: Vec<Field> = message.fields().map(|field| self.field(&field, &mut oneofs)).collect();
        fields.extend(message.extensions().map(|extension| self.extension(&extension)));
        fields.sort_by_key(|field| field.number);
        let required = fields.iter().filter(|field| field.required).count();
        Message { fields: fields.into(), oneofs: oneofs.into(), required }
    }

    fn field(&mut self, field: &FieldDescriptor, oneofs: &mut Vec<Box<str>>) -> Field {
        // A synthetic one says only that a field is optional.
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()).map(|oneof| {
            let known = oneofs.iter().position(|name| **name == *oneof.name());
            known.unwrap_or_else(|| {
                oneofs.push(oneof.name().into());
                oneofs.len() - 1
            })
        });
        Field {
            number: field.number(),
            name: field.name().into(),
            kind: self.kind(field.kind(), field.is_group()),
            shape: match (field.is_map(), field.is_list()) {
                (true, _) => Shape::Map,
                (false, true) => Shape::List,
                (false, false) => Shape::Once,
            },
            oneof,
            required: field.is_required(),
        }
    }

    fn extension(&mut self, field: &ExtensionDescriptor) -> Field {
        Field {
            number: field.number(),
            name: field.full_name().into(),
            kind: self.kind(field.kind(), field.is_group()),
            shape: if field.is_list() { Shape::List } else { Shape::Once },
            oneof: None,
            required: false,
        }
    }

    fn kind(&mut self, kind: prost_reflect::Kind, is_group: bool) -> Kind {
        use prost_reflect::Kind as Described;
        match kind {
            _ if is_group => Kind::Group,
            Described::Double => Kind::Double,
            Described::Float => Kind::Float,
            Described::Int32 => Kind::Int32,
            Described::Int64 => Kind::Int64,
            Described::Uint32 => Kind::Uint32,
            Described::Uint64 => Kind::Uint64,
            Described::Sint32 => Kind::Sint32,
            Described::Sint64 => Kind::Sint64,
            Described::Fixed32 => Kind::Fixed32,
            Described::Fixed64 => Kind::Fixed64,
            Described::Sfixed32 => Kind::Sfixed32,
            Described::Sfixed64 => Kind::Sfixed64,
            Described::Bool => Kind::Bool,
            Described::String => Kind::Text,
            Described::Bytes => Kind::Bytes,
            Described::Message(message) => Kind::Message(self.message(message)),
            Described::Enum(descriptor) => Kind::Enum(self.enumeration(&descriptor)),
        }
    }
}
