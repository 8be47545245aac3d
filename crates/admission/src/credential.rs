//! Where a credential stands in a request: how it is found, and how it is taken out before the upstream sees it.

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::uri::PathAndQuery;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};
use wicketgate_wire::handshake::Upgrade;

use super::identity::Denied;
use super::secret::Secret;

/// Where a credential stands in a request. One key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPlace {
    /// A header by its name. In `Authorization` the credential follows the word `Bearer`; in others it is the whole value.
    Header(String),
    /// A cookie by its name.
    Cookie(String),
    /// A query parameter by its name. URLs stand in logs and histories: use it only where nothing else can be had.
    Query(String),
    /// The entry of `Sec-WebSocket-Protocol` that follows this one, as in `bearer, TOKEN`; for browsers, which can set no
    /// header. Both entries are taken out.
    Subprotocol(String),
}

/// Where a credential stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer CREDENTIAL` (RFC 6750 section 2.1).
    Bearer,
    /// The whole value of a header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
    /// The entry of `Sec-WebSocket-Protocol` that follows this one.
    Subprotocol(String),
}

/// The longest credential that is looked at, in bytes: a request head is bounded by the listener in any case.
pub const MAX_CREDENTIAL: usize = 16 * 1024;

impl RawPlace {
    /// Checks the name; what is wrong goes to `problems`.
    pub fn check(raw: At<Self>, problems: &mut Problems) -> Option<Place> {
        match &raw.value {
            Self::Header(name) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(AUTHORIZATION) => Some(Place::Bearer),
                Ok(name) => Some(Place::Header(name)),
                Err(_) => {
                    problems.error(
                        raw.place,
                        format!("`{name}` is no header name"),
                        "give one, as in Authorization",
                    );
                    None
                }
            },
            Self::Cookie(name) | Self::Query(name) | Self::Subprotocol(name) => {
                let is_token = !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
                if !is_token {
                    let what = format!("`{name}` is no name for a cookie, parameter or subprotocol");
                    problems.error(raw.place, what, "use letters, digits, `-`, `_` and `.`");
                    return None;
                }
                if matches!(raw.value, Self::Query(_)) {
                    let what = format!("the credential in the parameter `{name}` stands in URLs");
                    let help =
                        "histories, proxies and logs keep URLs: use a header, a cookie or `subprotocol`";
                    problems.warning(raw.place, what, help);
                }
                Some(match raw.value {
                    Self::Cookie(name) => Place::Cookie(name),
                    Self::Query(name) => Place::Query(name),
                    Self::Header(name) | Self::Subprotocol(name) => Place::Subprotocol(name),
                })
            }
        }
    }
}

impl Place {
    /// Whether browsers send it by themselves, to whatever page asks.
    pub const fn is_ambient(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    /// The credential that stands here, if any.
    ///
    /// # Errors
    /// More than one, or one that is too long or no text.
    pub fn find(&self, parts: &Parts, upgrade: Option<&Upgrade>) -> Result<Option<Secret>, Denied> {
        let found = match self {
            Self::Bearer => match only_header(parts, &AUTHORIZATION)? {
                Some(value) => bearer(value),
                None => None,
            },
            Self::Header(name) => only_header(parts, name)?.map(str::to_owned),
            Self::Cookie(name) => {
                only(cookies(parts).filter(|(found, _)| found == name).map(|(_, value)| value.to_owned()))?
            }
            Self::Query(name) => {
                only(query(parts).filter(|(found, _)| found == name).map(|(_, value)| value))?
            }
            Self::Subprotocol(marker) => {
                let offered = upgrade.map(|upgrade| upgrade.subprotocols.as_slice()).unwrap_or_default();
                let behind = offered.windows(2).filter(|pair| pair[0].as_str() == marker);
                only(behind.map(|pair| pair[1].as_str().to_owned()))?
            }
        };
        match found {
            Some(found) if found.len() > MAX_CREDENTIAL => Err(Denied::Malformed("too long")),
            found => Ok(found.filter(|found| !found.is_empty()).map(Secret::new)),
        }
    }

    /// The credential that stands in one of these places, and in which.
    ///
    /// # Errors
    /// None ([`Denied::Missing`]), or more than one.
    pub fn find_in<'p>(
        places: &'p [Self],
        parts: &Parts,
        upgrade: Option<&Upgrade>,
    ) -> Result<(&'p Self, Secret), Denied> {
        let mut found = None;
        for place in places {
            let Some(secret) = place.find(parts, upgrade)? else { continue };
            if found.replace((place, secret)).is_some() {
                return Err(Denied::Duplicate);
            }
        }
        found.ok_or(Denied::Missing)
    }

