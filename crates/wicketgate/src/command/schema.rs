//! `wicketgate schema`: the JSON Schema of the configuration.

use std::io::Write;
use std::process::ExitCode;

use wicketgate_gateway::config;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(&config::schema())?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}
