//! A method of proof: one variant a kind, and what each is configured by.

use std::sync::Arc;

use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};
use wicketgate_wire::handshake::Upgrade;

use super::certificate::{self, ClientCertificate, RawCertificateMethod, SubjectName};
use super::{Denied, Identity};
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
}

impl RawMethod {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<MethodConfig> {
        let name: Arc<str> = self.name.value.as_str().into();
        let kinds = [self.certificate.as_ref().map(|at| (at.place, "certificate"))];
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
        let kind = Kind::Certificate(self.certificate?.value.subject);
        Some(MethodConfig { name, kind })
    }
}

impl Method {
    /// A method that knows nothing yet.
    pub fn start(config: MethodConfig) -> Self {
        Self { config }
    }

    /// What it was started with.
    pub fn config(&self) -> &MethodConfig {
        &self.config
    }

    /// Where in a request its credential stands.
    pub fn places(&self) -> &[Place] {
        match &self.config.kind {
            Kind::Certificate(_) => &[],
        }
    }

    /// Who the request proves to be from.
    ///
    /// # Errors
    /// [`Denied::Missing`] where the request brings nothing for this method, so that another may be tried; anything else
    /// where it brings something that proves nothing.
    pub async fn identify(&self, proof: Proof<'_>) -> Result<Identity, Denied> {
        match &self.config.kind {
            Kind::Certificate(subject) => {
                certificate::identify(&self.config.name, *subject, proof.certificate)
            }
        }
    }
}
