//! From a request to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::{
    CONTENT_TYPE, Entry, HOST, LOCATION, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use wicketgate_admission::identity::{Denied, Identity};
use wicketgate_admission::{Admitted, Asked, Refusal, Rejected, RequestFinding, Step, handshake};
use wicketgate_audit::{Event, Who};
use wicketgate_config::Enforcement;
use wicketgate_telemetry::{Kind, Parent, Span, Trace};

use super::body::{Answer, Bounded, Passed};
use super::connection::Arrival;
use super::refusal::Refused;
use super::ticket::{self, Wish};
use super::websocket::Opening;
use super::{forward, websocket};
use crate::gateway::{Proxy, Route, Shared, Target};
use crate::observe::{Metrics, access, spans};
use crate::route::config::HttpConfig;
use crate::route::{Facts, Scope, normalise_host, normalise_path};
use crate::sessions::who;

/// A request that was admitted and routed, on its way to an answer.
pub(super) struct Routed<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) arrival: &'a Arc<Arrival>,
    pub(super) route: &'a Arc<Route>,
    pub(super) admitted: Admitted,
    pub(super) trace: Trace,
    /// The host as the client wrote it.
    pub(super) host: Option<HeaderValue>,
    pub(super) scope: Scope<'a>,
}

impl Routed<'_> {
    /// What upstreams are told about the client.
    pub(super) fn client(&self) -> forward::Client<'_> {
        forward::Client {
            address: self.scope.client_address,
            scheme: self.scope.scheme,
            host: self.host.as_ref(),
        }
    }
}

/// Answers one request, and logs and counts it.
pub(super) async fn answer(
    shared: Arc<Shared>,
    arrival: Arc<Arrival>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let start = Instant::now();
    let mut line = Line::new(&request, &arrival, &shared);
    let answered = serve(&shared, &arrival, request, &mut line).await;
    line.tell_findings(&shared, &arrival, answered.as_ref().err());
    let (mut response, reason) = match answered {
        Ok(response) => (response, None),
        Err(refused) => {
            shared.metrics.refused(refused.label());
            tracing::debug!(reason = refused.label(), "{refused}");
            if refused.is_ours() {
                let status = Some(refused.status().as_u16());
                let event = Event::Refused { reason: refused.label(), status };
                shared.audit.log(&event, &line.who(&arrival));
            }
            (refusal_response(&refused), Some(refused.label()))
        }
    };
    line.finish(&shared.metrics, &arrival, response.status(), reason, start);
    // RFC 6797 section 7.1: one header field, and over TLS alone.
    if let Some(hsts) = arrival.listener.config.tls.as_ref().and_then(|tls| tls.hsts.as_ref())
        && let Entry::Vacant(absent) = response.headers_mut().entry(STRICT_TRANSPORT_SECURITY)
    {
        absent.insert(hsts.clone());
    }
    response
}

/// What the access log, audit events and the request's span will say: what is taken before the request is changed, and what is found out on the
/// way.
pub(super) struct Line {
    method: Method,
    path: String,
    host: String,
    /// The client's address, once trusted proxies' headers are read.
    client: Option<IpAddr>,
    /// Whether the client's side is TLS.
    secure: bool,
    pub(super) trace: Trace,
    /// The request's own.
    span: Span,
    pub(super) route: Option<Arc<Route>>,
    /// Who asks, once that is proved.
    pub(super) identity: Option<Arc<Identity>>,
    /// What rules found in the request.
    pub(super) findings: Vec<RequestFinding>,
}

