//! An expression, compiled once and asked often.

use std::fmt;
use std::sync::Arc;

use cel::common::types::CelBool;
use cel::common::value::{CowVal, Val};
use cel::{Program, Value};
use wicketgate_config::{At, Problems};

use crate::answer::Answer;
use crate::fault::Fault;
use crate::meter::{BUDGET, Metered};
use crate::prepare::{Prepared, prepare};
use crate::scope::Scope;
use crate::survey::{Invalid, Needs, survey};
use crate::vocabulary::{Vocabulary, Wanted};

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// An expression that speaks only of what there is. Copies share it.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    text: String,
    prepared: Prepared,
    needs: Needs,
}

impl Expression {
    /// Compiles an expression and looks through it: every name, function and header in it has to be one that there is.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn parse(text: &str, vocabulary: &Vocabulary, wanted: Wanted) -> Result<Self, Invalid> {
        if text.len() > MAX_LENGTH {
            let what = format!("the expression is longer than {MAX_LENGTH} bytes");
            return Err(Invalid { what, help: "let whoever makes the values say it shorter".into() });
        }
        let program =
            Program::compile(text).map_err(|errors| Invalid::syntax(&errors, vocabulary.example))?;
        let needs = survey(&program, vocabulary, wanted)?;
        let prepared = prepare(program.expression().clone(), vocabulary)?;
        Ok(Self(Arc::new(Compiled { text: text.to_owned(), prepared, needs })))
    }

    /// Compiles the expression of a configuration; what is wrong goes to `problems`.
    pub fn check(
        raw: &At<String>,
        vocabulary: &Vocabulary,
        wanted: Wanted,
        problems: &mut Problems,
    ) -> Option<Self> {
        match Self::parse(&raw.value, vocabulary, wanted) {
            Ok(expression) => Some(expression),
            Err(Invalid { what, help }) => {
                problems.error(raw.place, what, help);
                None
            }
        }
    }

    /// What it was made of.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What has to be in the scope that it is asked over.
    pub fn needs(&self) -> &Needs {
        &self.0.needs
    }

    /// Asks whether it holds.
    ///
    /// # Errors
    /// [`Fault::Failed`] where that cannot be told, which is not the same as no; [`Fault::Budget`] where it would take too much.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, Fault> {
        self.resolve(scope, |value| match value.downcast_ref::<CelBool>() {
            Some(holds) => Ok(*holds.inner()),
            None => Err(Fault::Failed(format!("it gives no bool but {}", value.get_type().name()))),
        })
    }

    /// Asks what it says.
    ///
    /// # Errors
    /// [`Fault::Failed`] where it says nothing; [`Fault::Budget`] where it would take too much.
    pub fn evaluate<'s>(&self, scope: &'s Scope<'_>) -> Result<Answer<'s>, Fault> {
        self.resolve(scope, Answer::of)
    }

    fn resolve<'s, A>(
        &self,
        scope: &'s Scope<'_>,
        take: impl FnOnce(&(dyn Val + 's)) -> Result<A, Fault>,
    ) -> Result<A, Fault> {
        let Compiled { text, prepared, .. } = &*self.0;
        let metered = Metered::start(BUDGET);
        let mut context = prepared.root.new_inner_scope();
        context.set_variable_resolver(scope);
        let resolved: Result<CowVal<'_, 's>, _> = Value::resolve_val(&prepared.expr, &context);
        let answer = match resolved {
            Ok(value) => take(&*value),
            Err(error) => Err(Fault::of(&error, text)),
        };
        // Whatever was made of a part of the values is not the answer.
        if metered.is_spent() { Err(Fault::Budget) } else { answer }
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
