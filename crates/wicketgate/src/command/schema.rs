//! `wicketgate schema`: the JSON Schema of a configuration.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

/// Print the JSON Schema of a configuration, for editors.
#[derive(Args)]
pub(crate) struct Schema {
    /// Whose configuration.
    #[arg(value_enum, default_value = "gateway")]
    pub(super) of: Of,
}

/// Whose configuration is meant.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Of {
    /// A gateway.
    Gateway,
    /// An agent of the relay.
    Agent,
    /// A client of the relay.
    Client,
}

impl Of {
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Gateway => wicketgate_gateway::config::schema(),
            Self::Agent => wicketgate_relay::agent::config::schema(),
            Self::Client => wicketgate_relay::client::config::schema(),
        }
    }
}

impl Schema {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let text = serde_json::to_string_pretty(&self.of.schema())?;
        writeln!(std::io::stdout(), "{text}")?;
        Ok(ExitCode::SUCCESS)
    }
}
