//! A route's guard: every check in its order, and the proof that they were passed.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use wicketgate_wire::handshake::{Upgrade, is_upgrade_attempt, read_upgrade};

use super::address::Networks;
use super::authentication::{Authentication, FirstMessageConfig, Proven};
use super::authorization::{Expression, Facts};
use super::client::{Asked, Client};
use super::close::CloseCodes;
use super::config::AdmissionConfig;
use super::disclosure::{Disclosure, Unsigned};
use super::identity::ticket::{Issued, Tickets};
use super::identity::{Denied, Identity, Method};
use super::limits::{Claim, IdentityRates, Limits, Slots};
use super::origin::OriginConfig;
use super::refusal::{Refusal, Rejected};
use super::request_rules::{Examined, RequestFinding, RequestRules};
use super::revocation::Revocations;
use super::secret::Secret;
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
    proven: Option<Proven>,
    facts: Option<Facts>,
    slots: Slots,
    rates: Option<IdentityRates>,
}

impl Admitted {
    /// The WebSocket that was asked for; `None` for plain HTTP.
    pub const fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// Who was admitted; `None` where anybody may come.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.proven.as_ref().map(Proven::first)
    }

    /// What a session keeps of it.
    pub fn into_session(self) -> SessionRight {
        let standing = Standing::new(self.facts.unwrap_or_default(), self.proven);
        SessionRight { standing, slots: self.slots, rates: self.rates }
    }
}

/// How far a request has come.
#[derive(Debug)]
pub enum Step {
    /// It passed every check.
    Admitted(Admitted),
    /// Its session is opened towards the client alone, and has to bring a credential in its first message.
    FirstMessage(Unproven),
}

/// A WebSocket whose client has yet to prove who it is.
#[derive(Debug)]
pub struct Unproven {
    /// What was asked for.
    pub upgrade: Upgrade,
    /// How its first message is read.
    pub config: FirstMessageConfig,
    slots: Slots,
}

/// What a session keeps of its admission.
#[derive(Debug)]
pub struct SessionRight {
    /// What its client's right to it rests on from now on.
    pub standing: Standing,
    /// What it holds of limits, as long as it is open.
    pub slots: Slots,
    /// The meters that all sessions of its identity share, where there is one.
    pub rates: Option<IdentityRates>,
}

/// A route's guard.
#[derive(Debug, Default)]
pub struct Guard {
    networks: Networks,
    tls: TlsPolicy,
    origin: OriginConfig,
    rules: Option<RequestRules>,
    authorization: Option<Expression>,
    authentication: Option<Authentication>,
    revocations: Option<Arc<Revocations>>,
    disclosure: Disclosure,
    close_codes: CloseCodes,
    limits: Option<Limits>,
    /// Whether plain requests count for rates.
    counts_requests: bool,
    /// Headers of the handshake that sessions keep for others than the guard.
    kept_headers: Vec<HeaderName>,
}

impl Guard {
    /// Puts a route's guard together out of the methods of its configuration, and the limits and revocations that hold
    /// for it.
    pub fn new(
        config: &AdmissionConfig,
        methods: &[Arc<Method>],
        limits: Limits,
        revocations: Arc<Revocations>,
    ) -> Self {
        let authentication = config.authentication.as_ref();
        let authentication = authentication.map(|config| Authentication::new(config, methods));
        let counts_requests = authentication.is_some() || config.limits.is_some();
        Self {
            networks: config.networks.clone(),
            tls: config.tls,
            origin: config.origin.clone(),
            rules: config.rules.clone(),
            authorization: config.authorization.clone(),
            authentication,
            limits: Some(limits),
            counts_requests,
            revocations: Some(revocations),
            disclosure: config.disclosure.clone(),
            close_codes: config.close_codes,
            kept_headers: Vec::new(),
        }
    }

    /// Has sessions keep these headers of the handshake too.
    #[must_use]
    pub fn keep_headers(self, kept_headers: Vec<HeaderName>) -> Self {
        Self { kept_headers, ..self }
    }

