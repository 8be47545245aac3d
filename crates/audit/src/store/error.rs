//! What may be wrong with a store's file, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A store that cannot be used: the file, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What may be wrong with a store's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Missing,
    /// The user may not use it, or its folder.
    Permission,
    /// Another program holds it.
    Locked,
    /// What it holds cannot be read.
    Corrupt(String),
    /// It is something else.
    Foreign,
    /// A later version wrote it: its schema's number.
    Newer(i64),
    /// There is no room.
    Full,
    /// The system refuses to write or read.
    System(String),
}

impl StoreError {
    pub(crate) fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), fault }
    }

    pub(crate) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        Self::new(path, Fault::of(error))
    }

    pub(crate) fn system(path: &Path, error: &io::Error) -> Self {
        let fault = match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing,
            io::ErrorKind::PermissionDenied => Fault::Permission,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
            _ => Fault::System(error.to_string()),
        };
        Self::new(path, fault)
    }
}

impl Fault {
    fn of(error: &rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, text) = error else {
            return Self::Corrupt(error.to_string());
        };
        let text = text.clone().unwrap_or_else(|| failure.to_string());
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
            ErrorCode::NotADatabase => Self::Foreign,
            ErrorCode::DatabaseCorrupt => Self::Corrupt(text),
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::AuthorizationForStatementDenied => Self::Permission,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory => Self::System(text),
            // Such as a table or column that is not there.
            _ => Self::Corrupt(text),
        }
    }

    const fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => {
                "check the path; the gateway makes the file when it starts, in a folder that is there"
            }
            Self::Permission => {
                "give the user that runs this the right to write it and its folder, or run it as another user"
            }
            Self::Locked => "find who holds it, with `fuser FILE`: nothing but gateways may write it",
            Self::Corrupt(_) => {
                "keep a copy of it and of FILE-wal, see how far `wicketgate audit verify` gets, and give another path"
            }
            Self::Foreign => "give the path of an audit store, or one where there is no file yet",
            Self::Newer(_) => "use the version of wicketgate that wrote it, or a later one",
            Self::Full => "make room, or lower `audit.store.keep_size`",
            Self::System(_) => "look at the disk, and at the system's log",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Permission => f.write_str("permission denied"),
            Self::Locked => f.write_str("another program holds it"),
            Self::Corrupt(what) => write!(f, "it is damaged ({what})"),
            Self::Foreign => f.write_str("it is no audit store"),
            Self::Newer(version) => write!(f, "a later version of wicketgate wrote it (schema {version})"),
            Self::Full => f.write_str("the disk is full"),
            Self::System(what) => write!(f, "{what}"),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit store {}: {}; {}", self.path.display(), self.fault, self.fault.remedy())
    }
}

impl std::error::Error for StoreError {}
