//! Which requests a route is for.

use std::fmt;

use http::Method;
use http::header::{HeaderMap, HeaderName, SEC_WEBSOCKET_PROTOCOL};

use super::pattern::{HostPattern, PathPattern};

/// What a route is chosen by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The host, as [`normalise_host`](super::normalise_host) gives it; `None` where the request names none.
    pub host: Option<&'a str>,
    /// The path, as [`normalise_path`](super::normalise_path) gives it.
    pub path: &'a str,
    /// The method; GET for an opening handshake also where HTTP/2 says CONNECT.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Which requests a route is for: any of the hosts and any of the paths, and all of the conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchConfig {
    /// Any of these; never empty.
    pub hosts: Vec<HostPattern>,
    /// Any of these; never empty.
    pub paths: Vec<PathPattern>,
    /// What must hold beside host and path.
    pub conditions: Conditions,
}

/// What must hold beside host and path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// Any of these, in order; all methods if empty.
    pub methods: Vec<Method>,
    /// All of these, in the order of their names.
    pub headers: Vec<(HeaderName, HeaderTest)>,
    /// Any of these offered by the client, in order; no condition if empty.
    pub subprotocols: Vec<Box<str>>,
}

/// What a header must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeaderTest {
    /// One of its lines is exactly this.
    Is(Box<str>),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// Why a route is not for a request: the first thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The host is another.
    Host,
    /// The path is another.
    Path,
    /// The method is none of those.
    Method,
    /// This header is not as it must be.
    Header(HeaderName),
    /// The client offers none of the subprotocols.
    Subprotocol,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("another host"),
            Self::Path => f.write_str("another path"),
            Self::Method => f.write_str("another method"),
            Self::Header(name) => write!(f, "the header `{name}` is not as asked"),
            Self::Subprotocol => f.write_str("none of the subprotocols is offered"),
        }
    }
}

impl Conditions {
    /// How many there are: more are more specific.
    pub(super) fn count(&self) -> usize {
        self.headers.len()
            + usize::from(!self.methods.is_empty())
            + usize::from(!self.subprotocols.is_empty())
    }

    /// The first that does not hold.
    pub(super) fn check(&self, facts: &Facts<'_>) -> Result<(), Mismatch> {
        if !self.methods.is_empty() && !self.methods.contains(facts.method) {
            return Err(Mismatch::Method);
        }
        for (name, test) in &self.headers {
            let mut lines = facts.headers.get_all(name).iter();
            let holds = match test {
                HeaderTest::Is(value) => lines.any(|line| line.as_bytes() == value.as_bytes()),
                HeaderTest::Present => lines.next().is_some(),
                HeaderTest::Absent => lines.next().is_none(),
            };
            if !holds {
                return Err(Mismatch::Header(name.clone()));
            }
        }
        let offered = |wanted: &str| {
            let lines = facts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
            lines
                .filter_map(|line| line.to_str().ok())
                .flat_map(|line| line.split(','))
                .any(|p| p.trim() == wanted)
        };
        if !self.subprotocols.is_empty() && !self.subprotocols.iter().any(|wanted| offered(wanted)) {
            return Err(Mismatch::Subprotocol);
        }
        Ok(())
    }
}
