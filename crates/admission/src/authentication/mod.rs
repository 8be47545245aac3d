//! Who a route's clients have to prove to be: its methods, asked in their order.

mod config;
mod message;
mod proven;

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use wicketgate_wire::handshake::Upgrade;

use super::client::{Asked, Client};
use super::credential::Place;
use super::identity::ticket::Tickets;
use super::identity::{Denied, Identity, Method, Proof};
use super::secret::Secret;
use super::standing::Lost;

pub use config::{AuthenticationConfig, Needed, RawAuthentication};
pub use message::{FirstMessageConfig, RawFirstMessage};
pub use proven::{Bearer, Proven};

/// A route's methods at work.
#[derive(Debug)]
pub(crate) struct Authentication {
    methods: Vec<Arc<Method>>,
    config: AuthenticationConfig,
}

impl Authentication {
    /// Of these methods, those that the configuration names.
    pub(crate) fn new(config: &AuthenticationConfig, methods: &[Arc<Method>]) -> Self {
        let by_name = |name: &Arc<str>| methods.iter().find(|method| method.config().name == *name).cloned();
        Self { methods: config.methods.iter().filter_map(by_name).collect(), config: config.clone() }
    }

    pub(crate) const fn config(&self) -> &AuthenticationConfig {
        &self.config
    }

    /// Whether what proved the client of a live session would still be taken for proof.
    pub(crate) fn holds(&self, proven: Option<&Proven>) -> Result<(), Lost> {
        let proven = proven.ok_or(Lost::Unadmitted)?;
        let asked = match self.config.needed {
            Needed::Any => proven.identities().any(|identity| self.method(identity).is_some()),
            Needed::All => self.methods.iter().all(|method| proven.by(&method.config().name).is_some()),
        };
        if !asked {
            return Err(Lost::Unadmitted);
        }
        let now = SystemTime::now();
        if proven.expires().is_some_and(|expires| expires <= now) {
            return Err(Lost::Expired);
        }
        let stands = |identity: &Arc<Identity>| {
            self.method(identity).is_none_or(|method| method.still_accepts(identity))
        };
        if proven.identities().all(stands) { Ok(()) } else { Err(Lost::Revoked) }
    }

    fn method(&self, identity: &Identity) -> Option<&Arc<Method>> {
        self.methods.iter().find(|method| method.config().name == identity.method)
    }

    /// Who a request proves to be from. What proved it is taken out of the request.
    pub(crate) async fn identify(
        &self,
        parts: &mut Parts,
        upgrade: &mut Option<Upgrade>,
        client: &Client,
        asked: Asked<'_>,
    ) -> Result<Proven, Denied> {
        let proof = Proof {
            parts,
            upgrade: upgrade.as_ref(),
            host: asked.host,
            path: asked.path,
            address: client.address,
            secure: client.secure,
            certificate: client.certificate.as_deref(),
        };
        let result = self.ask_all(proof, asked.route).await;
        if !self.config.forward_credentials {
            for place in self.methods.iter().flat_map(|method| method.places()) {
                place.remove(parts, upgrade.as_mut());
            }
        }
        result
    }

    async fn ask_all(&self, asked: Proof<'_>, route: &str) -> Result<Proven, Denied> {
        let mut proven: Option<Proven> = None;
        let mut elsewhere = Denied::Missing;
        for method in &self.methods {
            let answer = match method.tickets() {
                Some(tickets) => self.redeem(tickets, asked, route),
                None => method.identify(asked).await.map(|identity| (identity, bearer(method, asked))),
            };
            match (answer, self.config.needed) {
                (Ok((identity, bearer)), _) => match &mut proven {
                    Some(proven) => proven.add(identity, bearer),
                    None => proven = Some(Proven::new(identity, bearer)),
                },
                (Err(Denied::Missing), Needed::Any) => continue,
                // Another method may know the token's issuer.
                (Err(denied @ Denied::Issuer), Needed::Any) => {
                    elsewhere = denied;
                    continue;
                }
                (Err(denied), _) => return Err(denied),
            }
            if self.config.needed == Needed::Any {
                break;
            }
        }
        proven.ok_or(elsewhere)
    }

    /// The tickets that clients can get.
    pub(crate) fn tickets(&self) -> Option<&Tickets> {
        self.methods.iter().find_map(|method| method.tickets())
    }

    /// Whom a ticket stands for. It is worth no more than the credential behind it, of which the route's method is asked
    /// again what it can tell at once.
    fn redeem(
        &self,
        tickets: &Tickets,
        asked: Proof<'_>,
        route: &str,
    ) -> Result<(Identity, Option<Bearer>), Denied> {
        let (_, ticket) = Place::find_in(tickets.places(), asked.parts, asked.upgrade)?;
        if asked.upgrade.is_none() {
            return Err(Denied::Malformed("a ticket is for a WebSocket"));
        }
        let (identity, token) = tickets.redeem(route, &ticket)?;
        let method = self.method(&identity).ok_or(Denied::Inactive)?;
        if !method.still_accepts(&identity) {
            return Err(Denied::Revoked);
        }
        let bearer = match (method.recheck_interval(), token) {
            (None, _) => None,
            (Some(_), Some(token)) => Some(Bearer::new(method.clone(), token)),
            // Without it nobody could ever tell that the session has to end.
            (Some(_), None) => return Err(Denied::Inactive),
        };
        Ok((identity, bearer))
    }

    /// Who a token in a message proves its bearer to be.
    pub(crate) async fn identify_token(&self, token: &Secret) -> Result<Proven, Denied> {
        let mut elsewhere = Denied::Missing;
        for method in &self.methods {
            match method.identify_token(token).await {
                Ok(identity) => {
                    let bearer =
                        method.recheck_interval().map(|_| Bearer::new(method.clone(), token.clone()));
                    return Ok(Proven::new(identity, bearer));
                }
                Err(Denied::Missing) => {}
                Err(denied @ (Denied::Issuer | Denied::Malformed(_))) => elsewhere = denied,
                Err(denied) => return Err(denied),
            }
        }
        Err(elsewhere)
    }
}

/// What a session keeps of a request to ask again by, where the method wants that.
fn bearer(method: &Arc<Method>, asked: Proof<'_>) -> Option<Bearer> {
    method.recheck_interval()?;
    let (_, token) = Place::find_in(method.places(), asked.parts, asked.upgrade).ok()?;
    Some(Bearer::new(method.clone(), token))
}
