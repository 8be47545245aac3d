//! Debian's `pebble`, Let's Encrypt's authority for tests, and the name server that sends it here.

use std::{net::SocketAddr, path::PathBuf, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::system;
use crate::{
    dir::Dir,
    ports::Port,
    process::{Process, Ready},
    raw::{Endpoint, RawClient},
    tls::{Authority, Identity, trusting},
};

/// An authority that issues certificates by ACME for every name. Dropping it ends it.
///
/// Whatever the name, it looks for proofs on 127.0.0.1.
pub struct Pebble {
    directory: Port,
    management: Port,
    authority: Authority,
    process: Process,
    _names: (Port, Process),
    _identity: Identity,
    _dir: Dir,
}

impl Pebble {
    /// Starts one that looks for `http-01` and `tls-alpn-01` at these addresses' ports, and whose certificates are valid for
    /// so long.
    pub async fn start(http: SocketAddr, tls: SocketAddr, validity: Duration) -> Result<Self> {
        let names = names().await?;
        let (directory, management) = (Port::free()?, Port::free()?);
        let authority = Authority::new()?;
        let identity = authority.localhost()?;
        let dir = Dir::new()?;
        let config = serde_json::json!({ "pebble": {
            "listenAddress": directory.addr().to_string(),
            "managementListenAddress": management.addr().to_string(),
            "certificate": identity.certificate_file,
            "privateKey": identity.key_file,
            "httpPort": http.port(),
            "tlsPort": tls.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": validity.as_secs(),
        }});
        let config = dir.write("pebble.json", config.to_string())?;
        let mut command = Command::new(system("pebble")?);
        command.arg("-config").arg(config).args(["-dnsserver", &names.0.addr().to_string()]);
        // Each order is proven anew, at once.
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        let process = Process::spawn(command, Ready::port(directory.addr())).await?;
        Ok(Self { directory, management, authority, process, _names: names, _identity: identity, _dir: dir })
    }

    /// The URL of its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.directory.addr().port())
    }

    /// File with the root of the directory's own TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }

    /// The running program.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A client that trusts what it issues, and offers these protocols by ALPN.
    pub async fn client(&self, alpn: &[&str]) -> Result<Arc<ClientConfig>> {
        let management = Endpoint::tls(self.management.addr(), self.authority.client(&["http/1.1"])?);
        let mut client = RawClient::connect(&management).await?;
        client.send(b"GET /roots/0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let (head, body) = client.response().await?;
        ensure!(head.status()? == 200, "pebble tells no root: {head:?}");
        let root = CertificateDer::from_pem_slice(&body).context("pebble's root is no certificate")?;
        trusting(root, alpn)
    }
}

/// A name server that knows one address.
async fn names() -> Result<(Port, Process)> {
    let port = Port::free()?;
    let mut command = Command::new(system("pebble-challtestsrv")?);
    command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-management", "127.0.0.1:0"]);
    command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-dns01", &port.addr().to_string()]);
    let process = Process::spawn(command, Ready::port(port.addr())).await?;
    Ok((port, process))
}
