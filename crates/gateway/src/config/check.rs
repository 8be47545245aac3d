//! From raw to typed: each part by itself, then what parts say about each other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wicketgate_admission::authentication::Needed;
use wicketgate_admission::identity::{Kind, MethodConfig};
use wicketgate_admission::tls::TlsPolicy;
use wicketgate_audit::AuditConfig;
use wicketgate_config::{At, Content, Item, Node, Place, Problems, alternatives};
use wicketgate_policy::Policy;

use super::file::RawConfig;
use super::{Config, tls};
use crate::listener::config::ListenerConfig;
use crate::route::config::{Action, RouteConfig};
use crate::upstream::config::UpstreamConfig;

/// The names of all listeners, upstreams, routes and methods of authentication, also of those that could not be read: what refers to one of
/// them is not wrong for that.
#[derive(Debug, Default)]
pub(super) struct Names {
    listeners: Vec<At<String>>,
    upstreams: Vec<At<String>>,
    routes: Vec<At<String>>,
    methods: Vec<At<String>>,
    policies: Vec<At<String>>,
    /// Keys with at least one item.
    filled: HashSet<&'static str>,
    /// Upstreams that routes refer to.
    used: HashSet<String>,
    /// Policies that routes refer to.
    used_policies: HashSet<String>,
    /// Upstreams without a name; a route's is asked for when it is read, a listener needs none.
    nameless: Vec<Place>,
    /// Whether a file could not be read, so that there may be more.
    pub(super) incomplete: bool,
}

impl Names {
    /// Adds the names in one file.
    pub(super) fn collect(&mut self, root: &Node) {
        for (key, names) in [
            ("listeners", &mut self.listeners),
            ("upstreams", &mut self.upstreams),
            ("routes", &mut self.routes),
            ("authentication", &mut self.methods),
            ("policies", &mut self.policies),
        ] {
            for item in items(root, key) {
                self.filled.insert(key);
                match (item.child("name"), &item.content) {
                    (Some(name), _) => names.extend(text(name)),
                    (None, Content::Map(_)) if key == "upstreams" => self.nameless.push(item.place),
                    _ => {}
                }
            }
            self.incomplete |= root.child(key).is_some_and(|node| match &node.content {
                Content::List(_) => false,
                Content::Map(_) => true,
                Content::Scalar(scalar) => !scalar.is_null(),
            });
        }
        for route in items(root, "routes") {
            self.used.extend(route.child("upstream").and_then(text).map(|at| at.value));
            self.used_policies.extend(route.child("policy").and_then(text).map(|at| at.value));
        }
    }

    /// Whether there is surely nothing under `key`.
    fn none(&self, key: &str) -> bool {
        !self.incomplete && !self.filled.contains(key)
    }

    /// The names of methods that a route may ask for; `None` where a file that may hold more could not be read.
    fn methods(&self) -> Option<Vec<&str>> {
        (!self.incomplete).then(|| self.methods.iter().map(|name| name.as_str()).collect())
    }

    fn unused_upstreams(&self) -> impl Iterator<Item = &At<String>> {
        self.upstreams.iter().filter(|name| !self.incomplete && !self.used.contains(&name.value))
    }

    fn unused_policies(&self) -> impl Iterator<Item = &At<String>> {
        self.policies.iter().filter(|name| !self.incomplete && !self.used_policies.contains(&name.value))
    }
}

fn items<'a>(root: &'a Node, key: &str) -> &'a [Node] {
    match root.child(key).map(|node| &node.content) {
        Some(Content::List(items)) => items,
        _ => &[],
    }
}

fn text(node: &Node) -> Option<At<String>> {
    match &node.content {
        Content::Scalar(scalar) if !scalar.is_null() => {
            Some(At { value: scalar.text.clone(), place: node.place })
        }
        _ => None,
    }
}

