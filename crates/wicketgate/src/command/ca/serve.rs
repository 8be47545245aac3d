//! `wicketgate ca serve`: the authority, connected to a gateway, lets others join.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use wicketgate_relay::carrier::{Dialer, Gateway, Keepalive, Kinds};
use wicketgate_relay::enrolment::issuer::{Issuer, Told};
use wicketgate_relay::enrolment::tokens::Tokens;

use super::super::configuration::BAD_CONFIGURATION;
use super::super::run::Stop;
use super::super::{endpoint, join};

/// The way to a gateway, and the authority.
#[derive(Args)]
pub(super) struct Serve {
    /// The URL that agents and clients dial; the gateway there has a section `relay.enrolment`.
    #[arg(value_parser = Gateway::parse)]
    gateway: Gateway,
    /// The folder of the authority.
    #[arg(long, default_value = "ca", value_name = "FOLDER")]
    authority: PathBuf,
    /// PEM file with the authorities to trust in front of the gateway, instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    out: endpoint::WayOut,
}

/// How long until carrier `tls` is tried again.
const RETRY: Duration = Duration::from_secs(600);

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let authority = super::open(&self.authority)?;
        let Some((gateway, https)) = join::way(self.gateway, self.ca, self.out.proxy()?) else {
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        };
        let own = authority.identity(Duration::from_secs(60))?.carrier()?;
        let dialer = Dialer::new(gateway, &https, own, Kinds::ALL, RETRY, Keepalive::default());
        let tokens = Arc::new(Tokens::of(&self.authority));
        let issuer = Issuer { authority: Arc::new(authority), tokens, dialer };
        endpoint::log("info");
        endpoint::runtime()?.block_on(async {
            let mut stop = Stop::new()?;
            let served = issuer.run(|told| match told {
                Told::Connected(gateway) => tracing::info!(%gateway, "connected"),
                Told::Lost(why) => tracing::warn!("no gateway: {why}"),
                Told::Joined(name, serial) => tracing::info!(%name, serial, "joined"),
                Told::Refused(why) => tracing::warn!("somebody has not joined: {why}"),
            });
            tokio::select! {
                () = served => {}
                signal = stop.told() => tracing::info!(signal, "stopping"),
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
