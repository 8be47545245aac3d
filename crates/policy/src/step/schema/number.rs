//! Numbers of a message as the validator reads them.

use std::borrow::Cow;

use jsonschema::json::JsonNumber;

/// A number of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
}

impl JsonNumber for Number {
    fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Int(number) => number.try_into().ok(),
            Self::Uint(number) => Some(number),
            Self::Float(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int(number) => Some(number),
            Self::Uint(number) => number.try_into().ok(),
            Self::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(match *self {
            Self::Int(number) => number as f64,
            Self::Uint(number) => number as f64,
            Self::Float(number) => number,
        })
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_number().to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(match *self {
            Self::Int(number) => number.into(),
            Self::Uint(number) => number.into(),
            // Only finite ones are numbers here.
            Self::Float(number) => serde_json::Number::from_f64(number).unwrap_or_else(|| 0.into()),
        })
    }

    fn is_integer(&self) -> bool {
        match self {
            Self::Int(_) | Self::Uint(_) => true,
            Self::Float(number) => number.fract() == 0.0,
        }
    }

    fn is_written_as_integer(&self) -> bool {
        !matches!(self, Self::Float(_))
    }
}
