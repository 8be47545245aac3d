//! `wicketgate key`: API keys made, listed and revoked, in the store of the configuration's method.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use time::OffsetDateTime;
use wicketgate_admission::identity::api_key::{
    ApiKey, ApiKeyConfig, KeyRecord, KeyStore, LockedStore, Pepper,
};
use wicketgate_admission::identity::{Claims, Kind};
use wicketgate_config::Time;
use wicketgate_gateway::config::Config;

use super::configuration::{BAD_CONFIGURATION, ConfigPath};

/// What to do with which keys.
#[derive(Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigPath,
    /// The name of the method whose keys are meant. Without it: the only method of API keys.
    #[arg(long, global = true, value_name = "NAME")]
    method: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key and print it: this once, and nowhere else.
    Create(Create),
    /// List the keys, without their secrets.
    List {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key. The gateway refuses it, and ends its sessions, as soon as it sees the store changed.
    Revoke {
        /// The id of the key: what stands between its first and second `_`.
        id: String,
    },
}

#[derive(Args)]
struct Create {
    /// Whose key it is: the subject of the identity.
    #[arg(long)]
    subject: String,
    /// What you call it, for the list.
    #[arg(long, default_value = "")]
    name: String,
    /// How long it serves, as in 90d or 12h. Without it: until it is revoked.
    #[arg(long, value_name = "TIME")]
    expires: Option<Time>,
    /// A scope; may be repeated. They become the claim `scope`, joined by spaces.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A claim; may be repeated. A value that begins with `[` is a list in JSON, any other is text.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, Value)>,
}

impl Key {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some((config, _)) = self.config.load() else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        let config = method(&config, self.method.as_deref())?;
        match self.action {
            Action::Create(create) => create.run(config),
            Action::List { json } => list(config, json),
            Action::Revoke { id } => revoke(config, &id),
        }
    }
}

/// The method of API keys that is meant.
fn method<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<&'a ApiKeyConfig> {
    let all = config.authentication.iter().filter_map(|method| match &method.kind {
        Kind::ApiKey(keys) => Some((&*method.name, keys)),
        _ => None,
    });
    let known: Vec<&str> = all.clone().map(|(name, _)| name).collect();
    let mut meant = all.filter(|(known, _)| name.is_none_or(|name| name == *known));
    match (meant.next(), meant.next()) {
        (Some((_, only)), None) => Ok(only),
        (Some(_), Some(_)) => bail!("choose one by --method: {}", known.join(", ")),
        (None, _) if known.is_empty() => {
            bail!(
                "the configuration has no method of API keys: add one with `api_key` under `authentication`"
            )
        }
        (None, _) => bail!("no method of API keys has this name; there is {}", known.join(", ")),
    }
}

impl Create {
    fn run(self, config: &ApiKeyConfig) -> anyhow::Result<ExitCode> {
        let claims = self.claims()?;
        let now = SystemTime::now();
        let expires = match self.expires {
            Some(Time(after)) => Some(now.checked_add(after).context("this never expires")?),
            None => None,
        };
        let mut store = LockedStore::open(&config.store)?;
        let key = ApiKey::generate().context("the system gives no randomness")?;
        let pepper = Pepper::new(&config.pepper);
        let record = KeyRecord::new(&key, &pepper, &self.subject, &self.name, now, expires, claims);
        store.add(record.map_err(|what| anyhow!(what))?)?;
        // Nothing but the key on standard output, for scripts.
        eprintln!("id {}; keep the key safe: it is shown this once", key.id);
        writeln!(stdout(), "{}", key.text().reveal())?;
        Ok(ExitCode::SUCCESS)
    }

    fn claims(&self) -> anyhow::Result<Claims> {
        let mut claims = Claims::new();
        let scopes = (!self.scopes.is_empty()).then(|| ("scope".to_owned(), self.scopes.join(" ").into()));
        for (name, value) in scopes.into_iter().chain(self.claims.iter().cloned()) {
            if claims.insert(name.clone(), value).is_some() {
                bail!("the claim `{name}` is given twice");
            }
        }
        Ok(claims)
    }
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("a claim has a name".into());
    }
    let value = match value.starts_with('[') {
        true => serde_json::from_str(value).map_err(|error| format!("this is no list in JSON: {error}"))?,
        false => value.into(),
    };
    Ok((name.to_owned(), value))
}

fn list(config: &ApiKeyConfig, json: bool) -> anyhow::Result<ExitCode> {
    let keys = KeyStore::read(&config.store)?;
    let now = SystemTime::now();
    let mut out = stdout().lock();
    if !json {
        writeln!(out, "{:16}  {:8}  {:10}  {:10}  SUBJECT", "ID", "STATE", "CREATED", "EXPIRES")?;
    }
    for record in keys.records() {
        let state = match record {
            _ if record.revoked.is_some() => "revoked",
            _ if record.is_expired(now) => "expired",
            _ => "active",
        };
        if json {
            let line = serde_json::json!({
                "id": record.id, "state": state, "subject": record.subject, "name": record.name,
                "created": record.created, "expires": record.expires, "revoked": record.revoked,
                "claims": record.claims,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let (created, expires) = (day(record.created), record.expires.map_or("never".into(), day));
        let name = if record.name.is_empty() { String::new() } else { format!(" ({})", record.name) };
        writeln!(out, "{}  {state:8}  {created:10}  {expires:10}  {}{name}", record.id, record.subject)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The date in UTC of a time in seconds since 1970.
fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
    time.map_or("after 9999".into(), |time| time.date().to_string())
}

fn revoke(config: &ApiKeyConfig, id: &str) -> anyhow::Result<ExitCode> {
    if id.contains('_') {
        bail!("give the id alone: what stands between the first and the second `_` of the key");
    }
    if !LockedStore::open(&config.store)?.revoke(id, SystemTime::now())? {
        bail!("no key has the id {id}; `wicketgate key list` shows them");
    }
    println!("{id} is revoked");
    Ok(ExitCode::SUCCESS)
}
