//! The store's file: how it is made, recognised and opened.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{Fault, StoreError};
use crate::cell::Kind;
use crate::record::{FIELDS, FieldInfo};

/// Says in the file's head whose it is: `wgau`.
const APPLICATION: i64 = 0x7767_6175;
/// The number of the schema below. A change of it needs a new number and a way from the old one.
const SCHEMA: i64 = 3;
/// How long another process may hold the file: a gateway that takes over from this one writes it too.
const PATIENCE: Duration = Duration::from_secs(5);
/// The log of changes is cut back to this when it has been written into the file, in bytes.
const JOURNAL: i64 = 64 << 20;

/// Opens the file to write it, and makes it where there is none.
pub(super) fn writable(path: &Path) -> Result<Connection, StoreError> {
    // Others may not read it; SQLite gives its companions the same permissions.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|error| StoreError::system(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Result<Connection, Fault>, rusqlite::Error> {
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        match identify(&connection)? {
            Found::Nothing => create(&mut connection)?,
            Found::Older => extend(&mut connection)?,
            Found::Store => {}
            Found::Other(fault) => return Ok(Err(fault)),
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "FAST")?;
        connection.pragma_update(None, "journal_size_limit", JOURNAL)?;
        Ok(Ok(connection))
    };
    match open() {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(fault)) => Err(StoreError::new(path, fault)),
        Err(error) => Err(StoreError::sqlite(path, &error)),
    }
}

/// Opens the file to read it, whether a gateway writes it or not.
pub(super) fn readable(path: &Path) -> Result<Connection, StoreError> {
    std::fs::File::open(path).map_err(|error| StoreError::system(path, &error))?;
    let open = || -> Result<Result<Connection, Fault>, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        let mut found = identify(&connection);
        if found.is_err() && !companion(path, "-wal").exists() {
            // Nobody writes it, and its companions cannot be made here: on a read-only disk, or by another user.
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            connection = Connection::open_with_flags(immutable(path), flags)?;
            found = identify(&connection);
        }
        Ok(match found? {
            Found::Store | Found::Older => Ok(connection),
            Found::Nothing => Err(Fault::Foreign),
            Found::Other(fault) => Err(fault),
        })
    };
    match open() {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(fault)) => Err(StoreError::new(path, fault)),
        Err(error) => Err(StoreError::sqlite(path, &error)),
    }
}

fn companion(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// What a file is.
enum Found {
    Nothing,
    /// One whose rows lack the fields that came later.
    Older,
    Store,
    Other(Fault),
}

fn identify(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (number("application_id")?, number("user_version")?) {
        (APPLICATION, SCHEMA) => Found::Store,
        (APPLICATION, 1..SCHEMA) => Found::Older,
        (APPLICATION, later) if later > SCHEMA => Found::Other(Fault::Newer(later)),
        (0, 0) if tables == 0 => Found::Nothing,
        _ => Found::Other(Fault::Foreign),
    })
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    // Before anything is in the file: later it would take the whole file to be written anew.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been as quick.
    if let Found::Nothing = identify(&transaction)? {
        transaction.execute_batch(&schema())?;
    }
    transaction.commit()
}

/// Gives rows the fields that came later. What an earlier row does not hold is not in its hash.
fn extend(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Found::Older = identify(&transaction)? {
        let there = columns(&transaction)?;
        for field in FIELDS.iter().filter(|field| !there.contains(field.name)) {
            transaction.execute_batch(&format!("ALTER TABLE record ADD COLUMN {}", column(field)))?;
        }
        transaction.pragma_update(None, "user_version", SCHEMA)?;
    }
    transaction.commit()
}

/// The columns that rows have.
pub(super) fn columns(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('record')")?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

fn column(field: &FieldInfo) -> String {
    let kind = match field.kind {
        Kind::Number | Kind::Time => "INTEGER",
        Kind::Text => "TEXT",
        Kind::Bytes => "BLOB",
    };
    format!("\"{}\" {kind}", field.name)
}

fn schema() -> String {
    let columns: String = FIELDS.iter().map(|field| format!("{},\n", column(field))).collect();
    format!(
        "CREATE TABLE record (sequence INTEGER PRIMARY KEY,\n{columns}previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
         CREATE INDEX record_timestamp ON record (timestamp);
         CREATE INDEX record_session ON record (session) WHERE session IS NOT NULL;
         CREATE INDEX record_subject ON record (subject) WHERE subject IS NOT NULL;
         CREATE INDEX record_pruned ON record (sequence) WHERE event = 'audit.pruned';
         PRAGMA application_id = {APPLICATION};
         PRAGMA user_version = {SCHEMA};"
    )
}
