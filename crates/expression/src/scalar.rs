//! Plain values, in CEL's own types.

use std::borrow::Cow;
use std::fmt;

use cel::common::types::{CelBool, CelBytes, CelDouble, CelInt, CelNull, CelString, CelUInt};
use cel::common::value::Val;

use crate::meter;
use crate::tree::Shown;

/// A plain value. Text and bytes are borrowed wherever they can be.
#[derive(Clone)]
pub struct Scalar<'v>(pub(crate) Kept<'v>);

#[derive(Clone)]
pub(crate) enum Kept<'v> {
    Null(CelNull),
    Bool(CelBool),
    Int(CelInt),
    Uint(CelUInt),
    Float(CelDouble),
    Text(CelString<'v>),
    Bytes(CelBytes<'v>),
}

impl<'v> Scalar<'v> {
    /// Nothing.
    pub const NULL: Self = Self(Kept::Null(CelNull));

    /// What a node shows, unless it is a container.
    pub(crate) fn of(shown: Shown<'v>) -> Option<Self> {
        Some(Self(match shown {
            Shown::Null => Kept::Null(CelNull),
            Shown::Bool(value) => Kept::Bool(value.into()),
            Shown::Int(value) => Kept::Int(value.into()),
            Shown::Uint(value) => Kept::Uint(value.into()),
            Shown::Float(value) => Kept::Float(value.into()),
            Shown::Text(value) => Kept::Text(value.into()),
            Shown::Bytes(value) => Kept::Bytes(value.into()),
            Shown::List | Shown::Map => return None,
        }))
    }

    /// What it takes of a budget to hand it out.
    pub(crate) fn cost(&self) -> usize {
        1 + match &self.0 {
            Kept::Text(text) => meter::of_bytes(text.inner().len()),
            Kept::Bytes(bytes) => meter::of_bytes(bytes.inner().len()),
            _ => 0,
        }
    }

    pub(crate) fn as_val(&self) -> &(dyn Val + 'v) {
        match &self.0 {
            Kept::Null(value) => value,
            Kept::Bool(value) => value,
            Kept::Int(value) => value,
            Kept::Uint(value) => value,
            Kept::Float(value) => value,
            Kept::Text(value) => value,
            Kept::Bytes(value) => value,
        }
    }

    pub(crate) fn into_val(self) -> Box<dyn Val + 'v> {
        match self.0 {
            Kept::Null(value) => Box::new(value),
            Kept::Bool(value) => Box::new(value),
            Kept::Int(value) => Box::new(value),
            Kept::Uint(value) => Box::new(value),
            Kept::Float(value) => Box::new(value),
            Kept::Text(value) => Box::new(value),
            Kept::Bytes(value) => Box::new(value),
        }
    }
}

impl fmt::Debug for Scalar<'_> {
    /// Not the value: it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scalar").field(&self.as_val().get_type().name()).finish()
    }
}

impl From<bool> for Scalar<'_> {
    fn from(value: bool) -> Self {
        Self(Kept::Bool(value.into()))
    }
}

impl From<i64> for Scalar<'_> {
    fn from(value: i64) -> Self {
        Self(Kept::Int(value.into()))
    }
}

impl From<u64> for Scalar<'_> {
    fn from(value: u64) -> Self {
        Self(Kept::Uint(value.into()))
    }
}

impl From<f64> for Scalar<'_> {
    fn from(value: f64) -> Self {
        Self(Kept::Float(value.into()))
    }
}

impl<'v> From<&'v str> for Scalar<'v> {
    fn from(value: &'v str) -> Self {
        Self(Kept::Text(value.into()))
    }
}

impl From<String> for Scalar<'_> {
    fn from(value: String) -> Self {
        Self(Kept::Text(value.into()))
    }
}

impl<'v> From<Cow<'v, str>> for Scalar<'v> {
    fn from(value: Cow<'v, str>) -> Self {
        Self(Kept::Text(value.into()))
    }
}

impl<'v> From<&'v [u8]> for Scalar<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self(Kept::Bytes(value.into()))
    }
}
