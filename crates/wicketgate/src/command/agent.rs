//! `wicketgate agent`: on the machine to be reached.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use wicketgate_config::Problems;
use wicketgate_relay::agent::config::RawAgent;
use wicketgate_relay::endpoint::control::State;

use super::configuration::{BAD_CONFIGURATION, show};
use super::endpoint;
use super::join::Join;
use super::run::Stop;
use crate::supervisor::{Supervisor, Word};

/// Let clients in to services of this machine: dial a gateway, and wait for invitations.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Agent {
    #[command(subcommand)]
    action: Option<Action>,
    /// The agent's configuration.
    #[arg(long, short, value_name = "PATH", default_value = "/etc/wicketgate/agent.yaml")]
    config: PathBuf,
    #[command(flatten)]
    out: endpoint::WayOut,
    /// Look through the configuration, and end.
    #[arg(long)]
    check: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Join a site by a one-time token of its authority: the same as `wicketgate join`.
    Join(Join),
}

impl Agent {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(Action::Join(join)) = self.action {
            return join.run();
        }
        let proxy = self.out.proxy()?;
        let check = |mut raw: RawAgent, problems: &mut Problems| {
            endpoint::put(proxy, &mut raw.gateway);
            raw.check(problems)
        };
        let loaded = wicketgate_relay::endpoint::config::load(&self.config, check);
        let Some(config) = show(&self.config, loaded) else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        if self.check {
            return Ok(ExitCode::SUCCESS);
        }
        endpoint::log("info");
        endpoint::runtime()?.block_on(async {
            let mut stop = Stop::new()?;
            let ending = CancellationToken::new();
            let supervisor = Arc::new(Supervisor::of_environment());
            let running = || {
                supervisor.tell(Word::Ready);
                supervisor.tell(Word::Status("no gateway yet"));
            };
            let tells = supervisor.clone();
            let agent =
                wicketgate_relay::agent::run(config, ending.clone(), running, move |state| match state {
                    State::Connected { gateway, carrier, .. } => {
                        tells.tell(Word::Status(&format!("connected to {} over {carrier}", gateway.name)));
                    }
                    State::Lost(why) => tells.tell(Word::Status(&format!("no gateway: {why}"))),
                });
            tokio::pin!(agent);
            tokio::select! {
                ended = &mut agent => ended?,
                never = supervisor.keep_alive(async || {}) => match never {},
                signal = stop.told() => {
                    tracing::info!(signal, "stopping");
                    supervisor.tell(Word::Stopping);
                    ending.cancel();
                    agent.await?;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
