//! A descriptor set with a field of each type, for the fuzzer and for tests.

use prost_reflect::prost::Message;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, OneofDescriptorProto,
};

/// The message's name.
pub(crate) const NAME: &str = "test.Everything";

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    }
}

fn typed(name: &str, number: i32, kind: Type, of: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(format!(".test.{of}")), ..field(name, number, kind) }
}

fn repeated(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { label: Some(Label::Repeated.into()), ..field }
}

fn in_oneof(index: i32, field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { oneof_index: Some(index), ..field }
}

fn entry(name: &str, key: Type, value: FieldDescriptorProto) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.into()),
        field: vec![field("key", 1, key), value],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    }
}

/// The set, as `protoc` would write it.
pub(crate) fn set() -> Vec<u8> {
    let scalars = [
        ("d", Type::Double),
        ("f", Type::Float),
        ("i32", Type::Int32),
        ("i64", Type::Int64),
        ("u32", Type::Uint32),
        ("u64", Type::Uint64),
        ("s32", Type::Sint32),
        ("s64", Type::Sint64),
        ("x32", Type::Fixed32),
        ("x64", Type::Fixed64),
        ("y32", Type::Sfixed32),
        ("y64", Type::Sfixed64),
        ("flag", Type::Bool),
        ("text", Type::String),
        ("raw", Type::Bytes),
    ];
    let mut fields: Vec<_> =
        scalars.into_iter().zip(1..).map(|((name, kind), number)| field(name, number, kind)).collect();
    fields.extend([
        typed("colour", 16, Type::Enum, "Colour"),
        repeated(field("numbers", 17, Type::Int32)),
        repeated(field("words", 18, Type::String)),
        repeated(typed("counts", 19, Type::Message, "Everything.CountsEntry")),
        repeated(typed("inner", 20, Type::Message, "Everything.InnerEntry")),
        typed("child", 21, Type::Message, "Everything"),
        in_oneof(0, field("note", 22, Type::String)),
        in_oneof(0, typed("other", 23, Type::Message, "Everything")),
        repeated(typed("list", 24, Type::Message, "Everything")),
        FieldDescriptorProto { proto3_optional: Some(true), ..in_oneof(1, field("maybe", 25, Type::Int32)) },
    ]);
    let oneof =
        |name: &str| OneofDescriptorProto { name: Some(name.into()), ..OneofDescriptorProto::default() };
    let everything = DescriptorProto {
        name: Some("Everything".into()),
        field: fields,
        nested_type: vec![
            entry("CountsEntry", Type::String, field("value", 2, Type::Int32)),
            entry("InnerEntry", Type::Uint64, typed("value", 2, Type::Message, "Everything")),
        ],
        oneof_decl: vec![oneof("body"), oneof("_maybe")],
        ..DescriptorProto::default()
    };
    let value = |(name, number): (&str, i32)| EnumValueDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        ..EnumValueDescriptorProto::default()
    };
    let colour = EnumDescriptorProto {
        name: Some("Colour".into()),
        value: [("RED", 0), ("GREEN", 1), ("NONE", -1)].map(value).into(),
        ..EnumDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("test.proto".into()),
        package: Some("test".into()),
        message_type: vec![everything],
        enum_type: vec![colour],
        syntax: Some("proto3".into()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}