    /// Takes the credential out of the request, so that it goes no further.
    pub fn remove(&self, parts: &mut Parts, upgrade: Option<&mut Upgrade>) {
        match self {
            Self::Bearer => drop(parts.headers.remove(AUTHORIZATION)),
            Self::Header(name) => drop(parts.headers.remove(name)),
            Self::Cookie(name) => remove_cookie(parts, name),
            Self::Query(name) => remove_query(parts, name),
            Self::Subprotocol(marker) => {
                parts.headers.remove(SEC_WEBSOCKET_PROTOCOL);
                let Some(upgrade) = upgrade else { return };
                while let Some(at) = upgrade.subprotocols.iter().position(|entry| entry.as_str() == marker) {
                    let end = (at + 2).min(upgrade.subprotocols.len());
                    upgrade.subprotocols.drain(at..end);
                }
            }
        }
    }
}

fn only<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Denied> {
    let first = values.next();
    if values.next().is_some() { Err(Denied::Duplicate) } else { Ok(first) }
}

fn only_header<'a>(parts: &'a Parts, name: &HeaderName) -> Result<Option<&'a str>, Denied> {
    match only(parts.headers.get_all(name).iter())? {
        Some(value) => value.to_str().map(Some).map_err(|_| Denied::Malformed("not ASCII")),
        None => Ok(None),
    }
}

/// RFC 9110 section 11.1: the scheme is compared without regard to case.
fn bearer(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim().to_owned())
}

/// RFC 6265 section 4.2.1.
fn cookies(parts: &Parts) -> impl Iterator<Item = (&str, &str)> {
    let lines = parts.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).map(|(name, value)| (name, value.trim_matches('"')))
}

fn query(parts: &Parts) -> impl Iterator<Item = (String, String)> {
    let query = parts.uri.query().unwrap_or_default().to_owned();
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

fn remove_cookie(parts: &mut Parts, name: &str) {
    let lines: Vec<HeaderValue> = parts.headers.get_all(COOKIE).iter().cloned().collect();
    parts.headers.remove(COOKIE);
    for line in lines {
        // A line that is no text cannot hold what was found, but could hold what a backend takes for it.
        let Ok(text) = line.to_str() else { continue };
        let keeps = |pair: &&str| pair.trim().split_once('=').map_or(pair.trim(), |(found, _)| found) != name;
        let kept: Vec<&str> =
            text.split(';').filter(keeps).map(str::trim).filter(|pair| !pair.is_empty()).collect();
        if let Ok(value) = HeaderValue::from_str(&kept.join("; "))
            && !kept.is_empty()
        {
            parts.headers.append(COOKIE, value);
        }
    }
}

fn remove_query(parts: &mut Parts, name: &str) {
    let Some(query) = parts.uri.query() else { return };
    let is_it = |pair: &&str| {
        url::form_urlencoded::parse(pair.as_bytes()).next().is_none_or(|(found, _)| found != name)
    };
    let kept: Vec<&str> = query.split('&').filter(is_it).collect();
    let path = parts.uri.path();
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = target.parse::<PathAndQuery>().ok();
    if let Ok(uri) = http::Uri::from_parts(uri) {
        parts.uri = uri;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn found(place: &Place, parts: &Parts) -> Option<String> {
        place.find(parts, None).unwrap().map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn each_place_is_read_and_emptied() {
        let mut request = parts(
            "/chat?a=1&token=q%2Et&b=2",
            &[("authorization", "bearer h.t"), ("x-api-key", "k"), ("cookie", "a=1; session=c.t; b=2")],
        );
        let places = [
            (Place::Bearer, "h.t"),
            (Place::Header(HeaderName::from_static("x-api-key")), "k"),
            (Place::Cookie("session".into()), "c.t"),
            (Place::Query("token".into()), "q.t"),
        ];
        for (place, expected) in places {
            assert_eq!(found(&place, &request).as_deref(), Some(expected));
            place.remove(&mut request, None);
            assert_eq!(found(&place, &request), None);
        }
        assert_eq!(request.uri, "/chat?a=1&b=2");
        assert_eq!(request.headers.get(COOKIE).unwrap(), "a=1; b=2");
        assert_eq!(request.headers.len(), 1);
    }

    #[test]
    fn two_credentials_in_one_place_are_none() {
        for (place, request) in [
            (Place::Bearer, parts("/", &[("authorization", "Bearer a"), ("authorization", "Bearer b")])),
            (Place::Cookie("s".into()), parts("/", &[("cookie", "s=a; s=b")])),
            (Place::Query("t".into()), parts("/?t=a&%74=b", &[])),
        ] {
            assert_eq!(place.find(&request, None).unwrap_err(), Denied::Duplicate);
        }
    }

    #[test]
    fn other_schemes_are_no_bearer_tokens() {
        assert_eq!(found(&Place::Bearer, &parts("/", &[("authorization", "Basic abc")])), None);
    }
}
