//! Whether a chain holds: row by row, from a store or from its export.

use std::fmt;
use std::io::BufRead;
use std::ops::ControlFlow;

use crate::chain::{Anchor, Hash};
use crate::row::Row;
use crate::store::{Reader, StoreError};

/// A chain that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many rows there are.
    pub rows: u64,
    /// The row before the first one: it was pruned, or is not part of the export. Number 0 where the chain begins.
    pub before: Anchor,
    /// The last row.
    pub head: Anchor,
    /// Anchors of rows that are not there any more, so that nothing could be said about them.
    pub untold: u64,
}

/// Where a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The row, or the line of an export, where it shows first.
    pub at: At,
    /// What is wrong there.
    pub what: String,
}

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A row.
    Row(u64),
    /// A line of an export.
    Line(u64),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Row(row) => write!(f, "row {row}: {}", self.what),
            At::Line(line) => write!(f, "line {line}: {}", self.what),
        }
    }
}

/// A walk along a chain.
struct Walk<'a> {
    anchors: &'a [Anchor],
    seen: u64,
    last: Option<Anchor>,
    verified: Verified,
}

impl<'a> Walk<'a> {
    fn new(anchors: &'a [Anchor]) -> Self {
        Self { anchors, seen: 0, last: None, verified: Verified::default() }
    }

    fn step(&mut self, row: &Row) -> Result<(), Broken> {
        let broken = |what: String| Err(Broken { at: At::Row(row.sequence), what });
        match self.last {
            None => {
                let before = Anchor { sequence: row.sequence.saturating_sub(1), hash: row.previous };
                self.verified.before = before;
                self.meet(before)?;
            }
            Some(last) if row.sequence != last.sequence.saturating_add(1) => {
                return broken(format!(
                    "row {} should stand before it, and {} does",
                    row.sequence.saturating_sub(1),
                    last.sequence
                ));
            }
            Some(last) if row.previous != last.hash => {
                return broken("it was written behind another row than the one before it".into());
            }
            Some(_) => {}
        }
        if row.computed() != row.hash {
            return broken("it does not hold what was written: its hash is another".into());
        }
        self.meet(row.anchor())?;
        self.last = Some(row.anchor());
        self.verified.rows += 1;
        Ok(())
    }

    /// Compares a row with what is known of it from elsewhere.
    fn meet(&mut self, met: Anchor) -> Result<(), Broken> {
        for anchor in self.anchors.iter().filter(|anchor| anchor.sequence == met.sequence) {
            if anchor.hash != met.hash {
                let what =
                    "it is not the row that the anchor names: rows up to here were written anew".into();
                return Err(Broken { at: At::Row(met.sequence), what });
            }
            self.seen += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Verified, Broken> {
        self.verified.head = self.last.unwrap_or_default();
        let head = self.verified.head;
        if let Some(beyond) = self.anchors.iter().find(|anchor| anchor.sequence > head.sequence) {
            let what = format!("it is gone: the chain ends with row {}", head.sequence);
            return Err(Broken { at: At::Row(beyond.sequence), what });
        }
        self.verified.untold = self.anchors.len() as u64 - self.seen;
        Ok(self.verified)
    }
}

impl Reader {
    /// Walks the whole chain. It begins with row 1, or behind the row that the latest record of pruning names; and it holds
    /// every one of these anchors that it reaches.
    ///
    /// # Errors
    /// The file cannot be read; or, inside, where the chain breaks first.
    pub fn verify(&self, anchors: &[Anchor]) -> Result<Result<Verified, Broken>, StoreError> {
        self.at_once(|reader| {
            let pruned = reader.pruned()?;
            let (mut walk, mut result) = (Walk::new(anchors), Ok(()));
            reader.from(0, &Default::default(), |row| {
                result = match walk.last {
                    None => begins(&row, pruned).and_then(|()| walk.step(&row)),
                    Some(_) => walk.step(&row),
                };
                if result.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(result.and_then(|()| walk.finish()))
        })
    }
}

/// Whether a row may be the first one of a store.
fn begins(row: &Row, pruned: Option<Anchor>) -> Result<(), Broken> {
    let before = Anchor { sequence: row.sequence.saturating_sub(1), hash: row.previous };
    let what = match pruned {
        None if before == Anchor::default() => return Ok(()),
        Some(pruned) if before == pruned => return Ok(()),
        None if row.sequence == 1 => "the chain does not begin with it".to_owned(),
        None => {
            format!("the rows before it are gone, {} of them, and nothing accounts for that", before.sequence)
        }
        Some(pruned) => {
            format!("the record of pruning says that the chain goes on behind row {}", pruned.sequence)
        }
    };
    Err(Broken { at: At::Row(row.sequence), what })
}

/// Walks along an export: lines of JSON as `wicketgate audit export` writes them. What was before its first row it cannot say,
/// unless an anchor does.
///
/// # Errors
/// The lines cannot be read; or, inside, where the chain breaks first.
pub fn verify_export(lines: impl BufRead, anchors: &[Anchor]) -> std::io::Result<Result<Verified, Broken>> {
    let mut walk = Walk::new(anchors);
    for (at, line) in lines.lines().enumerate() {
        let line = line?;
        let step = match Row::from_json(&line) {
            Ok(row) => walk.step(&row),
            Err(what) => Err(Broken { at: At::Line(at as u64 + 1), what }),
        };
        if let Err(broken) = step {
            return Ok(Err(broken));
        }
    }
    if walk
        .last
        .is_some_and(|_| walk.verified.before.sequence == 0 && walk.verified.before.hash != Hash::ZERO)
    {
        let what = "the chain does not begin with it".into();
        return Ok(Err(Broken { at: At::Row(1), what }));
    }
    Ok(walk.finish())
}
