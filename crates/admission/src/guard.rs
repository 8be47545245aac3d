//! A route's guard: every check in its order, and the proof that they were passed.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use wicketgate_wire::handshake::{Upgrade, is_upgrade_attempt, read_upgrade};

use super::address::Networks;
use super::config::{AdmissionConfig, AuthenticationConfig, Needed};
use super::identity::ticket::{Issued, Tickets};
use super::identity::{ClientCertificate, Denied, Identity, Method, Proof};
use super::refusal::Refusal;

/// What a request is: plain HTTP, or a flawless WebSocket handshake.
#[derive(Debug)]
pub struct Handshake(Option<Upgrade>);

/// Judges what a request is; `http2_protocol` is the `:protocol` of an extended CONNECT.
///
/// # Errors
/// A request that wants another protocol than HTTP and is not a flawless WebSocket handshake.
pub fn handshake(parts: &Parts, http2_protocol: Option<&str>) -> Result<Handshake, Refusal> {
    match is_upgrade_attempt(parts, http2_protocol) {
        true => Ok(Handshake(Some(read_upgrade(parts, http2_protocol)?))),
        false => Ok(Handshake(None)),
    }
}

impl Handshake {
    /// Whether a WebSocket is asked for.
    pub const fn is_upgrade(&self) -> bool {
        self.0.is_some()
    }
}

/// Who asks, as far as the connection and trusted proxies tell.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The address; none on a Unix socket that tells none.
    pub address: Option<IpAddr>,
    /// Whether the client's side is TLS.
    pub secure: bool,
    /// Whether the client's side is a network that others can listen on, and neither loopback nor a Unix socket.
    pub remote: bool,
    /// The certificate that the client proved to have.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// What is asked for, as routing understood it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The name of the route.
    pub route: &'a str,
    /// The host in one spelling, without its port; empty where the request names none.
    pub host: &'a str,
    /// The path in one spelling.
    pub path: &'a str,
}

/// Proof that a request passed every check. Dialling an upstream asks for one.
#[derive(Debug)]
pub struct Admitted {
    upgrade: Option<Upgrade>,
    identity: Option<Arc<Identity>>,
}

impl Admitted {
    /// The WebSocket that was asked for; `None` for plain HTTP.
    pub const fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// Who was admitted; `None` where anybody may come.
    pub const fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }
}

/// A route's guard.
#[derive(Debug, Default)]
pub struct Guard {
    networks: Networks,
    authentication: Option<Authentication>,
}

#[derive(Debug)]
struct Authentication {
    methods: Vec<Arc<Method>>,
    config: AuthenticationConfig,
}

impl Guard {
    /// Puts a route's guard together out of the methods of its configuration.
    pub fn new(config: &AdmissionConfig, methods: &[Arc<Method>]) -> Self {
        let authentication = config.authentication.as_ref().map(|config| {
            let by_name =
                |name: &Arc<str>| methods.iter().find(|method| method.config().name == *name).cloned();
            Authentication {
                methods: config.methods.iter().filter_map(by_name).collect(),
                config: config.clone(),
            }
        });
        Self { networks: config.networks.clone(), authentication }
    }

    /// Asks everything that the route asks, in its order. What proved the identity is taken out of the request.
    ///
    /// # Errors
    /// The first check that the request does not pass.
    pub async fn admit(
        &self,
        parts: &mut Parts,
        handshake: Handshake,
        client: &Client,
        asked: Asked<'_>,
    ) -> Result<Admitted, Refusal> {
        let Handshake(mut upgrade) = handshake;
        if !self.networks.admits(client.address) {
            return Err(Refusal::Network);
        }
        let identity = match &self.authentication {
            None => None,
            Some(authentication) => {
                Some(authentication.identify(parts, &mut upgrade, client, asked.route).await?)
            }
        };
        Ok(Admitted { upgrade, identity })
    }

    /// Whether clients can get tickets for the route.
    pub fn has_tickets(&self) -> bool {
        self.tickets().is_some()
    }

    /// Gives whoever was admitted to the route a ticket for it.
    ///
    /// # Errors
    /// [`Denied::Missing`] where there are no tickets, or nobody is known; otherwise why there is none now.
    pub fn issue_ticket(&self, admitted: &Admitted, asked: Asked<'_>) -> Result<Issued, Refusal> {
        match (self.tickets(), admitted.identity()) {
            (Some(tickets), Some(identity)) => Ok(tickets.issue(asked.route, identity)?),
            _ => Err(Denied::Missing.into()),
        }
    }

    fn tickets(&self) -> Option<&Tickets> {
        self.authentication.as_ref()?.methods.iter().find_map(|method| method.tickets())
    }
}

impl Authentication {
    async fn identify(
        &self,
        parts: &mut Parts,
        upgrade: &mut Option<Upgrade>,
        client: &Client,
        route: &str,
    ) -> Result<Arc<Identity>, Denied> {
        let certificate = client.certificate.as_deref();
        let proof = Proof { parts, upgrade: upgrade.as_ref(), route, certificate };
        let mut first = None;
        for method in &self.methods {
            match (method.identify(proof).await, self.config.needed) {
                (Ok(identity), _) => {
                    self.confirm(method, &identity)?;
                    first.get_or_insert(identity);
                }
                (Err(Denied::Missing), Needed::Any) => continue,
                (Err(denied), _) => return Err(denied),
            }
            if self.config.needed == Needed::Any {
                break;
            }
        }
        if !self.config.forward_credentials {
            for place in self.methods.iter().flat_map(|method| method.places()) {
                place.remove(parts, upgrade.as_mut());
            }
        }
        first.map(Arc::new).ok_or(Denied::Missing)
    }

    /// A ticket is worth no more than what it stands for: its method is still the route's, and still vouches.
    fn confirm(&self, by: &Method, identity: &Identity) -> Result<(), Denied> {
        if by.config().name == identity.method {
            return Ok(());
        }
        match self.methods.iter().find(|method| method.config().name == identity.method) {
            Some(method) if method.still_accepts(identity) => Ok(()),
            Some(_) => Err(Denied::Revoked),
            None => Err(Denied::Issuer),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn plain_requests_pass_and_other_upgrades_do_not() {
        assert!(!handshake(&parts(&[("host", "a")]), None).unwrap().is_upgrade());
        let h2c = parts(&[("host", "a"), ("connection", "upgrade"), ("upgrade", "h2c")]);
        assert_eq!(handshake(&h2c, None).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn a_flawless_handshake_passes() {
        let mut request = parts(&[
            ("host", "a"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        let upgrade = handshake(&request, None).unwrap();
        let admitted = Guard::default()
            .admit(&mut request, upgrade, &Client::default(), Asked::default())
            .await
            .unwrap();
        assert!(admitted.upgrade().is_some());
    }
}
