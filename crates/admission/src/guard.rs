//! A route's guard: every check in its order, and the proof that they were passed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use wicketgate_wire::handshake::{Upgrade, is_upgrade_attempt, read_upgrade};

use super::close::CloseCodes;
use super::config::{AdmissionConfig, AuthenticationConfig, Needed};
use super::identity::{ClientCertificate, Denied, Identity, Method, Proof};
use super::limits::{Claim, IdentityRates, Limits, Slots};
use super::refusal::Refusal;
use super::revocation::Revocations;
use super::standing::{Lost, Standing};

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
    /// The certificate that the client proved to have.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// Proof that a request passed every check. Dialling an upstream asks for one.
#[derive(Debug)]
pub struct Admitted {
    upgrade: Option<Upgrade>,
    identity: Option<Arc<Identity>>,
    client: Client,
    slots: Slots,
    rates: Option<IdentityRates>,
}

impl Admitted {
    /// The WebSocket that was asked for; `None` for plain HTTP.
    pub const fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// What a session's right to be rests on from now on.
    pub fn standing(&self) -> Standing {
        Standing::new(self.client.clone(), self.identity.clone())
    }

    /// Who was admitted; `None` where anybody may come.
    pub const fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// What the session holds of limits, to be kept while it is open; and the meters that all sessions of the identity share,
    /// where there is one.
    pub fn into_limits(self) -> (Slots, Option<IdentityRates>) {
        (self.slots, self.rates)
    }
}

/// A route's guard.
#[derive(Debug, Default)]
pub struct Guard {
    authentication: Option<Authentication>,
    limits: Option<Limits>,
    /// Whether plain requests count for rates.
    counts_requests: bool,
    revocations: Option<Arc<Revocations>>,
    close_codes: CloseCodes,
}

#[derive(Debug)]
struct Authentication {
    methods: Vec<Arc<Method>>,
    config: AuthenticationConfig,
}

impl Guard {
    /// Puts a route's guard together out of the methods of its configuration and the limits that hold for it.
    pub fn new(
        config: &AdmissionConfig,
        methods: &[Arc<Method>],
        limits: Limits,
        revocations: Arc<Revocations>,
    ) -> Self {
        let authentication = config.authentication.as_ref().map(|config| {
            let by_name =
                |name: &Arc<str>| methods.iter().find(|method| method.config().name == *name).cloned();
            Authentication {
                methods: config.methods.iter().filter_map(by_name).collect(),
                config: config.clone(),
            }
        });
        let counts_requests = authentication.is_some() || config.limits.is_some();
        Self {
            authentication,
            limits: Some(limits),
            counts_requests,
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
        let Some(authentication) = &self.authentication else { return Ok(()) };
        let identity = standing.identity().ok_or(Lost::Unadmitted)?;
        if identity.expires.is_some_and(|expires| expires <= SystemTime::now()) {
            return Err(Lost::Expired);
        }
        if self.is_revoked(&identity) {
            return Err(Lost::Revoked);
        }
        let vouches = |method: &Arc<Method>| method.config().name == identity.method;
        match authentication.methods.iter().any(vouches) {
            true => Ok(()),
            false => Err(Lost::Unadmitted),
        }
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
    ) -> Result<Admitted, Refusal> {
        let Handshake(mut upgrade) = handshake;
        let claim = match upgrade {
            Some(_) => Some(Claim::Session),
            None => self.counts_requests.then_some(Claim::Request),
        };
        let limits = self.limits.as_ref().zip(claim);
        let mut slots = match limits {
            Some((limits, claim)) => limits.address(limits.now(), claim, client.address)?,
            None => Slots::default(),
        };
        let identity = match &self.authentication {
            None => None,
            Some(authentication) => Some(authentication.identify(parts, &mut upgrade, client).await?),
        };
        if identity.as_deref().is_some_and(|identity| self.is_revoked(identity)) {
            return Err(Denied::Revoked.into());
        }
        let mut rates = None;
        if let Some((limits, claim)) = limits {
            let (now, subject) = (limits.now(), identity.as_ref().map(|identity| &*identity.subject));
            limits.identity(now, claim, subject, &mut slots)?;
            rates = subject.filter(|_| claim == Claim::Session).map(|subject| limits.rates(now, subject));
        }
        Ok(Admitted { upgrade, identity, client: client.clone(), slots, rates })
    }
}

impl Authentication {
    async fn identify(
        &self,
        parts: &mut Parts,
        upgrade: &mut Option<Upgrade>,
        client: &Client,
    ) -> Result<Arc<Identity>, Denied> {
        let proof = Proof { parts, upgrade: upgrade.as_ref(), certificate: client.certificate.as_deref() };
        let mut first = None;
        for method in &self.methods {
            match (method.identify(proof).await, self.config.needed) {
                (Ok(identity), _) => drop(first.get_or_insert(identity)),
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
        let admitted = Guard::default().admit(&mut request, upgrade, &Client::default()).await.unwrap();
        assert!(admitted.upgrade().is_some());
    }
}
