//! The tables: what each contender did in each cell, then Wicketgate's ratios.

use std::fmt::Write;

use super::Report;
use super::summary::{Measure, Spread, Summary};
use crate::cell::Work;
use crate::peer::Peer;

const NONE: &str = "-";

pub(super) fn text(report: &Report, summaries: &[Summary<'_>]) -> String {
    let mut out = head(report);
    let ratios = ratios(summaries);
    if !ratios.is_empty() {
        out.push_str("\n## Ratios\n\nWicketgate's cost in each cell as a multiple of each proxy's (below 1: Wicketgate costs less): ");
        out.push_str("processor time for a message or session, in idle cells memory. The best peer is the one with the lowest ");
        out.push_str(
            "median, the floor not among them; `rate` and `p99` are to the best peer in that figure.\n\n",
        );
        out.push_str(&ratios);
    }
    for summary in summaries {
        let rows = figures(summary);
        write!(out, "\n## {}\n\n{}\n{}", summary.cell, caption(summary), aligned(&rows)).ok();
        for (peer, round, reason) in summary.failures() {
            writeln!(out, "\nRound {round}, {peer}: {reason}").ok();
        }
    }
    out
}

fn head(report: &Report) -> String {
    let (machine, settings) = (&report.machine, &report.settings);
    let versions: Vec<String> =
        report.versions.iter().map(|(peer, version)| format!("{peer} {version}")).collect();
    format!(
        "{}: {} cores of {}, {} GiB, Linux {}, load {} before. {} rounds of {} s, {} connections, {} workers each; \
         {} idle sessions; key exchange {}.\n{}.\n",
        machine.date,
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.kernel,
        machine.load_before,
        settings.rounds,
        settings.seconds,
        settings.connections,
        settings.workers,
        settings.idle_sessions,
        if settings.post_quantum { "X25519MLKEM768" } else { "X25519" },
        versions.join(", "),
    )
}

fn caption(summary: &Summary<'_>) -> String {
    let mut text = match summary.cell.work {
        Work::Echo { size, in_flight, deflate } => format!(
            "{size} bytes, {in_flight} in flight.{}",
            if deflate { " Compressed; peers pass the compressed bytes on unseen." } else { "" }
        ),
        Work::Sessions => "Connect, upgrade, echo 64 bytes, close.".to_owned(),
        Work::Idle => "Memory of a session that echoed 1 KiB and is silent.".to_owned(),
    };
    if let Some(Spread { median, most, .. }) = summary.elsewhere() {
        let [median, most] = [median, most].map(|share| share * 100.0);
        write!(text, " Others used {median:.0} % of the machine meanwhile, at most {most:.0} %.").ok();
    }
    text.push('\n');
    text
}

fn figures(summary: &Summary<'_>) -> Vec<Vec<String>> {
    let idle = summary.cell.work == Work::Idle;
    let head: &[&str] = if idle {
        &["", "KiB/session", "spread", "x best"]
    } else {
        &["", "per second", "CPU s/million", "spread", "x best", "p50 us", "p99 us", "p99.9 us"]
    };
    let mut rows = vec![head.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()];
    let measure = Measure::cost_of(&summary.cell);
    let best = summary.best(measure);
    for &peer in &summary.peers {
        let median =
            |measure| summary.spread(peer, measure).map_or(NONE.to_owned(), |spread| number(spread.median));
        let ratio = best.and_then(|best| summary.ratio(peer, best, measure));
        let cost =
            [median(measure), summary.spread(peer, measure).map_or(NONE.to_owned(), range), times(ratio)];
        let mut row = vec![peer.name()];
        if idle {
            row.extend(cost);
        } else {
            row.push(median(Measure::Rate));
            row.extend(cost);
            row.extend([Measure::P50, Measure::P99, Measure::P999].map(median));
        }
        rows.push(row);
    }
    rows
}

fn ratios(summaries: &[Summary<'_>]) -> String {
    let mut others: Vec<Peer> = summaries.iter().flat_map(|summary| summary.peers.iter().copied()).collect();
    others.sort();
    others.dedup();
    others.retain(|peer| peer.is_rival() || *peer == Peer::Floor);
    let mut head: Vec<String> = ["cell", "", "x best", "best"].map(str::to_owned).to_vec();
    head.extend(others.iter().map(|peer| peer.name()));
    head.extend(["rate", "p99"].map(str::to_owned));
    let mut rows = vec![head];
    for summary in summaries {
        let measure = Measure::cost_of(&summary.cell);
        let best = summary.best(measure);
        for &peer in summary.peers.iter().filter(|peer| peer.is_wicketgate()) {
            let to = |other: Option<Peer>, measure| {
                times(other.and_then(|other| summary.ratio(peer, other, measure)))
            };
            let mut row = vec![summary.cell.to_string(), peer.name(), to(best, measure)];
            row.push(best.map_or(NONE.to_owned(), Peer::name));
            row.extend(others.iter().map(|&other| to(Some(other), measure)));
            row.extend([Measure::Rate, Measure::P99].map(|measure| to(summary.best(measure), measure)));
            rows.push(row);
        }
    }
    if rows.len() == 1 { String::new() } else { aligned(&rows) }
}

/// A Markdown table whose source can be read as well: words left, numbers right.
fn aligned(rows: &[Vec<String>]) -> String {
    let Some(head) = rows.first() else { return String::new() };
    let is_number = |text: &String| text == NONE || text.starts_with(|first: char| first.is_ascii_digit());
    let columns: Vec<(usize, bool)> = (0..head.len())
        .map(|column| {
            let cells = || rows.iter().filter_map(move |row| row.get(column));
            (cells().map(String::len).max().unwrap_or(0).max(2), cells().skip(1).all(is_number))
        })
        .collect();
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (text, &(width, right)) in row.iter().zip(&columns) {
            if right { write!(out, "| {text:>width$} ") } else { write!(out, "| {text:<width$} ") }.ok();
        }
        out.push_str("|\n");
        if index == 0 {
            for &(width, right) in &columns {
                write!(out, "|{}{}", "-".repeat(width + 1), if right { ":" } else { "-" }).ok();
            }
            out.push_str("|\n");
        }
    }
    out
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or(NONE.to_owned(), |ratio| format!("{ratio:.2}"))
}

fn range(spread: Spread) -> String {
    format!("{} to {}", number(spread.least), number(spread.most))
}

/// Three significant digits, whole numbers above a hundred.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
