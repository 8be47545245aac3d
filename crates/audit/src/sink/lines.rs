//! Records as lines: on standard output, standard error, or in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::{Form, LinesConfig, LinesTo};
use super::{Deliver, Delivered};
use crate::cell::{Cell, Kind, Timestamp};
use crate::json;
use crate::record::{FIELDS, Record};

/// Where lines go.
pub(super) struct Lines {
    to: To,
    form: Form,
    reopen: Arc<AtomicBool>,
    /// Whether the last line was cut off by a fault.
    is_torn: bool,
}

enum To {
    Stdout,
    Stderr,
    File(PathBuf, File),
}

impl Lines {
    pub(super) fn open(config: LinesConfig, reopen: Arc<AtomicBool>) -> io::Result<Self> {
        let to = match config.to {
            LinesTo::Stdout => To::Stdout,
            LinesTo::Stderr => To::Stderr,
            LinesTo::File(path) => {
                let file = file(&path).map_err(|error| {
                    io::Error::new(error.kind(), format!("cannot write to {}: {error}", path.display()))
                })?;
                To::File(path, file)
            }
        };
        Ok(Self { to, form: config.form, reopen, is_torn: false })
    }

    fn write(&mut self, records: &[Arc<Record>]) -> (usize, io::Result<()>) {
        if self.reopen.swap(false, Ordering::Relaxed)
            && let To::File(path, open) = &mut self.to
        {
            match file(path) {
                Ok(again) => *open = again,
                Err(error) => {
                    self.reopen.store(true, Ordering::Relaxed);
                    return (0, Err(error));
                }
            }
        }
        for (done, record) in records.iter().enumerate() {
            let line = match self.form {
                Form::Json => json::line(record),
                Form::Text => text(record),
            };
            let line = if self.is_torn { format!("\n{line}") } else { line };
            if let Err(error) = self.to.write_all(line.as_bytes()) {
                self.is_torn = true;
                return (done, Err(error));
            }
            self.is_torn = false;
        }
        (records.len(), Ok(()))
    }
}

impl To {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(bytes),
            Self::File(_, file) => file.write_all(bytes),
        }
    }
}

fn file(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

impl Deliver for Lines {
    fn deliver(&mut self, records: &[Arc<Record>]) -> Delivered {
        let (done, result) = self.write(records);
        Delivered { done, refused: 0, fault: result.err().map(|error| error.to_string()) }
    }
}

/// For people: the moment, then each field by its name.
fn text(record: &Record) -> String {
    let mut line = String::new();
    for (field, cell) in FIELDS.iter().zip(record.cells()) {
        match (field.kind, cell) {
            (Kind::Time, Cell::Number(micros)) => {
                line.push_str(&format!("{}  INFO audit:", Timestamp(micros)))
            }
            (_, Cell::Number(number)) => line.push_str(&format!(" {}={number}", field.name)),
            (_, Cell::Text(text)) => {
                line.push_str(&format!(" {}={}", field.name, serde_json::Value::from(text.as_ref())));
            }
            (_, Cell::Null | Cell::Bytes(_)) => {}
        }
    }
    line.push('\n');
    line
}
