//! In place of the host in a program that is built without: no component can be loaded, so none is ever asked.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use crate::{Data, Direction, Fault, Field, Limits, Question, Session, Unusable, Verdict};

/// A component that judges messages. There is none.
#[derive(Clone, Debug)]
pub struct Judge(Infallible);

/// A component that decodes messages. There is none.
#[derive(Clone, Debug)]
pub struct Decoder(Infallible);

/// A component at work. There is none.
#[derive(Debug)]
pub struct Instance(Infallible);

impl Judge {
    /// Tells that there are no components.
    ///
    /// # Errors
    /// Always.
    pub fn load(_: &Path, _: &str, _: Vec<(String, String)>, _: Limits) -> Result<Self, Unusable> {
        Err(Unusable::Absent)
    }

    /// Whether it is the same component in the same settings.
    pub fn is_same(&self, _: &Self) -> bool {
        match self.0 {}
    }

    /// Asks an instance that sessions share.
    ///
    /// # Errors
    /// None: there is nobody to ask.
    pub fn ask(&self, _: &Question<'_>, _: Arc<dyn Session>) -> Result<Verdict, Fault> {
        match self.0 {}
    }

    /// Asks the session's own instance.
    ///
    /// # Errors
    /// None: there is nobody to ask.
    pub fn ask_own(
        &self,
        _: &mut Option<Instance>,
        _: &Question<'_>,
        _: Arc<dyn Session>,
    ) -> Result<Verdict, Fault> {
        match self.0 {}
    }
}

impl Decoder {
    /// Tells that there are no components.
    ///
    /// # Errors
    /// Always.
    pub fn load(_: &Path, _: &str, _: Vec<(String, String)>, _: Limits) -> Result<Self, Unusable> {
        Err(Unusable::Absent)
    }

    /// Whether it is the same component in the same settings.
    pub fn is_same(&self, _: &Self) -> bool {
        match self.0 {}
    }

    /// Asks for the fields of a message.
    ///
    /// # Errors
    /// None: there is nobody to ask.
    pub fn decode(&self, _: Direction, _: Data, _: &[u8]) -> Result<Option<Vec<Field>>, Fault> {
        match self.0 {}
    }
}
