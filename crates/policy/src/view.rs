//! What steps and expressions look at.

use std::sync::Arc;
use std::time::Duration;

use wicketgate_wire::DataKind;

use crate::facts::Facts;
use crate::fields::Fields;
use crate::message::Direction;

/// What a step may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'m> {
    /// What the message says.
    pub(crate) fields: Fields<'m>,
    /// What kind of message it is; empty where it has none.
    pub(crate) kind: &'m str,
    /// Text or binary.
    pub(crate) data: DataKind,
    /// Which way it travels.
    pub(crate) direction: Direction,
    /// Who sends it.
    pub(crate) facts: &'m Arc<Facts>,
    /// When, by a clock that all sessions share.
    pub(crate) now: Duration,
    /// When, since the beginning of 1970.
    pub(crate) unix: Duration,
}
