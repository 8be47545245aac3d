//! `POST /.wicketgate/ticket?path=PATH`: a credential becomes a ticket for the route at PATH on the same host.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use url::form_urlencoded;
use wicketgate_admission::{Asked, Client, Handshake, Step};
use wicketgate_telemetry::Kind;

use super::body::Answer;
use super::front::Line;
use super::refusal::Refused;
use crate::gateway::Snapshot;
use crate::observe::spans;
use crate::route::{Facts, normalise_path};

/// Where tickets are to be had, on every host. Nothing at this path goes to any route.
pub(super) const PATH: &str = "/.wicketgate/ticket";

/// A request for a ticket, with what is known about it.
pub(super) struct Wish<'a> {
    pub(super) parts: Parts,
    pub(super) handshake: Handshake,
    pub(super) client: &'a Client,
    /// The host in one spelling, without its port.
    pub(super) host: Option<&'a str>,
}

/// Asks of the request all that the route asks of a handshake, and answers with a ticket. `line` is told the route, and who
/// asks.
pub(super) async fn issue(
    wish: Wish<'_>,
    snapshot: &Snapshot,
    line: &mut Line,
) -> Result<Response<Answer>, Refused> {
    let Wish { mut parts, handshake, client, host } = wish;
    if parts.method != Method::POST || handshake.is_upgrade() {
        let mut response = Response::new(Answer::text("405 Method Not Allowed\n"));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    }
    let target = target(&parts.uri).ok_or(Refused::TicketPath)?;
    let path = normalise_path(target.path())?.into_owned();
    let facts = Facts { host, path: &path, method: &Method::GET, headers: &parts.headers };
    let route = snapshot.routes.find(&facts).ok_or(Refused::NoRoute)?;
    line.route = Some(route.clone());
    if !route.guard.has_tickets() {
        return Err(Refused::NoRoute);
    }
    route.guard.check_origin(&parts, client)?;
    // The guard sees what it would see of the handshake.
    parts.method = Method::GET;
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = Some(target);
    parts.uri = Uri::from_parts(uri).map_err(|_| Refused::TicketPath)?;
    let asked = Asked { route: &route.name, host: host.unwrap_or_default(), path: &path };
    let mut span = line.trace.child("admission", Kind::Internal);
    let judged = route.guard.admit(&mut parts, handshake, client, asked, &mut line.findings).await;
    spans::judged(&mut span, &judged);
    drop(span);
    let Step::Admitted(admitted) = judged.map_err(|rejected| line.rejected(rejected))? else {
        // Only a WebSocket has a first message.
        return Err(Refused::NoWebSocket);
    };
    line.identity = admitted.identity().cloned();
    let issued = route.guard.issue_ticket(&admitted, asked)?;
    let text = serde_json::json!({
        "ticket": issued.ticket.reveal(),
        "expires_in": issued.expires_in.as_secs(),
    });
    let mut response = Response::new(Answer::text(format!("{text}\n")));
    for (name, value) in
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// What the handshake would ask for: the one parameter `path`, with all other parameters behind it.
fn target(uri: &Uri) -> Option<PathAndQuery> {
    let is_path =
        |pair: &&str| form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| name == "path");
    let (paths, rest): (Vec<&str>, Vec<&str>) =
        uri.query()?.split('&').filter(|pair| !pair.is_empty()).partition(is_path);
    let [path] = paths.as_slice() else { return None };
    let (_, path) = form_urlencoded::parse(path.as_bytes()).next()?;
    if !path.starts_with('/') {
        return None;
    }
    let joint = match (rest.is_empty(), path.contains('?')) {
        (true, _) => "",
        (false, true) => "&",
        (false, false) => "?",
    };
    format!("{path}{joint}{}", rest.join("&")).parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_target_is_the_path_with_the_other_parameters() {
        for (query, expected) in [
            ("path=/chat", Some("/chat")),
            ("path=%2Fchat%2F1", Some("/chat/1")),
            ("path=/chat&access_token=a%26b&x", Some("/chat?access_token=a%26b&x")),
            ("x=1&path=/chat%3Froom%3D7", Some("/chat?room=7&x=1")),
            ("%70ath=/chat", Some("/chat")),
            ("", None),
            ("path=", None),
            ("path=chat", None),
            ("path=//evil.example/chat", Some("//evil.example/chat")),
            ("path=http://evil.example/", None),
            ("path=/a&path=/b", None),
            ("path=/a%0d%0ab", None),
            ("path=/a%20b", None),
        ] {
            let uri: Uri = format!("{PATH}?{query}").parse().unwrap();
            assert_eq!(target(&uri).as_ref().map(PathAndQuery::as_str), expected, "{query}");
        }
        assert_eq!(target(&PATH.parse().unwrap()), None);
    }
}
