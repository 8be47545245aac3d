//! The doctor from the gateway's side.

use axum::extract::{Extension, State};
use axum::response::Response;
use wicketgate_gateway::operate::doctor::{Report, Severity};

use super::page::{Cell, Form, Page, Part, Table};
use super::problem;
use crate::access::caller::Caller;
use crate::api::operations;
use crate::state::Shared;

pub(super) async fn page(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    show(&shared, &caller, None)
}

pub(super) async fn examine(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    match operations::examine(&shared).await {
        Ok(report) => show(&shared, &caller, Some(report)),
        Err(found) => problem(&shared, &caller, &found),
    }
}

fn show(shared: &Shared, caller: &Caller, report: Option<Report>) -> Response {
    let mut page = Page::new(shared, caller, "Doctor", "/doctor");
    page.lead = "Looks once at certificates, targets, the clock, limits of the system, where clients come from, and the audit. It takes \
                 a connection to each target. Agents and clients have their own: wicketgate doctor."
        .into();
    page.parts.push(Part::Form(Form {
        action: "/doctor",
        hidden: Vec::new(),
        fields: Vec::new(),
        button: "Look",
        confirm: String::new(),
        is_dangerous: false,
    }));
    let Some(report) = report else { return page.answer() };
    let rows = report.checks.into_iter().map(|check| {
        let (mood, word) = match check.severity {
            Severity::Pass => ("good", "good"),
            Severity::Warn => ("warn", "look at it"),
            Severity::Fail => ("bad", "fails"),
        };
        vec![
            Cell::Badge(mood, word.to_owned()),
            Cell::code(check.id),
            Cell::text(check.seen),
            Cell::text(check.remedy),
        ]
    });
    page.parts.push(Part::Table(Table {
        id: "checks",
        title: "What was seen".into(),
        head: vec!["", "Check", "Seen", "What to do"],
        rows: rows.collect(),
        empty: "Nothing was there to be looked at.".into(),
    }));
    page.answer()
}
