//! A gateway with a route for each component, and a backend behind it that keeps what reached it.

use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Endpoint, Frame, RawClient, RecordingBackend};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
/// The masking key of frames that are written by hand.
const KEY: [u8; 4] = [0x1f, 0x8a, 0x55, 0xe3];

/// What is served: components in files, a gateway on one thread, and a backend that echoes.
pub(crate) struct Stage {
    pub(crate) backend: RecordingBackend,
    pub(crate) gateway: Gateway,
    /// Where the components are.
    pub(crate) dir: Dir,
    listener: Port,
    admin: Port,
}

impl Stage {
    /// A route at `/NAME` for each component, with the same settings. What clients say there it is asked about.
    pub(crate) async fn judging(components: &[(&str, Vec<u8>)], settings: &str) -> Self {
        Self::of(components, |name, file| {
            format!(
                "format: text, to_upstream: [{{name: {name}, plugin: {{component: '{file}'{settings}}}}}]"
            )
        })
        .await
    }

    /// A route at `/NAME` for each component, with the policy that `rules` makes of its name and its file.
    pub(crate) async fn of(components: &[(&str, Vec<u8>)], rules: impl Fn(&str, &str) -> String) -> Self {
        let (backend, dir) = (RecordingBackend::start().await.unwrap(), Dir::new().unwrap());
        let (listener, admin) = (Port::free().unwrap(), Port::free().unwrap());
        let (mut policies, mut routes) = (String::new(), String::new());
        for (name, bytes) in components {
            let file = dir.write(format!("{name}.wasm"), bytes).unwrap();
            policies += &format!("- {{name: {name}, {}}}\n", rules(name, &file.display().to_string()));
            routes += &format!("- {{name: {name}, match: {{path: /{name}}}, upstream: u, policy: {name}}}\n");
        }
        let config = format!(
            "listeners: [{{bind: {}}}]\nadmin: {{bind: {}}}\nruntime: {{threads: 1}}\ndrain: {{timeout: 0s}}\n\
             upstreams: [{{name: u, targets: ['ws://{}'], health: {{passive: off}}}}]\nlog: {{format: json}}\n\
             policies:\n{policies}routes:\n{routes}",
            listener.addr(),
            admin.addr(),
            backend.addr().unwrap(),
        );
        let gateway = Gateway::start(BINARY, &config, Ready::Line("listening".into())).await.unwrap();
        Self { backend, gateway, dir, listener, admin }
    }

    /// Proofs against the route of this component.
    pub(crate) fn proof(&self, name: &str) -> AttackProof<'_> {
        AttackProof::new(Endpoint::plain(self.listener.addr()), &self.backend, &format!("/{name}"))
    }

    /// A client of the route of this component.
    pub(crate) async fn client(&self, name: &str) -> RawClient {
        RawClient::open(&Endpoint::plain(self.listener.addr()), &format!("/{name}")).await.unwrap()
    }

    /// Puts another component in a component's place, as a deployment does: the file is old or new, and never half.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) {
        self.dir.write(format!("{name}.wasm"), bytes).unwrap();
    }

    /// All metrics.
    pub(crate) async fn metrics(&self) -> String {
        let mut client = RawClient::connect(&Endpoint::plain(self.admin.addr())).await.unwrap();
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        String::from_utf8(client.rest().await.unwrap()).unwrap()
    }

    /// The first record of a finding with this in it.
    pub(crate) async fn finding(&self, class: &str) -> String {
        self.gateway.log(&format!("\"{class}\"")).await.unwrap()
    }
}

/// A message as a client sends it.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    Frame::text(payload).masked(KEY).bytes()
}

/// A message of bytes as a client sends it.
pub(crate) fn binary(payload: &[u8]) -> Vec<u8> {
    Frame::binary(payload).masked(KEY).bytes()
}
