//! The store, to be read: also while a gateway writes it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::error::StoreError;
use super::{file, hash, head, number};
use crate::cell::{Cell, Timestamp};
use crate::chain::Anchor;
use crate::record::{FIELDS, FieldInfo};
use crate::row::Row;

/// The store, to be read.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    /// What is read of a row.
    columns: String,
}

/// Which rows are meant: those to which everything applies that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Not after this moment.
    pub until: Option<Timestamp>,
    /// Of this name; `*` stands for any characters.
    pub event: Option<String>,
    /// About this subject.
    pub subject: Option<String>,
    /// About the session of this number.
    pub session: Option<u64>,
    /// Of this process.
    pub process: Option<String>,
    /// Of this route.
    pub route: Option<String>,
    /// From this address.
    pub client: Option<String>,
    /// Findings of this class.
    pub class: Option<String>,
}

impl Filter {
    /// The conditions, and the values for their places.
    fn conditions(&self) -> (Vec<&'static str>, Vec<Value>) {
        let moment = |at: Timestamp| Value::Integer(i64::try_from(at.0).unwrap_or(i64::MAX));
        let text = |text: &String| Value::Text(text.clone());
        let event = self.event.as_ref();
        let all = [
            ("timestamp >= ?", self.since.map(moment)),
            ("timestamp <= ?", self.until.map(moment)),
            ("event = ?", event.filter(|name| !name.contains('*')).map(text)),
            ("event GLOB ?", event.filter(|name| name.contains('*')).map(text)),
            ("subject = ?", self.subject.as_ref().map(text)),
            ("session = ?", self.session.map(|n| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX)))),
            ("process = ?", self.process.as_ref().map(text)),
            ("route = ?", self.route.as_ref().map(text)),
            ("client = ?", self.client.as_ref().map(text)),
            ("class = ?", self.class.as_ref().map(text)),
        ];
        all.into_iter().filter_map(|(condition, value)| Some((condition, value?))).unzip()
    }
}

impl Reader {
    /// Opens the file.
    ///
    /// # Errors
    /// What is wrong with it, with a remedy.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = file::readable(path)?;
        let columns = columns(&connection).map_err(|error| StoreError::sqlite(path, &error))?;
        Ok(Self { path: path.to_owned(), connection, columns })
    }

    /// The newest rows that are meant, at most so many, the oldest of them first.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn newest(
        &self,
        filter: &Filter,
        limit: u64,
        each: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (conditions, mut values) = filter.conditions();
        values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        let inner =
            format!("SELECT {} FROM record{} ORDER BY sequence DESC LIMIT ?", self.columns, all(&conditions));
        self.select(&format!("SELECT * FROM ({inner}) ORDER BY sequence"), values, each)
    }

    /// The rows that are meant, from this number on.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from(
        &self,
        sequence: u64,
        filter: &Filter,
        each: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (mut conditions, mut values) = filter.conditions();
        // From 0 on means all: no row of ours has a number below it, and verification has to see one that was given such.
        if sequence > 0 {
            conditions.push("sequence >= ?");
            values.push(Value::Integer(i64::try_from(sequence).unwrap_or(i64::MAX)));
        }
        let sql = format!("SELECT {} FROM record{} ORDER BY sequence", self.columns, all(&conditions));
        self.select(&sql, values, each)
    }

    /// The first row not before this moment, and behind it each one up to the last that is not after the other: all of
    /// them, so that they are a part of the chain, also where a clock was set back.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn between(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        each: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let moment = |at: Timestamp| Value::Integer(i64::try_from(at.0).unwrap_or(i64::MAX));
        let sql = format!(
            "SELECT {} FROM record WHERE sequence >= (SELECT min(sequence) FROM record WHERE timestamp >= ?1)
             AND sequence <= (SELECT max(sequence) FROM record WHERE timestamp <= ?2) ORDER BY sequence",
            self.columns
        );
        let values = vec![moment(since.unwrap_or_default()), moment(until.unwrap_or(Timestamp(u64::MAX)))];
        self.select(&sql, values, each)
    }

    /// The last row; before the first it is [`Anchor::default`].
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn head(&self) -> Result<Anchor, StoreError> {
        head(&self.connection).map_err(|error| StoreError::sqlite(&self.path, &error))
    }

    /// What the latest record of pruning says was the last row that went.
    pub(crate) fn pruned(&self) -> Result<Option<Anchor>, StoreError> {
        let latest = self.connection.query_row(
            "SELECT anchor FROM record WHERE event = 'audit.pruned' ORDER BY sequence DESC LIMIT 1",
            [],
            |row| row.get::<_, Option<String>>(0),
        );
        let latest = latest.optional().map_err(|error| StoreError::sqlite(&self.path, &error))?;
        Ok(latest.flatten().and_then(|anchor| anchor.parse().ok()))
    }

    /// Has everything that `read` reads be of one moment.
    pub(crate) fn at_once<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction();
        let transaction = transaction.map_err(|error| StoreError::sqlite(&self.path, &error))?;
        let value = read(self);
        drop(transaction);
        value
    }

    fn select(
        &self,
        sql: &str,
        values: Vec<Value>,
        mut each: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                if each(owned(row)?).is_break() {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|error| StoreError::sqlite(&self.path, &error))
    }
}

/// What is read of a row. An earlier version's rows do not have all fields.
fn columns(connection: &Connection) -> rusqlite::Result<String> {
    let there = file::columns(connection)?;
    let name = |field: &FieldInfo| match there.contains(field.name) {
        true => format!(", \"{}\"", field.name),
        false => ", NULL".to_owned(),
    };
    let names: String = FIELDS.iter().map(name).collect();
    Ok(format!("sequence{names}, previous, hash"))
}

fn all(conditions: &[&str]) -> String {
    match conditions {
        [] => String::new(),
        conditions => format!(" WHERE {}", conditions.join(" AND ")),
    }
}

fn owned(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let cells = (0..FIELDS.len()).map(|at| {
        Ok(match row.get_ref(at + 1)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned().into()),
            ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec().into()),
            value @ (ValueRef::Integer(_) | ValueRef::Real(_)) => Cell::Number(number(value)),
        })
    });
    Ok(Row {
        sequence: number(row.get_ref(0)?),
        cells: cells.collect::<rusqlite::Result<_>>()?,
        previous: hash(row.get_ref(FIELDS.len() + 1)?),
        hash: hash(row.get_ref(FIELDS.len() + 2)?),
    })
}
