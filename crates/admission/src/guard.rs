//! A route's guard: every check in its order, and the proof that they were passed.

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use wicketgate_wire::handshake::{Upgrade, is_upgrade_attempt, read_upgrade};

use super::address::Networks;
use super::authorization::{Expression, Facts};
use super::client::{Asked, Client};
use super::close::CloseCodes;
use super::config::{AdmissionConfig, AuthenticationConfig, Needed};
use super::identity::{Denied, Identity, Method, Proof};
use super::origin::OriginConfig;
use super::refusal::Refusal;
use super::revocation::Revocations;
use super::standing::{Lost, Standing};
use super::tls::TlsPolicy;

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

/// Proof that a request passed every check. Dialling an upstream asks for one.
#[derive(Debug)]
pub struct Admitted {
    upgrade: Option<Upgrade>,
    identity: Option<Arc<Identity>>,
    facts: Option<Facts>,
}

impl Admitted {
    /// The WebSocket that was asked for; `None` for plain HTTP.
    pub const fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// What a session's right to be rests on from now on.
    pub fn standing(&self) -> Standing {
        Standing::new(self.facts.clone().unwrap_or_default(), self.identity.clone())
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
    tls: TlsPolicy,
    origin: OriginConfig,
    authorization: Option<Expression>,
    authentication: Option<Authentication>,
    revocations: Option<Arc<Revocations>>,
    close_codes: CloseCodes,
}

#[derive(Debug)]
struct Authentication {
    methods: Vec<Arc<Method>>,
    config: AuthenticationConfig,
}

impl Guard {
    /// Puts a route's guard together out of the methods of its configuration.
    pub fn new(config: &AdmissionConfig, methods: &[Arc<Method>], revocations: Arc<Revocations>) -> Self {
        let authentication = config.authentication.as_ref().map(|config| {
            let by_name =
                |name: &Arc<str>| methods.iter().find(|method| method.config().name == *name).cloned();
            Authentication {
                methods: config.methods.iter().filter_map(by_name).collect(),
                config: config.clone(),
            }
        });
        Self {
            networks: config.networks.clone(),
            tls: config.tls,
            origin: config.origin.clone(),
            authorization: config.authorization.clone(),
            authentication,
            revocations: Some(revocations),
            close_codes: config.close_codes,
        }
    }

    /// How sessions are closed whose clients lose the right to them.
    pub const fn close_codes(&self) -> CloseCodes {
        self.close_codes
    }

    /// Whether a live session's client would still be admitted, on what is known of it.
    ///
    /// # Errors
    /// Why it would not.
    pub fn holds(&self, standing: &Standing) -> Result<(), Lost> {
        let identity = standing.identity();
        if let Some(authentication) = &self.authentication {
            authentication.holds(identity.as_deref())?;
        }
        if identity.as_deref().is_some_and(|identity| self.is_revoked(identity)) {
            return Err(Lost::Revoked);
        }
        self.permits(standing.facts(), identity.as_deref()).map_err(|_| Lost::Unadmitted)
    }

    fn is_revoked(&self, identity: &Identity) -> bool {
        self.revocations.as_ref().is_some_and(|revocations| revocations.covers(identity))
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
        let is_upgrade = upgrade.is_some();
        self.tls.check(parts, client, asked, is_upgrade)?;
        self.origin.check(parts, client.secure, is_upgrade)?;
        let identity = match &self.authentication {
            None => None,
            Some(authentication) => Some(authentication.identify(parts, &mut upgrade, client).await?),
        };
        if identity.as_deref().is_some_and(|identity| self.is_revoked(identity)) {
            return Err(Denied::Revoked.into());
        }
        let facts = self.authorize(parts, client, asked, identity.as_deref(), is_upgrade)?;
        Ok(Admitted { upgrade, identity, facts })
    }

    /// What is asked of every request whose sender is known. Gives what a session keeps.
    fn authorize(
        &self,
        parts: &Parts,
        client: &Client,
        asked: Asked<'_>,
        identity: Option<&Identity>,
        is_upgrade: bool,
    ) -> Result<Option<Facts>, Refusal> {
        if self.authorization.is_none() && !is_upgrade {
            return Ok(None);
        }
        let needs = self.authorization.as_ref().map(Expression::needs);
        let facts = Facts::new(parts, client, asked, needs);
        self.permits(&facts, identity).inspect_err(|refusal| {
            if let Refusal::Authorization(_) = refusal {
                tracing::warn!(route = asked.route, "{refusal}");
            }
        })?;
        Ok(is_upgrade.then_some(facts))
    }

    /// Whether networks and authorisation permit what is known of a request.
    fn permits(&self, facts: &Facts, identity: Option<&Identity>) -> Result<(), Refusal> {
        if !self.networks.admits(facts.client().address) {
            return Err(Refusal::Network);
        }
        match &self.authorization {
            Some(expression) => expression.judge(facts, identity),
            None => Ok(()),
        }
    }
}

impl Authentication {
    /// Whether the identity of a live session would still be had.
    fn holds(&self, identity: Option<&Identity>) -> Result<(), Lost> {
        let identity = identity.ok_or(Lost::Unadmitted)?;
        if identity.expires.is_some_and(|expires| expires <= SystemTime::now()) {
            return Err(Lost::Expired);
        }
        let vouches = |method: &&Arc<Method>| method.config().name == identity.method;
        match self.methods.iter().find(vouches) {
            Some(method) if method.still_accepts(identity) => Ok(()),
            Some(_) => Err(Lost::Revoked),
            None => Err(Lost::Unadmitted),
        }
    }

    async fn identify(
        &self,
        parts: &mut Parts,
        upgrade: &mut Option<Upgrade>,
        client: &Client,
    ) -> Result<Arc<Identity>, Denied> {
        let proof = Proof { parts, upgrade: upgrade.as_ref(), certificate: client.certificate.as_deref() };
        let (mut first, mut refused) = (None, Denied::Missing);
        for method in &self.methods {
            match (method.identify(proof).await, self.config.needed) {
                (Ok(identity), _) => drop(first.get_or_insert(identity)),
                (Err(Denied::Missing), Needed::Any) => continue,
                // The next method may be that issuer's.
                (Err(denied @ Denied::Issuer), Needed::Any) => {
                    refused = denied;
                    continue;
                }
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
        first.map(Arc::new).ok_or(refused)
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
