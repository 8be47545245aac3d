//! `crs`: rules in ModSecurity's language, such as the OWASP Core Rule Set, asked about requests.

mod config;
mod exclusion;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

pub use config::RawRequestRules;
pub use exclusion::Unexcluded;
use http::header::HOST;
use http::{HeaderMap, Method, Uri, Version};
use wicketgate_config::{Enforcement, masked};
use wicketgate_seclang::{Budget, End, Exclusions, Found, Head, Outcome, RuleSet, Scratch};

use crate::refusal::Refusal;

/// Asks rules about requests.
#[derive(Clone, Debug)]
pub struct RequestRules(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    set: Arc<RuleSet>,
    without: Exclusions,
    /// The most arguments and cookies.
    most: usize,
    budget: Budget,
    enforcement: Enforcement,
}

/// What of a request rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Examined<'a> {
    /// CONNECT counts as GET: it can only be a WebSocket's (RFC 8441).
    pub method: &'a Method,
    /// As the client wrote it.
    pub uri: &'a Uri,
    /// The version that the client speaks.
    pub version: Version,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// What a rule found in a request. Nothing in it is the request's own but a masked excerpt, and the name of what it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFinding {
    /// What was found, in a stable word: the class of an attack.
    pub class: &'static str,
    /// The rule's number; none where a bound was reached.
    pub rule: Option<u64>,
    /// Where, as rules name it: `ARGS:q`, `REQUEST_HEADERS:referer`.
    pub variable: Box<str>,
    /// The rule's severity and message.
    pub detail: Box<str>,
    /// A masked piece of what it was found in.
    pub excerpt: Option<Box<str>>,
    /// Whether it may have consequences.
    pub enforcement: Enforcement,
}

impl PartialEq for RequestRules {
    /// Whether they are the same ones.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl RequestRules {
    fn new(
        set: Arc<RuleSet>,
        without: Exclusions,
        most: usize,
        budget: Budget,
        enforcement: Enforcement,
    ) -> Self {
        Self(Arc::new(Inner { set, without, most, budget, enforcement }))
    }

    /// Asks them about a request. What they find goes to `findings`, also where they only observe.
    ///
    /// # Errors
    /// [`Refusal::Rule`] where a rule refuses it, [`Refusal::RuleBudget`] where nobody knows; neither where they only observe.
    pub fn judge(&self, request: Examined<'_>, findings: &mut Vec<RequestFinding>) -> Result<(), Refusal> {
        let inner = &*self.0;
        let headers = lines(request.headers, request.uri);
        let method = if *request.method == Method::CONNECT { &Method::GET } else { request.method };
        let head = Head {
            method: method.as_str().as_bytes(),
            uri: request.uri.path_and_query().map_or("/", |target| target.as_str()).as_bytes(),
            protocol: protocol(request.version),
            headers: &headers,
            address: request.address,
        };
        let bounds = (inner.most, inner.budget);
        let outcome = Scratch::of_thread(|scratch| inner.set.ask(&head, &inner.without, bounds, scratch));
        match inner.conclude(outcome.as_ref(), findings) {
            Some(refusal) if inner.enforcement == Enforcement::Enforce => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Whether what they refuse is refused.
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement
    }
}

impl Inner {
    fn conclude(&self, outcome: Option<&Outcome>, findings: &mut Vec<RequestFinding>) -> Option<Refusal> {
        let Some(outcome) = outcome else {
            let what = "more arguments and cookies than `max_arguments` allows";
            findings.push(self.bound("arguments", what));
            return Some(Refusal::RuleBudget);
        };
        let before = findings.len();
        findings.extend(outcome.found.iter().map(|found| self.finding(found.rule, Some(found))));
        match outcome.end {
            End::Passed => None,
            End::OverBudget => {
                findings.push(self.bound("budget", "the rules want more work than `budget` allows"));
                Some(Refusal::RuleBudget)
            }
            End::Refused(index) => {
                let last = self.finding(index, None);
                let rule = last.rule.unwrap_or_default();
                if findings
                    .get(before..)
                    .is_none_or(|found| found.last().is_none_or(|hit| hit.rule != last.rule))
                {
                    findings.push(last);
                }
                Some(Refusal::Rule(rule))
            }
        }
    }

    fn finding(&self, index: usize, found: Option<&Found>) -> RequestFinding {
        let rule = self.set.rule(index);
        RequestFinding {
            class: rule.map_or("crs", |rule| rule.class()),
            rule: rule.map(|rule| rule.id),
            variable: found.map_or_else(|| "REQUEST".into(), |found| found.variable().into()),
            detail: rule.map(|rule| rule.detail()).unwrap_or_default().into(),
            // What a score is made of is the rules' own.
            excerpt: found
                .filter(|found| !found.excerpt.is_empty() && !found.is_of_rules())
                .map(|found| masked(&String::from_utf8_lossy(&found.excerpt))),
            enforcement: self.enforcement,
        }
    }

    fn bound(&self, class: &'static str, what: &str) -> RequestFinding {
        RequestFinding {
            class,
            rule: None,
            variable: "REQUEST".into(),
            detail: what.into(),
            excerpt: None,
            enforcement: self.enforcement,
        }
    }
}

/// The lines of a head. Where the authority stands in the target (HTTP/2), it is the host.
fn lines<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Vec<(&'a [u8], &'a [u8])> {
    let authority = uri.authority().filter(|_| !headers.contains_key(HOST));
    let host = authority.map(|authority| (&b"host"[..], authority.as_str().as_bytes()));
    let lines = headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    host.into_iter().chain(lines).collect()
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        _ => b"HTTP/1.1",
    }
}