/// Makes the typed configuration. `None` when a part is not there; whether it may be used, `problems` says.
pub(super) fn check(raw: RawConfig, names: &Names, problems: &mut Problems) -> Option<Config> {
    for (what, names) in [
        ("a listener", &names.listeners),
        ("an upstream", &names.upstreams),
        ("a route", &names.routes),
        ("a method of authentication", &names.methods),
        ("a policy", &names.policies),
    ] {
        check_names(what, names, problems);
    }
    for place in &names.nameless {
        problems.error(*place, "this upstream has no name", "add `name:`, for routes to lead to it");
    }
    if raw.listeners.is_empty() && names.none("listeners") {
        problems.error(
            Place::UNKNOWN,
            "there is no listener",
            "add one under `listeners:`; `wicketgate init` writes an example",
        );
    }
    if raw.routes.is_empty() && names.none("routes") {
        problems.warning(
            Place::UNKNOWN,
            "there is no route, so every request is answered with 404",
            "add one under `routes:`",
        );
    }
    let listeners = raw.listeners.into_iter().filter_map(whole);
    let listeners: Vec<Arc<ListenerConfig>> = listeners.map(|raw| Arc::new(raw.check(problems))).collect();
    let upstreams = raw.upstreams.into_iter().filter_map(whole);
    let upstreams: Vec<Arc<UpstreamConfig>> = upstreams.map(|raw| Arc::new(raw.check(problems))).collect();
    let methods = raw.authentication.into_iter().filter_map(whole);
    let authentication: Vec<MethodConfig> = methods.filter_map(|raw| raw.check(problems)).collect();
    let policies = raw.policies.into_iter().filter_map(whole);
    let policies: Vec<Policy> = policies.filter_map(|raw| raw.check(problems)).collect();
    let mut routes = Vec::new();
    for item in raw.routes.into_iter().filter(|item| item.whole) {
        let (upstream, policy) = (item.value.upstream.clone(), item.value.policy.clone());
        let admission = item.value.admission.as_ref().map(|at| &at.value);
        let written = Written {
            origin: admission.and_then(|admission| admission.origin.as_ref()).map(|at| at.place),
            tls: admission.and_then(|admission| admission.tls.as_ref()).map(|at| at.place),
        };
        if let Some(route) = item.value.check(names.methods().as_deref(), problems) {
            check_upstream_exists(&route, upstream.as_ref(), names, problems);
            check_policy_exists(policy.as_ref(), names, problems);
            warn_of_open_doors(&route, written, &listeners, &authentication, problems);
            routes.push((item.place, Arc::new(route)));
        }
    }
    check_same_match(&routes, problems);
    check_tickets(&routes, &authentication, problems);
    tls::check(
        &listeners,
        &authentication,
        routes.iter().map(|(_, route)| &**route),
        names.incomplete,
        problems,
    );
    for upstream in names.unused_upstreams() {
        problems.warning(
            upstream.place,
            format!("no route leads to the upstream `{}`", upstream.value),
            "remove it, or name it in a route",
        );
    }
    for policy in names.unused_policies() {
        problems.warning(
            policy.place,
            format!("no route has the policy `{}`", policy.value),
            "remove it, or name it in a route: `policy: NAME`",
        );
    }
    check_relay(&routes, raw.relay.as_ref().map(|relay| relay.place), problems);
    let relay = raw.relay.and_then(whole).and_then(|relay| relay.check(problems));
    let revocations = whole(raw.revocations).map(|revocations| revocations.check(problems));
    let admin = raw.admin.and_then(whole).and_then(|admin| admin.check(problems));
    let console = raw.console.and_then(whole).and_then(|console| console.check(problems));
    let log = whole(raw.log).map(|log| log.check(problems));
    let audit_place = raw.audit.place;
    let audit = whole(raw.audit).map(|audit| audit.check(problems));
    let keeps_none = |audit: &AuditConfig| audit.store.as_ref().is_none_or(|store| store.recipient.is_none());
    if let (Some(policy), true) =
        (policies.iter().find(|policy| policy.keeps_whole()), audit.as_ref().is_some_and(keeps_none))
    {
        let what = format!(
            "the policy `{}` records whole messages, and there is no store that could keep them encrypted",
            policy.name().unwrap_or_default()
        );
        problems.error(
            audit_place,
            what,
            "give `audit.store` a `recipient`: `wicketgate audit key` makes one",
        );
    }
    let telemetry = raw.telemetry.and_then(|telemetry| {
        let place = telemetry.place;
        whole(telemetry)?.check(place, problems)
    });
    let drain = whole(raw.drain).map(|drain| drain.check(problems));
    let runtime = whole(raw.runtime).map(|runtime| runtime.check(problems));
    let limits = whole(raw.limits).map(|limits| {
        let identity = limits.per_identity.as_ref().map(|at| at.place);
        if let Some(place) = identity.filter(|_| names.none("authentication")) {
            let what = "no client has an identity";
            problems.warning(place, what, "add a method under `authentication:`, or limit `per_address`");
        }
        limits.check(problems)
    });
    Some(Config {
        listeners,
        routes: routes.into_iter().map(|(_, route)| route).collect(),
        upstreams,
        authentication,
        policies,
        relay,
        revocations: revocations?,
        admin,
        console,
        log: log?,
        audit: audit?,
        telemetry,
        drain: drain?,
        runtime: runtime?,
        limits: limits?,
    })
}

