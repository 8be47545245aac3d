//! What a store keeps: rows go from its beginning, and a row at its end accounts for them.

use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use super::{Store, add, hash, head, number};
use crate::cell::Timestamp;
use crate::chain::Anchor;
use crate::record::Record;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How long rows are kept.
    pub age: Option<Duration>,
    /// How large the file may become, in bytes.
    pub size: Option<u64>,
}

/// Rows that go in one transaction, so that records do not wait long behind it.
const CHUNK: u64 = 2_000;
/// When the file is too large it is brought down to this part of its bound, so that it is not too large again at once.
const DOWN_TO: f64 = 0.95;
/// Pages given back to the system after each chunk.
const PAGES: u32 = 4_096;

/// What [`Store::prune`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Rows that went.
    pub(crate) rows: u64,
    /// Whether more of them should go.
    pub(crate) more: bool,
}

impl Store {
    /// Removes some of the oldest rows where more are kept than should be. In the same transaction `account` is added: a
    /// record that says how many went, and which one was the last.
    pub(crate) fn prune(
        &mut self,
        keep: &Keep,
        account: impl FnOnce(u64, Anchor) -> Record,
    ) -> Result<Pruned, StoreError> {
        let (insert, path) = (&self.insert, &self.path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let pruned = transaction.and_then(|transaction| {
            let Some((first, cut)) = cut(&transaction, keep)? else { return Ok(Pruned::default()) };
            let last = transaction.query_row(
                "SELECT hash FROM record WHERE sequence = ?",
                [signed(cut)],
                |row| Ok(Anchor { sequence: cut, hash: hash(row.get_ref(0)?) }),
            )?;
            transaction.execute("DELETE FROM record WHERE sequence <= ?", [signed(cut)])?;
            let rows = cut + 1 - first;
            add(&transaction, insert, head(&transaction)?, &account(rows, last))?;
            transaction.commit()?;
            Ok(Pruned { rows, more: rows == CHUNK })
        });
        let pruned = pruned.map_err(|error| StoreError::sqlite(path, &error))?;
        if pruned.rows > 0 {
            self.shrink().map_err(|error| StoreError::sqlite(&self.path, &error))?;
        }
        Ok(pruned)
    }

    fn shrink(&self) -> rusqlite::Result<()> {
        let mut vacuum = self.connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}

/// The first row and the last one to go, where any should.
fn cut(connection: &Connection, keep: &Keep) -> rusqlite::Result<Option<(u64, u64)>> {
    let first = connection.query_row("SELECT min(sequence) FROM record", [], |row| some(row.get_ref(0)?))?;
    let (Some(first), last) = (first, head(connection)?.sequence) else { return Ok(None) };
    // The newest row stays: the chain goes on from it.
    let end = (first + CHUNK).min(last);
    let by_age = match keep.age {
        Some(age) => too_old(connection, Timestamp::now().before(age), end)?,
        None => first,
    };
    let by_size = match keep.size {
        Some(size) => first + excess(connection, size, last + 1 - first)?,
        None => first,
    };
    let cut = by_age.max(by_size).min(end);
    Ok((cut > first).then(|| (first, cut - 1)))
}

/// The first row before `end` that is not older than this.
fn too_old(connection: &Connection, limit: Timestamp, end: u64) -> rusqlite::Result<u64> {
    let mut kept =
        connection.prepare("SELECT min(sequence) FROM record WHERE sequence < ? AND timestamp >= ?")?;
    let kept = kept.query_row([signed(end), signed(limit.0)], |row| some(row.get_ref(0)?))?;
    Ok(kept.unwrap_or(end))
}

fn some(value: ValueRef<'_>) -> rusqlite::Result<Option<u64>> {
    Ok((value != ValueRef::Null).then(|| number(value)))
}

/// SQLite's numbers have a sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many of so many rows are too many for a file of this size.
fn excess(connection: &Connection, size: u64, rows: u64) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| Ok(number(row.get_ref(0)?)));
    let used = (pragma("page_count")?.saturating_sub(pragma("freelist_count")?)) * pragma("page_size")?;
    if used <= size {
        return Ok(0);
    }
    let part = 1.0 - DOWN_TO * size as f64 / used as f64;
    Ok((rows as f64 * part).ceil() as u64)
}
