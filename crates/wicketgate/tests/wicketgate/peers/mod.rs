//! Real clients, backends and intermediaries around the gateway, and its reload and restart under load.

mod acme;
mod autobahn;
mod browser;
mod clients;
mod credentials;
mod flood;
mod http;
mod init;
mod intermediaries;
pub(crate) mod load;
mod memory;
mod oidc;
mod policies;
mod reload;
mod upgrade;

use std::net::SocketAddr;
use std::path::PathBuf;

use wicketgate_testkit::{
    gateway::Gateway,
    ports::Port,
    process::{Ready, raise_open_files},
    raw::Endpoint,
    tls::{Authority, Identity},
};

/// The program under test.
const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");

/// The gateway's program: the one built for the tests, or that at `WICKETGATE_BINARY`, such as a release build to measure.
fn binary() -> PathBuf {
    std::env::var_os("WICKETGATE_BINARY").map_or_else(|| BINARY.into(), PathBuf::from)
}

/// Whether the long tests run too (`cargo xtask test --all`); where not, says what is left out.
pub(crate) fn all(left_out: &str) -> bool {
    let all = std::env::var_os("WICKETGATE_TEST_ALL").is_some();
    if !all {
        println!("left out without WICKETGATE_TEST_ALL=1: {left_out}");
    }
    all
}

/// Addresses and certificates for a gateway with a plain and a TLS listener, both for HTTP/1.1 and HTTP/2.
struct Front {
    plain: Port,
    secure: Port,
    authority: Authority,
    identity: Identity,
}

impl Front {
    fn new() -> Self {
        let authority = Authority::new().unwrap();
        let identity = authority.localhost().unwrap();
        Self { plain: Port::free().unwrap(), secure: Port::free().unwrap(), authority, identity }
    }

    /// A configuration with these listeners and what else a test says.
    fn config(&self, rest: &str) -> String {
        format!(
            "listeners:
  - name: plain
    bind: {plain}
    protocols: [http/1.1, h2]
  - name: secure
    bind: {secure}
    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}
{rest}",
            plain = self.plain.addr(),
            secure = self.secure.addr(),
            cert = self.identity.certificate_file.display(),
            key = self.identity.key_file.display(),
        )
    }

    /// A running gateway with that configuration.
    async fn start(&self, rest: &str) -> Gateway {
        raise_open_files().unwrap();
        Gateway::start(binary(), &self.config(rest), self.ready()).await.unwrap()
    }

    fn ready(&self) -> Ready {
        Ready::Ports(vec![self.plain.addr(), self.secure.addr()])
    }

    /// The plain listener.
    fn ws(&self) -> Endpoint {
        Endpoint::plain(self.plain.addr())
    }

    /// The TLS listener over HTTP/1.1.
    fn wss(&self) -> Endpoint {
        Endpoint::tls(self.secure.addr(), self.authority.client(&["http/1.1"]).unwrap())
    }
}

/// An upstream and a route for all of its requests; `more` are lines of the route.
fn one_route(backend: SocketAddr, more: &str) -> String {
    format!(
        "upstreams: [{{name: backend, targets: [\"ws://{backend}\"]}}]
routes:
  - name: all
    upstream: backend
    {more}
log: {{access: off}}
"
    )
}
