//! A receiver of OTLP made of the OpenTelemetry project's own messages for Python, which says what it got.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::python;
use crate::{
    ports::Port,
    process::{Process, Ready},
    raw::{Endpoint, RawClient},
    tls::Identity,
};

/// A running receiver on 127.0.0.1. Dropping it ends it.
#[derive(Debug)]
pub struct Collector {
    port: Port,
    control: Port,
    is_tls: bool,
    process: Process,
}

impl Collector {
    /// Starts one; with an identity of `localhost` it speaks TLS.
    pub async fn start(identity: Option<&Identity>) -> Result<Self> {
        let (port, control) = (Port::free()?, Port::free()?);
        let mut command = python::code(include_str!("receiver.py"))?;
        command.args([port.addr().port(), control.addr().port()].map(|port| port.to_string()));
        if let Some(identity) = identity {
            command.args([&identity.certificate_file, &identity.key_file]);
        }
        let process = Process::spawn(command, Ready::port(control.addr())).await?;
        Ok(Self { port, control, is_tls: identity.is_some(), process })
    }

    /// Where it takes traces and metrics.
    pub fn url(&self) -> String {
        let port = self.port.addr().port();
        if self.is_tls { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") }
    }

    /// Answers so from now on: with a status, not at all (`hang`), or by taking all but a number of spans (`reject 2`).
    pub async fn answer(&self, how: &str) -> Result<()> {
        let head = format!("PUT /answer HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{how}", how.len());
        self.ask(&head).await.map(drop)
    }

    /// The spans of this name, once there are so many.
    pub async fn spans(&self, name: &str, count: usize) -> Result<Vec<Value>> {
        let query =
            format!("GET /spans?name={}&count={count} HTTP/1.1\r\nHost: a\r\n\r\n", name.replace(' ', "+"));
        let found: Vec<Value> = serde_json::from_slice(&self.ask(&query).await?)?;
        ensure!(found.len() >= count, "{} spans {name:?} came; {}", found.len(), self.process.output());
        Ok(found)
    }

    /// The last message of metrics once more than `beyond` came, and how many there were.
    pub async fn metrics(&self, beyond: u64) -> Result<(u64, Value)> {
        let query = format!("GET /metrics?beyond={beyond} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut found: Value = serde_json::from_slice(&self.ask(&query).await?)?;
        let messages = found["messages"].as_u64().context("a number")?;
        ensure!(messages > beyond, "{messages} messages came; {}", self.process.output());
        Ok((messages, found["last"].take()))
    }

    /// The headers of the last request, their names in lower case.
    pub async fn headers(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.ask("GET /headers HTTP/1.1\r\nHost: a\r\n\r\n").await?)?)
    }

    async fn ask(&self, request: &str) -> Result<Vec<u8>> {
        let mut client = RawClient::connect(&Endpoint::plain(self.control.addr())).await?.patience(PATIENCE);
        client.send(request.as_bytes()).await?;
        let (head, body) = client.response().await?;
        ensure!(head.status()? == 200, "{}", self.process.output());
        Ok(body)
    }
}

/// The receiver waits a little less for what is asked of it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(25);
