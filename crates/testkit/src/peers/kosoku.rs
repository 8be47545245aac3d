//! Autobahn's conformance cases, run by `kosoku` as the client of a WebSocket echo.
//!
//! It speaks `ws://` only: HAProxy in front of the gateway makes it `wss` or RFC 8441.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::installed;
use crate::{
    dir::Dir,
    process::{Process, Ready},
};

/// How one case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of the messages: `OK`, `NON-STRICT`, `INFORMATIONAL`, `UNIMPLEMENTED`, `FAILED` or `ERROR`.
    pub behavior: String,
    /// Of the closing handshake: `OK`, `INFORMATIONAL`, `UNCLEAN`, `WRONG CODE`, `FAILED` or `FAILED BY CLIENT`.
    pub closing: String,
}

impl Outcome {
    /// Whether the case found no fault, by Autobahn's own reckoning.
    pub fn passed(&self) -> bool {
        ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"].contains(&self.behavior.as_str())
            && ["OK", "INFORMATIONAL"].contains(&self.closing.as_str())
    }
}

impl Outcome {
    /// Worse outcomes have higher ranks: of the messages first, then of the closing.
    fn rank(&self) -> (usize, usize) {
        let place =
            |order: &[&str], word: &str| order.iter().position(|one| *one == word).unwrap_or(order.len());
        let behavior = place(&["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED"], &self.behavior);
        (behavior, place(&["OK", "INFORMATIONAL"], &self.closing))
    }

    fn parse_line(line: &str) -> Result<(Case, Self)> {
        let parts = line.split_once(' ').and_then(|(case, rest)| Some((case, rest.split_once(" / ")?)));
        let (case, (behavior, closing)) = parts.with_context(|| format!("{line:?} is no outcome"))?;
        Ok((case.parse()?, Self { behavior: behavior.to_owned(), closing: closing.to_owned() }))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.behavior, self.closing)
    }
}

/// Cases to run, by their numbers or by patterns with `*`, which stands for anything: `9.1.1`, `1.*`.
#[derive(Debug, Clone)]
pub struct Cases {
    include: Vec<String>,
    parallel: u16,
    deadline: Duration,
}

impl Cases {
    /// The cases that these patterns match, four at a time, two minutes for all.
    pub fn matching(patterns: &[&str]) -> Self {
        let include = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        Self { include, parallel: 4, deadline: Duration::from_secs(120) }
    }

    /// So many at a time.
    pub fn parallel(self, parallel: u16) -> Self {
        Self { parallel, ..self }
    }

    /// So long for all of them.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Runs them against `ws://ADDR/PATH` and gives each case's outcome.
    pub async fn run(&self, addr: SocketAddr, path: &str) -> Result<BTreeMap<Case, Outcome>> {
        let dir = Dir::new()?;
        let mut command = Command::new(installed("bin/kosoku")?);
        command.arg(format!("ws://{addr}{path}")).arg("-o").arg(dir.path());
        command.arg("-p").arg(self.parallel.to_string());
        command.args(self.include.iter().flat_map(|pattern| ["-i", pattern]));
        let process = Process::spawn(command, Ready::Started).await?;
        let (_, output) = process.finish(self.deadline).await?;
        let index =
            fs::read_to_string(dir.join("index.json")).with_context(|| format!("no results; {output}"))?;
        let outcomes = read(&index)?;
        ensure!(!outcomes.is_empty(), "no case matches {:?}; {output}", self.include);
        Ok(outcomes)
    }
}

/// A case's number, in the order of the suite: 1.2.10 after 1.2.9.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case(Vec<u16>);

impl std::str::FromStr for Case {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let parts: Result<_, _> = text.split('.').map(str::parse).collect();
        parts.map(Self).with_context(|| format!("{text:?} is no case"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

/// Outcomes as lines `CASE BEHAVIOR / CLOSING`, to be compared with a committed file.
pub fn table(outcomes: &BTreeMap<Case, Outcome>) -> String {
    outcomes.iter().map(line).collect()
}

/// Holds outcomes against a committed [`table`]: none may fail, none be worse than it says, none be missing or new.
///
/// Where the order of two events is the network's, a case may come out better at one time than at another, never worse.
/// With `WICKETGATE_BLESS=1` in the environment the file is written instead, unless a case failed.
pub fn compare(outcomes: &BTreeMap<Case, Outcome>, committed: &Path) -> Result<()> {
    let failed: String = outcomes.iter().filter(|(_, outcome)| !outcome.passed()).map(line).collect();
    ensure!(failed.is_empty(), "failed:\n{failed}");
    if std::env::var_os("WICKETGATE_BLESS").is_some() {
        return fs::write(committed, table(outcomes))
            .with_context(|| format!("cannot write {}", committed.display()));
    }
    let text =
        fs::read_to_string(committed).with_context(|| format!("cannot read {}", committed.display()))?;
    let expected = text.lines().map(Outcome::parse_line).collect::<Result<BTreeMap<_, _>>>()?;
    let mut wrong = String::new();
    for case in outcomes.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        match (outcomes.get(case), expected.get(case)) {
            (Some(now), Some(then)) if now.rank() <= then.rank() => {}
            (now, then) => {
                let word = |outcome: Option<&Outcome>| {
                    outcome.map_or_else(|| "nothing".to_owned(), Outcome::to_string)
                };
                wrong.push_str(&format!("{case}: {}, not {}\n", word(now), word(then)));
            }
        }
    }
    ensure!(wrong.is_empty(), "not as in {}:\n{wrong}", committed.display());
    Ok(())
}

fn line((case, outcome): (&Case, &Outcome)) -> String {
    format!("{case} {outcome}\n")
}

/// Autobahn's `index.json`: agent, then case, then its outcome.
fn read(index: &str) -> Result<BTreeMap<Case, Outcome>> {
    let index: Value = serde_json::from_str(index)?;
    let agents = index.as_object().context("index.json holds no agents")?;
    let cases = agents.values().filter_map(Value::as_object).flatten();
    cases
        .map(|(case, entry)| {
            let word = |key: &str| {
                entry[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {entry}"))
            };
            Ok((case.parse()?, Outcome { behavior: word("behavior")?, closing: word("behaviorClose")? }))
        })
        .collect()
}
