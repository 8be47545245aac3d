//! What stands behind the variables while expressions are asked.

use std::fmt;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{self, CelString, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use crate::meter;
use crate::scalar::Scalar;

/// The variables of an evaluation. One scope serves all expressions that are asked of the same message or request.
#[derive(Debug, Default)]
pub struct Scope<'v>(Vec<(&'static str, Bound<'v>)>);

/// What stands behind a variable or a field: a plain value, a record, or a [`LazyValue`](crate::LazyValue).
#[derive(Clone)]
pub struct Bound<'v>(Content<'v>);

// Never one of CEL's own lists and maps: `prepare` relies on it.
#[derive(Clone)]
enum Content<'v> {
    Scalar(Scalar<'v>),
    Record(Record<'v>),
    Tree(Box<dyn Val + 'v>),
    Shared(&'v Bound<'v>),
}

/// Some named fields, each of which may be absent: `has(client.address)` tells whether it is there.
#[derive(Clone, Debug, Default)]
pub struct Record<'v>(Vec<(&'v str, Bound<'v>)>);

impl<'v> Scope<'v> {
    /// A scope without variables.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Gives a variable its value.
    pub fn bind(&mut self, name: &'static str, value: impl Into<Bound<'v>>) {
        let value = value.into();
        match self.0.iter_mut().find(|(bound, _)| *bound == name) {
            Some((_, bound)) => *bound = value,
            None => self.0.push((name, value)),
        }
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let (_, bound) = self.0.iter().find(|(name, _)| *name == variable)?;
        bound.hand_out().ok()
    }
}

impl<'v> Record<'v> {
    /// A record without fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field.
    pub fn set(&mut self, name: &'v str, value: impl Into<Bound<'v>>) {
        self.0.push((name, value.into()));
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &'v str, value: impl Into<Bound<'v>>) -> Self {
        self.set(name, value);
        self
    }

    /// The same with one more field, if its value is known.
    #[must_use]
    pub fn with_known(self, name: &'v str, value: Option<impl Into<Bound<'v>>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn find(&self, key: &dyn Val) -> Result<&Bound<'v>, ExecutionError> {
        let key = key.downcast_ref::<CelString<'_>>().map(CelString::inner).unwrap_or_default();
        let found = self.0.iter().find(|(name, _)| *name == key);
        found.map(|(_, bound)| bound).ok_or_else(|| ExecutionError::NoSuchKey(Arc::new(key.to_owned())))
    }
}

impl<'v> Bound<'v> {
    pub(crate) fn of_tree(value: Box<dyn Val + 'v>) -> Self {
        Self(Content::Tree(value))
    }

    fn as_val(&self) -> &(dyn Val + 'v) {
        match &self.0 {
            Content::Scalar(scalar) => scalar.as_val(),
            Content::Record(record) => record,
            Content::Tree(value) => &**value,
            Content::Shared(bound) => bound.as_val(),
        }
    }

    fn hand_out<'b>(&'b self) -> Result<CowVal<'b, 'v>, ExecutionError> {
        let cost = match &self.0 {
            Content::Scalar(scalar) => scalar.cost(),
            _ => 1,
        };
        if meter::charge(cost) { Ok(CowVal::Borrowed(self.as_val())) } else { Err(meter::spent()) }
    }
}

impl<'v, S: Into<Scalar<'v>>> From<S> for Bound<'v> {
    fn from(value: S) -> Self {
        Self(Content::Scalar(value.into()))
    }
}

impl<'v> From<Record<'v>> for Bound<'v> {
    fn from(record: Record<'v>) -> Self {
        Self(Content::Record(record))
    }
}

impl<'v> From<&'v Bound<'v>> for Bound<'v> {
    fn from(bound: &'v Bound<'v>) -> Self {
        Self(Content::Shared(bound))
    }
}

impl fmt::Debug for Bound<'_> {
    /// Not the value: it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Scalar(scalar) => scalar.fmt(f),
            Content::Record(record) => record.fmt(f),
            Content::Tree(value) => value.fmt(f),
            Content::Shared(bound) => bound.fmt(f),
        }
    }
}

impl Val for Record<'_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &types::MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl Indexer for Record<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let value: CowVal<'b, 'w> = self.find(key)?.hand_out()?;
        Ok(value)
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Container for Record<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key).is_ok())
    }
}
