//! `wicketgate check`: everything that is wrong with a configuration, the route of a URL, and how far it meets a profile.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use wicketgate_gateway::profile::Profile;
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
    /// Tell how far the configuration meets somebody's requirements, and by which settings. A mapping, not a certification.
    #[arg(long, conflicts_with = "explain", value_name = "PROFILE")]
    profile: Option<ProfileName>,
    /// How the profile is written.
    #[arg(long, requires = "profile", default_value = "text")]
    format: Format,
    /// End with 1 if there is a warning, or a requirement of the profile that is not met everywhere.
    #[arg(long)]
    strict: bool,
}

/// Whose requirements.
#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    /// OWASP Application Security Verification Standard 5.0, V4.4 WebSocket.
    Asvs,
    /// OWASP WebSocket Security Cheat Sheet.
    Owasp,
    /// PCI DSS 4.0.1.
    Pci,
    /// DISA Application Layer Gateway SRG.
    Stig,
}

/// How a profile is written.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For machines: one JSON object.
    Json,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some((config, report)) = self.config.load() else {
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        };
        let is_clean = !self.strict || report.warnings() == 0;
        if let Some(profile) = self.profile {
            let assessment = Profile::from(profile).assess(&config, &report);
            match self.format {
                Format::Text => writeln!(stdout(), "{assessment}")?,
                Format::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&assessment)?)?,
            }
            return Ok(code(is_clean && (!self.strict || assessment.is_met())));
        }
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
            return Ok(code(is_clean));
        };
        let mut headers = http::HeaderMap::new();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        let explanation =
            Explanation::new(&config.routes, &url, &self.method, &headers).map_err(anyhow::Error::msg)?;
        writeln!(stdout(), "{explanation}")?;
        Ok(code(is_clean && explanation.taken().is_some()))
    }
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Asvs => Self::Asvs,
            ProfileName::Owasp => Self::Owasp,
            ProfileName::Pci => Self::Pci,
            ProfileName::Stig => Self::Stig,
        }
    }
}

fn code(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads a header as `name: value`.
pub(super) fn header(text: &str) -> Result<(http::HeaderName, http::HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("`{}` is no name of a header", name.trim()))?;
    let value = value.trim().parse().map_err(|_| "this value cannot stand in a header".to_owned())?;
    Ok((name, value))
}
