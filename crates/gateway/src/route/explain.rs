//! Why a request takes the route that it takes.

use std::fmt;

use http::header::HeaderMap;
use http::{Method, Uri, Version};
use wicketgate_admission::{Examined, Refusal, RequestFinding};
use wicketgate_config::Enforcement;

use super::host::normalise_host;
use super::matcher::{Facts, MatchConfig, Mismatch};
use super::path::normalise_path;
use super::table::ordered;
use super::template::Scope;
use crate::route::config::{Action, RouteConfig};

/// What became of one route, tried for one pair of its hosts and paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the route in the configuration, from 0.
    pub route: usize,
    /// The host and path that were compared.
    pub pattern: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of trying a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request takes it.
    Taken,
    /// It is for other requests.
    Not(Mismatch),
    /// A more specific one was taken before.
    Later,
}

/// The routes in the order in which they are tried, and what came of each.
pub(super) fn explain<'a>(routes: impl IntoIterator<Item = &'a MatchConfig>, facts: &Facts<'_>) -> Vec<Step> {
    let routes: Vec<_> = routes.into_iter().collect();
    let mut taken = false;
    let mut steps = Vec::new();
    for ((.., route), host, path) in ordered(routes.iter().copied()) {
        let verdict = if taken {
            Verdict::Later
        } else if !host.matches(facts.host) {
            Verdict::Not(Mismatch::Host)
        } else if !path.matches(facts.path) {
            Verdict::Not(Mismatch::Path)
        } else {
            match routes[route].conditions.check(facts) {
                Ok(()) => Verdict::Taken,
                Err(mismatch) => Verdict::Not(mismatch),
            }
        };
        taken |= verdict == Verdict::Taken;
        steps.push(Step { route, pattern: format!("{host}{path}"), verdict });
    }
    steps
}

/// Why a request takes the route that it takes; as text, a line for each route that was tried.
#[derive(Clone, Debug)]
pub struct Explanation {
    request: String,
    names: Vec<String>,
    outcome: String,
    /// What its rules find in the request, and what comes of it.
    found: Vec<String>,
    /// The routes in the order in which they are tried.
    pub steps: Vec<Step>,
}

impl Explanation {
    /// Follows a request for `url` through `routes`. An error says what is wrong with the URL.
    pub fn new(
        routes: &[std::sync::Arc<RouteConfig>],
        url: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let authority =
            uri.authority().ok_or_else(|| format!("`{url}` names no host: write it as ws://host/path"))?;
        let host = normalise_host(authority.as_str()).map_err(|error| format!("`{url}`: {error}"))?;
        let path =
            normalise_path(uri.path()).map_err(|error| format!("`{url}` is refused with 400: {error}"))?;
        let facts = Facts { host: Some(&host), path: &path, method, headers };
        let steps = explain(routes.iter().map(|route| &route.matching), &facts);
        let taken = steps.iter().find(|step| step.verdict == Verdict::Taken);
        let taken = taken.and_then(|step| routes.get(step.route));
        let (found, refused) = taken.map(|route| found(route, &uri, method, headers)).unwrap_or_default();
        let outcome = match (taken, refused) {
            (Some(_), Some(refusal)) => refusal.status().to_string(),
            (Some(route), None) => {
                let secure = matches!(uri.scheme_str(), Some("wss" | "https"));
                let scheme = if secure { "https" } else { "http" };
                let query = uri.query();
                let name = &route.name;
                route.action.outcome(&Scope {
                    client_address: None,
                    scheme,
                    host: &host,
                    path: &path,
                    query,
                    route: name,
                })
            }
            (None, _) => "404 Not Found".to_owned(),
        };
        let names = routes.iter().map(|route| route.name.to_string()).collect();
        Ok(Self { request: format!("{method} {host}{path}"), names, outcome, found, steps })
    }

    /// The name of the route that the request takes.
    pub fn taken(&self) -> Option<&str> {
        let step = self.steps.iter().find(|step| step.verdict == Verdict::Taken)?;
        self.names.get(step.route).map(String::as_str)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        let width = self.names.iter().map(String::len).max().unwrap_or(0);
        let pattern = self.steps.iter().map(|step| step.pattern.len()).max().unwrap_or(0);
        for step in self.steps.iter().filter(|step| step.verdict != Verdict::Later) {
            let name = self.names.get(step.route).map_or("", String::as_str);
            write!(f, "  {name:width$}  {:pattern$}  ", step.pattern)?;
            match &step.verdict {
                Verdict::Not(mismatch) => writeln!(f, "no: {mismatch}")?,
                _ => writeln!(f, "taken")?,
            }
        }
        writeln!(f, "route: {}", self.taken().unwrap_or("none"))?;
        for line in &self.found {
            writeln!(f, "crs: {line}")?;
        }
        write!(f, "then: {}", self.outcome)
    }
}

/// What a route's rules find in a request, and whether they refuse it.
fn found(
    route: &RouteConfig,
    uri: &Uri,
    method: &Method,
    headers: &HeaderMap,
) -> (Vec<String>, Option<Refusal>) {
    let Some(rules) = &route.admission.rules else { return (Vec::new(), None) };
    let mut findings = Vec::new();
    let request = Examined { method, uri, version: Version::HTTP_11, headers, address: None };
    let refused = rules.judge(request, &mut findings).err();
    let line = |finding: &RequestFinding| {
        let rule = finding.rule.map_or_else(|| "a bound".to_owned(), |rule| format!("rule {rule}"));
        format!("{rule} finds {} in {}; {}", finding.class, finding.variable, finding.detail)
    };
    let mut lines: Vec<String> = findings.iter().map(line).collect();
    lines.push(match &refused {
        Some(refusal) => format!("{}: {refusal}", refusal.status()),
        None if rules.enforcement() == Enforcement::Observe => {
            "it goes on: the rules only observe".to_owned()
        }
        None => "it goes on".to_owned(),
    });
    (lines, refused)
}

impl Action {
    /// What the request comes to, in words.
    fn outcome(&self, scope: &Scope<'_>) -> String {
        match self {
            Self::Proxy(proxy) => match proxy.rewrite.target(scope.path, scope.query) {
                Ok(target) => format!("upstream {} gets {target}", proxy.upstream),
                Err(_) => "400 Bad Request: the query cannot be sent on".to_owned(),
            },
            Self::Redirect(redirect) => match redirect.location(scope) {
                Ok(location) => format!("{} to {}", redirect.status, location.to_str().unwrap_or_default()),
                Err(_) => "400 Bad Request: the query cannot stand in a header".to_owned(),
            },
            Self::Respond(respond) => respond.status.to_string(),
            Self::Relay => "carried as one end of a private session".to_owned(),
        }
    }
}
