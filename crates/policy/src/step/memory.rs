//! What steps remember of a session, for as long as it lives: by the step's name, so that a reload loses nothing of it.

use std::sync::Arc;

use wicketgate_meter::rate::Meter;
use wicketgate_plugin::Instance;
use wicketgate_watermark::Tag;

use super::replay::Seen;
use crate::message::Direction;

/// What all steps remember of a session. Nothing is reserved before a step needs it.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<(Direction, Arc<str>, Part)>);

/// What one step remembers of a session.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// What was used of a rate.
    pub(super) meter: Meter,
    /// The last number of a sequence.
    pub(super) sequence: Option<u128>,
    /// What stands for the session in the marks of its pictures.
    pub(super) tag: Option<Tag>,
    /// What came once.
    pub(super) seen: Seen,
    /// The session's own instance of a component.
    pub(super) instance: Option<Instance>,
}

impl Memory {
    /// What the step of this name remembers.
    pub(super) fn part(&mut self, direction: Direction, name: &Arc<str>) -> &mut Part {
        let place = self.0.iter().position(|(known, step, _)| *known == direction && step == name);
        let place = place.unwrap_or_else(|| {
            self.0.push((direction, name.clone(), Part::default()));
            self.0.len() - 1
        });
        &mut self.0[place].2
    }
}
