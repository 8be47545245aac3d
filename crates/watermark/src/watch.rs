//! How work is told that its time is over.

use crate::refusal::Refusal;

/// Says whether there is time left, between one piece of work and the next.
#[derive(Clone, Copy)]
pub struct Watch<'a>(pub &'a (dyn Fn() -> bool + Sync));

impl Watch<'_> {
    /// A watch that never ends.
    pub const ENDLESS: Self = Self(&|| true);

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if (self.0)() { Ok(()) } else { Err(Refusal::TooSlow) }
    }
}
