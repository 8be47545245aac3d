//! The request that asks for a WebSocket, written by hand so that a test can bend it.

use anyhow::{Result, ensure};

use super::head::{Head, accept_key};

/// An HTTP/1.1 upgrade request: right as it is, until a test changes it.
#[derive(Debug, Clone)]
pub struct Upgrade {
    method: String,
    target: String,
    version: String,
    fields: Vec<(String, String)>,
}

/// The key of RFC 6455's example. A fixed one does no harm in tests.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Upgrade {
    /// A right request for this target, with host `localhost`.
    pub fn new(target: &str) -> Self {
        let fields = [
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", KEY),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { method: "GET".to_owned(), target: target.to_owned(), version: "HTTP/1.1".to_owned(), fields }
    }

    /// With one field more, even if there is one of that name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this value in place of all fields of that name.
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Without the fields of that name.
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self
    }

    /// With another method.
    pub fn method(self, method: &str) -> Self {
        Self { method: method.to_owned(), ..self }
    }

    /// With another HTTP version.
    pub fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    /// The target it asks for.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The request's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// Checks that a response grants it: 101, the right fields, the accept value of the key that was sent.
    pub fn check(&self, head: &Head) -> Result<()> {
        ensure!(head.status()? == 101, "no WebSocket: {}", head.text());
        ensure!(head.is_upgrade(), "a 101 without Upgrade: {}", head.text());
        let sent = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        let expected = accept_key(sent.map_or("", |(_, value)| value));
        ensure!(head.all("sec-websocket-accept") == [expected], "a wrong accept value: {}", head.text());
        Ok(())
    }
}