impl Line {
    fn new(request: &Request<Incoming>, arrival: &Arrival, shared: &Shared) -> Self {
        let host = raw_host(request.uri().authority().map(|a| a.as_str()), request.headers());
        // Only who is believed about clients is believed about traces.
        let parent = || arrival.is_trusted_proxy().then(|| Parent::read(request.headers())).flatten();
        let trace = shared.tracer.begin(parent);
        let mut span = trace.request();
        spans::begun(&mut span, request, host, &arrival.listener.config.name);
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            host: host.to_owned(),
            client: arrival.peer,
            secure: arrival.secure,
            span,
            trace,
            route: None,
            identity: None,
            findings: Vec::new(),
        }
    }

    /// Keeps whose request it is that is not admitted; gives why.
    pub(super) fn rejected(&mut self, rejected: Rejected) -> Refusal {
        self.identity = rejected.identity;
        rejected.refusal
    }

    /// What audit events say about the client.
    fn who<'a>(&'a self, arrival: &'a Arrival) -> Who<'a> {
        Who {
            listener: Some(&arrival.listener.config.name),
            client: self.client,
            route: self.route.as_deref().map(|route| &*route.name),
            trace: self.trace.id(),
            ..who(self.identity.as_deref())
        }
    }

    /// Counts and records what rules found.
    fn tell_findings(&self, shared: &Shared, arrival: &Arrival, refused: Option<&Refused>) {
        let by_rules = matches!(refused, Some(Refused::Admission(Refusal::Rule(_) | Refusal::RuleBudget)));
        let action = if by_rules { "refused" } else { "recorded" };
        for finding in &self.findings {
            if let Some(route) = &self.route {
                route.metrics.found_in_request(finding.class, action);
            }
            shared.findings.in_request(&self.who(arrival), finding, action);
            let event = Event::RequestFinding(wicketgate_audit::RequestFinding {
                class: finding.class,
                rule: finding.rule,
                variable: &finding.variable,
                detail: &finding.detail,
                excerpt: finding.excerpt.as_deref(),
                action,
                observed: finding.enforcement == Enforcement::Observe,
            });
            shared.audit.log(&event, &self.who(arrival));
        }
    }

    fn finish(
        mut self,
        metrics: &Metrics,
        arrival: &Arrival,
        status: StatusCode,
        reason: Option<&'static str>,
        start: Instant,
    ) {
        let duration = start.elapsed();
        match &self.route {
            Some(route) => route.metrics.answered(status, duration, self.trace.kept()),
            None => metrics.unrouted(status),
        }
        let line = access::Request {
            listener: &arrival.listener.config.name,
            client: self.client,
            route: self.route.as_deref().map(|route| &*route.name),
            host: &self.host,
            method: self.method.as_str(),
            path: &self.path,
            status: status.as_u16(),
            reason,
            duration,
            trace: self.trace.id(),
        };
        line.log();
        let scheme = if self.secure { "https" } else { "http" };
        spans::request(&mut self.span, &line, scheme);
    }
}

fn raw_host<'a>(authority: Option<&'a str>, headers: &'a HeaderMap) -> &'a str {
    authority.or_else(|| headers.get(HOST)?.to_str().ok()).unwrap_or_default()
}

