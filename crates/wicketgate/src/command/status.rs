//! `wicketgate status`: whether the running gateway serves, for probes and for people.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Args;
use http::Method;
use wicketgate_gateway::config::AdminConfig;
use wicketgate_gateway::listener::BindAddress;

use super::configuration::{BAD_CONFIGURATION, ConfigPath};
use super::operator;

/// What is asked of whom.
#[derive(Args)]
pub(crate) struct Status {
    /// The gateway's admin listener, as in `127.0.0.1:9090` or `unix:/run/wicketgate/admin.sock`. Without it: as the configuration
    /// says, which a probe should not have to read: it may be changing.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<BindAddress>,
    /// Whether it is alive; one that drains is.
    #[arg(long)]
    alive: bool,
    #[command(flatten)]
    config: ConfigPath,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let admin = match self.admin {
            // Health asks for no token.
            Some(bind) => AdminConfig { bind, mode: 0, token: None },
            None => {
                let Some((config, _)) = self.config.load() else {
                    return Ok(ExitCode::from(BAD_CONFIGURATION));
                };
                config.admin.ok_or_else(operator::no_admin)?
            }
        };
        let target = if self.alive { "/healthz" } else { "/readyz" };
        let (status, text) = operator::fetch(&admin, Method::GET, target, Vec::new())?;
        writeln!(stdout(), "{}", String::from_utf8_lossy(&text).trim_end())?;
        Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
