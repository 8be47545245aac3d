//! Debian's tinyproxy: an HTTP proxy on the way out, which takes CONNECT.

use std::{net::SocketAddr, process::Command};

use anyhow::Result;

use super::system;
use crate::{
    dir::Dir,
    ports::Port,
    process::{Process, Ready},
};

/// A proxy on the way out. Dropping it ends it.
#[derive(Debug)]
pub struct Tinyproxy {
    port: Port,
    process: Process,
    _dir: Dir,
}

impl Tinyproxy {
    /// Starts one on 127.0.0.1 that asks for this user name and password, and connects to these ports alone.
    pub async fn start(login: Option<(&str, &str)>, ports: &[u16]) -> Result<Self> {
        let (port, dir) = (Port::free()?, Dir::new()?);
        let mut config = format!(
            "Port {}\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\nAllow 127.0.0.1\nLogLevel Connect\n",
            port.addr().port()
        );
        if let Some((user, password)) = login {
            config += &format!("BasicAuth {user} {password}\n");
        }
        for port in ports {
            config += &format!("ConnectPort {port}\n");
        }
        let config = dir.write("tinyproxy.conf", config)?;
        let mut command = Command::new(system("tinyproxy")?);
        command.arg("-d").arg("-c").arg(config);
        let process = Process::spawn(command, Ready::port(port.addr())).await?;
        Ok(Self { port, process, _dir: dir })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The running program: its log tells who asked for what.
    pub fn process(&self) -> &Process {
        &self.process
    }
}
