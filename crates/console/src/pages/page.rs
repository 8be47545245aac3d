//! What pages are made of. Templates escape whatever they show, so that what an attacker said stays text.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use wicketgate_gateway::console::Scope;

use crate::access::caller::Caller;
use crate::api::error::Problem;
use crate::state::Shared;

/// A page.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page {
    pub(super) title: &'static str,
    /// The path of its entry in the menu.
    pub(super) active: &'static str,
    /// What it is about, in a sentence.
    pub(super) lead: String,
    /// Whether it keeps itself fresh.
    pub(super) is_live: bool,
    pub(super) parts: Vec<Part>,
    user: String,
    role: &'static str,
    csrf: String,
    notice: Option<String>,
    /// Name and path of each page that the user may see.
    menu: Vec<(&'static str, &'static str)>,
    is_draining: bool,
}

/// A piece of a page.
pub(super) enum Part {
    /// Figures side by side.
    Tiles(Vec<Tile>),
    /// Figures of the last minutes.
    Charts(Vec<Chart>),
    /// What the table behind it is to show.
    Filter(Filter),
    /// Rows.
    Table(Table),
    /// Names and values.
    Facts(Vec<(&'static str, Cell)>),
    /// Messages as they come, from this path of the API.
    Tail(String),
    /// A sentence in place of what is not there.
    Empty(String),
    /// A text as it is.
    Text { title: String, text: String },
    /// Lines that are gone, and lines that are new.
    Diff { title: String, lines: String },
    /// A sentence.
    Note(String),
    /// Lines to be copied.
    Lines { title: &'static str, about: String, text: String },
    /// Something to do.
    Form(Form),
    /// Another page, as a button.
    Link { href: String, text: &'static str },
}

pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
    /// `good`, `bad` or nothing.
    pub(super) mood: &'static str,
}

pub(super) struct Chart {
    pub(super) label: &'static str,
    pub(super) key: &'static str,
    /// How the script writes values: `number`, `rate`, `bytes` or `millis`.
    pub(super) unit: &'static str,
    pub(super) now: String,
    /// The values, joined by commas, the oldest first.
    pub(super) values: String,
    /// The points of its line in a field of 300 by 64.
    pub(super) points: String,
}

pub(super) struct Filter {
    pub(super) action: &'static str,
    /// Name, label, value and what may stand there.
    pub(super) fields: Vec<(&'static str, &'static str, String, &'static str)>,
    /// What is chosen among a few.
    pub(super) choices: Vec<Choice>,
    pub(super) button: &'static str,
}

pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Whether it is chosen, its value, and how it is called.
    pub(super) options: Vec<(bool, String, String)>,
}

pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: String,
    /// What is over the cells of a row, one for each.
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What stands there when there are no rows: what to do.
    pub(super) empty: String,
}

pub(super) enum Cell {
    Text(String),
    /// A name, a number or a path: in type of one width.
    Code(String),
    Number(String),
    /// A word with a colour: `good`, `bad`, `warn` or nothing.
    Badge(&'static str, String),
    Link {
        href: String,
        text: String,
    },
    Action(Box<Form>),
}

pub(super) struct Form {
    pub(super) action: &'static str,
    /// Names and values that go along.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// Name and label of what is to be filled in.
    pub(super) fields: Vec<(&'static str, &'static str, &'static str)>,
    pub(super) button: &'static str,
    /// What is asked first; nothing is asked where it is empty.
    pub(super) confirm: String,
    pub(super) is_dangerous: bool,
}

#[derive(Template)]
#[template(path = "plain.html")]
struct Plain<'a> {
    title: &'a str,
    text: &'a str,
}

/// All pages: name, path and what seeing them needs.
const MENU: [(&str, &str, Scope); 11] = [
    ("Overview", "/", Scope::Read),
    ("Sessions", "/sessions", Scope::Read),
    ("Messages", "/messages", Scope::Operate),
    ("Findings", "/findings", Scope::Read),
    ("Audit", "/audit", Scope::Read),
    ("Routes", "/routes", Scope::Read),
    ("Relay", "/relay", Scope::Read),
    ("Revocations", "/revocations", Scope::Read),
    ("Certificates", "/certificates", Scope::Read),
    ("Doctor", "/doctor", Scope::Operate),
    ("Configuration", "/configuration", Scope::Admin),
];

impl Page {
    /// A page that says nothing yet.
    pub(super) fn new(shared: &Shared, caller: &Caller, title: &'static str, active: &'static str) -> Self {
        let menu = MENU.iter().filter(|(_, _, needed)| caller.scope >= *needed);
        let session = caller.session();
        Self {
            title,
            active,
            lead: String::new(),
            is_live: false,
            parts: Vec::new(),
            user: caller.name.clone(),
            role: session.map_or("token", |session| session.role.label()),
            csrf: session.map(|session| session.csrf.reveal().to_owned()).unwrap_or_default(),
            notice: session.and_then(|session| session.take_notice()),
            menu: menu.map(|(name, path, _)| (*name, *path)).collect(),
            is_draining: shared.gateway.is_draining(),
        }
    }

    /// Whether this is the page's entry in the menu.
    fn is_active(&self, path: &str) -> bool {
        self.active == path
    }

    /// How a line of a difference is shown.
    fn mood(&self, line: &str) -> &'static str {
        match line.as_bytes().first() {
            Some(b'+') => "ins",
            Some(b'-') => "del",
            Some(b'@') => "at",
            _ => "",
        }
    }

    /// Whether messages come to it.
    fn has_tail(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Tail(_)))
    }

    pub(super) fn answer(self) -> Response {
        html(StatusCode::OK, &self)
    }
}

impl Filter {
    /// Fields to be filled in, and no choices.
    pub(super) fn new(
        action: &'static str,
        fields: Vec<(&'static str, &'static str, String, &'static str)>,
    ) -> Self {
        Self { action, fields, choices: Vec::new(), button: "Show" }
    }
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }

    /// Something that may not be there.
    pub(super) fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or_else(|| Self::Text("–".into()), |text| Self::Code(text.into()))
    }

    pub(super) fn number(number: u64) -> Self {
        Self::Number(crate::show::number(number))
    }
}

/// A page that says only that something is not done.
pub(crate) fn refused(whose: Option<(&Shared, &Caller)>, problem: &Problem) -> Response {
    match whose {
        None => html(problem.code(), &Plain { title: &problem.title, text: &problem.detail }),
        Some((shared, caller)) => {
            let mut page = Page::new(shared, caller, "Not done", "");
            page.lead = problem.detail.clone();
            html(problem.code(), &page)
        }
    }
}

pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n").into_response()
        }
    }
}

/// A text with these headers.
pub(super) fn raw(headers: &[(HeaderName, &'static str)], text: &'static str) -> Response {
    let mut response = text.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A path with a query.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}
