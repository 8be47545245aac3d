//! What an expression is told about a request, in a form that a session can keep.

use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Uri};
use wicketgate_expression::{Json, Needs, Record, Scope};

use crate::client::{Asked, Client};
use crate::identity::{Claims, Identity};

/// The most values that claims may hold for an expression that goes through lists.
const MAX_VALUES: usize = 2048;
/// The same for one that goes through lists inside lists.
const MAX_NESTED_VALUES: usize = 128;

/// What is known of a request: enough to judge it again while its session lives. It holds the query and headers only as far
/// as the expression of the time asked for them; one that asks for others later cannot be evaluated, and refuses.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    client: Client,
    method: Method,
    route: Box<str>,
    host: Box<str>,
    path: Box<str>,
    query: Option<Box<str>>,
    /// Each that was asked for, and its value if it was there.
    headers: Box<[(HeaderName, Option<Box<str>>)]>,
}

impl Facts {
    /// Takes from a request what `needs` names, these headers, and what every session keeps. WebSocket handshakes count as
    /// GET.
    pub fn new(
        parts: &Parts,
        client: &Client,
        asked: Asked<'_>,
        needs: Option<&Needs>,
        headers: &[HeaderName],
    ) -> Self {
        let needed = needs.map(|needs| needs.headers.as_slice()).unwrap_or_default();
        let more = headers.iter().filter(|name| !needed.contains(name));
        Self {
            client: client.clone(),
            method: if parts.method == Method::CONNECT { Method::GET } else { parts.method.clone() },
            route: asked.route.into(),
            host: asked.host.into(),
            path: asked.path.into(),
            query: needs.filter(|needs| needs.uses_field("request", "query")).map(|_| query(&parts.uri)),
            headers: needed
                .iter()
                .chain(more)
                .map(|name| (name.clone(), header(&parts.headers, name)))
                .collect(),
        }
    }

    /// Who asked.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The host that was asked for, in one spelling.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path that was asked for, in one spelling.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The headers that were kept, each by its name in lower case, and its value if it was there.
    pub fn headers(&self) -> Vec<(Box<str>, Option<Box<str>>)> {
        self.headers.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()
    }

    /// Gives an expression the variables that it uses.
    pub(super) fn bind<'v>(
        &'v self,
        identity: Option<(&'v Identity, &'v Json<'v>)>,
        needs: &'v Needs,
        scope: &mut Scope<'v>,
    ) -> Result<(), &'static str> {
        if needs.uses("identity") || needs.uses("claims") {
            let (identity, claims) = identity.ok_or("nobody is identified")?;
            let known = Record::new()
                .with("subject", &*identity.subject)
                .with("method", &*identity.method)
                .with_known("token_id", identity.token_id.as_deref());
            scope.bind("identity", known);
            if needs.uses("claims") {
                let mut most = if needs.nesting > 1 { MAX_NESTED_VALUES } else { MAX_VALUES };
                if needs.nesting > 0 && !fits(&identity.claims, &mut most) {
                    return Err("the claims hold more values than an expression may go through");
                }
                scope.bind("claims", claims.bound());
            }
        }
        if needs.uses("client") {
            let address = self.client.address.map(|address| address.to_string());
            scope.bind(
                "client",
                Record::new().with_known("address", address).with("secure", self.client.secure),
            );
        }
        if needs.uses("request") {
            scope.bind("request", self.request(needs)?);
        }
        if needs.uses("route") {
            scope.bind("route", &*self.route);
        }
        Ok(())
    }

    fn request<'v>(&'v self, needs: &'v Needs) -> Result<Record<'v>, &'static str> {
        let mut headers = Record::new();
        for name in &needs.headers {
            let kept = self.headers.iter().find(|(kept, _)| kept == name);
            let (_, value) = kept.ok_or("a header that the session did not keep is asked for")?;
            if let Some(value) = value {
                headers.set(name.as_str(), &**value);
            }
        }
        if needs.uses_field("request", "query") && self.query.is_none() {
            return Err("the query is asked for, and the session did not keep it");
        }
        Ok(Record::new()
            .with("method", self.method.as_str())
            .with("host", &*self.host)
            .with("path", &*self.path)
            .with_known("query", self.query.as_deref())
            .with("headers", headers))
    }
}

fn query(uri: &Uri) -> Box<str> {
    uri.query().unwrap_or_default().into()
}

/// All lines of a header as one, which RFC 9110 section 5.3 holds to be the same; bytes that are no UTF-8 are replaced.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<Box<str>> {
    let lines: Vec<_> =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let between = if *name == http::header::COOKIE { "; " } else { ", " };
    (!lines.is_empty()).then(|| lines.join(between).into())
}

/// Whether claims hold at most so many values more.
fn fits(claims: &Claims, left: &mut usize) -> bool {
    claims.values().all(|claim| is_counted(claim, left))
}

fn is_counted(claim: &serde_json::Value, left: &mut usize) -> bool {
    let Some(fewer) = left.checked_sub(1) else { return false };
    *left = fewer;
    match claim {
        serde_json::Value::Array(values) => values.iter().all(|claim| is_counted(claim, left)),
        serde_json::Value::Object(fields) => fits(fields, left),
        _ => true,
    }
}
