//! What happens: sessions, findings, audit records.

use std::time::{Duration, UNIX_EPOCH};

use axum::extract::{Extension, Path, Query, RawQuery, State};
use axum::response::Response;
use wicketgate_audit::Row;
use wicketgate_gateway::console::Scope;
use wicketgate_gateway::observe::Found;
use wicketgate_gateway::operate::Selector;
use wicketgate_gateway::operate::sessions::{self as live, Shown};

use super::page::{Cell, Filter, Form, Page, Part, Table, link};
use super::{may, problem};
use crate::access::caller::Caller;
use crate::api::error::Problem;
use crate::api::operations::FoundBy;
use crate::records::{self, Wanted};
use crate::show;
use crate::state::Shared;

/// Sessions on a page.
const SHOWN: usize = 200;

/// Fields of a form that was sent: those that are not filled in count as not there.
fn filled(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(name, value)| (name.into_owned(), value.trim().to_owned()))
        .collect()
}

fn value(filled: &[(String, String)], name: &str) -> String {
    filled.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

pub(super) async fn sessions(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let filled = filled(query.as_deref());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&filled).finish();
    let list = match Selector::parse(Some(&query)) {
        Ok(selector) => live::list(&shared.gateway, &selector, SHOWN),
        Err(error) => return problem(&shared, &caller, &Problem::asked(error)),
    };
    let mut page = Page::new(&shared, &caller, "Sessions", "/sessions");
    page.is_live = true;
    page.lead = match list.total > SHOWN {
        true => format!("{} sessions, the oldest {SHOWN} of them shown.", show::number(list.total as u64)),
        false => format!("{} live sessions.", show::number(list.total as u64)),
    };
    let field = |name, label, hint| (name, label, value(&filled, name), hint);
    page.parts.push(Part::Filter(Filter::new(
        "/sessions",
        vec![
            field("subject", "Subject", "alice"),
            field("address", "Address or network", "203.0.113.0/24"),
            field("route", "Route", "chat"),
            field("session", "Number", "7"),
        ],
    )));
    if may(&caller, Scope::Operate) && !filled.is_empty() && list.total > 0 {
        let hidden = ["subject", "address", "route", "session", "token_id"];
        let hidden =
            hidden.iter().map(|name| (*name, value(&filled, name))).filter(|(_, value)| !value.is_empty());
        page.parts.push(Part::Form(kick(
            hidden.collect(),
            "End all that are shown by this filter",
            list.total,
        )));
    }
    page.parts.push(Part::Table(Table {
        id: "sessions",
        title: String::new(),
        head: vec!["Session", "Route", "Subject", "Client", "Method", "Open for", "Credential until", ""],
        rows: list.sessions.iter().map(|session| row(session, &caller)).collect(),
        empty: match filled.is_empty() {
            true => "Nobody is connected. Sessions appear here as soon as a WebSocket is opened.".into(),
            false => "No live session is like that. Clear a field to see more.".into(),
        },
    }));
    page.answer()
}

fn row(session: &Shown, caller: &Caller) -> Vec<Cell> {
    let number = session.session.to_string();
    let action = match may(caller, Scope::Operate) {
        true => Cell::Action(Box::new(kick(vec![("session", number.clone())], "End", 1))),
        false => Cell::text(""),
    };
    vec![
        Cell::Link { href: format!("/sessions/{number}"), text: number },
        Cell::code(&session.route),
        Cell::maybe(session.subject.clone()),
        Cell::maybe(session.client.clone()),
        Cell::maybe(session.method.clone()),
        Cell::Number(show::ago(session.since)),
        Cell::Number(session.expires.map_or("–".into(), show::moment)),
        action,
    ]
}

