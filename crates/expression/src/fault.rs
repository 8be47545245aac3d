//! Why an expression has no answer. No value stands in it: one may be a secret.

use cel::ExecutionError;

/// Why an expression has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// What it goes through holds more than an expression may take.
    #[error("it would take more values than an expression may go through")]
    Budget,
    /// Something in it cannot be evaluated, or gives what was not wanted.
    #[error("{0}")]
    Failed(String),
}

impl Fault {
    /// What CEL says, told without values. What is in the expression's text may be named.
    pub(crate) fn of(error: &ExecutionError, text: &str) -> Self {
        Self::Failed(reason(error, text))
    }
}

fn reason(error: &ExecutionError, text: &str) -> String {
    match error {
        ExecutionError::NoSuchKey(key) if !key.is_empty() && text.contains(&***key) => {
            format!("there is no `{key}`")
        }
        ExecutionError::NoSuchKey(_) => "there is no such key".into(),
        ExecutionError::UnexpectedType { got, want } => format!("{got} where {want} was expected"),
        ExecutionError::NoSuchOverload(error) => error.to_string(),
        ExecutionError::FunctionError { function, .. } => format!("`{function}` failed"),
        ExecutionError::ValuesNotComparable(..) => "values of different types are compared".into(),
        ExecutionError::UnsupportedIndex(..) => "something is indexed that has no such index".into(),
        ExecutionError::IndexOutOfBounds(_) => "an index is out of bounds".into(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".into(),
        ExecutionError::Overflow(..) => "a number is too large".into(),
        _ => "a value is not of the type that it is used as".into(),
    }
}
