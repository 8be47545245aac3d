//! Live messages of a route or a session.

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use wicketgate_gateway::operate::places;

use super::page::{Choice, Filter, Page, Part, link};
use crate::access::caller::Caller;
use crate::show;
use crate::state::Shared;
use crate::watching::Wanted;

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let config = shared.config.load().messages;
    let mut page = Page::new(&shared, &caller, "Messages", "/messages");
    page.lead = format!(
        "What clients and upstreams say, as they say it: up to {} messages a second, their secrets covered. The audit log has who looked on.",
        config.per_second
    );
    let routes = places::routes(&shared.gateway).routes;
    let together = routes.into_iter().filter(|route| route.mode == Some("messages")).map(|route| route.name);
    let mut names: Vec<String> = together.collect();
    if !wanted.route.is_empty() && !names.contains(&wanted.route) {
        names.push(wanted.route.clone());
    }
    let choice = |name, label, value: &str, all: Vec<(String, String)>| {
        let any = if name == "route" { "Choose a route" } else { "Both" };
        let options = std::iter::once((String::new(), any.to_owned())).chain(all);
        let options = options.map(|(option, text)| (value == option, option, text));
        Choice { name, label, options: options.collect() }
    };
    let known = |all: &[(&str, &str)]| {
        all.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect::<Vec<_>>()
    };
    let mut filter = Filter::new(
        "/messages",
        vec![
            ("session", "Session", wanted.session.clone(), "7"),
            ("text", "With the text", wanted.text.clone(), "order"),
        ],
    );
    filter.choices = vec![
        choice(
            "route",
            "Route",
            &wanted.route,
            names.iter().map(|name| (name.clone(), name.clone())).collect(),
        ),
        choice(
            "direction",
            "Direction",
            &wanted.direction,
            known(&[("to_upstream", "to upstream"), ("to_client", "to client")]),
        ),
        choice("kind", "Kind", &wanted.kind, known(&[("text", "text"), ("binary", "binary")])),
    ];
    filter.button = "Look on";
    page.parts.push(Part::Filter(filter));
    let is_asked = !wanted.route.is_empty() || !wanted.session.is_empty();
    page.parts.push(match (config.watchers, is_asked) {
        (0, _) => Part::Empty("Nobody sees messages here: console.messages.watchers is 0.".into()),
        (_, true) => Part::Tail(source(&wanted)),
        (_, false) if names.is_empty() => Part::Empty(
            "No route puts messages together. Give one a policy, or websocket.mode: messages.".into(),
        ),
        (_, false) => Part::Empty(format!(
            "Choose a route, or give a session's number. Somebody looks on for {} at most; then it is asked for anew.",
            show::span(config.longest)
        )),
    });
    page.answer()
}

/// Where the messages come from.
fn source(wanted: &Wanted) -> String {
    let all = [
        ("route", &wanted.route),
        ("session", &wanted.session),
        ("direction", &wanted.direction),
        ("kind", &wanted.kind),
        ("text", &wanted.text),
    ];
    let given: Vec<(&str, &str)> = all
        .into_iter()
        .map(|(name, value)| (name, value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    link("/api/v1/messages", &given)
}
