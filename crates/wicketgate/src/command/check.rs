//! `wicketgate check`: everything that is wrong with a configuration, and the route of a URL.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Args;
use wicketgate_gateway::route::Explanation;

use super::configuration::{BAD_CONFIGURATION, ConfigPath, counted, plural};

/// Which configuration, and which request to follow through it.
#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    config: ConfigPath,
    /// Tell which route a request for this URL takes, and why the others do not.
    #[arg(long, value_name = "URL")]
    explain: Option<String>,
    /// The method of that request.
    #[arg(long, requires = "explain", default_value = "GET")]
    method: http::Method,
    /// A header of that request; may be repeated.
    #[arg(long = "header", requires = "explain", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(http::HeaderName, http::HeaderValue)>,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some((config, report)) = self.config.load() else {
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        };
        let Some(url) = self.explain else {
            writeln!(
                stdout(),
                "{}: {}; {}, {}, {}",
                self.config.path().display(),
                counted(0, report.warnings()),
                plural(config.listeners.len(), "listener"),
                plural(config.routes.len(), "route"),
                plural(config.upstreams.len(), "upstream"),
            )?;
            return Ok(ExitCode::SUCCESS);
        };
        let mut headers = http::HeaderMap::new();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        let explanation =
            Explanation::new(&config.routes, &url, &self.method, &headers).map_err(anyhow::Error::msg)?;
        writeln!(stdout(), "{explanation}")?;
        Ok(if explanation.taken().is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn header(text: &str) -> Result<(http::HeaderName, http::HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("`{}` is no name of a header", name.trim()))?;
    let value = value.trim().parse().map_err(|_| "this value cannot stand in a header".to_owned())?;
    Ok((name, value))
}
