//! All routes, ordered so that the most specific one is found first.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::matcher::{Conditions, Facts, MatchConfig};
use super::pattern::{HostPattern, PathPattern};

/// All routes, each with something of the caller's.
///
/// The order in which routes are tried is total:
/// 1. an exact host, then the longest `*.name`, then any host;
/// 2. an exact path, then the prefix or glob with the most literal characters;
/// 3. the one with more conditions (each header, the methods, the subprotocols);
/// 4. the one that stands first in the configuration.
///
/// A route with several hosts or paths is tried once for each pair of them. A lookup takes one hash of the host and
/// of each of its parents, one of the path, and then goes through the prefixes and globs of these hosts in order. It
/// allocates nothing.
#[derive(Debug)]
pub struct RouteTable<R> {
    exact: HashMap<Box<str>, Paths<R>>,
    below: HashMap<Box<str>, Paths<R>>,
    any: Paths<R>,
}

/// The routes of one host.
#[derive(Debug)]
struct Paths<R> {
    exact: HashMap<Box<str>, Vec<Candidate<R>>>,
    patterns: Vec<(PathPattern, Candidate<R>)>,
}

#[derive(Debug)]
struct Candidate<R> {
    conditions: Arc<Conditions>,
    route: Arc<R>,
}

/// Where one pair of host and path of one route stands in the order: smaller is tried first.
pub(super) type Rank = ((u8, Reverse<usize>), (u8, Reverse<usize>), Reverse<usize>, usize);

/// All pairs of hosts and paths in the order in which they are tried, with the number of their route.
pub(super) fn ordered<'a>(
    matches: impl IntoIterator<Item = &'a MatchConfig>,
) -> Vec<(Rank, &'a HostPattern, &'a PathPattern)> {
    let mut all = Vec::new();
    for (number, matching) in matches.into_iter().enumerate() {
        let conditions = Reverse(matching.conditions.count());
        for host in &matching.hosts {
            for path in &matching.paths {
                all.push(((host.rank(), path.rank(), conditions, number), host, path));
            }
        }
    }
    // Stable, so that the paths of one route which rank alike keep the order of its list.
    all.sort_by_key(|(rank, _, _)| *rank);
    all
}

impl<R> RouteTable<R> {
    /// Builds the table; the routes come in the order of the configuration.
    pub fn new<'a>(routes: impl IntoIterator<Item = (&'a MatchConfig, Arc<R>)>) -> Self {
        let routes: Vec<_> = routes.into_iter().collect();
        let conditions: Vec<_> =
            routes.iter().map(|(matching, _)| Arc::new(matching.conditions.clone())).collect();
        let mut table = Self { exact: HashMap::new(), below: HashMap::new(), any: Paths::default() };
        for ((.., number), host, path) in ordered(routes.iter().map(|(matching, _)| *matching)) {
            let paths = match host {
                HostPattern::Exact(name) => table.exact.entry(name.clone()).or_default(),
                HostPattern::Below(suffix) => table.below.entry(suffix.clone()).or_default(),
                HostPattern::Any => &mut table.any,
            };
            let candidate =
                Candidate { conditions: conditions[number].clone(), route: routes[number].1.clone() };
            match path {
                PathPattern::Exact(path) => paths.exact.entry(path.clone()).or_default().push(candidate),
                pattern => paths.patterns.push((pattern.clone(), candidate)),
            }
        }
        table
    }

    /// The most specific route for a request.
    pub fn find(&self, facts: &Facts<'_>) -> Option<&Arc<R>> {
        let host = facts.host.unwrap_or_default();
        let parents = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        let exact = self.exact.get(host);
        // The first parent is the longest. Without a name in front of its dot there is no match.
        let below = parents.filter(|_| !host.starts_with('.')).filter_map(|parent| self.below.get(parent));
        exact.into_iter().chain(below).chain([&self.any]).find_map(|paths| paths.find(facts))
    }
}

impl<R> Default for Paths<R> {
    fn default() -> Self {
        Self { exact: HashMap::new(), patterns: Vec::new() }
    }
}

