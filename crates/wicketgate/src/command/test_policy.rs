//! `wicketgate test-policy`: what a policy makes of messages, without traffic.

mod case;
mod show;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use wicketgate_gateway::config::Config;
use wicketgate_gateway::route::config::Action;
use wicketgate_learn::line::Line;
use wicketgate_policy::{Direction, Facts, Identity, Message, Outcome, Policy, Session, Verdict};

use super::configuration::{BAD_CONFIGURATION, ConfigPath, plural};

/// Sessions of one file that are followed at once.
const MAX_SESSIONS: usize = 100_000;

/// Which policy, who sends, and what.
#[derive(Args)]
pub(crate) struct TestPolicy {
    #[command(flatten)]
    config: ConfigPath,
    /// The route whose policy judges.
    #[arg(long, value_name = "NAME")]
    route: String,
    /// Which way the messages travel.
    #[arg(long, value_name = "DIRECTION", default_value = "to-upstream")]
    direction: Towards,
    /// Who sends them: claims as a JSON object, with the subject as `sub`.
    #[arg(long, value_name = "JSON", value_parser = claims)]
    identity: Option<Map<String, Value>>,
    /// The subprotocol that sessions negotiated. Default: what the case says, or one that the policy is for.
    #[arg(long, value_name = "NAME")]
    subprotocol: Option<String>,
    /// The client's address.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// A header of the handshake; may be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = super::check::header)]
    headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Each line of the file is a case: an object with `text`, `json` or `binary` (in base64), and with `expect`, `name`,
    /// `direction`, `session` (a number), `subprotocol` and `time` (in seconds since the beginning of 1970) where they are wanted.
    /// Captures are such files.
    #[arg(long)]
    cases: bool,
    /// How verdicts are written.
    #[arg(long, default_value = "text")]
    format: Format,
    /// A message a line; `-` for standard input.
    #[arg(value_name = "FILE")]
    messages: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Towards {
    ToUpstream,
    ToClient,
}

/// How verdicts are written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people: a line each, and one for every finding.
    Text,
    /// For machines: a JSON object each.
    Json,
}

impl TestPolicy {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some((config, _)) = self.config.load() else {
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        };
        let policy = policy(&config, &self.route)?;
        let mut sessions = HashMap::new();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (mut count, mut unmet) = (0, 0);
        for (number, line) in lines(&self.messages)?.enumerate() {
            let line = line.with_context(|| format!("cannot read {}", self.messages.display()))?;
            if line.trim().is_empty() {
                continue;
            }
            let case = self.case(&line, number + 1)?;
            let message = Message { kind: case.kind, payload: &case.payload };
            ensure!(
                sessions.len() < MAX_SESSIONS || sessions.contains_key(&case.session),
                "there are more than {MAX_SESSIONS} sessions: test them in several files"
            );
            let session = sessions
                .entry(case.session)
                .or_insert_with(|| Session::new(Arc::new(self.facts(&policy, &case))));
            // Messages without a time come all at once.
            let time = case.time.unwrap_or(now);
            session.at(time, time);
            let outcome = marked(policy.judge(session, case.direction, message));
            let faults = case::faults(&case, &outcome);
            match self.format {
                Format::Text => write!(stdout(), "{}", show::text(number + 1, &case, &outcome, &faults))?,
                Format::Json => writeln!(stdout(), "{}", show::json(number + 1, &case, &outcome, &faults))?,
            }
            count += 1;
            unmet += usize::from(!faults.is_empty());
        }
        if unmet > 0 {
            eprintln!("{} of {} came out otherwise than expected", unmet, plural(count, "message"));
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn case(&self, line: &str, number: usize) -> anyhow::Result<Line> {
        let direction = match self.direction {
            Towards::ToUpstream => Direction::ToUpstream,
            Towards::ToClient => Direction::ToClient,
        };
        match self.cases {
            true => Line::read(line, direction)
                .with_context(|| format!("{}, line {number}, is no case", self.messages.display())),
            false => Ok(case::plain(line.as_bytes().to_vec(), direction)),
        }
    }

    fn facts(&self, policy: &Policy, case: &Line) -> Facts {
        let identity = self.identity.as_ref().map(|claims| Identity {
            subject: claims.get("sub").and_then(Value::as_str).unwrap_or_default().into(),
            method: "test-policy".into(),
            token_id: claims.get("jti").and_then(Value::as_str).map(Into::into),
            claims: Arc::new(claims.clone()),
        });
        let headers = self.headers.iter().map(|(name, value)| {
            (name.as_str().into(), Some(String::from_utf8_lossy(value.as_bytes()).into()))
        });
        let told = self.subprotocol.as_deref().or(case.subprotocol.as_deref());
        let usual = policy.subprotocols().first();
        let subprotocol = told.or_else(|| usual.map(|name| &**name)).filter(|name| !name.is_empty());
        Facts {
            session: case.session,
            route: self.route.as_str().into(),
            identity,
            address: self.address,
            subprotocol: subprotocol.map(Into::into),
            secure: true,
            headers: headers.collect(),
            ..Facts::default()
        }
    }
}

/// What becomes of a message whose pictures are to be marked first: here, nobody waits for anything else.
fn marked(mut outcome: Outcome) -> Outcome {
    if let Verdict::Mark(pictures) = &outcome.verdict {
        let Outcome { verdict, findings, .. } = pictures.mark(&|| true);
        outcome.verdict = verdict;
        outcome.findings.extend(findings);
    }
    outcome
}

fn policy(config: &Config, route: &str) -> anyhow::Result<Policy> {
    let found = config.routes.iter().find(|found| *found.name == *route);
    let found = found.with_context(|| {
        let names: Vec<&str> = config.routes.iter().map(|route| &*route.name).collect();
        format!("there is no route `{route}`; there are: {}", names.join(", "))
    })?;
    let name = match &found.action {
        Action::Proxy(proxy) => proxy.policy.as_deref(),
        _ => None,
    };
    let policy = name.and_then(|name| config.policies.iter().find(|policy| policy.name() == Some(name)));
    policy.cloned().with_context(|| format!("the route `{route}` has no policy: add `policy: NAME` to it"))
}

fn lines(path: &Path) -> anyhow::Result<Box<dyn Iterator<Item = std::io::Result<String>>>> {
    if path == Path::new("-") {
        return Ok(Box::new(stdin().lines()));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file).lines()))
}

fn claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("write a JSON object, as in {{\"sub\":\"ann\"}}: {error}"))
}
