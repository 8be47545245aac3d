//! `wicketgate revoke`: a credential or subject that the running gateway accepts no longer.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde::Deserialize;
use time::OffsetDateTime;
use wicketgate_admission::revocation::Revocation;
use wicketgate_config::Time;

use super::configuration::{BAD_CONFIGURATION, ConfigPath};
use super::way::Api;

/// What to revoke.
#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    config: ConfigPath,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    what: What,
    /// For a subject: only what was issued until now, so that it may log in anew.
    #[arg(long, requires = "subject")]
    issued: bool,
    /// How long the revocation stays on the list, as in 12h or 30d: as long as the credential would have lived. Without it:
    /// until the line is taken out of the file.
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Time>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// This credential, by the id that `wicketgate sessions list` shows.
    #[arg(long, value_name = "ID")]
    token_id: Option<String>,
    /// Everything of this subject.
    #[arg(long)]
    subject: Option<String>,
}

#[derive(Deserialize)]
struct Added {
    kept: bool,
}

impl Revoke {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(way) = self.api.way(&self.config)? else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        let now = OffsetDateTime::now_utc();
        let entry = Revocation {
            token_id: self.what.token_id,
            subject: self.what.subject,
            before: self.issued.then_some(now),
            until: self.duration.map(|time| now + time.0),
        };
        let body = serde_json::to_vec(&entry)?;
        let added: Added = way.ask(Method::POST, "/revocations", body)?;
        let kept = match added.kept {
            true => "revoked, and kept in the file of revocations",
            false => "revoked until the gateway restarts: `revocations.file` would keep it",
        };
        writeln!(stdout(), "{kept}")?;
        Ok(ExitCode::SUCCESS)
    }
}