async fn serve(
    shared: &Arc<Shared>,
    arrival: &Arc<Arrival>,
    request: Request<Incoming>,
    line: &mut Line,
) -> Result<Response<Answer>, Refused> {
    let (mut parts, body) = request.into_parts();
    // Over HTTP/2 nothing has counted them before.
    if parts.headers.len() > arrival.listener.config.headers {
        return Err(Refused::TooManyHeaders);
    }
    // Before routes and their admission: an authority proves nothing, and follows no redirect to what is not there yet.
    if !arrival.secure
        && matches!(parts.method, Method::GET | Method::HEAD)
        && let Some(answer) = shared.challenges.answer(parts.uri.path())
    {
        return Ok(Response::new(Answer::text(answer)));
    }
    let client = arrival.client(&parts.headers)?;
    (line.client, line.secure) = (client.address, client.secure);
    let protocol = parts.extensions.get::<Protocol>().map(|protocol| protocol.as_str().to_owned());
    let handshake = handshake(&parts, protocol.as_deref())?;
    if parts.method == Method::CONNECT && !handshake.is_upgrade() {
        return Err(Refused::Connect);
    }
    let host = only_host(&parts)?;
    let name = host.as_ref().and_then(|host| host.to_str().ok()).map(normalise_host).transpose()?;
    let path = normalise_path(parts.uri.path())?.into_owned();
    let method = if handshake.is_upgrade() { &Method::GET } else { &parts.method };
    let snapshot = shared.snapshot();
    // The handshake has verified them, and may be long ago.
    if !snapshot.still_accepts(&arrival.listener.config.name, arrival.chain.as_deref()) {
        return Err(Refusal::from(Denied::Revoked).into());
    }
    if path == ticket::PATH {
        let wish = Wish { parts, handshake, client: &client, host: name.as_deref() };
        return Box::pin(ticket::issue(wish, &snapshot, line)).await;
    }
    let facts = Facts { host: name.as_deref(), path: &path, method, headers: &parts.headers };
    let route = snapshot.routes.find(&facts).ok_or(Refused::NoRoute)?;
    line.route = Some(route.clone());
    let asked = Asked { route: &route.name, host: name.as_deref().unwrap_or_default(), path: &path };
    let mut span = line.trace.child("admission", Kind::Internal);
    let judged = route.guard.admit(&mut parts, handshake, &client, asked, &mut line.findings).await;
    spans::judged(&mut span, &judged);
    drop(span);
    let admitted = match judged.map_err(|rejected| line.rejected(rejected))? {
        Step::Admitted(admitted) => admitted,
        Step::FirstMessage(unproven) => {
            let trace = line.trace.clone();
            let opening = Opening { shared, arrival, route, host: host.clone(), client, asked, trace };
            return websocket::open_unproven(opening, parts, unproven);
        }
    };
    line.identity = admitted.identity().cloned();
    if admitted.upgrade().is_some() || line.identity.is_some() {
        shared.audit.wait(&Event::Admitted, &line.who(arrival)).await;
    }
    let uri = parts.uri.clone();
    let scope = Scope {
        client_address: client.address,
        scheme: if client.secure { "https" } else { "http" },
        host: asked.host,
        path: &path,
        query: uri.query(),
        route: &route.name,
    };
    let trace = line.trace.clone();
    let routed = Routed { shared, arrival, route, admitted, trace, host: host.clone(), scope };
    match (&route.target, routed.admitted.upgrade().is_some()) {
        (Target::Redirect(redirect), _) => {
            let location = redirect.location(&scope).map_err(|_| Refused::Header)?;
            Ok(with_header(plain(redirect.status), LOCATION, location))
        }
        (Target::Respond(respond), _) => {
            let mut response = Response::new(Answer::text(respond.body.clone()));
            *response.status_mut() = respond.status;
            *response.headers_mut() = respond.headers(&scope).map_err(|_| Refused::Header)?;
            Ok(response)
        }
        (Target::Proxy(_) | Target::Relay(_), true) if shared.is_ending() => Err(Refused::Draining),
        (Target::Proxy(proxy), true) => websocket::open(routed, proxy, parts, body).await,
        (Target::Relay(broker), true) => websocket::relay(routed, broker, parts),
        (Target::Relay(_), false) => Err(Refused::WebSocketOnly),
        (Target::Proxy(proxy), false) => {
            let http = proxy.config.http.as_ref().ok_or(Refused::WebSocketOnly)?;
            // Boxed, so that what opens a session does not carry its size.
            Box::pin(pass(&routed, proxy, http, parts, body)).await
        }
    }
}

/// The one host of a request (RFC 9112 section 3.2): from the target, or else the one `Host`.
fn only_host(parts: &Parts) -> Result<Option<HeaderValue>, Refused> {
    let mut lines = parts.headers.get_all(HOST).iter();
    let (host, more) = (lines.next(), lines.next());
    if more.is_some() {
        return Err(Refused::Host("more than one".into()));
    }
    if let Some(authority) = parts.uri.authority() {
        let value =
            HeaderValue::from_str(authority.as_str()).map_err(|error| Refused::Host(error.to_string()))?;
        return Ok(Some(value));
    }
    match host {
        None if parts.version != Version::HTTP_10 => Err(Refused::Host("missing".into())),
        Some(host) if host.to_str().is_err() => Err(Refused::Host("not ASCII".into())),
        host => Ok(host.cloned()),
    }
}

