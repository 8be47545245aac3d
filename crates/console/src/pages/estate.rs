//! What there is: routes and upstreams, the relay, revocations, certificates.

use axum::extract::{Extension, State};
use axum::response::Response;
use wicketgate_gateway::console::Scope;
use wicketgate_gateway::operate::relay::End;
use wicketgate_gateway::operate::{places, relay as private, revocations as revoked};

use super::may;
use super::page::{Cell, Form, Page, Part, Table, link};
use crate::access::caller::Caller;
use crate::api::operations::all_certificates;
use crate::show;
use crate::state::Shared;

pub(super) async fn routes(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let mut page = Page::new(&shared, &caller, "Routes and upstreams", "/routes");
    page.is_live = true;
    page.lead = "What becomes of requests, and how the backends are.".into();
    let routes = places::routes(&shared.gateway).routes.into_iter().map(|route| {
        vec![
            Cell::Link { href: link("/sessions", &[("route", &route.name)]), text: route.name },
            Cell::code(route.hosts.join(" ")),
            Cell::code(route.paths.join(" ")),
            Cell::text(route.action),
            Cell::maybe(route.upstream),
            Cell::maybe(route.mode),
            Cell::maybe(route.policy),
            Cell::text(if route.authentication.is_empty() {
                "nobody is asked".into()
            } else {
                route.authentication.join(", ")
            }),
            Cell::number(u64::try_from(route.sessions).unwrap_or(0)),
        ]
    });
    page.parts.push(Part::Table(Table {
        id: "routes",
        title: "Routes".into(),
        head: vec![
            "Route",
            "Hosts",
            "Paths",
            "Action",
            "Upstream",
            "Mode",
            "Policy",
            "Authentication",
            "Sessions",
        ],
        rows: routes.collect(),
        empty: "There is no route: add one under `routes:` in the configuration.".into(),
    }));
    let targets = places::upstreams(&shared.gateway).upstreams.into_iter().flat_map(|upstream| {
        let name = upstream.name;
        upstream.targets.into_iter().map(move |target| {
            let (mood, word) = if target.healthy { ("good", "healthy") } else { ("bad", "down") };
            vec![
                Cell::code(name.clone()),
                Cell::code(target.address),
                Cell::Badge(mood, word.to_owned()),
                Cell::number(target.weight.into()),
                Cell::number(target.open as u64),
                Cell::number(target.picked),
                Cell::number(target.failures),
                Cell::number(target.ejections),
                Cell::number(target.failed_probes),
            ]
        })
    });
    page.parts.push(Part::Table(Table {
        id: "targets",
        title: "Targets of upstreams".into(),
        head: vec![
            "Upstream",
            "Target",
            "Health",
            "Weight",
            "Open",
            "Picked",
            "Failures",
            "Ejections",
            "Failed probes",
        ],
        rows: targets.collect(),
        empty: "There is no upstream: add one under `upstreams:` in the configuration.".into(),
    }));
    page.answer()
}

