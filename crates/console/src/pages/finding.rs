//! One finding: what was found, by which rule, and what would keep it from being found again.

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use http::StatusCode;
use wicketgate_gateway::operate::findings as found;

use super::page::{Cell, Page, Part, link};
use super::problem;
use crate::access::caller::Caller;
use crate::api::error::Problem;
use crate::show;
use crate::state::Shared;

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Response {
    let kept = number.parse().ok().and_then(|number| found::one(&shared.gateway, number));
    let Some(finding) = kept else {
        let what = "This finding is not kept any more. The audit store may have it.";
        return problem(&shared, &caller, &Problem::new(StatusCode::NOT_FOUND, what));
    };
    let exclusion = found::exclusion(&shared.gateway, &finding);
    let mut page = Page::new(&shared, &caller, "Finding", "/findings");
    let what = if finding.session.is_some() { "message" } else { "request" };
    let does = if finding.observed { "only observed" } else { "acted upon" };
    page.lead = format!(
        "Found {} in a {what} of the route {}, where findings are {does}.",
        show::clock(finding.time),
        finding.route,
    );
    let session = finding.session.map(|session| session.to_string());
    let client = finding.client.map(|client| client.to_string());
    let place = match &session {
        Some(session) => {
            ("Session", Cell::Link { href: format!("/sessions/{session}"), text: session.clone() })
        }
        None => ("Session", Cell::text("–")),
    };
    let others = match (&session, &client) {
        (Some(session), _) => Some(("session", session, "Other findings of the session")),
        (None, client) => client.as_ref().map(|client| ("client", client, "Other findings of the client")),
    };
    let others =
        others.map(|(name, value, text)| Part::Link { href: link("/findings", &[(name, value)]), text });
    page.parts.push(Part::Facts(vec![
        ("Class", Cell::Badge("", finding.class.to_owned())),
        ("Outcome", Cell::Badge(if finding.observed { "warn" } else { "bad" }, finding.action.to_owned())),
        ("Rule", Cell::maybe(finding.rule)),
        ("Step", Cell::code(finding.step)),
        ("Direction", Cell::code(finding.direction)),
        ("Path", Cell::code(finding.path)),
        place,
        ("Subject", Cell::maybe(finding.subject)),
        ("Client", Cell::maybe(client)),
        ("Detail", Cell::text(finding.detail)),
    ]));
    page.parts.push(Part::Text {
        title: "Excerpt, masked".into(),
        text: finding.excerpt.map_or_else(|| "There is none.".into(), String::from),
    });
    match exclusion {
        Ok(exclusion) => {
            let warning = if exclusion.broad { " This is broad: prefer a finding with a field." } else { "" };
            page.parts.push(Part::Lines {
                title: "An exclusion, to be reviewed",
                about: format!(
                    "{} It is applied by nobody but you: put it into the configuration, check it, and have it read anew.{warning}",
                    exclusion.effect
                ),
                text: exclusion.text,
            });
        }
        Err(why) => page.parts.push(Part::Empty(format!("There is no exclusion to be made: {why}."))),
    }
    page.parts.extend(others);
    page.answer()
}