/// Passes a plain request on, and its response back.
async fn pass(
    routed: &Routed<'_>,
    proxy: &Proxy,
    http: &HttpConfig,
    mut parts: Parts,
    body: Incoming,
) -> Result<Response<Answer>, Refused> {
    if hyper::body::Body::size_hint(&body).lower() > http.max_request_body {
        return Err(Refused::BodyTooLarge);
    }
    let affinity = proxy.upstream.affinity(routed.scope.client_address, &parts);
    let mut span = routed.trace.child("upstream", Kind::Client);
    let method = parts.method.clone();
    prepare(routed, proxy, &mut parts, &mut span)?;
    let (body, passed) =
        Bounded::new(body, http.max_request_body, routed.arrival.listener.config.body_timeout);
    let sent = proxy.upstream.send(&routed.admitted, Request::from_parts(parts, body), affinity).await;
    let refused = match sent {
        Ok(response) => {
            spans::target(&mut span, proxy.upstream.name(), Some(response.body().address()));
            spans::answered(&mut span, method.as_str(), response.status().as_u16());
            drop(span);
            return finish(routed, proxy, response);
        }
        Err(error) => match passed.get() {
            Some(Passed::Length) => Refused::BodyTooLarge,
            Some(Passed::Time) => Refused::BodyLate,
            None => error.into(),
        },
    };
    spans::unanswered(&mut span, proxy.upstream.name(), refused.label());
    Err(refused)
}

/// Makes a client's request head that of our own, which belongs to `span`.
pub(super) fn prepare(
    routed: &Routed<'_>,
    proxy: &Proxy,
    parts: &mut Parts,
    span: &mut Span,
) -> Result<(), Refused> {
    let prepared = rewrite(routed, proxy, parts);
    if let Err(refused) = &prepared {
        spans::unanswered(span, proxy.upstream.name(), refused.label());
    }
    // Behind all that the configuration says of headers: who is told of a trace is told of ours.
    span.write(&mut parts.headers);
    prepared
}

fn rewrite(routed: &Routed<'_>, proxy: &Proxy, parts: &mut Parts) -> Result<(), Refused> {
    forward::to_upstream(&mut parts.headers, routed.client())?;
    forward::remove_identity(&mut parts.headers, &routed.route.identity_names);
    let edits = &proxy.config.request_headers;
    edits.apply(&mut parts.headers, &routed.scope).map_err(|_| Refused::Header)?;
    routed.route.guard.tell(&routed.admitted, &mut parts.headers)?;
    let target = proxy.config.rewrite.target(routed.scope.path, routed.scope.query);
    parts.uri = target.map_err(|_| Refused::Header)?.into();
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Ok(())
}

/// Makes an upstream's response our own.
pub(super) fn finish(
    routed: &Routed<'_>,
    proxy: &Proxy,
    response: Response<crate::upstream::Body>,
) -> Result<Response<Answer>, Refused> {
    let mut response = response.map(Answer::upstream);
    // The version says what we speak, not what the upstream does (RFC 9110 section 2.5).
    *response.version_mut() = Version::HTTP_11;
    forward::to_client(response.headers_mut())?;
    edit_response(routed, proxy, response.headers_mut())?;
    Ok(response)
}

pub(super) fn edit_response(
    routed: &Routed<'_>,
    proxy: &Proxy,
    headers: &mut HeaderMap,
) -> Result<(), Refused> {
    proxy.config.response_headers.apply(headers, &routed.scope).map_err(|_| Refused::Header)
}

/// The answer to a request that is not served: its status, and nothing that gives more away.
fn refusal_response(refused: &Refused) -> Response<Answer> {
    let mut response = plain(refused.status());
    let headers = response.headers_mut();
    if let Refused::Admission(Refusal::TlsRedirect(location)) = refused {
        headers.insert(LOCATION, location.clone());
    }
    match refused.status() {
        StatusCode::UPGRADE_REQUIRED => {
            // RFC 9110 sections 7.8 and 15.5.22, RFC 6455 section 4.4. Over HTTP/2 hyper leaves the first two out.
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(http::header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let wait = refused.retry_after().unwrap_or_default();
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        _ => {}
    }
    if let Refused::Admission(refusal) = refused
        && let Some(challenge) = refusal.challenge()
    {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

fn plain(status: StatusCode) -> Response<Answer> {
    let text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let mut response = Response::new(Answer::text(text));
    *response.status_mut() = status;
    with_header(response, CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
}

fn with_header(
    mut response: Response<Answer>,
    name: http::HeaderName,
    value: HeaderValue,
) -> Response<Answer> {
    response.headers_mut().insert(name, value);
    response
}
