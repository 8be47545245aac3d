//! Whether who asks may use a route: an expression in CEL over what is known of the request.

mod facts;
mod survey;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cel::{Context, ExecutionError, Program, Value};
use wicketgate_config::{At, Network, Problems};

pub use facts::Facts;
pub use survey::{Invalid, Needs};

use super::identity::Identity;
use super::refusal::Refusal;

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// An expression, compiled once, that says whether who asks may use a route.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    text: String,
    program: Program,
    needs: Needs,
}

/// CEL's own functions and ours, built once: that takes longer than an evaluation.
static ROOT: LazyLock<Context<'static, 'static>> = LazyLock::new(|| {
    let mut root = Context::default();
    // It fails only for a name that CEL has itself.
    let added = root.add_function("in_network", in_network);
    debug_assert!(added.is_ok());
    root
});

/// `in_network(client.address, "10.0.0.0/8")`.
fn in_network(address: Arc<String>, network: Arc<String>) -> Result<bool, ExecutionError> {
    let wrong = |what: &str| ExecutionError::function_error("in_network", what);
    let address: IpAddr = address.parse().map_err(|_| wrong("no address"))?;
    let network: Network = network.parse().map_err(|_| wrong("no network"))?;
    Ok(network.contains(address))
}

impl Expression {
    /// Compiles an expression and looks through it: every name, function and header in it has to be one that there is.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_LENGTH {
            let what = format!("the expression is longer than {MAX_LENGTH} bytes");
            return Err(Invalid {
                what,
                help: "make claims at the identity provider that say it shorter".into(),
            });
        }
        let program = Program::compile(text).map_err(|errors| Invalid::syntax(&errors))?;
        let needs = survey::survey(&program)?;
        Ok(Self(Arc::new(Compiled { text: text.to_owned(), program, needs })))
    }

    /// Compiles the expression of a configuration; what is wrong goes to `problems`.
    pub fn check(raw: &At<String>, problems: &mut Problems) -> Option<Self> {
        match Self::parse(&raw.value) {
            Ok(expression) => Some(expression),
            Err(Invalid { what, help }) => {
                problems.error(raw.place, what, help);
                None
            }
        }
    }

    /// What of a request it goes by.
    pub fn needs(&self) -> &Needs {
        &self.0.needs
    }

    /// Asks whether it holds. It may be asked again, of a session and whoever renewed its credential.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] where it does not, [`Refusal::Authorization`] where that cannot be told.
    pub fn judge(&self, facts: &Facts, identity: Option<&Identity>) -> Result<(), Refusal> {
        let mut context = ROOT.new_inner_scope();
        let Compiled { text, program, needs } = &*self.0;
        facts.bind(identity, needs, &mut context).map_err(|why| Refusal::Authorization(why.into()))?;
        match program.execute(&context) {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(Value::Bool(false)) => Err(Refusal::Forbidden),
            Ok(other) => Err(Refusal::Authorization(format!("it gives no bool but {}", other.type_of()))),
            Err(error) => Err(Refusal::Authorization(reason(&error, text))),
        }
    }
}

/// Why an evaluation failed, without any value: one may be a secret.
fn reason(error: &ExecutionError, text: &str) -> String {
    match error {
        ExecutionError::NoSuchKey(key) if text.contains(&***key) => format!("there is no `{key}`"),
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

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.0.text).finish()
    }
}

#[cfg(test)]
mod tests;
