//! Stretches of a payload that others take the place of.

use std::ops::Range;

use super::Unwritable;

/// What changes in a payload.
#[derive(Debug, Default)]
pub(super) struct Patches(Vec<Patch>);

#[derive(Debug)]
struct Patch {
    at: Range<usize>,
    /// Of those that stand at one place and take nothing out, the highest comes first: what is inside of a list or map ends
    /// before it does.
    depth: u32,
    new: Vec<u8>,
}

impl Patches {
    /// `new` takes the place of `at`.
    pub(super) fn replace(&mut self, at: Range<usize>, new: impl Into<Vec<u8>>) {
        self.0.push(Patch { at, depth: 0, new: new.into() });
    }

    /// `new` comes in between, inside of a list or map that is the `depth`th value.
    pub(super) fn insert(&mut self, at: usize, depth: u32, new: impl Into<Vec<u8>>) {
        self.0.push(Patch { at: at..at, depth, new: new.into() });
    }

    /// The payload with the changes; every byte outside of them is as it was.
    pub(super) fn apply(mut self, payload: &[u8], growth: usize) -> Result<Vec<u8>, Unwritable> {
        self.0.sort_by_key(|patch| (patch.at.start, patch.at.end, u32::MAX - patch.depth));
        let more: usize = self.0.iter().map(|patch| patch.new.len()).sum();
        let less: usize = self.0.iter().map(|patch| patch.at.len()).sum();
        if more > less.saturating_add(growth) {
            return Err(Unwritable::TooLong);
        }
        let mut out = Vec::with_capacity(payload.len() + more);
        let mut done = 0;
        for patch in &self.0 {
            // Two changes of one stretch cannot both be made.
            let kept = payload.get(done..patch.at.start).ok_or(Unwritable::Misplaced)?;
            out.extend_from_slice(kept);
            out.extend_from_slice(&patch.new);
            done = patch.at.end;
        }
        out.extend_from_slice(payload.get(done..).ok_or(Unwritable::Misplaced)?);
        Ok(out)
    }
}
