//! Who asks.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::GetAll;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use wicketgate_audit::Who;
use wicketgate_config::Secret;
use wicketgate_gateway::console::Scope;

use super::sessions::Session;
use crate::origin::NAME;
use crate::state::Shared;

/// The cookie that holds a session's id. Its prefix has browsers take it over TLS (or from this machine) alone, for this host and every path.
pub(crate) const COOKIE_NAME: &str = "__Host-wicketgate";
/// Sent by a page that refreshes itself: that is no sign of somebody's being there.
pub(crate) const REFRESH: HeaderName = HeaderName::from_static("wicketgate-refresh");

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) from: IpAddr,
    pub(crate) by: By,
}

/// By what a caller is known.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// A token of the configuration.
    Token,
    /// Being signed in.
    Session(Arc<Session>),
}

impl Caller {
    /// Whom the request's token or cookie names. A request with a token is judged by that alone.
    pub(crate) fn of(shared: &Shared, headers: &HeaderMap, from: IpAddr) -> Option<Self> {
        match headers.contains_key(AUTHORIZATION) {
            true => Self::by_token(shared, headers, from),
            false => Self::by_cookie(shared, headers, from),
        }
    }

    fn by_token(shared: &Shared, headers: &HeaderMap, from: IpAddr) -> Option<Self> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else { return None };
        let given = Secret::new(given.to_str().ok()?.strip_prefix("Bearer ")?);
        let config = shared.config.load();
        let token = config.tokens.iter().find(|token| token.token == given)?;
        Some(Self { name: token.name.clone(), scope: token.scope, from, by: By::Token })
    }

    pub(crate) fn by_cookie(shared: &Shared, headers: &HeaderMap, from: IpAddr) -> Option<Self> {
        let id = value_of(headers.get_all(COOKIE), COOKIE_NAME)?;
        let session = shared.sessions.find(id, &shared.config.load(), !headers.contains_key(REFRESH))?;
        let (name, scope) = (session.name.clone(), session.role.scope());
        Some(Self { name, scope, from, by: By::Session(session) })
    }

    /// What audit events say of it.
    pub(crate) fn who(&self) -> Who<'_> {
        let (method, token_id) = match &self.by {
            By::Token => ("token", Some(&*self.name)),
            By::Session(session) => (session.method(), None),
        };
        Who {
            listener: Some(NAME),
            client: Some(self.from),
            subject: Some(&self.name),
            method: Some(method),
            token_id,
            ..Who::default()
        }
    }

    /// The session of somebody who is signed in.
    pub(crate) const fn session(&self) -> Option<&Arc<Session>> {
        match &self.by {
            By::Session(session) => Some(session),
            By::Token => None,
        }
    }
}

/// The value of a cookie, where there is exactly one of this name.
pub(crate) fn value_of<'h>(cookies: GetAll<'h, HeaderValue>, name: &str) -> Option<&'h str> {
    let all = cookies.iter().filter_map(|value| value.to_str().ok());
    let mut values = all
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_there_once_or_not_at_all() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, http::HeaderValue::from_static(value));
            value_of(headers.get_all(COOKIE), COOKIE_NAME).map(str::to_owned)
        };
        assert_eq!(of("a=b; __Host-wicketgate=x").as_deref(), Some("x"));
        for bad in
            ["", "a=b", "__Host-wicketgate", "__Host-wicketgate=x; __Host-wicketgate=y", "wicketgate=x"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
