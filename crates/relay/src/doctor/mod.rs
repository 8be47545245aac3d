//! Looks at the way from here to a gateway's route, and tells what to change on it, by name of the product.
//!
//! - `path`: name, connection, TLS; `certificate`: who ends it
//! - `exchange`, `answer`: HTTP, and what the answers say
//! - `control`, `look`, `idle`: as an endpoint of the site, what becomes of messages and of silence
//! - `product`: who stands in front, and its settings
//! - `finding`, `report`: what comes out

mod answer;
mod certificate;
mod clean;
pub mod config;
mod control;
mod exchange;
mod finding;
mod idle;
mod look;
mod path;
mod product;
mod report;

use std::sync::Arc;
use std::time::Duration;

use wicketgate_admission::fetch::FetchConfig;

pub use answer::Told;
pub use certificate::Shown;
pub use finding::{Check, Finding, Remedy, Severity};
pub use look::Inside;
pub use report::{Path, Recognised, Report};

use self::path::Way;
use self::product::Product;
use crate::carrier::Gateway;
use crate::identity::Identity;

/// Where the guide has the products' pages.
const PAGES: &str = "docs/guides/middlebox/";
/// What it says of all.
const GUIDE: &str = "docs/guides/doctor.md";

/// What is to be looked at.
#[derive(Debug)]
pub struct Doctor {
    /// The gateway.
    pub gateway: Gateway,
    /// Whom to trust in front of it, and how long each step may take.
    pub https: FetchConfig,
    /// Who this is; without it, nothing behind the upgrade is looked at.
    pub identity: Option<Arc<Identity>>,
    /// Up to which time of silence the idle limit is looked for.
    pub idle: Option<Duration>,
}

impl Doctor {
    /// Looks at everything, one after the other.
    pub async fn examine(&self) -> Report {
        let (mut path, mut findings, mut seen) = (Path::default(), Vec::new(), path::Seen::default());
        let way = path::walk(&self.gateway, &self.https, &mut seen, &mut findings).await;
        (path.addresses, path.connected) = (seen.addresses, seen.connected);
        (path.certificate, path.raw_tls) = (seen.certificate, seen.raw_tls);
        let mut products = Vec::new();
        if let Some(way) = &way {
            // First, so that a cache that has kept its answer shows it to the second.
            let plain = exchange::plain(way).await;
            let asked = exchange::upgrade(way).await;
            findings.extend(answer::judge(&plain, &asked));
            let answers = [plain.as_ref().ok(), asked.as_ref().ok().map(|upgrade| &upgrade.answer)];
            products = product::recognise(answers.into_iter().flatten().map(|answer| &answer.headers));
            path.plain = plain.ok().map(|answer| answer.told());
            let opened = asked.as_ref().is_ok_and(|upgrade| {
                upgrade.agreed.as_ref().is_ok_and(|agreed| agreed.subprotocol.is_some())
            });
            path.upgrade = asked.ok().map(|upgrade| upgrade.answer.told());
            if let Some(identity) = self.identity.as_ref().filter(|_| opened && way.is_trusted()) {
                path.inside = self.look_inside(way, identity, &mut findings).await;
            }
        }
        for finding in &mut findings {
            finding.remedies = remedies(finding, &products);
        }
        let products = products.into_iter().map(Product::recognised).collect();
        Report::new(self.gateway.to_string(), products, path, findings)
    }
}

impl Doctor {
    /// What an endpoint of the site finds behind the upgrade.
    async fn look_inside(
        &self,
        way: &Way,
        identity: &Identity,
        findings: &mut Vec<Finding>,
    ) -> Option<Inside> {
        let granted = match control::ask(way, identity).await {
            Ok(granted) => granted,
            Err(finding) => {
                findings.push(finding);
                return None;
            }
        };
        let text = format!("{} ({}) lets {} in", granted.gateway, granted.version, identity.name);
        findings.push(Finding::pass(Check::Identity, text));
        let inside = look::look(way, &granted, findings).await;
        if let Some(longest) = self.idle {
            idle::measure(way, identity, &granted, longest, findings).await;
        }
        inside
    }
}

/// What to change: settings of the products that were recognised, else words that fit all.
fn remedies(finding: &Finding, products: &[&'static Product]) -> Vec<Remedy> {
    if finding.severity == Severity::Pass {
        return Vec::new();
    }
    let of = |product: &&'static Product| {
        let (name, guide) = (product.name.as_str(), format!("{PAGES}{}", product.page));
        let settings = product.settings(finding.id).into_iter();
        settings.map(move |change| Remedy { product: Some(name), change, guide: guide.clone() })
    };
    let named: Vec<Remedy> = products.iter().flat_map(of).collect();
    if !named.is_empty() {
        return named;
    }
    let guide = format!("{GUIDE}#{}", finding.id.id());
    vec![Remedy { product: None, change: finding.id.generic().to_owned(), guide }]
}

impl Product {
    fn recognised(&'static self) -> Recognised {
        Recognised { id: &self.id, name: &self.name, guide: format!("{PAGES}{}", self.page) }
    }
}
