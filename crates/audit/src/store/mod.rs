//! The store: one SQLite file whose rows are chained by their hashes. One thread writes it; anybody may read it meanwhile.
//!
//! Each batch is one transaction that reads the last row first. So two processes can write the same file, as they do while
//! one takes over from the other.

mod error;
mod file;
mod read;
mod retention;
#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior};

pub use error::{Fault, StoreError};
pub use read::{Filter, Reader};
pub use retention::Keep;

use crate::cell::Cell;
use crate::chain::{Anchor, Hash, link};
use crate::record::{FIELDS, Record};

/// The store, to be written.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    insert: String,
    /// Device and number of the file that is open.
    file: (u64, u64),
}

impl Store {
    /// Opens the file, and makes it where there is none.
    ///
    /// # Errors
    /// What is wrong with it, with a remedy.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = file::writable(path)?;
        let names: String = FIELDS.iter().map(|field| format!(", \"{}\"", field.name)).collect();
        let places = ", ?".repeat(FIELDS.len() + 2);
        let insert = format!("INSERT INTO record (sequence{names}, previous, hash) VALUES (?{places})");
        let file = identity(path).map_err(|error| StoreError::system(path, &error))?;
        Ok(Self { path: path.to_owned(), connection, insert, file })
    }

    /// Whether what stands at the path is the file that is open. Otherwise nobody would ever find what is written.
    fn is_there(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => Err(StoreError::new(&self.path, Fault::Missing)),
            Err(error) => Err(StoreError::system(&self.path, &error)),
        }
    }

    /// Adds the records as one: when this returns they are on the disk, all of them, or none is. Gives the last row.
    ///
    /// # Errors
    /// The disk's; then nothing has changed.
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<Anchor, StoreError> {
        self.is_there()?;
        let (insert, path) = (&self.insert, &self.path);
        let added = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(
            |transaction| {
                let mut last = head(&transaction)?;
                for record in records {
                    last = add(&transaction, insert, last, record)?;
                }
                transaction.commit()?;
                Ok(last)
            },
        );
        added.map_err(|error| StoreError::sqlite(path, &error))
    }

    /// The last row; before the first it is [`Anchor::default`].
    ///
    /// # Errors
    /// The disk's.
    pub fn head(&self) -> Result<Anchor, StoreError> {
        head(&self.connection).map_err(|error| StoreError::sqlite(&self.path, &error))
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// The last row.
fn head(connection: &Connection) -> rusqlite::Result<Anchor> {
    let mut last =
        connection.prepare_cached("SELECT sequence, hash FROM record ORDER BY sequence DESC LIMIT 1")?;
    last.query_row([], |row| Ok(Anchor { sequence: number(row.get_ref(0)?), hash: hash(row.get_ref(1)?) }))
        .optional()
        .map(Option::unwrap_or_default)
}

/// Adds one row behind the last one.
fn add(
    transaction: &Transaction<'_>,
    insert: &str,
    last: Anchor,
    record: &Record,
) -> rusqlite::Result<Anchor> {
    let (cells, sequence) = (record.cells(), last.sequence + 1);
    let fields = FIELDS.iter().map(|field| field.name).zip(&cells);
    let hash = link(last.hash, sequence, fields);
    let mut statement = transaction.prepare_cached(insert)?;
    statement.raw_bind_parameter(1, i64::try_from(sequence).unwrap_or(i64::MAX))?;
    for (at, cell) in cells.iter().enumerate() {
        statement.raw_bind_parameter(at + 2, Column(cell))?;
    }
    statement.raw_bind_parameter(cells.len() + 2, last.hash.0.as_slice())?;
    statement.raw_bind_parameter(cells.len() + 3, hash.0.as_slice())?;
    statement.raw_execute()?;
    Ok(Anchor { sequence, hash })
}

struct Column<'a>(&'a Cell<'a>);

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Number(number) => {
                ToSqlOutput::Owned(Value::Integer(i64::try_from(*number).unwrap_or(i64::MAX)))
            }
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// A number of the file. One that we would not have written is any other: its row's hash tells.
fn number(value: ValueRef<'_>) -> u64 {
    value.as_i64().ok().and_then(|number| u64::try_from(number).ok()).unwrap_or(u64::MAX)
}

fn hash(value: ValueRef<'_>) -> Hash {
    value.as_blob().ok().and_then(Hash::from_bytes).unwrap_or_default()
}
