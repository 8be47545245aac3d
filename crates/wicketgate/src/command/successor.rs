//! The process that takes over, started by the one that serves: the program may be another by now.

use std::env;
use std::future::pending;
use std::io;
use std::path::Path;

use tokio::process::{Child, Command};

/// A process that is to take over, if one was started.
#[derive(Debug, Default)]
pub(super) struct Successor(Option<Child>);

impl Successor {
    /// Starts this program anew, with the same arguments: it takes the sockets over at `handover`.
    pub(super) fn start(&mut self, handover: Option<&Path>) {
        if handover.is_none() {
            tracing::error!(
                "SIGUSR2: no process can take over, since `runtime.handover` is not set: restart it instead"
            );
            return;
        }
        if let Some(child) = &self.0 {
            tracing::warn!(pid = child.id(), "SIGUSR2: a process that is to take over is starting already");
            return;
        }
        match again() {
            Ok(child) => {
                tracing::info!(pid = child.id(), "a process is started that is to take over");
                self.0 = Some(child);
            }
            Err(error) => tracing::error!(%error, "the process that is to take over cannot be started"),
        }
    }

    /// Waits until it has ended without taking over: then this process goes on.
    pub(super) async fn ended(&mut self) {
        let Some(child) = &mut self.0 else { return pending().await };
        match child.wait().await {
            Ok(status) => {
                tracing::error!("the process that was to take over has ended, {status}: this one goes on")
            }
            Err(error) => tracing::error!(%error, "the process that is to take over cannot be waited for"),
        }
        self.0 = None;
    }
}

/// The program, by the name that it was started by: an upgrade has put another file in its place.
fn again() -> io::Result<Child> {
    let mut arguments = env::args_os();
    let program = arguments.next().ok_or(io::ErrorKind::NotFound)?;
    // Of this process alone.
    Command::new(program).args(arguments).env_remove("WATCHDOG_PID").spawn()
}
