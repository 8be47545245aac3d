//! The words of a declared format.

use schemars::JsonSchema;
use serde::Deserialize;

/// A type of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawData {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// An order of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawEndian {
    /// The highest first.
    #[default]
    Big,
    /// The lowest first.
    Little,
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawType {
    /// A whole number of 1 byte.
    U8,
    /// A whole number of 2 bytes.
    U16,
    /// A whole number of 3 bytes.
    U24,
    /// A whole number of 4 bytes.
    U32,
    /// A whole number of 8 bytes.
    U64,
    /// A whole number with sign, of 1 byte.
    I8,
    /// A whole number with sign, of 2 bytes.
    I16,
    /// A whole number with sign, of 4 bytes.
    I32,
    /// A whole number with sign, of 8 bytes.
    I64,
    /// A whole number in LEB128, in as few bytes as it needs, at most 10.
    Varint,
    /// The same with sign, by zigzag.
    Zigzag,
    /// A number of 4 bytes (IEEE 754).
    F32,
    /// A number of 8 bytes (IEEE 754).
    F64,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
    /// A whole number in decimal digits, with `-` in front where it is negative and without needless zeros.
    Integer,
    /// A number in decimal digits, as JSON writes it.
    Decimal,
    /// What has to stand here.
    Constant,
    /// Bytes that say nothing.
    Padding,
    /// A whole number in parts.
    Bits,
    /// Fields under a name.
    Struct,
    /// One thing again and again.
    List,
    /// Values that each begin with a tag and a length.
    Tlv,
    /// Names and values.
    Pairs,
    /// Fields by the value of an earlier one.
    Switch,
    /// A checksum of what stands before it.
    Checksum,
}

/// What happens to what is not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawUnknown {
    /// The message is undecodable.
    #[default]
    Refuse,
    /// It stays as it is: a number, a text, or bytes under the tag's number.
    Keep,
}

/// How a quote stands inside quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawEscape {
    /// Twice.
    #[default]
    Double,
    /// Behind a backslash, as a backslash is.
    Backslash,
}

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawAlgorithm {
    /// CRC-32 as in Ethernet, 4 bytes.
    Crc32,
    /// CRC-16 of Modbus, 2 bytes.
    Crc16Modbus,
    /// CRC-16 of polynomial 0x1021 that begins with 0xFFFF, 2 bytes.
    Crc16Ccitt,
    /// The sum of all bytes, 1 byte.
    Sum8,
    /// All bytes by exclusive or, 1 byte.
    Xor8,
}
