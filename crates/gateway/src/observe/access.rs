//! The access log: one line a request, one line a session. Never a query, a credential or a payload.

use std::net::IpAddr;
use std::time::Duration;

use tracing::info;
use wicketgate_telemetry::TraceId;

use crate::pump::{Side, Summary};

/// The target under which access lines are logged, so that they can be sent elsewhere.
pub const TARGET: &str = "access";

/// What is known of a request when it was answered.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The listener it came through.
    pub listener: &'a str,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The route that took it, if any.
    pub route: Option<&'a str>,
    /// Its host, as it was sent.
    pub host: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// The answer.
    pub status: u16,
    /// Why it was refused or failed, where it was.
    pub reason: Option<&'static str>,
    /// From the end of its head to the head of the answer.
    pub duration: Duration,
    /// Its trace, where requests are traced.
    pub trace: Option<TraceId>,
}

impl Request<'_> {
    /// Writes the line.
    pub fn log(&self) {
        info!(
            target: TARGET,
            kind = "request",
            listener = self.listener,
            client = self.client.map(tracing::field::display),
            route = self.route,
            host = self.host,
            method = self.method,
            path = self.path,
            status = self.status,
            reason = self.reason,
            duration_us = micros(self.duration),
            trace_id = self.trace.map(tracing::field::display),
        );
    }
}

/// What is known of a session when it ended.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// Its number, which its other log lines carry too.
    pub id: u64,
    /// The listener it came through.
    pub listener: &'a str,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Its route.
    pub route: &'a str,
    /// The upstream's target.
    pub target: &'a str,
    /// How it went.
    pub summary: &'a Summary,
    /// The trace of the request that it began with, where requests are traced.
    pub trace: Option<TraceId>,
}

impl Session<'_> {
    /// Writes the line.
    pub fn log(&self) {
        let Summary { end, client, upstream, duration } = self.summary;
        info!(
            target: TARGET,
            kind = "session",
            session = self.id,
            listener = self.listener,
            client = self.client.map(tracing::field::display),
            route = self.route,
            upstream_target = self.target,
            duration_us = micros(*duration),
            client_messages = client.messages,
            client_bytes = client.bytes,
            upstream_messages = upstream.messages,
            upstream_bytes = upstream.bytes,
            dropped = client.dropped + upstream.dropped,
            code = end.code().0,
            closed_by = end.by().map_or("gateway", Side::label),
            reason = end.label(),
            trace_id = self.trace.map(tracing::field::display),
        );
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
