//! `wicketgate doctor`: what stands on the way to a gateway, and what to change there.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use wicketgate_config::{Problems, Report, Sources, Time};
use wicketgate_relay::carrier::Gateway;
use wicketgate_relay::doctor::Severity;
use wicketgate_relay::doctor::config::{RawEndpoint, Wish};

use super::configuration::{BAD_CONFIGURATION, show};
use super::endpoint;

/// Look at the way from here to a gateway's route, and tell what to change on it, by name of the product.
///
/// Exit code 0: all is as it should be; 1: sessions work, and less well than they could; 2: no session comes about, or none
/// lasts.
#[derive(Args)]
pub(crate) struct Doctor {
    /// The URL that agents and clients dial.
    #[arg(value_parser = Gateway::parse, required_unless_present = "config")]
    url: Option<Gateway>,
    /// The configuration of a client or an agent: with its identity, messages are sent through to the gateway and back.
    #[arg(long, short, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Look for the idle limit too, up to this time of silence: 1s to 1h. It takes as long.
    #[arg(long, value_name = "DURATION", requires = "config")]
    idle: Option<Time>,
    /// PEM file with the authorities to trust in front of the gateway, instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    out: endpoint::WayOut,
    /// How long each step may take; 5s without it.
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Time>,
    /// For machines: one JSON document.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let wish = Wish {
            gateway: self.url,
            ca: self.ca,
            proxy: self.out.proxy()?,
            timeout: self.timeout,
            idle: self.idle,
        };
        let doctor = match &self.config {
            Some(path) => {
                let check = |raw: RawEndpoint, problems: &mut Problems| raw.check(wish, problems);
                show(path, wicketgate_relay::endpoint::config::load(path, check))
            }
            None => {
                let mut problems = Problems::default();
                let doctor = wish.alone(&mut problems);
                let report = Report::new(Sources::default(), problems);
                let loaded = match doctor {
                    Some(doctor) if report.errors() == 0 => Ok((doctor, report)),
                    _ => Err(report),
                };
                show(Path::new("arguments"), loaded)
            }
        };
        let Some(doctor) = doctor else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        endpoint::log("error");
        let examined = endpoint::runtime()?.block_on(doctor.examine());
        match self.json {
            true => writeln!(stdout(), "{}", serde_json::to_string_pretty(&examined)?)?,
            false => write!(stdout(), "{examined}")?,
        }
        Ok(ExitCode::from(match examined.verdict {
            Severity::Pass => 0,
            Severity::Warn => 1,
            Severity::Fail => 2,
        }))
    }
}