/// A section, unless part of it could not be read: then that was reported, and nothing more is said about it.
fn whole<T>(item: Item<T>) -> Option<T> {
    item.whole.then_some(item.value)
}

fn check_names(what: &str, names: &[At<String>], problems: &mut Problems) {
    let mut first: HashMap<&str, Place> = HashMap::new();
    for name in names {
        let is_good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !is_good || name.is_empty() || name.len() > 64 {
            problems.error(
                name.place,
                format!("`{}` is no name for {what}", name.value),
                "a name has 1 to 64 letters, digits, `-`, `_` and `.`",
            );
        }
        match first.get(name.as_str()) {
            Some(&place) => problems.clash(
                name.place,
                format!("`{}` is the name of {what} already", name.value),
                "give it another one",
                (place, "this one"),
            ),
            None => drop(first.insert(name, name.place)),
        }
    }
}

fn check_upstream_exists(
    route: &RouteConfig,
    upstream: Option<&At<String>>,
    names: &Names,
    problems: &mut Problems,
) {
    let (Action::Proxy(_), Some(upstream)) = (&route.action, upstream) else { return };
    if names.incomplete || names.upstreams.iter().any(|name| name.value == upstream.value) {
        return;
    }
    let known: Vec<&str> = names.upstreams.iter().map(|name| name.as_str()).collect();
    let help = match known.is_empty() {
        true => "add it under `upstreams:`".into(),
        false => alternatives(upstream, &known),
    };
    problems.error(upstream.place, format!("there is no upstream `{}`", upstream.value), help);
}

fn check_policy_exists(policy: Option<&At<String>>, names: &Names, problems: &mut Problems) {
    let Some(policy) = policy else { return };
    if names.incomplete || names.policies.iter().any(|name| name.value == policy.value) {
        return;
    }
    let known: Vec<&str> = names.policies.iter().map(|name| name.as_str()).collect();
    let help = match known.is_empty() {
        true => "add it under `policies:`".into(),
        false => alternatives(policy, &known),
    };
    problems.error(policy.place, format!("there is no policy `{}`", policy.value), help);
}

