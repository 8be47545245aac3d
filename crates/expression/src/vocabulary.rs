//! What an expression may speak of, and what it has to give.

use crate::function::Function;

/// What the expressions of one place may speak of.
#[derive(Debug)]
pub struct Vocabulary {
    /// The variables.
    pub variables: &'static [Variable],
    /// Functions beside [those of every expression](crate::FUNCTIONS).
    pub functions: &'static [Function],
    /// An expression to show whoever wrote none.
    pub example: &'static str,
}

/// A variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What may be done with it.
    pub shape: Shape,
}

/// What may be done with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It has any fields, and is a value: claims, a message.
    Open,
    /// It has these fields, and is no value by itself. Where `request` has `headers`, each is used by its name alone.
    Record(&'static [&'static str]),
    /// It is a plain value.
    Plain,
}

/// What an expression has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// True or false.
    Bool,
    /// Any value.
    Any,
}

impl Vocabulary {
    pub(crate) fn variable(&self, name: &str) -> Option<&'static Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    pub(crate) fn function(&self, name: &str) -> Option<&'static Function> {
        self.functions.iter().find(|function| function.described.name == name)
    }
}
