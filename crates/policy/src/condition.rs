//! What expressions in a policy may speak of: the message, and who sends it.

use http::HeaderName;
use wicketgate_config::{At, Problems};
use wicketgate_expression::{
    Expression, Json, LazyValue, Record, Scope, Shape, Shown as Seen, Tree, Variable, Vocabulary, Wanted,
};

use crate::fields::{Fields, NodeId, Shown};
use crate::message::type_name;
use crate::view::View;

/// What is known of a message.
pub(crate) static VOCABULARY: Vocabulary = Vocabulary {
    variables: &[
        Variable { name: "message", shape: Shape::Open },
        Variable { name: "kind", shape: Shape::Plain },
        Variable { name: "type", shape: Shape::Plain },
        Variable { name: "size", shape: Shape::Plain },
        Variable { name: "direction", shape: Shape::Plain },
        Variable { name: "identity", shape: Shape::Record(&["subject", "method", "token_id"]) },
        Variable { name: "claims", shape: Shape::Open },
        Variable { name: "client", shape: Shape::Record(&["address", "secure"]) },
        Variable { name: "request", shape: Shape::Record(&["host", "path", "headers"]) },
        Variable { name: "route", shape: Shape::Plain },
        Variable { name: "session", shape: Shape::Plain },
        Variable { name: "now", shape: Shape::Plain },
    ],
    functions: &[],
    example: "message.amount > 1000 && !(\"traders\" in claims.groups)",
};

/// A condition on a message. Copies share it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition(Expression);

impl Condition {
    /// Compiles the expression of a configuration; what is wrong goes to `problems`.
    pub(crate) fn check(raw: &At<String>, problems: &mut Problems) -> Option<Self> {
        Expression::check(raw, &VOCABULARY, Wanted::Bool, problems).map(Self)
    }

    /// Asks whether a message meets it.
    ///
    /// # Errors
    /// Why that cannot be told, which is not the same as no.
    pub(crate) fn is_met(&self, view: &View<'_>) -> Result<bool, String> {
        with_scope(&self.0, view, None, |scope| self.0.holds(scope))?.map_err(|fault| fault.to_string())
    }

    /// The headers of the handshake that it names.
    pub(crate) fn headers(&self) -> &[HeaderName] {
        &self.0.needs().headers
    }
}

/// Calls `ask` with what `expression` needs of a message, and with tables.
///
/// # Errors
/// It needs what the session did not keep.
pub(crate) fn with_scope<A>(
    expression: &Expression,
    view: &View<'_>,
    tables: Option<&serde_json::Map<String, serde_json::Value>>,
    ask: impl FnOnce(&Scope<'_>) -> A,
) -> Result<A, String> {
    let (needs, facts) = (expression.needs(), view.facts);
    let identity = facts.identity.as_ref();
    let claims = identity.filter(|_| needs.uses("claims")).map(|identity| Json::object(&identity.claims));
    let tables = tables.map(Json::object);
    let mut scope = Scope::new();
    if let Some(tables) = &tables {
        scope.bind("lookup", tables.bound());
    }
    if needs.uses("message") {
        scope.bind("message", LazyValue::bound(&view.fields, NodeId::ROOT));
    }
    for (name, text) in [
        ("kind", view.kind),
        ("type", type_name(view.data)),
        ("direction", view.direction.label()),
        ("route", &*facts.route),
    ] {
        if needs.uses(name) {
            scope.bind(name, text);
        }
    }
    if needs.uses("size") {
        scope.bind("size", view.fields.payload().len() as i64);
    }
    if needs.uses("session") {
        scope.bind("session", i64::try_from(facts.session).unwrap_or(i64::MAX));
    }
    if needs.uses("now") {
        scope.bind("now", i64::try_from(view.unix.as_secs()).unwrap_or(i64::MAX));
    }
    if needs.uses("identity") {
        let known = identity.map(|identity| {
            Record::new()
                .with("subject", &*identity.subject)
                .with("method", &*identity.method)
                .with_known("token_id", identity.token_id.as_deref())
        });
        scope.bind("identity", known.unwrap_or_default());
    }
    if needs.uses("claims") {
        match &claims {
            Some(claims) => scope.bind("claims", claims.bound()),
            None => scope.bind("claims", Record::new()),
        }
    }
    if needs.uses("client") {
        let address = facts.address.map(|address| address.to_string());
        scope.bind("client", Record::new().with_known("address", address).with("secure", facts.secure));
    }
    if needs.uses("request") {
        let mut headers = Record::new();
        for wanted in &needs.headers {
            let kept = facts.headers.iter().find(|(name, _)| **name == *wanted.as_str());
            let (name, value) = kept.ok_or("it names a header that the session did not keep")?;
            if let Some(value) = value {
                headers.set(name, &**value);
            }
        }
        let request = Record::new().with("host", &*facts.host).with("path", &*facts.path);
        scope.bind("request", request.with("headers", headers));
    }
    Ok(ask(&scope))
}

impl Tree for Fields<'_> {
    type Node = NodeId;

    fn show(&self, node: NodeId) -> Seen<'_> {
        match self.field(node).map_or(Shown::Null, |field| field.show()) {
            Shown::Null => Seen::Null,
            Shown::Bool(value) => Seen::Bool(value),
            Shown::Int(value) => Seen::Int(value),
            Shown::Uint(value) => Seen::Uint(value),
            Shown::Float(value) => Seen::Float(value),
            Shown::Text(text) => Seen::Text(text),
            Shown::Bytes(bytes) => Seen::Bytes(bytes),
            Shown::List(_) => Seen::List,
            Shown::Map(_) => Seen::Map,
        }
    }

    fn get(&self, node: NodeId, key: &str) -> Option<NodeId> {
        Some(self.field(node)?.get(key)?.id())
    }

    fn nth(&self, node: NodeId, index: usize) -> Option<NodeId> {
        Some(self.field(node)?.nth(index)?.id())
    }

    fn len(&self, node: NodeId) -> usize {
        match self.field(node).map(|field| field.show()) {
            Some(Shown::List(count) | Shown::Map(count)) => count,
            _ => 0,
        }
    }

    fn children(&self, node: NodeId) -> impl Iterator<Item = (Option<&str>, NodeId)> + Send {
        self.field(node).into_iter().flat_map(|field| field.children()).map(|child| (child.key(), child.id()))
    }
}