    /// The rules that are asked about requests.
    pub const fn request_rules(&self) -> Option<&RequestRules> {
        self.rules.as_ref()
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
        let proven = standing.proven();
        if let Some(authentication) = &self.authentication {
            authentication.holds(proven.as_deref())?;
        }
        if proven.as_deref().is_some_and(|proven| self.is_revoked(proven)) {
            return Err(Lost::Revoked);
        }
        let identity = proven.as_deref().map(|proven| &**proven.first());
        self.permits(standing.facts(), identity).map_err(|_| Lost::Unadmitted)
    }

    fn is_revoked(&self, proven: &Proven) -> bool {
        let covers = |identity| self.revocations.as_ref().is_some_and(|list| list.covers(identity));
        proven.identities().any(|identity| covers(identity))
    }

    /// The name by which a message renews the credential of a session.
    pub fn renewal(&self) -> Option<&Arc<str>> {
        self.authentication.as_ref()?.config().renewal.as_ref()
    }

    /// Replaces the credential of a live session by a later one of the same subject.
    ///
    /// # Errors
    /// A credential that would not admit the client; then nothing has changed.
    pub async fn renew(&self, standing: &Standing, token: &Secret) -> Result<(), Refusal> {
        let authentication = self.authentication.as_ref().ok_or(Denied::Missing)?;
        let proven = authentication.identify_token(token).await?;
        if standing.identity().is_none_or(|before| before.subject != proven.first().subject) {
            return Err(Refusal::Forbidden);
        }
        if self.is_revoked(&proven) {
            return Err(Denied::Revoked.into());
        }
        self.permits(standing.facts(), Some(proven.first()))?;
        standing.replace(proven);
        Ok(())
    }

    /// Asks everything that the route asks, in its order. What proved the identity is taken out of the request. What rules find
    /// goes to `findings`, whatever comes of it.
    ///
    /// # Errors
    /// The first check that the request does not pass.
    pub async fn admit(
        &self,
        parts: &mut Parts,
        handshake: Handshake,
        client: &Client,
        asked: Asked<'_>,
        findings: &mut Vec<RequestFinding>,
    ) -> Result<Step, Rejected> {
        let Handshake(mut upgrade) = handshake;
        if !self.networks.admits(client.address) {
            return Err(Refusal::Network.into());
        }
        let is_upgrade = upgrade.is_some();
        self.tls.check(parts, client, asked, is_upgrade)?;
        let slots = match self.limits_for(is_upgrade) {
            Some((limits, claim)) => limits.address(limits.now(), claim, client.address)?,
            None => Slots::default(),
        };
        self.origin.check(parts, client.secure, is_upgrade)?;
        self.examine(parts, client, findings)?;
        let proven = match &self.authentication {
            None => None,
            Some(authentication) => match authentication.identify(parts, &mut upgrade, client, asked).await {
                Ok(proven) => Some(proven),
                Err(Denied::Missing) => {
                    let awaited = authentication.config().first_message.clone().zip(upgrade);
                    let (config, upgrade) = awaited.ok_or(Denied::Missing)?;
                    return Ok(Step::FirstMessage(Unproven { upgrade, slots, config }));
                }
                Err(denied) => return Err(denied.into()),
            },
        };
        self.conclude(parts, client, asked, upgrade, proven, slots).map(Step::Admitted)
    }

