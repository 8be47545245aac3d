//! The table of operations: what each needs, takes and answers.

use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use wicketgate_admission::revocation::Revocation;
use wicketgate_gateway::console::Scope;
use wicketgate_gateway::operate::{
    certificates, doctor, kick, places, relay, revocations, sessions, traffic,
};

use super::operations::{Checked, Configuration, Findings, Me, OneFinding, Reloaded, Rows};
use crate::followed::Changes;
use crate::records::Verified;
use crate::watching::Seen;

/// An operation.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) scope: Scope,
    pub(super) summary: &'static str,
    /// Names in the query, and what they say.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) body: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub(super) answer: fn(&mut SchemaGenerator) -> Schema,
    /// Whether the answer is a stream of events.
    pub(super) is_stream: bool,
}

/// The names by which sessions are picked.
const PICKED: &[(&str, &str)] = &[
    ("subject", "Who the client proved to be."),
    ("address", "The client's address, or a network."),
    ("token_id", "The credential's id."),
    ("session", "The session's number."),
    ("route", "The route."),
];
const PARTIES: &[(&str, &str)] = &[
    ("session", "A private session. Give one of the three."),
    ("agent", "An agent, with all of its sessions."),
    ("client", "A client, with all of its sessions."),
];
const WATCHED: &[(&str, &str)] = &[
    ("route", "Of this route. Give it or a session."),
    ("session", "Of the session of this number."),
    ("direction", "Only `to_upstream` or `to_client`."),
    ("kind", "Only `text` or `binary` ones."),
    ("text", "Only those that say this, in capital letters or small, in what is shown of them."),
];
const FOUND: &[(&str, &str)] = &[
    ("route", "Of this route."),
    ("session", "Of the session of this number."),
    ("class", "Of this class."),
    ("client", "Of clients at this address."),
    ("limit", "At most so many, 1 to 1000; 100 without it."),
];
const RECORDED: &[(&str, &str)] = &[
    ("since", "Not before this moment."),
    ("until", "Not after this moment."),
    ("event", "Of this name; `*` stands for any characters."),
    ("subject", "About this subject."),
    ("session", "About the session of this number."),
    ("route", "Of this route."),
    ("client", "From this address."),
    ("class", "Findings of this class."),
    ("limit", "At most so many, 1 to 1000; 100 without it."),
];

const fn of(
    method: Method,
    path: &'static str,
    scope: Scope,
    summary: &'static str,
    answer: fn(&mut SchemaGenerator) -> Schema,
) -> Operation {
    Operation { method, path, scope, summary, query: &[], body: None, answer, is_stream: false }
}

impl Operation {
    const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    const fn body(mut self, body: fn(&mut SchemaGenerator) -> Schema) -> Self {
        self.body = Some(body);
        self
    }

    const fn stream(mut self) -> Self {
        self.is_stream = true;
        self
    }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

use Scope::{Admin, Operate, Read};

/// All of them.
pub(super) static OPERATIONS: &[Operation] = &[
    of(Method::GET, "/api/v1/me", Read, "Who asks, and what they may.", schema::<Me>),
    of(Method::GET, "/api/v1/overview", Read, "The gateway in figures.", schema::<traffic::Overview>),
    of(Method::GET, "/api/v1/live", Read, "Sessions and rates, every two seconds.", schema::<String>)
        .stream(),
    of(
        Method::GET,
        "/api/v1/messages",
        Operate,
        "The messages of a route or session as they come, their secrets covered: events `messages`, and one `end`.",
        schema::<Seen>,
    )
    .query(WATCHED)
    .stream(),
    of(Method::GET, "/api/v1/sessions", Read, "The live sessions.", schema::<sessions::List>).query(PICKED),
    of(
        Method::DELETE,
        "/api/v1/sessions",
        Operate,
        "Ends sessions: all that is given applies to them.",
        schema::<kick::Ended>,
    )
    .query(PICKED),
    of(Method::GET, "/api/v1/sessions/{session}", Read, "A live session.", schema::<sessions::Detail>),
    of(
        Method::POST,
        "/api/v1/doctor",
        Operate,
        "Looks at certificates, targets, clock, limits, clients' addresses and the audit, once.",
        schema::<doctor::Report>,
    ),
    of(Method::GET, "/api/v1/routes", Read, "The routes.", schema::<places::Routes>),
    of(
        Method::GET,
        "/api/v1/upstreams",
        Read,
        "The upstreams, with their health.",
        schema::<places::Upstreams>,
    ),
    of(Method::GET, "/api/v1/findings", Read, "The latest findings in messages and requests.", schema::<Findings>)
        .query(FOUND),
    of(
        Method::GET,
        "/api/v1/findings/{finding}",
        Read,
        "A finding, and what would keep it from being found again.",
        schema::<OneFinding>,
    ),
    of(
        Method::DELETE,
        "/api/v1/relay",
        Operate,
        "Ends a private session, or an agent's or client's connections.",
        schema::<kick::Ended>,
    )
    .query(PARTIES),
    of(
        Method::GET,
        "/api/v1/relay/endpoints",
        Read,
        "The agents and clients that are connected.",
        schema::<relay::Endpoints>,
    ),
    of(Method::GET, "/api/v1/relay/sessions", Read, "The private sessions.", schema::<relay::Sessions>),
    of(Method::GET, "/api/v1/revocations", Read, "Whatever is revoked.", schema::<revocations::List>),
    of(
        Method::POST,
        "/api/v1/revocations",
        Operate,
        "Revokes a credential or a subject, and ends its sessions.",
        schema::<revocations::Added>,
    )
    .body(schema::<Revocation>),
    of(
        Method::GET,
        "/api/v1/certificates",
        Read,
        "The certificates that listeners show.",
        schema::<certificates::List>,
    ),
    of(Method::GET, "/api/v1/audit", Read, "The newest audit records, the newest first.", schema::<Rows>)
        .query(RECORDED),
    of(
        Method::POST,
        "/api/v1/audit/verify",
        Read,
        "Walks the chain of all audit records.",
        schema::<Verified>,
    ),
    of(
        Method::GET,
        "/api/v1/configuration",
        Admin,
        "The configuration's files, secrets masked.",
        schema::<Configuration>,
    ),
    of(
        Method::GET,
        "/api/v1/configuration/changes",
        Admin,
        "What following the files as they are now would change, secrets masked.",
        schema::<Changes>,
    ),
    of(
        Method::POST,
        "/api/v1/configuration/check",
        Admin,
        "Finds what is wrong with the files as they are now.",
        schema::<Checked>,
    ),
    of(
        Method::POST,
        "/api/v1/configuration/reload",
        Admin,
        "Follows the files as they are now, whole or not at all.",
        schema::<Reloaded>,
    ),
];

/// The operation of a method on a path.
pub(super) fn find(method: &Method, path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.method == *method && operation.path == path)
}
