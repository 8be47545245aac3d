//! Debian's mosquitto, an MQTT broker, on a WebSocket listener.

use std::process::Command;

use anyhow::Result;

use super::system;
use crate::dir::Dir;
use crate::ports::Port;
use crate::process::{Process, Ready};

/// A broker that anybody may use, and where it listens.
pub async fn start(dir: &Dir) -> Result<(Process, Port)> {
    let port = Port::free()?;
    // Debian's 2.0.11 ends where all its listeners are WebSockets. As root it would become somebody who may not write here.
    let config = format!(
        "user root\nlistener 0 {}\nlistener {} 127.0.0.1\nprotocol websockets\nallow_anonymous true\nlog_dest stderr\n",
        dir.join("mosquitto.sock").display(),
        port.addr().port()
    );
    let file = dir.write("mosquitto.conf", config)?;
    let mut command = Command::new(system("mosquitto")?);
    command.arg("-c").arg(file);
    Ok((Process::spawn(command, Ready::port(port.addr())).await?, port))
}