pub(super) async fn relay(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let mut page = Page::new(&shared, &caller, "Relay", "/relay");
    page.is_live = true;
    let (endpoints, sessions) = (private::endpoints(&shared.gateway), private::sessions(&shared.gateway));
    page.lead = format!(
        "Agents and clients connected: {}. Private sessions open: {}; nobody here can read them.",
        endpoints.total, sessions.total
    );
    let end = |name: &'static str, value: &str, confirm: String| match may(&caller, Scope::Operate) {
        false => Cell::text(""),
        true => Cell::Action(Box::new(Form {
            action: "/relay/kick",
            hidden: vec![(name, value.to_owned())],
            fields: Vec::new(),
            button: "End",
            confirm,
            is_dangerous: true,
        })),
    };
    let rows = endpoints.endpoints.iter().map(|endpoint| {
        let confirm = format!("End the connection of {} and all of its sessions?", endpoint.name);
        vec![
            Cell::Badge("", endpoint.role.to_owned()),
            Cell::code(&endpoint.name),
            Cell::maybe(endpoint.end.address.clone()),
            Cell::text(endpoint.end.carrier),
            Cell::text(&endpoint.version),
            Cell::Number(show::ago(endpoint.end.since)),
            end(endpoint.role, &endpoint.name, confirm),
        ]
    });
    page.parts.push(Part::Table(Table {
        id: "endpoints",
        title: "Agents and clients".into(),
        head: vec!["Role", "Name", "Address", "Carrier", "Version", "Connected for", ""],
        rows: rows.collect(),
        empty: "No agent and no client is connected. Begin with wicketgate agent on a machine that is to be reached; see the guide of private sessions.".into(),
    }));
    let carrier = |end: &Option<End>| match end {
        Some(end) => Cell::code(format!("{} by {}", end.address.as_deref().unwrap_or("?"), end.carrier)),
        None => Cell::Badge("warn", "away".into()),
    };
    let rows = sessions.sessions.iter().map(|session| {
        vec![
            Cell::code(&session.session),
            Cell::code(&session.client),
            carrier(&session.client_end),
            Cell::code(&session.agent),
            carrier(&session.agent_end),
            Cell::code(session.services.join(", ")),
            end("session", &session.session, "End this private session for good?".into()),
        ]
    });
    page.parts.push(Part::Table(Table {
        id: "private",
        title: "Private sessions".into(),
        head: vec!["Session", "Client", "Its carrier", "Agent", "Its carrier", "Services", ""],
        rows: rows.collect(),
        empty: "No private session is open.".into(),
    }));
    page.answer()
}

pub(super) async fn revocations(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let mut page = Page::new(&shared, &caller, "Revocations", "/revocations");
    let is_kept = shared.gateway.snapshot().revocations.config().file.is_some();
    page.lead = match is_kept {
        true => "What is not accepted any more. It is kept in the file of the configuration.".into(),
        false => "What is not accepted any more. There is no file for it: it is forgotten at a restart, unless you give `revocations: {file: PATH}`.".into(),
    };
    if may(&caller, Scope::Operate) {
        page.parts.push(Part::Form(Form {
            action: "/revocations",
            hidden: Vec::new(),
            fields: vec![("subject", "Subject", "alice"), ("token_id", "or id of a credential", "7f3a…")],
            button: "Revoke",
            confirm: "Revoke it? Its sessions end at once.".into(),
            is_dangerous: true,
        }));
    }
    let mut list = revoked::list(&shared.gateway).revocations;
    list.truncate(1000);
    let moment = |time: Option<time::OffsetDateTime>| Cell::text(time.map_or("–".into(), show::moment));
    let rows = list.into_iter().map(|entry| {
        vec![
            Cell::maybe(entry.subject),
            Cell::maybe(entry.token_id),
            moment(entry.before),
            moment(entry.until),
        ]
    });
    page.parts.push(Part::Table(Table {
        id: "revocations",
        title: String::new(),
        head: vec!["Subject", "Credential", "Issued before", "Until"],
        rows: rows.collect(),
        empty: "Nothing is revoked.".into(),
    }));
    page.answer()
}

pub(super) async fn certificates(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let mut page = Page::new(&shared, &caller, "Certificates", "/certificates");
    page.lead = "What listeners and the console show, and how long it is still valid.".into();
    let rows = all_certificates(&shared).certificates.into_iter().map(|certificate| {
        let left = match certificate.days_left {
            None => Cell::Badge("warn", "to be ordered".into()),
            Some(days @ ..0) => Cell::Badge("bad", format!("expired {} days ago", -days)),
            Some(days @ 0..14) => Cell::Badge("warn", format!("{days} days")),
            Some(days) => Cell::Badge("good", format!("{days} days")),
        };
        vec![
            Cell::code(certificate.listener),
            Cell::code(certificate.names.join(" ")),
            left,
            Cell::Number(certificate.not_after.map_or("–".into(), show::moment)),
            Cell::code(certificate.file),
        ]
    });
    page.parts.push(Part::Table(Table {
        id: "certificates",
        title: String::new(),
        head: vec!["Listener", "Names", "Left", "Until", "File"],
        rows: rows.collect(),
        empty: "No listener speaks TLS. Give one `tls: {certificates: [...]}` in the configuration.".into(),
    }));
    page.answer()
}
