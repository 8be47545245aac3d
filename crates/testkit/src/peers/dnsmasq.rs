//! Debian's dnsmasq: a name server over UDP.

use std::{net::SocketAddr, process::Command};

use anyhow::Result;

use super::system;
use crate::{
    ports::Port,
    process::{Process, Ready},
};

/// A name server. Dropping it ends it.
#[derive(Debug)]
pub struct Dnsmasq {
    port: Port,
    _process: Process,
}

impl Dnsmasq {
    /// Starts one on 127.0.0.1 that knows this name's address, and asks nobody else.
    pub async fn start(name: &str, address: &str) -> Result<Self> {
        let port = Port::free()?;
        let mut command = Command::new(system("dnsmasq")?);
        command.args([
            "--keep-in-foreground",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--pid-file=",
        ]);
        command.args([
            "--user=",
            "--group=",
            "--log-facility=-",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
        ]);
        command.arg(format!("--port={}", port.addr().port())).arg(format!("--address=/{name}/{address}"));
        // It takes TCP as well, once it takes UDP.
        let process = Process::spawn(command, Ready::port(port.addr())).await?;
        Ok(Self { port, _process: process })
    }

    /// Where it answers.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }
}
