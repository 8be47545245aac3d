//! A method of proof: one variant a kind, and what each is configured by.

use std::sync::Arc;

use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};
use wicketgate_wire::handshake::Upgrade;

use super::api_key::{ApiKeyConfig, ApiKeys, RawApiKey};
use super::certificate::{self, ClientCertificate, RawCertificateMethod, SubjectName};
use super::{Denied, Identity};
use crate::changes::Changes;
use crate::credential::Place;

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
}

/// A method, checked and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodConfig {
    /// What routes, logs and audit events call it.
    pub name: Arc<str>,
    /// What proves an identity.
    pub kind: Kind,
}

/// What proves an identity.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The client certificate of the TLS connection.
    Certificate(SubjectName),
    /// API keys.
    ApiKey(ApiKeyConfig),
}

/// What a request brings to prove who sent it.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// Its head.
    pub parts: &'a Parts,
    /// The WebSocket that it asks for, if any.
    pub upgrade: Option<&'a Upgrade>,
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
}

impl MethodConfig {
    /// Whether browsers bring its credential by themselves, to whatever page asks.
    pub fn is_ambient(&self) -> bool {
        match &self.kind {
            Kind::Certificate(_) => true,
            Kind::ApiKey(keys) => keys.places.iter().any(Place::is_ambient),
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
        } else {
            Kind::ApiKey(self.api_key?.value.check(problems)?)
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
                let (place, text) = Place::find_in(keys.places(), proof.parts, proof.upgrade)?;
                keys.identify(place, &text)
            }
        }
    }

    /// Whether an identity that this method has made would be made again, as far as is known here and now: its
    /// credential was not revoked since. Sessions by one for which it says no have to end.
    pub fn still_accepts(&self, identity: &Identity) -> bool {
        match &self.work {
            Work::Certificate(_) => true,
            Work::ApiKeys(keys) => keys.still_accepts(identity),
        }
    }
}
