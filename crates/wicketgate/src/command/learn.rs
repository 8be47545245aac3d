//! `wicketgate learn`: a policy made of captured messages, checked before it is written.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;
use wicketgate_gateway::config::{self, Style};
use wicketgate_learn::capture::{Bounds, Capture};
use wicketgate_learn::{Learned, Row, Settings, pcap};
use wicketgate_policy::Direction;
use wicketgate_policy::fields;

use super::configuration::plural;
use super::table;

/// What is learnt from, and how.
#[derive(Args)]
pub(crate) struct Learn {
    /// Where the policy goes: a file that is not there yet. Default: standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The policy's name.
    #[arg(long, value_name = "NAME", default_value = "learned")]
    name: String,
    /// How messages are written, as behind `format:` in a policy: `json`, `{ocpp: {version: "1.6"}}`. Default: what the
    /// subprotocol is for, or else what reads them.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The path of the field that says of what kind a message is. Default: it is looked for.
    #[arg(long, value_name = "PATH")]
    kind: Option<String>,
    /// How often something has to be seen before anything else in its place is refused.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    min_count: u64,
    /// By how much sizes, numbers and rates may exceed the largest that were seen, as a factor.
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0, value_parser = headroom)]
    headroom: f64,
    /// Write `mode: observe` into the policy: it records what it would refuse, and refuses nothing.
    #[arg(long)]
    observe: bool,
    /// A field of which nothing but type and length is to be written, as in `user.name` or `**.note`; may be repeated. Names
    /// such as `password` and values such as card numbers are known.
    #[arg(long, value_name = "PATH", value_parser = str::parse::<fields::Path>)]
    secret: Vec<fields::Path>,
    /// Learn from sessions of this subprotocol alone; an empty text for those without one.
    #[arg(long, value_name = "NAME")]
    subprotocol: Option<String>,
    /// Messages, a line each, as `test-policy --cases` reads them, or packets of traffic in clear (pcap, pcapng); `-` for
    /// standard input.
    #[arg(value_name = "FILE")]
    capture: PathBuf,
}

impl Learn {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(output) = &self.output {
            ensure!(!output.exists(), "{} is there already", output.display());
        }
        let mut capture = read(&self.capture)?;
        if let Some(name) = &self.subprotocol {
            capture.lines.retain(|line| line.subprotocol.as_deref().unwrap_or_default() == *name);
        }
        if capture.is_cut {
            eprintln!(
                "{} is longer than is read, or broken off: its end was left out",
                self.capture.display()
            );
        }
        let settings = Settings {
            name: self.name,
            format: self.format,
            kind: self.kind,
            min_count: self.min_count,
            headroom: self.headroom,
            observes: self.observe,
            secret: self.secret,
        };
        let learned = wicketgate_learn::learn(&capture.lines, &settings)?;
        check(&learned.text, &settings.name)?;
        match &self.output {
            Some(output) => {
                write(output, &learned.text).with_context(|| format!("cannot write {}", output.display()))?;
                print(&learned.rows)?;
            }
            None => stdout().write_all(learned.text.as_bytes())?,
        }
        Ok(if tell(&learned) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn read(path: &Path) -> anyhow::Result<Capture> {
    let unreadable = || format!("cannot read {}", path.display());
    let mut input: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(stdin().lock()),
        false => {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    let bounds = Bounds::default();
    if !pcap::is_pcap(input.fill_buf().with_context(unreadable)?) {
        let capture = Capture::read(input, Direction::ToUpstream, bounds);
        return capture.with_context(unreadable);
    }
    let mut data = Vec::new();
    input.take(bounds.bytes).read_to_end(&mut data).with_context(unreadable)?;
    let pcap::Traffic { capture, told } = pcap::read(&data, bounds).with_context(unreadable)?;
    for (what, count) in &told {
        eprintln!("left out: {count} {what}");
    }
    Ok(capture)
}

/// What `check` says of a configuration with this policy.
fn check(text: &str, name: &str) -> anyhow::Result<()> {
    let rest = "listeners: [{name: l, bind: '127.0.0.1:0'}]\nupstreams: [{name: u, targets: ['ws://127.0.0.1:1']}]\n";
    let text = format!("{text}{rest}routes: [{{name: r, upstream: u, policy: {name}}}]\n");
    if let Err(report) = config::parse("learned.yaml", &text, &|_| None) {
        bail!("what was learnt is not accepted:\n{}", report.render(Style::Plain));
    }
    Ok(())
}

/// Never in the place of another file.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn print(rows: &[Row]) -> std::io::Result<()> {
    let rows = rows.iter().map(|row| {
        [
            row.direction.label().to_owned(),
            row.kind.clone(),
            row.seen.to_string(),
            row.longest.to_string(),
            row.per_second.map_or_else(|| "-".into(), |rate| rate.to_string()),
            if row.is_rare { "review: seen rarely".into() } else { String::new() },
        ]
    });
    table::print(["DIRECTION", "KIND", "SEEN", "LONGEST", "PER SECOND", ""], rows.collect())
}

/// Tells what was not learnt; whether all of the capture passes.
fn tell(learned: &Learned) -> bool {
    for (why, count) in &learned.unread {
        eprintln!("{} could not be read ({why}) and would be refused", plural(*count as usize, "message"));
    }
    for (found, count) in &learned.refused {
        eprintln!("{} would be refused: {found}", plural(*count as usize, "message"));
    }
    learned.unread.is_empty() && learned.refused.is_empty()
}

fn headroom(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "write a number, as in 1.5".to_owned())?;
    if (1.0..=100.0).contains(&factor) { Ok(factor) } else { Err("from 1 to 100".into()) }
}
