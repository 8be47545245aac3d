//! The overview: what goes through the gate now, and in the last minutes.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use wicketgate_gateway::latency::Counts;
use wicketgate_gateway::operate::places;
use wicketgate_gateway::operate::traffic::Overview;

use super::page::{Cell, Chart, Page, Part, Table, Tile, link};
use crate::access::caller::Caller;
use crate::samples::{KEPT, Sample};
use crate::show;
use crate::state::Shared;

pub(super) async fn page(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let overview = Overview::of(&shared.gateway);
    let samples = shared.samples.all();
    let now = samples.last().cloned().unwrap_or_default();
    let mut page = Page::new(&shared, &caller, "Overview", "/");
    page.is_live = true;
    let up = show::span(shared.since.elapsed().unwrap_or_default());
    page.lead = format!("Version {}, up for {up}.", env!("CARGO_PKG_VERSION"));
    page.parts = vec![
        Part::Charts(vec![
            chart("Sessions", "sessions", "number", show::number(overview.sessions as u64), &samples, |s| {
                s.sessions as f64
            }),
            chart("Messages a second", "messages", "rate", show::rate(now.messages), &samples, |s| {
                s.messages
            }),
            chart("Bytes a second", "bytes", "bytes", show::bytes(now.bytes), &samples, |s| s.bytes),
            chart("Refusals a second", "refusals", "rate", show::rate(now.refusals), &samples, |s| {
                s.refusals
            }),
            chart(
                "Upstream handshake, p99",
                "handshake",
                "millis",
                show::millis(now.handshake),
                &samples,
                |s| s.handshake,
            ),
            chart("Judging a message, p99", "judging", "millis", show::millis(now.judging), &samples, |s| {
                s.judging
            }),
        ]),
        Part::Tiles(tiles(&shared, &overview)),
        Part::Table(routes(&overview, &now)),
        Part::Table(waits(&shared, &overview)),
        Part::Table(refusals(&overview)),
    ];
    page.answer()
}

fn tiles(shared: &Shared, overview: &Overview) -> Vec<Tile> {
    let upstreams = places::upstreams(&shared.gateway).upstreams;
    let targets: Vec<bool> =
        upstreams.iter().flat_map(|upstream| upstream.targets.iter().map(|target| target.healthy)).collect();
    let healthy = targets.iter().filter(|healthy| **healthy).count();
    let tile = |label, value: String, note: &str, mood| Tile { label, value, note: note.to_owned(), mood };
    let lost: u64 = overview.audit.iter().map(|place| place.dropped).sum();
    let audit = match (overview.audit_ready, lost) {
        (false, _) => tile("Audit", "failing".into(), "records cannot be written", "bad"),
        (true, 0) => tile("Audit", "complete".into(), "no record was lost", "good"),
        (true, lost) => tile("Audit", format!("{} lost", show::number(lost)), "queues were full", "bad"),
    };
    let all_are = healthy == targets.len();
    vec![
        tile(
            "Targets",
            format!("{healthy} of {}", targets.len()),
            "can be used",
            if all_are { "good" } else { "bad" },
        ),
        tile("Findings", show::number(overview.findings), "since the start", ""),
        audit,
        tile("Unfinished messages", show::bytes(overview.assembly_bytes as f64), "in memory", ""),
        tile("Inflation", show::bytes(overview.inflate_bytes as f64), "in memory", ""),
    ]
}

fn routes(overview: &Overview, now: &Sample) -> Table {
    let rows = overview.routes.iter().map(|route| {
        let rate = now.routes.iter().find(|sample| sample.route == route.route).cloned().unwrap_or_default();
        let (clients, upstreams) = (route.from_clients, route.from_upstreams);
        vec![
            Cell::Link { href: link("/sessions", &[("route", &route.route)]), text: route.route.clone() },
            Cell::number(u64::try_from(route.sessions).unwrap_or(0)),
            Cell::Number(show::rate(rate.messages)),
            Cell::Number(show::bytes(rate.bytes)),
            Cell::number(clients.messages),
            Cell::number(upstreams.messages),
            Cell::number(clients.dropped + upstreams.dropped),
        ]
    });
    Table {
        id: "routes",
        title: "Routes".into(),
        head: vec!["Route", "Sessions", "Messages/s", "Bytes/s", "From clients", "From upstreams", "Dropped"],
        rows: rows.collect(),
        empty: "There is no route: add one under `routes:` in the configuration.".into(),
    }
}

/// How long the sessions of each route wait for what.
fn waits(shared: &Shared, overview: &Overview) -> Table {
    let rows = overview.routes.iter().map(|route| {
        let waited = shared.samples.waits.of(&route.route);
        let percentiles = |counts: &Counts| {
            [50, 90, 99].map(|percent| Cell::Number(show::time(counts.percentile(percent))))
        };
        let name =
            Cell::Link { href: link("/sessions", &[("route", &route.route)]), text: route.route.clone() };
        let handshakes = Cell::number(waited.handshake.total());
        std::iter::once(name)
            .chain([handshakes])
            .chain(percentiles(&waited.handshake))
            .chain(percentiles(&waited.judging))
            .collect()
    });
    Table {
        id: "waits",
        title: "Latencies of the last minutes".into(),
        head: vec!["Route", "Handshakes", "Upstream p50", "p90", "p99", "Judging p50", "p90", "p99"],
        rows: rows.collect(),
        empty: "There is no route.".into(),
    }
}

fn refusals(overview: &Overview) -> Table {
    let rows = overview.refusals.iter().take(12);
    Table {
        id: "refusals",
        title: "Refusals since the start".into(),
        head: vec!["Reason", "Count"],
        rows: rows.map(|refusals| vec![Cell::code(refusals.reason), Cell::number(refusals.count)]).collect(),
        empty: "Nothing was refused. Refusals are listed here by their reason.".into(),
    }
}

fn chart(
    label: &'static str,
    key: &'static str,
    unit: &'static str,
    now: String,
    samples: &[Arc<Sample>],
    of: impl Fn(&Sample) -> f64,
) -> Chart {
    let values: Vec<f64> = samples.iter().map(|sample| of(sample)).collect();
    let text: Vec<String> = values.iter().map(|value| format!("{value:.3}")).collect();
    Chart { label, key, unit, now, values: text.join(","), points: points(&values) }
}

/// The line's points in a field of 300 by 64, the latest at its right end; the script draws it the same way.
fn points(values: &[f64]) -> String {
    // What stays below 1 is drawn as high: a time may be in microseconds.
    let top = values.iter().copied().fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let left = KEPT.saturating_sub(values.len());
    let mut points = String::new();
    for (at, value) in values.iter().enumerate() {
        let (x, y) = ((left + at) as f64 * 300.0 / (KEPT - 1) as f64, 62.0 - value / top * 58.0);
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    points
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_ends_at_the_right() {
        assert_eq!(super::points(&[0.0, 2.0]), "298.0,62.0 300.0,4.0 ");
        assert_eq!(super::points(&[]), "");
    }
}
