//! What an expression is told about a request, in a form that a session can keep.

use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Value};
use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Uri};

use super::survey::Needs;
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
            query: needs.filter(|needs| needs.query).map(|_| query(&parts.uri)),
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
    pub(super) fn bind(
        &self,
        identity: Option<&Identity>,
        needs: &Needs,
        context: &mut Context<'_, '_>,
    ) -> Result<(), &'static str> {
        let mut bind = |name: &str, value: Value| context.add_variable_from_value(name, value);
        if needs.identity || needs.claims {
            let identity = identity.ok_or("nobody is identified")?;
            if needs.identity {
                let token_id = identity.token_id.as_deref();
                let known = [
                    ("subject", Some(&*identity.subject)),
                    ("method", Some(&*identity.method)),
                    ("token_id", token_id),
                ];
                bind("identity", map(known.map(|(name, known)| (name, known.map(text)))));
            }
            if needs.claims {
                bind("claims", claims(&identity.claims, needs.nesting)?);
            }
        }
        if needs.client {
            let address = self.client.address.map(|address| text(&address.to_string()));
            bind("client", map([("address", address), ("secure", Some(Value::Bool(self.client.secure)))]));
        }
        if needs.request {
            bind("request", self.request(needs)?);
        }
        if needs.route {
            bind("route", text(&self.route));
        }
        Ok(())
    }

    fn request(&self, needs: &Needs) -> Result<Value, &'static str> {
        let mut headers = HashMap::with_capacity(needs.headers.len());
        for name in &needs.headers {
            let kept = self.headers.iter().find(|(kept, _)| kept == name);
            let (_, value) = kept.ok_or("a header that the session did not keep is asked for")?;
            if let Some(value) = value {
                headers.insert(name.as_str().to_owned(), text(value));
            }
        }
        if needs.query && self.query.is_none() {
            return Err("the query is asked for, and the session did not keep it");
        }
        Ok(map([
            ("method", Some(text(self.method.as_str()))),
            ("host", Some(text(&self.host))),
            ("path", Some(text(&self.path))),
            ("query", self.query.as_deref().map(text)),
            ("headers", Some(Value::from(headers))),
        ]))
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

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

/// A map of what is known: `has` tells whether a field is.
fn map<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::from(known.collect::<HashMap<_, _>>())
}

/// Claims as CEL has them, where an expression that goes through them ends in time.
fn claims(claims: &Claims, nesting: usize) -> Result<Value, &'static str> {
    let mut left = match nesting {
        0 => usize::MAX,
        1 => MAX_VALUES,
        _ => MAX_NESTED_VALUES,
    };
    object(claims, &mut left).ok_or("the claims hold more values than an expression may go through")
}

fn object(claims: &Claims, left: &mut usize) -> Option<Value> {
    let mut fields = HashMap::with_capacity(claims.len());
    for (name, claim) in claims {
        fields.insert(name.clone(), value(claim, left)?);
    }
    Some(Value::from(fields))
}

fn value(claim: &serde_json::Value, left: &mut usize) -> Option<Value> {
    use serde_json::Value as Json;
    *left = left.checked_sub(1)?;
    Some(match claim {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        // JSON knows one kind of number. Whole ones are int, so that `claims.level >= 3` is what it looks like.
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), ..) => Value::Int(int),
            (_, Some(uint), _) => Value::UInt(uint),
            (.., float) => Value::Float(float?),
        },
        Json::String(value) => text(value),
        Json::Array(values) => {
            let values: Option<Vec<_>> = values.iter().map(|claim| value(claim, left)).collect();
            Value::List(Arc::new(values?))
        }
        Json::Object(fields) => object(fields, left)?,
    })
}
