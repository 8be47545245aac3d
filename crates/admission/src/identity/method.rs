//! A method of proof: one variant a kind, and what each is configured by.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};
use wicketgate_wire::handshake::Upgrade;

use super::api_key::{ApiKeyConfig, ApiKeys, RawApiKey};
use super::certificate::{self, ClientCertificate, RawCertificateMethod, SubjectName};
use super::external::{About, External, ExternalConfig, RawExternal};
use super::introspection::{Introspection, IntrospectionConfig, RawIntrospection};
use super::jwt::{Jwt, JwtConfig, RawJwt};
use super::ticket::{RawTicket, TicketConfig, Tickets};
use super::{Denied, Identity};
use crate::changes::Changes;
use crate::credential::Place;
use crate::fill::Fill;
use crate::secret::Secret;

/// A method by which clients prove who they are. It has one of the keys beside `name`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMethod {
    /// What routes, logs and audit events call it: letters, digits, `-`, `_` and `.`, at most 64.
    pub name: At<String>,
    /// The client certificate of the TLS connection.
    #[serde(default)]
    pub certificate: Option<At<RawCertificateMethod>>,
    /// API keys: long-lived secrets for programs, which `wicketgate key` makes and revokes.
    #[serde(default)]
    pub api_key: Option<At<RawApiKey>>,
    /// Signed tokens (JWT), verified here with the issuer's keys.
    #[serde(default)]
    pub jwt: Option<At<RawJwt>>,
    /// Opaque tokens, about which the authorisation server is asked.
    #[serde(default)]
    pub introspection: Option<At<RawIntrospection>>,
    /// A service of yours that is asked about every request.
    #[serde(default)]
    pub external: Option<At<RawExternal>>,
    /// One-time tickets, for browsers, which can set no header on a WebSocket.
    #[serde(default)]
    pub ticket: Option<At<RawTicket>>,
}

/// A method, checked and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodConfig {
    /// What routes, logs and audit events call it.
    pub name: Arc<str>,
    /// What proves an identity.
    pub kind: Kind,
}

impl MethodConfig {
    /// Whether it takes the client certificate of the TLS connection.
    pub const fn is_by_certificate(&self) -> bool {
        matches!(self.kind, Kind::Certificate(_))
    }
}

/// What proves an identity.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The client certificate of the TLS connection.
    Certificate(SubjectName),
    /// API keys.
    ApiKey(ApiKeyConfig),
    /// Signed tokens.
    Jwt(Box<JwtConfig>),
    /// Opaque tokens.
    Introspection(Box<IntrospectionConfig>),
    /// A service that is asked about every request.
    External(Box<ExternalConfig>),
    /// One-time tickets that stand for what another method has proved.
    Ticket(TicketConfig),
}

/// What a request brings to prove who sent it.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// Its head.
    pub parts: &'a Parts,
    /// The WebSocket that it asks for, if any.
    pub upgrade: Option<&'a Upgrade>,
    /// The host in one spelling, without its port.
    pub host: &'a str,
    /// The path in one spelling.
    pub path: &'a str,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Whether the client's side is TLS.
    pub secure: bool,
    /// The certificate of its connection, if any.
    pub certificate: Option<&'a ClientCertificate>,
}

/// A method at work, with what it has learnt.
#[derive(Debug)]
pub struct Method {
    config: MethodConfig,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Certificate(SubjectName),
    ApiKeys(Arc<ApiKeys>),
    Jwt(Box<Jwt>),
    Introspection(Box<Introspection>),
    External(Box<External>),
    Tickets(Box<Tickets>),
}

impl MethodConfig {
    /// Whether browsers bring its credential by themselves, to whatever page asks.
    pub fn is_ambient(&self) -> bool {
        match &self.kind {
            Kind::Certificate(_) => true,
            Kind::ApiKey(keys) => keys.places.iter().any(Place::is_ambient),
            Kind::Jwt(jwt) => jwt.places.iter().any(Place::is_ambient),
            Kind::Introspection(asked) => asked.places.iter().any(Place::is_ambient),
            Kind::External(asked) => asked.is_ambient(),
            Kind::Ticket(_) => false,
        }
    }
}

impl RawMethod {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<MethodConfig> {
        let name: Arc<str> = self.name.value.as_str().into();
        let kinds = [
            self.certificate.as_ref().map(|at| (at.place, "certificate")),
            self.api_key.as_ref().map(|at| (at.place, "api_key")),
            self.jwt.as_ref().map(|at| (at.place, "jwt")),
            self.introspection.as_ref().map(|at| (at.place, "introspection")),
            self.external.as_ref().map(|at| (at.place, "external")),
            self.ticket.as_ref().map(|at| (at.place, "ticket")),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let Some(first) = kinds.next() else {
            let what = format!("the method `{name}` proves nothing");
            problems.error(self.name.place, what, "add one key beside `name`, as in `certificate: {}`");
            return None;
        };
        for second in kinds {
            let what = format!("the method `{name}` has `{}` beside `{}`", second.1, first.1);
            problems.clash(second.0, what, "make it a method of its own", (first.0, "the other one"));
        }
        let kind = if let Some(certificate) = self.certificate {
            Kind::Certificate(certificate.value.subject)
        } else if let Some(keys) = self.api_key {
            Kind::ApiKey(keys.value.check(problems)?)
        } else if let Some(jwt) = self.jwt {
            Kind::Jwt(Box::new(jwt.value.check(problems)?))
        } else if let Some(asked) = self.introspection {
            Kind::Introspection(Box::new(asked.value.check(problems)?))
        } else if let Some(external) = self.external {
            Kind::External(Box::new(external.value.check(problems)?))
        } else {
            Kind::Ticket(self.ticket?.value.check(problems)?)
        };
        Some(MethodConfig { name, kind })
    }
}

impl Method {
    /// Starts what the method needs to learn; it tells `changes` whenever [`Self::still_accepts`] may say otherwise than
    /// before. Must be called inside a tokio runtime.
    pub fn start(config: MethodConfig, changes: &Changes) -> Self {
        let work = match &config.kind {
            Kind::Certificate(subject) => Work::Certificate(*subject),
            Kind::ApiKey(keys) => {
                Work::ApiKeys(ApiKeys::start(config.name.clone(), keys.clone(), changes.clone()))
            }
            Kind::Jwt(jwt) => Work::Jwt(Box::new(Jwt::start(config.name.clone(), (**jwt).clone()))),
            Kind::Introspection(asked) => {
                Work::Introspection(Box::new(Introspection::start(config.name.clone(), (**asked).clone())))
            }
            Kind::External(asked) => {
                Work::External(Box::new(External::start(config.name.clone(), (**asked).clone())))
            }
            Kind::Ticket(tickets) => Work::Tickets(Box::new(Tickets::start(tickets.clone()))),
        };
        Self { config, work }
    }

