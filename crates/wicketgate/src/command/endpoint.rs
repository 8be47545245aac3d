//! What the commands of both kinds of endpoint have in common.

use std::io::{self, IsTerminal};

use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

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
