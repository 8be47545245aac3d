//! What covers the secrets of copies, as the configuration of the moment has it.

use std::fmt;

use wicketgate_learn::Redactor;

use super::Batch;
use super::queue::Copied;

/// Gives what covers from now on where that has changed; none where there are no messages to be seen any more.
pub type Renew = Box<dyn FnMut() -> Option<Option<Redactor>> + Send>;

/// What covers the secrets of a party's copies.
pub struct Cover {
    redactor: Redactor,
    renew: Renew,
}

impl Cover {
    /// This covers, until `renew` says otherwise. It is asked for each batch when that has been taken: what covers is as new as the copies are.
    pub fn new(redactor: Redactor, renew: Renew) -> Self {
        Self { redactor, renew }
    }

    /// Covers what was taken. Sessions go on meanwhile: the feed is free.
    pub(super) fn over(&mut self, (copies, dropped): (Vec<Copied>, u64)) -> Option<Batch> {
        if let Some(renewed) = (self.renew)()? {
            self.redactor = renewed;
        }
        let taken = copies.len();
        let cover = |Copied { line, verdict }| Some(Copied { line: self.redactor.redact(line)?, verdict });
        let copies: Vec<Copied> = copies.into_iter().filter_map(cover).collect();
        Some(Batch { left_out: (taken - copies.len()) as u64, copies, dropped })
    }
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cover").field("redactor", &self.redactor).finish_non_exhaustive()
    }
}
