//! A cell of the comparison: what is measured, over ws or wss.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};
use serde::{Serialize, Serializer};

use crate::load::{Mode, Payload};

/// One cell, written as `ws-64-1`, `wss-64k-2`, `ws-1k-8-deflate`, `wss-sessions` or `ws-idle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) tls: bool,
    pub(crate) work: Work,
}

/// What the connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Messages of `size` bytes to and fro, `in_flight` of them on every connection.
    Echo { size: usize, in_flight: u32, deflate: bool },
    /// Connect, upgrade, one echo of 64 bytes, close; again and again.
    Sessions,
    /// Many sessions that each echoed 1 KiB and are silent then.
    Idle,
}

impl Cell {
    /// The cells of a full run.
    pub(crate) fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for tls in [false, true] {
            for (size, in_flight) in [
                (64, 1),
                (64, 32),
                (256, 1),
                (1 << 10, 1),
                (1 << 10, 8),
                (1 << 10, 32),
                (64 << 10, 1),
                (64 << 10, 2),
                (64 << 10, 32),
            ] {
                cells.push(Self { tls, work: Work::Echo { size, in_flight, deflate: false } });
            }
        }
        for (size, in_flight) in [(1 << 10, 8), (64 << 10, 2)] {
            cells.push(Self { tls: false, work: Work::Echo { size, in_flight, deflate: true } });
        }
        for work in [Work::Sessions, Work::Idle] {
            cells.extend([false, true].map(|tls| Self { tls, work }));
        }
        cells
    }

    /// The cells for which speeds to reach are set.
    pub(crate) fn quick() -> Vec<Self> {
        let chosen = |cell: &Self| match cell.work {
            Work::Echo { size, in_flight, deflate } => {
                !deflate
                    && [(64, 1), (64, 32), (256, 1), (1 << 10, 8), (64 << 10, 2)].contains(&(size, in_flight))
            }
            Work::Sessions | Work::Idle => true,
        };
        Self::all().into_iter().filter(chosen).collect()
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.work {
            Work::Echo { in_flight, .. } => Mode::Steady { in_flight },
            Work::Sessions => Mode::Sessions,
            Work::Idle => Mode::Hold,
        }
    }

    /// Bytes of a message.
    pub(crate) fn size(&self) -> usize {
        match self.work {
            Work::Echo { size, .. } => size,
            Work::Sessions => 64,
            Work::Idle => 1 << 10,
        }
    }

    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self.work, Work::Echo { deflate: true, .. })
    }

    /// Whether its messages are uncompressed objects of JSON.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.work, Work::Echo { size, deflate: false, .. } if size >= Payload::OBJECT)
    }

    /// What is counted.
    pub(crate) fn unit(&self) -> &'static str {
        if self.work == Work::Sessions { "sessions" } else { "messages" }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "wss-" } else { "ws-" })?;
        match self.work {
            Work::Echo { size, in_flight, deflate } => {
                match size {
                    1024.. if size % 1024 == 0 => write!(f, "{}k", size / 1024)?,
                    _ => write!(f, "{size}")?,
                }
                write!(f, "-{in_flight}{}", if deflate { "-deflate" } else { "" })
            }
            Work::Sessions => f.write_str("sessions"),
            Work::Idle => f.write_str("idle"),
        }
    }
}

impl FromStr for Cell {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split('-');
        let tls = match words.next() {
            Some("ws") => false,
            Some("wss") => true,
            _ => bail!("a cell begins with ws- or wss-"),
        };
        let work = match words.next().context("a cell has a size, `sessions` or `idle`")? {
            "sessions" => Work::Sessions,
            "idle" => Work::Idle,
            size => {
                let (digits, unit) = size.strip_suffix('k').map_or((size, 1), |digits| (digits, 1024));
                let size = digits.parse::<usize>().context("size")?.saturating_mul(unit);
                ensure!((8..=16 << 20).contains(&size), "a size is 8 bytes to 16 MiB");
                let in_flight =
                    words.next().context("messages in flight")?.parse().context("messages in flight")?;
                ensure!((1..=4096).contains(&in_flight), "1 to 4096 messages in flight");
                let deflate = match words.next() {
                    None => false,
                    Some("deflate") => true,
                    Some(other) => bail!("`{other}` is not known; only `deflate` may stand here"),
                };
                Work::Echo { size, in_flight, deflate }
            }
        };
        ensure!(words.next().is_none(), "the cell is too long");
        Ok(Self { tls, work })
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_back() {
        for cell in Cell::all() {
            assert_eq!(cell.to_string().parse::<Cell>().unwrap(), cell);
        }
        for bad in
            ["64-1", "ws", "ws-64", "ws-4-1", "ws-64-0", "ws-64-1-zip", "ws-idle-1", "wss-64-1-deflate-1"]
        {
            assert!(bad.parse::<Cell>().is_err(), "{bad}");
        }
    }
}
