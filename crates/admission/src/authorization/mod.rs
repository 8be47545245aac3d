//! Whether who asks may use a route: an expression in CEL over what is known of the request.

mod facts;

use wicketgate_config::{At, Problems};
use wicketgate_expression::{Json, Scope, Shape, Variable, Vocabulary, Wanted};

pub use facts::Facts;
pub use wicketgate_expression::{Invalid, Needs};

use super::identity::Identity;
use super::refusal::Refusal;

/// What is known of a request.
static VOCABULARY: Vocabulary = Vocabulary {
    variables: &[
        Variable { name: "identity", shape: Shape::Record(&["subject", "method", "token_id"]) },
        Variable { name: "claims", shape: Shape::Open },
        Variable { name: "client", shape: Shape::Record(&["address", "secure"]) },
        Variable { name: "request", shape: Shape::Record(&["method", "host", "path", "query", "headers"]) },
        Variable { name: "route", shape: Shape::Plain },
    ],
    functions: &[],
    example: "claims.team == \"blue\" && client.secure",
};

/// An expression, compiled once, that says whether who asks may use a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(wicketgate_expression::Expression);

impl Expression {
    /// Compiles an expression and looks through it: every name, function and header in it has to be one that there is.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        wicketgate_expression::Expression::parse(text, &VOCABULARY, Wanted::Bool).map(Self)
    }

    /// Compiles the expression of a configuration; what is wrong goes to `problems`.
    pub fn check(raw: &At<String>, problems: &mut Problems) -> Option<Self> {
        wicketgate_expression::Expression::check(raw, &VOCABULARY, Wanted::Bool, problems).map(Self)
    }

    /// What of a request it goes by.
    pub fn needs(&self) -> &Needs {
        self.0.needs()
    }

    /// Asks whether it holds. It may be asked again, of a session and whoever renewed its credential.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] where it does not, [`Refusal::Authorization`] where that cannot be told.
    pub fn judge(&self, facts: &Facts, identity: Option<&Identity>) -> Result<(), Refusal> {
        let claims = identity.map(|identity| Json::object(&identity.claims));
        let mut scope = Scope::new();
        let bound = facts.bind(identity.zip(claims.as_ref()), self.needs(), &mut scope);
        bound.map_err(|why| Refusal::Authorization(why.into()))?;
        match self.0.holds(&scope) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::Forbidden),
            Err(fault) => Err(Refusal::Authorization(fault.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
