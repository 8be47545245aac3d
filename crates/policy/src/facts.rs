//! What a session's messages are judged by, beside what they say: who sends them, and from where.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};
use wicketgate_plugin as plugin;

/// What is known of a session's client. Replaced as a whole when the client renews its credential.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The session's number, unique while the process runs.
    pub session: u64,
    /// The route's name.
    pub route: Arc<str>,
    /// Who the client proved to be; none where anybody may come.
    pub identity: Option<Identity>,
    /// The client's address; none on a Unix socket.
    pub address: Option<IpAddr>,
    /// The subprotocol that was negotiated; none where there is none.
    pub subprotocol: Option<Box<str>>,
    /// Whether the client's side is TLS.
    pub secure: bool,
    /// The host that was asked for, in one spelling.
    pub host: Box<str>,
    /// The path that was asked for, in one spelling.
    pub path: Box<str>,
    /// The headers of the handshake that were kept, by their names in lower case, and their values where they were there.
    pub headers: Vec<(Box<str>, Option<Box<str>>)>,
}

/// Who a client proved to be.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Who it is.
    pub subject: Arc<str>,
    /// The method that vouches for it.
    pub method: Arc<str>,
    /// The credential, by a name that gives nothing away.
    pub token_id: Option<Arc<str>>,
    /// What else is known.
    pub claims: Arc<Map<String, Value>>,
}

/// What components may learn.
impl plugin::Session for Facts {
    fn id(&self) -> u64 {
        self.session
    }

    fn route(&self) -> &str {
        &self.route
    }

    fn subject(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| &*identity.subject)
    }

    fn claims(&self) -> String {
        let claims =
            self.identity.as_ref().and_then(|identity| serde_json::to_string(&*identity.claims).ok());
        claims.unwrap_or_else(|| "{}".into())
    }

    fn address(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    fn target(&self) -> (&str, &str) {
        (&self.host, &self.path)
    }
}
