//! What an expression says, in a form of its own.

use std::borrow::Cow;

use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelMap, CelString, CelTimestamp, CelType, CelUInt,
    Kind,
};
use cel::common::value::Val;

use crate::fault::Fault;

/// How deep an answer may be.
const MAX_DEPTH: usize = 128;

/// What an expression says. Text of the scope's is borrowed.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<'v> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number without a sign.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text; moments are this, as in RFC 3339, and durations, in seconds: `1.5s`.
    Text(Cow<'v, str>),
    /// Bytes.
    Bytes(Cow<'v, [u8]>),
    /// A list.
    List(Vec<Answer<'v>>),
    /// A map, in the order of the tree that it comes from, or by its keys; other keys than text are written out.
    Map(Vec<(String, Answer<'v>)>),
}

impl<'v> Answer<'v> {
    pub(crate) fn of(value: &(dyn Val + 'v)) -> Result<Self, Fault> {
        Self::within(value, MAX_DEPTH)
    }

    fn within(value: &(dyn Val + 'v), depth: usize) -> Result<Self, Fault> {
        let plain = match value.get_type().kind() {
            Kind::NullType => Some(Self::Null),
            Kind::Boolean => value.downcast_ref::<CelBool>().map(|value| Self::Bool(*value.inner())),
            Kind::Int => value.downcast_ref::<CelInt>().map(|value| Self::Int(*value.inner())),
            Kind::UInt => value.downcast_ref::<CelUInt>().map(|value| Self::Uint(*value.inner())),
            Kind::Double => value.downcast_ref::<CelDouble>().map(|value| Self::Float(*value.inner())),
            Kind::String => value.downcast_ref::<CelString<'v>>().map(|text| Self::Text(borrowed(text))),
            Kind::Bytes => value.downcast_ref::<CelBytes<'v>>().map(|bytes| {
                let owned = || Cow::Owned(bytes.inner().to_vec());
                Self::Bytes(bytes.as_borrowed().map_or_else(owned, Cow::Borrowed))
            }),
            Kind::Timestamp => {
                value.downcast_ref::<CelTimestamp>().map(|at| Self::Text(at.inner().to_rfc3339().into()))
            }
            Kind::Duration => value.downcast_ref::<CelDuration>().map(|lasts| {
                let seconds = lasts.inner().num_milliseconds() as f64 / 1000.0;
                Self::Text(format!("{seconds}s").into())
            }),
            Kind::Type => value.downcast_ref::<CelType>().map(|of| Self::Text(of.name().to_owned().into())),
            Kind::List => return Self::list(value, depth.checked_sub(1).ok_or(Fault::Budget)?),
            Kind::Map => return Self::map(value, depth.checked_sub(1).ok_or(Fault::Budget)?),
            _ => None,
        };
        plain.ok_or_else(|| no_value(value))
    }

    fn list(value: &(dyn Val + 'v), depth: usize) -> Result<Self, Fault> {
        let mut items = value.as_iterable().ok_or_else(|| no_value(value))?.iter();
        let mut list = Vec::new();
        while let Some(item) = items.next() {
            list.push(Self::within(item, depth)?);
        }
        Ok(Self::List(list))
    }

    fn map(value: &(dyn Val + 'v), depth: usize) -> Result<Self, Fault> {
        let mut keys = value.as_iterable().ok_or_else(|| no_value(value))?.iter();
        let fields = value.as_indexer().ok_or_else(|| no_value(value))?;
        let mut map = Vec::new();
        while let Some(key) = keys.next() {
            let field = fields.get(key).map_err(|_| no_value(value))?;
            map.push((name(key).ok_or_else(|| no_value(key))?, Self::within(&*field, depth)?));
        }
        if value.downcast_ref::<CelMap<'_>>().is_some() {
            map.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
        Ok(Self::Map(map))
    }
}

fn borrowed<'v>(text: &CelString<'v>) -> Cow<'v, str> {
    text.as_borrowed().map_or_else(|| Cow::Owned(text.inner().to_owned()), Cow::Borrowed)
}

fn name(key: &dyn Val) -> Option<String> {
    if let Some(text) = key.downcast_ref::<CelString<'_>>() {
        return Some(text.inner().to_owned());
    }
    let int = key.downcast_ref::<CelInt>().map(|key| key.inner().to_string());
    let uint = || key.downcast_ref::<CelUInt>().map(|key| key.inner().to_string());
    let bool = || key.downcast_ref::<CelBool>().map(|key| key.inner().to_string());
    int.or_else(uint).or_else(bool)
}

fn no_value(value: &dyn Val) -> Fault {
    Fault::Failed(format!("it gives no value but {}", value.get_type().name()))
}