impl<R> Paths<R> {
    fn find(&self, facts: &Facts<'_>) -> Option<&Arc<R>> {
        let exact = self.exact.get(facts.path).into_iter().flatten();
        let patterns = self.patterns.iter().filter(|(path, _)| path.matches(facts.path));
        exact
            .chain(patterns.map(|(_, candidate)| candidate))
            .find(|candidate| candidate.conditions.check(facts).is_ok())
            .map(|candidate| &candidate.route)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::explain::{Verdict, explain};
    use super::super::matcher::HeaderTest;
    use super::*;
    use http::header::{HeaderName, SEC_WEBSOCKET_PROTOCOL};
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;

    fn matching(hosts: &[&str], paths: &[&str]) -> MatchConfig {
        MatchConfig {
            hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
            paths: paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
            conditions: Conditions::default(),
        }
    }

    fn found(
        routes: &[MatchConfig],
        host: &str,
        path: &str,
        method: Method,
        headers: &HeaderMap,
    ) -> Option<usize> {
        let table =
            RouteTable::new(routes.iter().enumerate().map(|(number, route)| (route, Arc::new(number))));
        let host = (!host.is_empty()).then_some(host);
        let facts = Facts { host, path, method: &method, headers };
        let found = table.find(&facts).map(|number| **number);
        let told = explain(routes, &facts).into_iter().find(|step| step.verdict == Verdict::Taken);
        assert_eq!(found, told.map(|step| step.route), "the explanation tells what the table does");
        found
    }

    #[test]
    fn the_most_specific_route_is_found() {
        let routes = [
            matching(&["*"], &["/*"]),
            matching(&["*.example.com"], &["/*"]),
            matching(&["*.b.example.com"], &["/*"]),
            matching(&["a.b.example.com"], &["/x/*"]),
            matching(&["a.b.example.com"], &["/x/y/*", "/z"]),
            matching(&["a.b.example.com"], &["/x/*/q"]),
            matching(&["a.b.example.com"], &["/x/y/q"]),
        ];
        for (host, path, want) in [
            ("", "/", 0),
            ("other", "/", 0),
            ("example.com", "/", 0),
            (".example.com", "/", 0),
            ("x.example.com", "/", 1),
            ("b.example.com", "/", 1),
            ("x.b.example.com", "/", 2),
            ("a.b.example.com", "/", 2),
            ("a.b.example.com", "/x/1", 3),
            ("a.b.example.com", "/x/y/1", 4),
            ("a.b.example.com", "/z", 4),
            ("a.b.example.com", "/x/1/q", 5),
            ("a.b.example.com", "/x/y/q", 6),
        ] {
            assert_eq!(
                found(&routes, host, path, Method::GET, &HeaderMap::new()),
                Some(want),
                "{host}{path}"
            );
        }
    }

    #[test]
    fn more_conditions_come_first_then_the_order_of_the_file() {
        let mut routes = vec![matching(&["*"], &["/*"]); 5];
        let header = |test| vec![(HeaderName::from_static("x-env"), test)];
        routes[1].conditions.methods = vec![Method::POST];
        routes[2].conditions.headers = header(HeaderTest::Is("canary".into()));
        routes[3].conditions.headers = header(HeaderTest::Is("canary".into()));
        routes[3].conditions.methods = vec![Method::POST];
        routes[4].conditions.subprotocols = vec!["chat.v2".into()];
        let none = HeaderMap::new();
        let mut canary = HeaderMap::new();
        canary.append("x-env", HeaderValue::from_static("stable"));
        canary.append("x-env", HeaderValue::from_static("canary"));
        let mut chat = HeaderMap::new();
        chat.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("chat.v1, chat.v2"));
        for (method, headers, want) in [
            (Method::GET, &none, 0),
            (Method::POST, &none, 1),
            (Method::GET, &canary, 2),
            (Method::POST, &canary, 3),
            (Method::GET, &chat, 4),
            (Method::POST, &chat, 1),
        ] {
            assert_eq!(found(&routes, "h", "/", method, headers), Some(want));
        }
    }

    fn pattern() -> impl Strategy<Value = MatchConfig> {
        let hosts = vec!["*", "*.b", "*.a.b", "a.b", "b", "c.a.b"];
        let paths = vec!["/*", "/a", "/a/*", "/a/b", "/*/b", "/**/b", "/a/*/b", "/a*"];
        let methods = prop::collection::vec(prop::sample::select(vec![Method::GET, Method::POST]), 0..2);
        (prop::sample::subsequence(hosts, 1..3), prop::sample::subsequence(paths, 1..3), methods).prop_map(
            |(hosts, paths, methods)| {
                let mut matching = matching(&hosts, &paths);
                matching.conditions.methods = methods;
                matching
            },
        )
    }

    proptest! {
        /// The table agrees with a search through all routes in the documented order, however they are shuffled.
        #[test]
        fn the_order_is_total(
            routes in prop::collection::vec(pattern(), 0..8),
            host in prop::sample::select(vec!["", "b", "a.b", "c.a.b", "d.c.a.b", "x"]),
            path in prop::sample::select(vec!["/", "/a", "/a/", "/a/b", "/a/x/b", "/ab", "/x/b"]),
        ) {
            let headers = HeaderMap::new();
            let best = found(&routes, host, path, Method::GET, &headers);
            let order = ordered(&routes);
            prop_assert!(order.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            // Turned round, the winner may differ only by a route that ranks the same up to its number.
            let turned: Vec<_> = routes.iter().rev().cloned().collect();
            let other = found(&turned, host, path, Method::GET, &headers).map(|n| routes.len() - 1 - n);
            prop_assert_eq!(best.is_some(), other.is_some());
            if let (Some(best), Some(other)) = (best, other) {
                let facts = Facts { host: (!host.is_empty()).then_some(host), path, method: &Method::GET, headers: &headers };
                let rank = |number: usize| {
                    ordered(&routes).into_iter().find(|((.., n), host, path)| {
                        *n == number && host.matches(facts.host) && path.matches(facts.path)
                    }).map(|((a, b, c, _), ..)| (a, b, c))
                };
                prop_assert_eq!(rank(best), rank(other));
                prop_assert!(best <= other, "among equals the first in the file");
            }
        }
    }
}