    /// Asks the route's rules about what the client wrote, before anything is taken out of it.
    fn examine(
        &self,
        parts: &Parts,
        client: &Client,
        findings: &mut Vec<RequestFinding>,
    ) -> Result<(), Refusal> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let Parts { method, uri, version, headers, .. } = parts;
        rules.judge(Examined { method, uri, version: *version, headers, address: client.address }, findings)
    }

    /// Asks what the route asks of sessions, of one that came without a request: what cannot be asked of it then is not passed.
    ///
    /// # Errors
    /// The first check that the client does not pass.
    pub fn admit_stream(&self, client: &Client, asked: Asked<'_>) -> Result<SessionRight, Refusal> {
        if !self.networks.admits(client.address) {
            return Err(Refusal::Network);
        }
        let mut slots = match self.limits_for(true) {
            Some((limits, claim)) => limits.address(limits.now(), claim, client.address)?,
            None => Slots::default(),
        };
        if self.authentication.is_some() {
            return Err(Denied::Missing.into());
        }
        let (parts, ()) = http::Request::new(()).into_parts();
        let (facts, rates) = self.settle(&parts, client, asked, true, None, &mut slots)?;
        let standing = Standing::new(facts.unwrap_or_default(), None);
        Ok(SessionRight { standing, slots, rates })
    }

    /// Goes on where [`Self::admit`] had to wait for the first message, which brought this token.
    ///
    /// # Errors
    /// The first check that the request does not pass.
    pub async fn prove(
        &self,
        unproven: Unproven,
        token: &Secret,
        parts: &Parts,
        client: &Client,
        asked: Asked<'_>,
    ) -> Result<Admitted, Rejected> {
        let authentication = self.authentication.as_ref().ok_or(Denied::Missing)?;
        let proven = authentication.identify_token(token).await?;
        let Unproven { upgrade, slots, .. } = unproven;
        self.conclude(parts, client, asked, Some(upgrade), Some(proven), slots)
    }

    /// What is asked once it is known who asks.
    fn conclude(
        &self,
        parts: &Parts,
        client: &Client,
        asked: Asked<'_>,
        upgrade: Option<Upgrade>,
        proven: Option<Proven>,
        mut slots: Slots,
    ) -> Result<Admitted, Rejected> {
        let is_upgrade = upgrade.is_some();
        match self.settle(parts, client, asked, is_upgrade, proven.as_ref(), &mut slots) {
            Ok((facts, rates)) => Ok(Admitted { upgrade, proven, facts, slots, rates }),
            Err(refusal) => Err(Rejected { refusal, identity: proven.map(|proven| proven.first().clone()) }),
        }
    }

    /// Revocations, authorisation, and the limits that are not the address's. Gives what a session keeps of them.
    fn settle(
        &self,
        parts: &Parts,
        client: &Client,
        asked: Asked<'_>,
        is_upgrade: bool,
        proven: Option<&Proven>,
        slots: &mut Slots,
    ) -> Result<(Option<Facts>, Option<IdentityRates>), Refusal> {
        if proven.is_some_and(|proven| self.is_revoked(proven)) {
            return Err(Denied::Revoked.into());
        }
        let identity = proven.map(|proven| &**proven.first());
        let facts = self.authorize(parts, client, asked, identity, is_upgrade)?;
        let Some((limits, claim)) = self.limits_for(is_upgrade) else { return Ok((facts, None)) };
        let (now, subject) = (limits.now(), identity.map(|identity| &*identity.subject));
        limits.identity(now, claim, subject, slots)?;
        let rates = subject.filter(|_| claim == Claim::Session).map(|subject| limits.rates(now, subject));
        Ok((facts, rates))
    }

    /// The limits, and what a request claims of them; none for one that does not count.
    fn limits_for(&self, is_upgrade: bool) -> Option<(&Limits, Claim)> {
        let claim = match is_upgrade {
            true => Some(Claim::Session),
            false => self.counts_requests.then_some(Claim::Request),
        };
        self.limits.as_ref().zip(claim)
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
        let facts = Facts::new(parts, client, asked, needs, &self.kept_headers);
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

    /// Tells an upstream who was admitted. The client's own words under these names must have been removed.
    ///
    /// # Errors
    /// What is to be told cannot be signed.
    pub fn tell(&self, admitted: &Admitted, headers: &mut HeaderMap) -> Result<(), Unsigned> {
        match admitted.identity() {
            Some(identity) => self.disclosure.tell(identity, headers),
            None => Ok(()),
        }
    }

    /// Whether the page that asks may open sessions on the route: one that may not gets no ticket for it either.
    ///
    /// # Errors
    /// It may not.
    pub fn check_origin(&self, parts: &Parts, client: &Client) -> Result<(), Refusal> {
        self.origin.check(parts, client.secure, true)
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
        match (self.tickets(), &admitted.proven) {
            (Some(tickets), Some(proven)) => {
                Ok(tickets.issue(asked.route, proven.first(), proven.first_token())?)
            }
            _ => Err(Denied::Missing.into()),
        }
    }

    fn tickets(&self) -> Option<&Tickets> {
        self.authentication.as_ref()?.tickets()
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
            .admit(&mut request, upgrade, &Client::default(), Asked::default(), &mut Vec::new())
            .await
            .unwrap();
        assert!(matches!(admitted, Step::Admitted(admitted) if admitted.upgrade().is_some()));
    }
}
