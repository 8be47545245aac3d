//! What spans say: in the words of OpenTelemetry's conventions where it has some, and else in ours, which begin with `wicketgate.`.

use std::net::IpAddr;

use http::Version;
use http::uri::Authority;
use wicketgate_admission::{Admitted, Rejected, Step};
use wicketgate_telemetry::Span;

use super::access::{Request, Session};
use crate::pump::Side;
use crate::upstream::address::{Address, Endpoint};

/// Says of a request's span what was asked. Of a client that leaves before there is an answer, it is all that is known.
pub fn begun<B>(span: &mut Span, request: &http::Request<B>, host: &str, listener: &str) {
    if !span.is_kept() {
        return;
    }
    let method = method(request.method().as_str());
    span.rename(verb(method));
    span.word("http.request.method", method);
    if method == OTHER {
        span.text("http.request.method_original", request.method().as_str());
    }
    span.text("url.path", request.uri().path());
    if let Ok(host) = host.parse::<Authority>() {
        span.text("server.address", host.host());
        if let Some(port) = host.port_u16() {
            span.number("server.port", port.into());
        }
    }
    span.word("network.protocol.name", "http");
    span.word("network.protocol.version", protocol(request.version()));
    span.text("wicketgate.listener", listener);
}

/// Says of a request's span what became of it.
pub fn request(span: &mut Span, line: &Request<'_>, scheme: &'static str) {
    if !span.is_kept() {
        return;
    }
    span.word("url.scheme", scheme);
    span.number("http.response.status_code", line.status.into());
    client(span, line.client);
    if let Some(route) = line.route {
        span.rename(&format!("{} {route}", verb(method(line.method))));
        span.text("wicketgate.route", route);
    }
    if let Some(reason) = line.reason {
        span.word("wicketgate.refusal", reason);
    }
    // What the client did wrong is no fault of the server's (semantic conventions for HTTP spans).
    if line.status >= 500 {
        span.fail(line.reason.unwrap_or(&line.status.to_string()));
    }
}

/// Says of a session's span how it ended.
pub fn session(span: &mut Span, line: &Session<'_>, subprotocol: Option<&str>) {
    if !span.is_kept() {
        return;
    }
    let (end, sent, received) = (line.summary.end, &line.summary.client, &line.summary.upstream);
    span.word("network.protocol.name", "websocket");
    if let Some(subprotocol) = subprotocol {
        span.text("wicketgate.subprotocol", subprotocol);
    }
    client(span, line.client);
    span.text("wicketgate.listener", line.listener);
    span.text("wicketgate.route", line.route);
    span.text("wicketgate.target", line.target);
    span.number("wicketgate.session", line.id);
    span.number("wicketgate.client.messages", sent.messages);
    span.number("wicketgate.client.bytes", sent.bytes);
    span.number("wicketgate.upstream.messages", received.messages);
    span.number("wicketgate.upstream.bytes", received.bytes);
    span.number("wicketgate.dropped", sent.dropped + received.dropped);
    span.word("wicketgate.end", end.label());
    span.word("wicketgate.ended_by", end.by().map_or("gateway", Side::label));
    span.number("wicketgate.close_code", end.code().0.into());
}

/// Says of a session that was not opened, for want of a first message that proves something, why.
pub fn unopened(span: &mut Span, route: &str, why: &'static str, code: u16) {
    span.word("network.protocol.name", "websocket");
    span.text("wicketgate.route", route);
    span.word("wicketgate.refusal", why);
    span.number("wicketgate.close_code", code.into());
}

/// Says of the span of admission what it came to, for now.
pub fn judged(span: &mut Span, judged: &Result<Step, Rejected>) {
    match judged {
        Ok(Step::Admitted(admitted)) => concluded(span, Ok(admitted)),
        Ok(Step::FirstMessage(_)) => span.word("wicketgate.authentication", "first_message"),
        Err(rejected) => concluded(span, Err(rejected)),
    }
}

/// Says of the span of admission what it came to in the end.
pub fn concluded(span: &mut Span, judged: Result<&Admitted, &Rejected>) {
    match judged.map(Admitted::identity) {
        Ok(Some(identity)) => span.text("wicketgate.authentication", &identity.method),
        Ok(None) => {}
        Err(rejected) => span.word("wicketgate.refusal", rejected.refusal.label()),
    }
}

/// Says of the span of a request to an upstream where it went; nothing where it went nowhere.
pub fn target(span: &mut Span, upstream: &str, address: Option<&Address>) {
    if !span.is_kept() {
        return;
    }
    span.text("wicketgate.upstream", upstream);
    let Some(address) = address else { return };
    match &address.endpoint {
        Endpoint::Ip(address) => {
            span.text("server.address", &address.ip().to_string());
            span.number("server.port", address.port().into());
        }
        Endpoint::Name(name, port) => {
            span.text("server.address", name);
            span.number("server.port", (*port).into());
        }
        Endpoint::Unix(path) => span.text("server.address", &path.to_string_lossy()),
    }
}

/// Says of the span of a request to an upstream what was asked, and answered.
pub fn answered(span: &mut Span, method: &str, status: u16) {
    span.word("http.request.method", self::method(method));
    span.number("http.response.status_code", status.into());
    // Of somebody else's answers, what it says of us is an error too.
    if span.is_kept() && status >= 400 {
        span.fail(&status.to_string());
    }
}

/// Says of the span of a request to an upstream that there was no answer, and why.
pub fn unanswered(span: &mut Span, upstream: &str, why: &'static str) {
    target(span, upstream, None);
    span.fail(why);
}

fn client(span: &mut Span, address: Option<IpAddr>) {
    if let Some(address) = address.filter(|_| span.has_client_address()) {
        span.text("client.address", &address.to_string());
    }
}

/// What the conventions call a method that they do not know.
const OTHER: &str = "_OTHER";

fn method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or(OTHER)
}

/// How a name begins. What is not known may be anything, and names are to be few.
fn verb(method: &'static str) -> &'static str {
    if method == OTHER { "HTTP" } else { method }
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
