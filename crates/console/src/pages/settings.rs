//! The configuration: seen, checked, followed.

use axum::extract::{Extension, State};
use axum::response::Response;

use super::page::{Cell, Form, Page, Part, Table};
use super::problem;
use crate::access::caller::Caller;
use crate::api::operations::{Checked, changes, checked};
use crate::followed::Changes;
use crate::state::Shared;

pub(super) async fn page(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    show(&shared, &caller, None).await
}

pub(super) async fn check(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    match checked(&shared).await {
        Ok(checked) => show(&shared, &caller, Some(checked)).await,
        Err(found) => problem(&shared, &caller, &found),
    }
}

async fn show(shared: &Shared, caller: &Caller, checked: Option<Checked>) -> Response {
    let (files, changes) = match changes(shared).await {
        Ok((configuration, changes)) => (configuration.files, changes),
        Err(found) => return problem(shared, caller, &found),
    };
    let mut page = Page::new(shared, caller, "Configuration", "/configuration");
    page.lead = "The files as they are on the disk now: without comments, secrets masked. They are followed as soon as they change.".into();
    let form = |action, button, confirm: &str| Form {
        action,
        hidden: Vec::new(),
        fields: Vec::new(),
        button,
        confirm: confirm.to_owned(),
        is_dangerous: false,
    };
    page.parts.push(Part::Form(form("/configuration/check", "Check the files", "")));
    page.parts.push(Part::Form(form(
        "/configuration/reload",
        "Read them anew",
        "Follow the files as they are now? A file that cannot be used changes nothing.",
    )));
    if let Some(checked) = checked {
        let word = if checked.usable { "They can be used" } else { "They cannot be used" };
        page.parts.push(Part::Table(Table {
            id: "problems",
            title: format!("{word}: {} errors, {} warnings", checked.errors, checked.warnings),
            head: vec!["Finding"],
            rows: checked.problems.into_iter().map(|line| vec![Cell::code(line)]).collect(),
            empty: "Nothing is wrong with them.".into(),
        }));
    }
    differences(changes, &mut page.parts);
    page.parts.extend(files.into_iter().map(|file| Part::Text { title: file.path, text: file.text }));
    page.answer()
}

/// What following the files would change.
fn differences(changes: Changes, parts: &mut Vec<Part>) {
    if !changes.changed {
        return parts.push(Part::Note("The files are what is followed.".into()));
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for part in changes.parts {
        let mood = match part.what {
            "added" => "good",
            "removed" => "bad",
            _ => "warn",
        };
        rows.push(vec![
            Cell::Badge(mood, part.what.to_owned()),
            Cell::code(part.section),
            Cell::maybe(part.name),
        ]);
    }
    for setting in changes.restart {
        rows.push(vec![
            Cell::Badge("warn", "at a restart".into()),
            Cell::code(setting),
            Cell::text("stays as it is until then"),
        ]);
    }
    if changes.ending > 0 {
        let told =
            format!("{} live sessions have no route any more, and end within the drain time", changes.ending);
        rows.push(vec![Cell::Badge("bad", "ends".into()), Cell::code("sessions"), Cell::text(told)]);
    }
    parts.push(Part::Table(Table {
        id: "changes",
        title: "What reading them anew would change".into(),
        head: vec!["", "Part", "Name"],
        rows,
        empty: "Nothing but secrets, comments or the way of writing.".into(),
    }));
    for file in changes.files {
        let text =
            file.lines.unwrap_or_else(|| "Only secrets, comments or the way of writing differ.".into());
        parts.push(Part::Diff { title: format!("{}: followed, and now", file.path), lines: text });
    }
}
