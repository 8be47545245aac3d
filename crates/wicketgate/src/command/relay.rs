//! `wicketgate relay`: the agents, clients and private sessions of the running gateway, listed and ended.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configuration::{BAD_CONFIGURATION, ConfigPath, plural};
use super::table;
use super::way::{Api, Way};

/// What to do with agents, clients and their sessions.
#[derive(Args)]
pub(crate) struct Relay {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigPath,
    #[command(flatten)]
    api: Api,
}

#[derive(Subcommand)]
enum Action {
    /// List the agents and clients that are connected.
    Endpoints {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// List the agents that are connected.
    Agents {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// List the private sessions of which an end is here.
    Sessions {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End a session, or all of an agent or client, for good. The agent or client may come again: revoke it where it shall not.
    Kick(Picked),
}

/// Which one.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Picked {
    /// This session.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// The connections and sessions of this agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The connections and sessions of this client.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
}

#[derive(Deserialize)]
struct Endpoints {
    total: usize,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize, Serialize)]
struct Endpoint {
    role: String,
    name: String,
    serial: String,
    version: String,
    #[serde(flatten)]
    end: End,
}

#[derive(Deserialize)]
struct Sessions {
    total: usize,
    sessions: Vec<Session>,
}

#[derive(Deserialize, Serialize)]
struct Session {
    session: String,
    client: String,
    agent: String,
    services: Vec<String>,
    client_end: Option<End>,
    agent_end: Option<End>,
}

#[derive(Deserialize, Serialize)]
struct End {
    address: Option<String>,
    carrier: String,
    since: String,
}

impl Relay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(way) = self.api.way(&self.config)? else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        fn get<T: DeserializeOwned>(way: &Way, target: &str) -> anyhow::Result<T> {
            way.ask(Method::GET, target, Vec::new())
        }
        match self.action {
            Action::Endpoints { json } => endpoints(&get(&way, "/relay/endpoints")?, json, |_| true)?,
            Action::Agents { json } => {
                endpoints(&get(&way, "/relay/endpoints")?, json, |endpoint| endpoint.role == "agent")?;
            }
            Action::Sessions { json } => sessions(&get(&way, "/relay/sessions")?, json)?,
            Action::Kick(picked) => {
                let kicked: Value = way.ask(Method::DELETE, &picked.target(), Vec::new())?;
                let ended = kicked.get("ended").and_then(Value::as_u64).unwrap_or_default();
                writeln!(stdout(), "{} ended", plural(usize::try_from(ended)?, "connection"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Picked {
    fn target(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("session", &self.session), ("agent", &self.agent), ("client", &self.client)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        format!("/relay?{}", query.finish())
    }
}

fn endpoints(list: &Endpoints, json: bool, meant: impl Fn(&&Endpoint) -> bool) -> anyhow::Result<()> {
    if json {
        return lines(list.endpoints.iter().filter(meant));
    }
    let rows = list.endpoints.iter().filter(meant).map(|endpoint| {
        let Endpoint { role, name, serial, version, end } = endpoint;
        let address = end.address.clone().unwrap_or_else(|| "-".into());
        [
            role.clone(),
            name.clone(),
            address,
            end.carrier.clone(),
            version.clone(),
            serial.clone(),
            end.since.clone(),
        ]
    });
    let titles = ["ROLE", "NAME", "ADDRESS", "CARRIER", "VERSION", "SERIAL", "SINCE"];
    table::print(titles, rows.collect())?;
    more(list.total, list.endpoints.len())
}

fn sessions(list: &Sessions, json: bool) -> anyhow::Result<()> {
    if json {
        return lines(list.sessions.iter());
    }
    let end = |end: &Option<End>| match end {
        None => "away".to_owned(),
        Some(End { address, carrier, .. }) => {
            format!("{} {carrier}", address.as_deref().unwrap_or("-"))
        }
    };
    let rows = list.sessions.iter().map(|session| {
        let Session { session, client, agent, services, client_end, agent_end } = session;
        [session.clone(), client.clone(), end(client_end), agent.clone(), end(agent_end), services.join(",")]
    });
    table::print(["SESSION", "CLIENT", "FROM", "AGENT", "FROM", "SERVICES"], rows.collect())?;
    more(list.total, list.sessions.len())
}

fn lines<'a, T: Serialize + 'a>(all: impl Iterator<Item = &'a T>) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for one in all {
        writeln!(out, "{}", serde_json::to_string(one)?)?;
    }
    Ok(())
}

fn more(total: usize, shown: usize) -> anyhow::Result<()> {
    if total > shown {
        writeln!(stdout(), "and {} more", total - shown)?;
    }
    Ok(())
}