    /// What it was started with.
    pub fn config(&self) -> &MethodConfig {
        &self.config
    }

    /// Where in a request its credential stands.
    pub fn places(&self) -> &[Place] {
        match &self.work {
            Work::Certificate(_) => &[],
            Work::ApiKeys(keys) => keys.places(),
            Work::Jwt(jwt) => jwt.places(),
            Work::Introspection(asked) => asked.places(),
            Work::External(asked) => asked.places(),
            Work::Tickets(tickets) => tickets.places(),
        }
    }

    /// Who the request proves to be from.
    ///
    /// # Errors
    /// [`Denied::Missing`] where the request brings nothing for this method, so that another may be tried; anything else
    /// where it brings something that proves nothing.
    pub async fn identify(&self, proof: Proof<'_>) -> Result<Identity, Denied> {
        match &self.work {
            Work::Certificate(subject) => {
                certificate::identify(&self.config.name, *subject, proof.certificate)
            }
            Work::ApiKeys(keys) => {
                let (place, key) = Place::find_in(keys.places(), proof.parts, proof.upgrade)?;
                // A bearer token may be anybody's.
                match *place == Place::Bearer && !ApiKeys::knows(&key) {
                    true => Err(Denied::Missing),
                    false => keys.identify(&key),
                }
            }
            Work::Jwt(_) | Work::Introspection(_) => {
                let (_, token) = Place::find_in(self.places(), proof.parts, proof.upgrade)?;
                self.identify_token(&token).await
            }
            Work::External(asked) => {
                let Proof { parts, upgrade, host, path, address, secure, .. } = proof;
                let method = if upgrade.is_some() { "GET" } else { parts.method.as_str() };
                asked.identify(&parts.headers, About { method, host, path, address, secure }).await
            }
            // They stand for what another method has proved: the route's guard redeems them, and asks that one.
            Work::Tickets(_) => Err(Denied::Missing),
        }
    }

    /// Who a token proves its bearer to be, wherever it was found: in a first message, or in one that renews a session.
    ///
    /// # Errors
    /// [`Denied::Missing`] where the method knows no such tokens; anything else where the token proves nothing.
    pub async fn identify_token(&self, token: &Secret) -> Result<Identity, Denied> {
        match &self.work {
            Work::Certificate(_) | Work::External(_) | Work::Tickets(_) => Err(Denied::Missing),
            // Another method may know it.
            Work::ApiKeys(_) if !ApiKeys::knows(token) => Err(Denied::Missing),
            Work::ApiKeys(keys) => keys.identify(token),
            Work::Jwt(jwt) => jwt.identify(token).await,
            Work::Introspection(asked) => asked.identify(token).await,
        }
    }

    /// How often the credentials of open sessions have to be rechecked, by [`Self::recheck`]; `None` for never.
    pub fn recheck_interval(&self) -> Option<Duration> {
        match &self.work {
            Work::Introspection(asked) => Some(asked.recheck_interval()),
            _ => None,
        }
    }

    /// Who the token of an open session proves its bearer to be by now: whoever can revoke it is asked anew.
    ///
    /// # Errors
    /// [`Denied::Unavailable`] where that could not be asked, which says nothing about the token; anything else where the
    /// session has to end.
    pub async fn recheck(&self, token: &Secret) -> Result<Identity, Denied> {
        match &self.work {
            Work::Introspection(asked) => asked.recheck(token).await,
            _ => self.identify_token(token).await,
        }
    }

    /// Whether an identity that this method, or one of its name in an earlier configuration, has made would be made again, as
    /// far as is known here and now: its claims hold, and its credential was not revoked since. Sessions by one for which it
    /// says no have to end.
    pub fn still_accepts(&self, identity: &Identity) -> bool {
        match &self.work {
            // Identities by tickets are those of the methods that the tickets stand for.
            Work::Certificate(_) | Work::External(_) | Work::Tickets(_) => true,
            Work::ApiKeys(keys) => keys.still_accepts(identity),
            Work::Jwt(jwt) => jwt.still_accepts(identity),
            Work::Introspection(asked) => asked.still_accepts(identity),
        }
    }

    /// The table that it keeps, by name, and how full that is.
    pub fn fill(&self) -> Option<(&'static str, Fill)> {
        match &self.work {
            Work::Introspection(asked) => Some(("introspections", asked.fill())),
            Work::Tickets(tickets) => Some(("tickets", tickets.fill())),
            _ => None,
        }
    }

    /// The tickets that it issues, if it does.
    pub fn tickets(&self) -> Option<&Tickets> {
        match &self.work {
            Work::Tickets(tickets) => Some(tickets),
            _ => None,
        }
    }
}