fn kick(hidden: Vec<(&'static str, String)>, button: &'static str, count: usize) -> Form {
    let confirm = match count {
        1 => "End this session? Its client is told, and may come again.".into(),
        count => format!("End {count} sessions? Their clients are told, and may come again."),
    };
    Form { action: "/sessions/kick", hidden, fields: Vec::new(), button, confirm, is_dangerous: true }
}

pub(super) async fn session(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(session): Path<String>,
) -> Response {
    let number: u64 = session.parse().unwrap_or(u64::MAX);
    let mut page = Page::new(&shared, &caller, "Session", "/sessions");
    page.is_live = true;
    match live::one(&shared.gateway, number) {
        None => page.lead = "This session is not live any more. What is known of it stands below.".into(),
        Some(detail) => {
            let shown = detail.shown;
            page.lead = format!(
                "Session {number} on the route {}, open for {}.",
                shown.route,
                show::ago(shown.since)
            );
            page.parts.push(Part::Facts(vec![
                ("Subject", Cell::maybe(shown.subject)),
                ("Method", Cell::maybe(shown.method)),
                ("Credential", Cell::maybe(shown.token_id)),
                ("Client", Cell::maybe(shown.client)),
                ("Listener", Cell::code(detail.listener)),
                ("Transport", Cell::text(if detail.secure { "TLS" } else { "plain" })),
                ("Host", Cell::code(detail.host)),
                ("Path", Cell::code(detail.path)),
                ("Subprotocol", Cell::maybe(detail.subprotocol)),
                ("Opened", Cell::text(show::moment(shown.since))),
                ("Credential until", Cell::text(shown.expires.map_or("–".into(), show::moment))),
            ]));
            if may(&caller, Scope::Operate) {
                page.parts.push(Part::Link {
                    href: link("/messages", &[("session", &number.to_string())]),
                    text: "Look on at its messages",
                });
                page.parts.push(Part::Form(kick(
                    vec![("session", number.to_string())],
                    "End this session",
                    1,
                )));
            }
        }
    }
    let by = FoundBy { session: number.to_string(), ..FoundBy::default() };
    page.parts.push(Part::Table(found(
        by.latest(&shared),
        "Findings",
        "Nothing was found in its messages.".into(),
    )));
    let wanted = Wanted { session: number.to_string(), ..Wanted::default() };
    if let Ok(rows) = records::search(&shared, &wanted).await {
        let empty = "The audit store has nothing about it.";
        page.parts.push(Part::Table(recorded(
            &rows,
            "Audit, earlier processes' sessions of this number among it",
            empty,
        )));
    }
    page.answer()
}

pub(super) async fn findings(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(by): Query<FoundBy>,
) -> Response {
    let mut page = Page::new(&shared, &caller, "Findings", "/findings");
    page.is_live = true;
    let (seen, missed) = shared.gateway.findings.counts();
    page.lead = format!("{} findings since the start; the latest are shown.", show::number(seen));
    if missed > 0 {
        page.lead.push_str(&format!(" {} were not kept, so that no session waits.", show::number(missed)));
    }
    page.parts.push(Part::Filter(Filter::new(
        "/findings",
        vec![
            ("route", "Route", by.route.clone(), "chat"),
            ("class", "Class", by.class.clone(), "sqli"),
            ("session", "Session", by.session.clone(), "7"),
            ("client", "Client", by.client.clone(), "203.0.113.7"),
        ],
    )));
    let empty = "Nothing was found. Steps of a route's policy report here what they find in messages, and `admission.crs` what it finds in requests: see the configuration.";
    page.parts.push(Part::Table(found(by.latest(&shared), "", empty.into())));
    page.answer()
}

fn found(findings: Vec<Found>, title: &str, empty: String) -> Table {
    let rows = findings.into_iter().map(|found| {
        let mood = match (found.observed, found.action) {
            (true, _) => "warn",
            (false, "recorded") => "",
            (false, _) => "bad",
        };
        let action =
            if found.observed { format!("{}, observed", found.action) } else { found.action.to_owned() };
        let client = found.client.map(|client| client.to_string());
        vec![
            Cell::Number(show::clock(found.time)),
            match found.session {
                Some(session) => {
                    Cell::Link { href: format!("/sessions/{session}"), text: session.to_string() }
                }
                None => Cell::text("–"),
            },
            Cell::code(found.route),
            Cell::maybe(found.subject.map(String::from).or(client)),
            Cell::Badge("", found.class.to_owned()),
            Cell::Badge(mood, action),
            Cell::Link {
                href: format!("/findings/{}", found.number),
                text: found.rule.map_or_else(|| found.step.to_string(), |rule| rule.into()),
            },
            Cell::code(found.path),
            Cell::maybe(found.excerpt),
        ]
    });
    let head = [
        "Time (UTC)",
        "Session",
        "Route",
        "Subject or client",
        "Class",
        "Outcome",
        "Rule",
        "Path",
        "Excerpt",
    ];
    Table { id: "findings", title: title.to_owned(), head: head.to_vec(), rows: rows.collect(), empty }
}

pub(super) async fn audit(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let rows = match records::search(&shared, &wanted).await {
        Ok(rows) => rows,
        Err(records::Unread::None) => Vec::new(),
        Err(unread) => return problem(&shared, &caller, &unread.into()),
    };
    let mut page = Page::new(&shared, &caller, "Audit", "/audit");
    page.lead =
        "The newest records first. Every row holds the hash of the one before it, so that a change shows."
            .into();
    if shared.store.is_some() {
        page.parts.push(Part::Form(Form {
            action: "/audit/verify",
            hidden: Vec::new(),
            fields: Vec::new(),
            button: "Verify the chain",
            confirm: String::new(),
            is_dangerous: false,
        }));
    }
    page.parts.push(Part::Filter(Filter::new(
        "/audit",
        vec![
            ("event", "Event", wanted.event.clone(), "session.*"),
            ("subject", "Subject", wanted.subject.clone(), "alice"),
            ("session", "Session", wanted.session.clone(), "7"),
            ("route", "Route", wanted.route.clone(), "chat"),
            ("client", "Client", wanted.client.clone(), "203.0.113.7"),
            ("since", "Since", wanted.since.clone(), "2026-11-28T10:00:00Z"),
            ("until", "Until", wanted.until.clone(), "2026-11-28T11:00:00Z"),
        ],
    )));
    let empty = match shared.store {
        None => "There is no audit store. Give one in the configuration: audit: {store: {path: FILE}}.",
        Some(_) => "No record is like that. Clear a field to see more.",
    };
    page.parts.push(Part::Table(recorded(&rows, "", empty)));
    page.answer()
}

fn recorded(rows: &[Row], title: &str, empty: &str) -> Table {
    let rows = rows.iter().map(|row| {
        let text = |name: &str| row.field(name).text().map(str::to_owned);
        let event = text("event").unwrap_or_default();
        let mood = match event.as_str() {
            event if event.ends_with(".refused") => "bad",
            "admission.finding" | "message.finding" | "session.kicked" | "credential.revoked" => "warn",
            _ => "",
        };
        let time = row.field("timestamp").number().map(|micros| UNIX_EPOCH + Duration::from_micros(micros));
        vec![
            Cell::number(row.sequence),
            Cell::Number(time.map(show::clock).unwrap_or_default()),
            Cell::Badge(mood, event),
            Cell::maybe(text("subject")),
            Cell::maybe(text("client")),
            Cell::maybe(text("route")),
            Cell::maybe(row.field("session").number().map(|session| session.to_string())),
            Cell::code(rest(row)),
        ]
    });
    let head = ["Row", "Time (UTC)", "Event", "Subject", "Client", "Route", "Session", "More"];
    Table {
        id: "audit",
        title: title.to_owned(),
        head: head.to_vec(),
        rows: rows.collect(),
        empty: empty.to_owned(),
    }
}

/// The fields that have no column of their own.
fn rest(row: &Row) -> String {
    const OWN: [&str; 12] = [
        "sequence",
        "timestamp",
        "event",
        "subject",
        "client",
        "route",
        "session",
        "process",
        "serial",
        "payload",
        "previous",
        "hash",
    ];
    let row = row.to_json(None);
    let fields = row.as_object().into_iter().flatten().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let fields = fields.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    fields.collect::<Vec<_>>().join("  ")
}