/// A route that carries private sessions, and the section that says whose, need each other.
fn check_relay(routes: &[(Place, Arc<RouteConfig>)], section: Option<Place>, problems: &mut Problems) {
    let mut carrying = routes.iter().filter(|(_, route)| matches!(route.action, Action::Relay));
    match (carrying.next(), section) {
        (Some((place, route)), None) => {
            let what = format!("the route `{}` carries private sessions, and nothing says whose", route.name);
            problems.error(*place, what, "add the section `relay:` with the site's authority");
        }
        (None, Some(place)) => {
            let help = "add `relay: on` to the route that agents and clients dial";
            problems.warning(place, "no route carries private sessions", help);
        }
        _ => {}
    }
}

/// A ticket stands in place of another method's credential: beside none there is nobody to get one, and among `all` it would
/// be asked for by itself.
fn check_tickets(routes: &[(Place, Arc<RouteConfig>)], methods: &[MethodConfig], problems: &mut Problems) {
    let tickets = |name: &&Arc<str>| {
        let mut named = methods.iter().filter(|method| method.name == **name);
        named.any(|method| matches!(method.kind, Kind::Ticket(_)))
    };
    for (place, route) in routes {
        let Some(authentication) = &route.admission.authentication else { continue };
        let count = authentication.methods.iter().filter(tickets).count();
        let what = match authentication.needed {
            _ if count == 0 => continue,
            Needed::All => "asks for a ticket beside other credentials",
            Needed::Any if count == authentication.methods.len() => "takes tickets that nobody can get",
            Needed::Any if count > 1 => "takes tickets of two methods",
            Needed::Any => continue,
        };
        let what = format!("the route `{}` {what}", route.name);
        problems.error(*place, what, "name one method of tickets and one or more others under `any`");
    }
}

/// Where a route says which pages may use it, and whether by TLS.
#[derive(Clone, Copy)]
struct Written {
    origin: Option<Place>,
    tls: Option<Place>,
}

/// What a route allows by a word, and should think about.
fn warn_of_open_doors(
    route: &RouteConfig,
    written: Written,
    listeners: &[Arc<ListenerConfig>],
    methods: &[MethodConfig],
    problems: &mut Problems,
) {
    let admission = &route.admission;
    if let (Some(place), None, Some(authentication)) =
        (written.origin, &admission.origin.allow, &admission.authentication)
    {
        let is_asked = |method: &&MethodConfig| authentication.methods.contains(&method.name);
        let ambient = methods.iter().filter(is_asked).find(|method| method.is_ambient());
        if let Some(method) = ambient {
            let what = format!(
                "a page of any origin may use the route `{}` in the name of whoever looks at it: browsers bring the \
                 credential of `{}` by themselves",
                route.name, method.name
            );
            problems.warning(
                place,
                what,
                "list the origins of your pages: `origin: {allow: [https://a.example]}`",
            );
        }
    }
    let plain = listeners.iter().find(|listener| listener.tls.is_none() && !listener.is_local());
    if let (Some(place), TlsPolicy::Optional, Some(plain)) = (written.tls, admission.tls, plain) {
        let what = format!(
            "the route `{}` asks for no TLS, and the listener `{}` has none: others may read and change what is sent",
            route.name, plain.name
        );
        problems.warning(place, what, "remove `tls: optional`, or give the listener `tls`");
    }
}

/// Two routes for the very same requests: the second one could never be taken.
fn check_same_match(routes: &[(Place, Arc<RouteConfig>)], problems: &mut Problems) {
    let mut seen = HashMap::new();
    for (place, route) in routes {
        let matching = &route.matching;
        for (host, path) in
            matching.hosts.iter().flat_map(|host| matching.paths.iter().map(move |path| (host, path)))
        {
            match seen.entry((host, path, &matching.conditions)) {
                Entry::Occupied(first) => {
                    let (first, name): &(Place, &str) = first.get();
                    let same = format!("is for the same requests as `{name}`: {host}{path}");
                    problems.clash(
                        *place,
                        format!("the route `{}` {same}", route.name),
                        "change the `match` of one of them",
                        (*first, "the first one"),
                    );
                }
                Entry::Vacant(entry) => drop(entry.insert((*place, &*route.name))),
            }
        }
    }
}
