//! Traces and metrics, as a receiver of the OpenTelemetry project's own messages gets them.

mod metrics;
mod traces;
mod trouble;
mod trust;

use serde_json::Value;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::collector::Collector;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Answer, Endpoint, RawClient, RecordingBackend};

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");

/// A gateway that tells a collector, and a backend behind it.
struct Stage {
    backend: RecordingBackend,
    gateway: Gateway,
    /// The first one trusts who connects to it, the second one nobody.
    listeners: [Port; 2],
    admin: Port,
}

impl Stage {
    /// One that tells the collector at `url`; `telemetry` are the keys of its section beside `otlp`.
    async fn start(url: &str, telemetry: &str) -> Self {
        Self::with(&format!("telemetry: {{otlp: {{url: '{url}'}}, {telemetry}}}\n")).await
    }

    /// One with these sections more.
    async fn with(sections: &str) -> Self {
        let backend = RecordingBackend::answering(|head| match head.target().as_str() {
            "/broken" => Answer::response("503 Service Unavailable", "no"),
            _ => Answer::Echo,
        });
        let backend = backend.await.unwrap();
        let (listeners, admin) = ([Port::free().unwrap(), Port::free().unwrap()], Port::free().unwrap());
        let config = format!(
            "listeners:\n\
             - {{name: inner, bind: '{}', trusted_proxies: {{from: [127.0.0.1], header: x-forwarded-for, missing: proxy}}}}\n\
             - {{name: outer, bind: '{}'}}\n\
             upstreams: [{{name: backend, targets: ['ws://{}'], health: {{passive: off}}}}]\n\
             routes: [{{name: chat, upstream: backend}}]\n\
             admin: {{bind: '{}'}}\ndrain: {{timeout: 2s}}\nlog: {{format: json, level: trace}}\n{sections}",
            listeners[0].addr(),
            listeners[1].addr(),
            backend.addr().unwrap(),
            admin.addr()
        );
        let all = listeners.iter().chain([&admin]).map(Port::addr).collect();
        let gateway = Gateway::start(BINARY, &config, Ready::Ports(all)).await.unwrap();
        Self { backend, gateway, listeners, admin }
    }

    fn inner(&self) -> Endpoint {
        Endpoint::plain(self.listeners[0].addr())
    }

    fn outer(&self) -> Endpoint {
        Endpoint::plain(self.listeners[1].addr())
    }

    /// A plain request with these lines in its head; the status of its answer.
    async fn request(&self, to: &Endpoint, target: &str, lines: &str) -> u16 {
        let mut client = RawClient::connect(to).await.unwrap();
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: localhost:8443\r\n{lines}Connection: close\r\n\r\n");
        client.send(head.as_bytes()).await.unwrap();
        client.response().await.unwrap().0.status().unwrap()
    }

    /// A session with one message each way.
    async fn session(&self, to: &Endpoint) {
        let mut client = RawClient::open(to, "/session").await.unwrap();
        client.echoes("hello").await.unwrap();
        client.close(1000).await.unwrap();
    }

    /// What the backend was told of the request for `target`.
    async fn told(&self, target: &str, name: &str) -> Vec<String> {
        let (_, recorded) = self.backend.requested(target).await.unwrap();
        recorded.heads.iter().find(|head| head.target() == target).unwrap().all(name)
    }

    /// `/metrics`.
    async fn scrape(&self) -> String {
        let mut client = RawClient::connect(&Endpoint::plain(self.admin.addr())).await.unwrap();
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        String::from_utf8(client.response().await.unwrap().1).unwrap()
    }

    /// The first line of the log that has this text, as JSON.
    async fn line(&self, text: &str) -> Value {
        serde_json::from_str(&self.gateway.log(text).await.unwrap()).unwrap()
    }
}

/// A receiver, and a gateway that tells it of every request.
async fn traced() -> (Collector, Stage) {
    let collector = Collector::start(None).await.unwrap();
    let stage = Stage::start(&collector.url(), "traces: on").await;
    (collector, stage)
}
