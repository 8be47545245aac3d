//! New values: what a rewrite puts into a message, whatever its format.

/// A value that a rewrite puts into a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NewValue {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above what `Int` holds.
    Uint(u64),
    /// Any other number; what JSON has no number for becomes nothing there.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes; base64 in JSON.
    Bytes(Vec<u8>),
    /// Values in a row.
    List(Vec<Self>),
    /// Values under names.
    Map(Vec<(String, Self)>),
}

impl NewValue {
    /// A value of JSON.
    #[cfg(test)]
    pub(crate) fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Self::Int(number),
                (_, Some(number)) => Self::Uint(number),
                _ => number.as_f64().map_or(Self::Null, Self::Float),
            },
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(values) => Self::List(values.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(named) => {
                Self::Map(named.iter().map(|(name, value)| (name.clone(), Self::from_json(value))).collect())
            }
        }
    }
}

impl From<&str> for NewValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}
