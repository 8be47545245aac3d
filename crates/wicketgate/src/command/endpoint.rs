//! What the commands of both kinds of endpoint have in common.

use std::io::{self, IsTerminal};

use anyhow::anyhow;
use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;
use wicketgate_config::{At, Toggle};
use wicketgate_relay::carrier::proxy::config::{RawProxy, argument};
use wicketgate_relay::endpoint::config::RawGateway;

/// The way out, as it is said on the command line.
#[derive(Args, Default)]
pub(super) struct WayOut {
    /// The HTTP proxy on the way out: http://HOST:PORT or https://HOST:PORT. Without it, that of the configuration, or of HTTPS_PROXY and
    /// NO_PROXY; `off`: none; `on`: that of the environment
    // Not judged while arguments are read: what is wrong would be shown, and there may be a password in it.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

impl WayOut {
    /// What is said, if anything.
    pub(super) fn proxy(&self) -> anyhow::Result<Option<Toggle<RawProxy>>> {
        let read = self.proxy.as_deref().map(argument).transpose();
        read.map_err(|why| anyhow!("the URL of --proxy cannot be used: {why}"))
    }
}

/// What is said counts before what stands in a file.
pub(super) fn put(proxy: Option<Toggle<RawProxy>>, gateway: &mut RawGateway) {
    if let Some(proxy) = proxy {
        gateway.proxy = Some(At::nowhere(proxy));
    }
}

/// The runtime of an endpoint: one thread, since the tasks of a session mostly wake each other.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Writes what happens to standard error; `RUST_LOG` says how much.
pub(super) fn log(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(colours)
        .init();
}
