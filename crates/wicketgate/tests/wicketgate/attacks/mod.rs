//! Attacks on raw sockets: each is turned away as it should be, nothing of it reaches the other side, and the next honest
//! client is served.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod admission_limits;
mod api_keys;
mod authorization;
mod client_address;
mod client_certificates;
mod compression;
mod connections;
mod crs;
mod external;
mod first_message;
mod forged;
mod frames;
mod guard;
mod handshake;
mod http2;
mod identity_headers;
mod limits;
mod liveness;
mod origin;
mod pictures;
mod policy;
mod proxy_protocol;
mod request_rules;
mod session_rights;
mod slow;
mod smuggling;
mod start;
mod tickets;
mod tls;
mod tls_policy;
mod tokens;
mod upstream;
mod upstream_frames;

use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Answer, Endpoint, Frame, Head, RawClient, RecordingBackend};

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");

/// The masking key of frames that are bent by hand.
const KEY: [u8; 4] = [0x1f, 0x8a, 0x55, 0xe3];

/// One plain listener.
const LISTENER: &str = "listeners: [{bind: LISTEN}]\n";

/// The backend, which the attacks on it shall not put out of use; and a gateway that stops at once when its test is over.
const UPSTREAM: &str = "upstreams: [{name: backend, targets: ['ws://BACKEND'], health: {passive: off}}]\n\
                        drain: {timeout: 0s}\n";

/// Both modes of looking at messages, each at its path.
const MODES: [&str; 2] = ["/headers", "/messages"];

/// A gateway and the backend behind it.
struct Stage {
    backend: RecordingBackend,
    gateway: Gateway,
    ports: Vec<Port>,
}

impl Stage {
    /// With a backend that echoes. In `config` each `LISTEN` becomes an address of its own, and `BACKEND` the backend's.
    async fn start(config: &str) -> Self {
        Self::answering(config, |_| Answer::Echo).await
    }

    /// With a backend that answers as `script` says.
    async fn answering(config: &str, script: impl Fn(&Head) -> Answer + Send + Sync + 'static) -> Self {
        let backend = RecordingBackend::answering(script).await.unwrap();
        let config = config.replace("BACKEND", &backend.addr().unwrap().to_string());
        let mut ports = Vec::new();
        let mut parts = config.split("LISTEN");
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let port = Port::free().unwrap();
            text.push_str(&port.addr().to_string());
            text.push_str(part);
            ports.push(port);
        }
        let gateway = Gateway::start(BINARY, &text, Ready::Line("listening".into())).await.unwrap();
        Self { backend, gateway, ports }
    }

    /// The address of the configuration's `number`th `LISTEN`.
    fn listener(&self, number: usize) -> Endpoint {
        Endpoint::plain(self.ports[number].addr())
    }

    /// Proofs against the route at `path` of the first listener.
    fn proof(&self, path: &str) -> AttackProof<'_> {
        AttackProof::new(self.listener(0), &self.backend, path)
    }

    /// A client of the first listener.
    async fn client(&self) -> RawClient {
        RawClient::connect(&self.listener(0)).await.unwrap()
    }

    /// The heads that reached the backend.
    fn heads(&self) -> Vec<Head> {
        self.backend.recorded().into_iter().flat_map(|recorded| recorded.heads).collect()
    }
}

/// A configuration with a route for each of [`MODES`] that has these settings for its sessions.
fn both_modes(settings: &str) -> String {
    format!(
        "{LISTENER}{UPSTREAM}routes:\n\
         - {{name: headers, match: {{path: /headers}}, upstream: backend, websocket: {{mode: headers, {settings}}}}}\n\
         - {{name: messages, match: {{path: /messages}}, upstream: backend, websocket: {{mode: messages, {settings}}}}}\n"
    )
}

/// One route that takes everything, with these settings beside its upstream.
fn one_route(settings: &str) -> String {
    format!("{LISTENER}{UPSTREAM}routes: [{{name: all, upstream: backend{settings}}}]\n")
}

/// The bytes of frames one behind the other.
fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}
