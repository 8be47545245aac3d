//! A route: which requests it is for, and what becomes of them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::config::{AdmissionConfig, NO_IDENTITY, RawAdmission};
use wicketgate_config::{At, Place, Problems, Size, Switch, Toggle};

use super::edit::{RawHeaderEdits, Side};
use super::matcher::MatchConfig;
use super::matching::RawMatch;
use super::respond::{RawRedirect, RawRespond};
use super::rewrite::RawRewrite;
use super::{HeaderEdits, Redirect, Respond, Rewrite};
use crate::pump::config::{Mode, RawWebSocket, WebSocketConfig};

/// A route: which requests it is for, and what becomes of them. It has one of `upstream`, `redirect`, `respond` and `relay`.
///
/// The most specific route is taken: an exact host before the longest `*.name` before any host; then an exact path
/// before the prefix or glob with the most literal characters; then the route with more conditions (each header, the
/// methods, the subprotocols); then the one that stands first.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    /// The name in logs and metrics: letters, digits, `-`, `_` and `.`, at most 64; no two routes share one.
    pub name: At<String>,
    /// Which requests it is for; all of them where this is left out.
    #[serde(default, rename = "match")]
    pub matching: RawMatch,
    /// The name of the upstream that requests go to.
    #[serde(default)]
    pub upstream: Option<At<String>>,
    /// An answer that sends the client elsewhere.
    #[serde(default)]
    pub redirect: Option<At<RawRedirect>>,
    /// A fixed answer.
    #[serde(default)]
    pub respond: Option<At<RawRespond>>,
    /// `on`: agents and clients of the section `relay` dial this route, and their private sessions are carried.
    #[serde(default)]
    pub relay: Option<At<Switch>>,
    /// What clients are asked before anything of theirs goes on.
    #[serde(default)]
    pub admission: Option<At<RawAdmission>>,
    /// Another path for the upstream.
    #[serde(default)]
    pub rewrite: Option<At<RawRewrite>>,
    /// Headers of requests, changed before they go to the upstream.
    #[serde(default)]
    pub request_headers: Option<At<RawHeaderEdits>>,
    /// Headers of responses, changed before they go to the client.
    #[serde(default)]
    pub response_headers: Option<At<RawHeaderEdits>>,
    /// The name of the policy that messages of WebSocket sessions are judged by, in both directions.
    #[serde(default)]
    pub policy: Option<At<String>>,
    /// WebSocket sessions: their rules, or `off` for none.
    #[serde(default)]
    pub websocket: Option<At<Toggle<RawWebSocket>>>,
    /// Plain HTTP requests, `on` or `off`.
    #[serde(default)]
    pub http: Option<At<Switch>>,
    /// The longest body of a plain HTTP request, 0 to 1TiB; 413 beyond it. Bodies are streamed, so it costs no memory.
    /// The default is 64MiB.
    #[serde(default)]
    pub max_request_body: Option<At<Size>>,
}

/// A route, checked and complete.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// The name in logs and metrics.
    pub name: Arc<str>,
    /// Which requests it is for.
    pub matching: MatchConfig,
    /// What clients are asked first.
    pub admission: AdmissionConfig,
    /// What becomes of them.
    pub action: Action,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// It goes to an upstream.
    Proxy(Box<ProxyConfig>),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Respond(Respond),
    /// Private sessions of agents and clients.
    Relay,
}

/// How requests go to an upstream.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The name of the upstream.
    pub upstream: Arc<str>,
    /// Another path for the upstream.
    pub rewrite: Rewrite,
    /// Headers of requests, changed before they go to the upstream.
    pub request_headers: HeaderEdits,
    /// Headers of responses, changed before they go to the client.
    pub response_headers: HeaderEdits,
    /// The name of the policy that messages are judged by; none where they are not looked into.
    pub policy: Option<Arc<str>>,
    /// WebSocket sessions; `None` where they are refused.
    pub websocket: Option<WebSocketConfig>,
    /// Plain HTTP requests; `None` where they are refused.
    pub http: Option<HttpConfig>,
}

/// How plain HTTP requests go to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The longest body of a request, in bytes.
    pub max_request_body: u64,
}

/// The longest request body where nothing is said.
const DEFAULT_MAX_BODY: Size = Size(64 << 20);

