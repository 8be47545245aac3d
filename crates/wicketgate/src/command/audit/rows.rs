//! `wicketgate audit query` and `tail`: records for people and for machines.

use std::fs;
use std::io::{self, ErrorKind, Write, stdout};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use wicketgate_audit::{Filter, Identity, Reader, Row, Timestamp};
use wicketgate_config::Time;

use super::StorePath;

/// How often a store that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Show the newest records.
#[derive(Args)]
pub(super) struct Query {
    #[command(flatten)]
    picked: Picked,
    #[command(flatten)]
    period: Period,
    /// At most so many records.
    #[arg(long, default_value_t = 1000, value_name = "NUMBER")]
    limit: u64,
    #[command(flatten)]
    shown: Shown,
}

/// Show the last records, and each new one.
#[derive(Args)]
pub(super) struct Tail {
    #[command(flatten)]
    picked: Picked,
    /// How many of the last records are shown first.
    #[arg(long, short = 'n', default_value_t = 10, value_name = "NUMBER")]
    lines: u64,
    #[command(flatten)]
    shown: Shown,
}

/// Which records: those to which everything applies that is given.
#[derive(Args)]
struct Picked {
    /// Of this name; `*` stands for any characters, as in `message.*`.
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// About this subject.
    #[arg(long)]
    subject: Option<String>,
    /// About the session of this number. Numbers begin anew with each process: see --process.
    #[arg(long, value_name = "NUMBER")]
    session: Option<u64>,
    /// Of the process with this word.
    #[arg(long, value_name = "WORD")]
    process: Option<String>,
    /// Of this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// From this address.
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// Findings of this class.
    #[arg(long)]
    class: Option<String>,
}

/// From when to when.
#[derive(Args)]
pub(super) struct Period {
    /// Not before: RFC 3339, as in 2026-11-27T13:00:00Z, or so long ago, as in 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<Timestamp>,
    /// Not after.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) until: Option<Timestamp>,
}

/// How records are shown.
#[derive(Args)]
pub(super) struct Shown {
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// The file of the identity by which whole payloads are opened.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    match text.parse::<Time>() {
        Ok(ago) => Ok(Timestamp::now().before(ago.0)),
        Err(_) => Timestamp::parse(text)
            .ok_or_else(|| "write a moment as 2026-11-27T13:00:00Z, or how long ago it was as 2h".into()),
    }
}

impl Picked {
    fn filter(self) -> Filter {
        Filter {
            event: self.event,
            subject: self.subject,
            session: self.session,
            process: self.process,
            route: self.route,
            client: self.client.map(|address| address.to_string()),
            class: self.class,
            ..Filter::default()
        }
    }
}

impl Query {
    pub(super) fn run(self, store: &StorePath) -> anyhow::Result<ExitCode> {
        let filter = Filter { since: self.period.since, until: self.period.until, ..self.picked.filter() };
        let (reader, mut printer) = (store.open()?, self.shown.printer()?);
        reader.newest(&filter, self.limit, |row| printer.print(&row))?;
        printer.finish()
    }
}

impl Tail {
    pub(super) fn run(self, store: &StorePath) -> anyhow::Result<ExitCode> {
        let filter = self.picked.filter();
        let (reader, mut printer) = (store.open()?, self.shown.printer()?);
        let mut next = reader.head()?.sequence + 1;
        reader.newest(&filter, self.lines, |row| {
            next = next.max(row.sequence + 1);
            printer.print(&row)
        })?;
        while printer.failed.is_none() {
            follow(&reader, &filter, &mut next, &mut printer)?;
            sleep(LOOK_EVERY);
        }
        printer.finish()
    }
}

fn follow(reader: &Reader, filter: &Filter, next: &mut u64, printer: &mut Printer) -> anyhow::Result<()> {
    if reader.head()?.sequence >= *next {
        reader.from(*next, filter, |row| {
            *next = row.sequence + 1;
            printer.print(&row)
        })?;
    }
    Ok(())
}

impl Shown {
    pub(super) fn printer(&self) -> anyhow::Result<Printer> {
        let identity = self.identity.as_deref().map(|path| {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            text.parse::<Identity>().with_context(|| path.display().to_string())
        });
        Ok(Printer { identity: identity.transpose()?, json: self.json, unopened: 0, failed: None })
    }

    /// As an export is written.
    pub(super) fn export(identity: Option<PathBuf>) -> Self {
        Self { json: true, identity }
    }
}

/// Prints rows.
pub(super) struct Printer {
    identity: Option<Identity>,
    json: bool,
    /// Payloads that did not open.
    unopened: u64,
    failed: Option<io::Error>,
}

impl Printer {
    pub(super) fn print(&mut self, row: &Row) -> ControlFlow<()> {
        let opened = match self.identity.as_ref().and_then(|identity| row.open(identity)) {
            Some(Ok(opened)) => Some(opened),
            Some(Err(_)) => {
                self.unopened += 1;
                None
            }
            None => None,
        };
        let line = match self.json {
            true => row.to_json(opened.as_deref()).to_string(),
            false => row.to_text(opened.as_deref()),
        };
        match writeln!(stdout(), "{line}") {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    pub(super) fn finish(self) -> anyhow::Result<ExitCode> {
        if self.unopened > 0 {
            eprintln!(
                "{} payloads do not open: they are for another identity, or were changed",
                self.unopened
            );
        }
        match self.failed {
            // Whoever reads it has seen enough.
            Some(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Some(error) => Err(error.into()),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}
