//! `wicketgate sessions`: the live sessions of the running gateway, listed and ended.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configuration::{BAD_CONFIGURATION, ConfigPath, plural};
use super::table;
use super::way::Api;

/// What to do with which sessions.
#[derive(Args)]
pub(crate) struct Sessions {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigPath,
    #[command(flatten)]
    api: Api,
}

#[derive(Subcommand)]
enum Action {
    /// List the live sessions; all of them where nothing is picked.
    List {
        #[command(flatten)]
        picked: Picked,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End sessions, at once, with the close code of their route (1008, or `admission.close_codes.kicked`).
    ///
    /// Their clients may come again: revoke the credential as well, with `wicketgate revoke`, where they shall not.
    Kick {
        #[command(flatten)]
        picked: Picked,
    },
}

/// Which sessions: those to which everything that is given applies.
#[derive(Args)]
struct Picked {
    /// Of this subject.
    #[arg(long)]
    subject: Option<String>,
    /// From this address or network.
    #[arg(long)]
    address: Option<String>,
    /// By this credential.
    #[arg(long, value_name = "ID")]
    token_id: Option<String>,
    /// Of this number.
    #[arg(long, value_name = "NUMBER")]
    session: Option<u64>,
    /// Of this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
}

impl Picked {
    fn target(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let session = self.session.map(|session| session.to_string());
        for (name, value) in [
            ("subject", &self.subject),
            ("address", &self.address),
            ("token_id", &self.token_id),
            ("session", &session),
            ("route", &self.route),
        ] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        format!("/sessions?{}", query.finish())
    }

    fn is_empty(&self) -> bool {
        self.target().ends_with('?')
    }
}

#[derive(Deserialize)]
struct List {
    total: usize,
    sessions: Vec<Shown>,
}

#[derive(Deserialize, Serialize)]
struct Shown {
    session: u64,
    route: String,
    client: Option<String>,
    subject: Option<String>,
    method: Option<String>,
    token_id: Option<String>,
    since: String,
    expires: Option<String>,
}

impl Sessions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(way) = self.api.way(&self.config)? else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        match self.action {
            Action::List { picked, json } => {
                let list: List = way.ask(Method::GET, &picked.target(), Vec::new())?;
                if json { print_json(&list)? } else { print_table(&list)? }
            }
            Action::Kick { picked } if picked.is_empty() => {
                bail!("say which sessions: --subject, --address, --token-id, --session or --route");
            }
            Action::Kick { picked } => {
                let kicked: Value = way.ask(Method::DELETE, &picked.target(), Vec::new())?;
                let ended = kicked.get("ended").and_then(Value::as_u64).unwrap_or_default();
                writeln!(stdout(), "{} ended", plural(usize::try_from(ended)?, "session"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_json(list: &List) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for session in &list.sessions {
        writeln!(out, "{}", serde_json::to_string(session)?)?;
    }
    Ok(())
}

fn print_table(list: &List) -> anyhow::Result<()> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let titles = ["SESSION", "ROUTE", "CLIENT", "SUBJECT", "METHOD", "TOKEN ID", "SINCE", "EXPIRES"];
    let rows = list.sessions.iter().map(|session| {
        [
            session.session.to_string(),
            session.route.clone(),
            text(&session.client),
            text(&session.subject),
            text(&session.method),
            text(&session.token_id),
            session.since.clone(),
            text(&session.expires),
        ]
    });
    table::print(titles, rows.collect())?;
    match list.total - list.sessions.len().min(list.total) {
        0 => {}
        more => writeln!(stdout(), "and {more} more: pick some")?,
    }
    Ok(())
}