impl RawRoute {
    /// Checks the values; what is wrong goes to `problems`.
    /// `methods` are the names of the methods of authentication, where they are all known.
    pub fn check(mut self, methods: Option<&[&str]>, problems: &mut Problems) -> Option<RouteConfig> {
        let matching = std::mem::take(&mut self.matching).check(problems);
        let name: Arc<str> = self.name.value.as_str().into();
        let place = self.name.place;
        let given = [
            ("upstream", self.upstream.as_ref().map(|at| at.place)),
            ("redirect", self.redirect.as_ref().map(|at| at.place)),
            ("respond", self.respond.as_ref().map(|at| at.place)),
            ("relay", self.relay.as_ref().filter(|relay| relay.is_on()).map(|at| at.place)),
        ];
        let mut given = given.iter().filter_map(|(key, place)| place.map(|place| (*key, place)));
        let Some(first) = given.next() else {
            problems.error(
                place,
                format!("the route `{name}` leads nowhere"),
                "add `upstream`, `redirect`, `respond` or `relay: on`",
            );
            return None;
        };
        for second in given {
            let what = format!("the route `{name}` has `{}` beside `{}`", second.0, first.0);
            problems.clash(second.1, what, "keep one of them", (first.1, "the other one"));
        }
        if first.0 != "upstream" {
            self.refuse_proxy_keys(first.0, problems);
        }
        let renews = self.admission.as_ref().and_then(|raw| raw.renewal());
        let admission =
            self.admission.take().map(|raw| raw.value.check(methods, problems)).unwrap_or_default();
        let websocket = self.websocket.as_ref().map(|at| at.place);
        let action = match (self.upstream.take(), self.redirect.take(), self.respond.take()) {
            (Some(upstream), ..) => Action::Proxy(Box::new(self.proxy(&upstream, &matching, problems))),
            (_, Some(redirect), _) => Action::Redirect(redirect.value.check(problems)?),
            (.., Some(respond)) => Action::Respond(respond.value.check(problems)),
            (None, None, None) => Action::Relay,
        };
        if let (Action::Proxy(proxy), Some(place), None) = (&action, websocket, &admission.authentication)
            && proxy.websocket.as_ref().is_some_and(|config| config.per_identity.is_some())
        {
            problems.error(place, NO_IDENTITY.0, NO_IDENTITY.1);
        }
        if let (Some(renews), Action::Proxy(proxy)) = (renews, &action)
            && proxy.websocket.as_ref().is_none_or(|websocket| websocket.mode != Mode::Messages)
        {
            let what = "messages that renew a credential are found only where messages are looked at";
            problems.error(renews, what, "write `websocket: {mode: messages}` on the route");
        }
        Some(RouteConfig { name, matching, admission, action })
    }

    /// Keys that mean something only beside `upstream`.
    fn refuse_proxy_keys(&self, action: &str, problems: &mut Problems) {
        fn place<T>(at: &Option<At<T>>) -> Option<Place> {
            at.as_ref().map(|at| at.place)
        }
        for (key, place) in [
            ("rewrite", place(&self.rewrite)),
            ("request_headers", place(&self.request_headers)),
            ("response_headers", place(&self.response_headers)),
            ("policy", place(&self.policy)),
            ("websocket", place(&self.websocket)),
            ("http", place(&self.http)),
            ("max_request_body", place(&self.max_request_body)),
        ] {
            if let Some(place) = place {
                let what = format!("`{key}` means nothing beside `{action}`");
                problems.error(place, what, "remove it, or send requests to an `upstream`");
            }
        }
    }

    fn proxy(self, upstream: &At<String>, matching: &MatchConfig, problems: &mut Problems) -> ProxyConfig {
        let edits = |edits: Option<At<RawHeaderEdits>>, side, problems: &mut Problems| {
            edits.map(|edits| edits.value.check(side, problems)).unwrap_or_default()
        };
        let policy = self.policy.as_ref().map(|policy| policy.place);
        let websocket = match (self.websocket.map(|at| at.value).unwrap_or_default(), policy) {
            (Toggle::Off, Some(policy)) => {
                let what = "a policy judges messages of WebSocket sessions, which are off";
                problems.error(policy, what, "remove it, or leave `websocket` on");
                None
            }
            (Toggle::Off, None) => None,
            (Toggle::On(raw), policy) => Some(raw.check(policy, problems)),
        };
        let http_off = self.http.as_ref().filter(|http| !http.is_on());
        if let (Some(off), None) = (http_off, &websocket) {
            problems.error(
                off.place,
                "this route takes neither WebSocket sessions nor plain HTTP",
                "leave `http` or `websocket` on, or answer with `respond`",
            );
        }
        if let (Some(off), Some(body)) = (http_off, &self.max_request_body) {
            let what = "this is for plain HTTP, which is off";
            problems.clash(body.place, what, "remove it, or leave `http` on", (off.place, "off here"));
        }
        let max_body = self.max_request_body.unwrap_or(At::nowhere(DEFAULT_MAX_BODY));
        let http = HttpConfig {
            max_request_body: problems.in_range("max_request_body", &max_body, Size(0)..=Size(1 << 40)).0,
        };
        ProxyConfig {
            upstream: upstream.value.as_str().into(),
            policy: self.policy.map(|policy| policy.value.into()),
            rewrite: self.rewrite.map(|at| at.value.check(&matching.paths, problems)).unwrap_or_default(),
            request_headers: edits(self.request_headers, Side::Request, problems),
            response_headers: edits(self.response_headers, Side::Response, problems),
            websocket,
            http: http_off.is_none().then_some(http),
        }
    }
}
