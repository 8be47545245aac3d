//! Whom an event is about.

use std::net::IpAddr;

use wicketgate_telemetry::TraceId;

/// Whom an event is about, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who<'a> {
    /// The listener that the client came through.
    pub listener: Option<&'a str>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The route that was asked for.
    pub route: Option<&'a str>,
    /// The session's number, unique while the process runs.
    pub session: Option<u64>,
    /// Who the client proved to be.
    pub subject: Option<&'a str>,
    /// The method that vouches for it.
    pub method: Option<&'a str>,
    /// The credential, by a name that gives nothing away.
    pub token_id: Option<&'a str>,
    /// The trace of the request, where requests are traced.
    pub trace: Option<TraceId>,
}
