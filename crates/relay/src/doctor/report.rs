//! What the doctor says in the end, for people and for machines.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;

use super::answer::Told;
use super::certificate::Shown;
use super::finding::{Finding, Severity};
use super::look::Inside;

/// The version of the JSON document. A field may be added without another version.
const SCHEMA: u32 = 1;

/// What was found on the way to a gateway.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this document.
    pub schema: u32,
    /// The gateway's URL.
    pub url: String,
    /// The worst of all findings.
    pub verdict: Severity,
    /// The products that were recognised on the way.
    pub products: Vec<Recognised>,
    /// What was seen on the way.
    pub path: Path,
    /// What was looked at, in this order.
    pub findings: Vec<Finding>,
}

/// A product that was recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recognised {
    /// Its id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its page of the guide, from the root of the repository.
    pub guide: String,
}

/// What was seen on the way.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Path {
    /// The addresses of the name.
    pub addresses: Vec<SocketAddr>,
    /// The one that took the connection.
    pub connected: Option<SocketAddr>,
    /// Who ends TLS.
    pub certificate: Option<Shown>,
    /// Whether TLS passes unopened; unknown without TLS.
    pub raw_tls: Option<bool>,
    /// The answer to a plain request.
    pub plain: Option<Told>,
    /// The answer to the request for a WebSocket.
    pub upgrade: Option<Told>,
    /// What the gateway saw, where there was an identity to ask it with.
    pub inside: Option<Inside>,
}

impl Report {
    /// A report of these findings.
    pub(super) fn new(url: String, products: Vec<Recognised>, path: Path, findings: Vec<Finding>) -> Self {
        let verdict = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Pass);
        Self { schema: SCHEMA, url, verdict, products, path, findings }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.url)?;
        let names: Vec<_> = self.products.iter().map(|product| product.name).collect();
        if !names.is_empty() {
            writeln!(f, "in front of it: {}", names.join(", "))?;
        }
        for Finding { id, severity, seen, remedies } in &self.findings {
            writeln!(f, "{:<4}  {:<15}  {seen}", severity.to_string(), id.title())?;
            for remedy in remedies {
                let product = remedy.product.map(|product| format!("{product}: ")).unwrap_or_default();
                writeln!(f, "      -> {product}{}", remedy.change)?;
                writeln!(f, "         {}", remedy.guide)?;
            }
        }
        Ok(())
    }
}
