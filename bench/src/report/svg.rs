//! The chart: a group of bars for each cell, readable on light and on dark ground.

use std::fmt::Write;

use super::Report;
use super::summary::{Measure, Summary};
use super::table::number;
use crate::cell::Work;
use crate::peer::Peer;

const WIDTH: u32 = 860;
const NAMES: u32 = 160;
const BARS: u32 = 520;
const BAR: u32 = 15;
const TITLE: u32 = 24;
const GAP: u32 = 14;
const TOP: u32 = 76;

const STYLE: &str = "
  svg { --ground: #ffffff; --text: #1f2328; --faint: #656d76; --own: #0969da; --peer: #9aa4af; --floor: #d0d7de }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --text: #e6edf3; --faint: #8d96a0; --own: #4493f8; --peer: #6e7681; --floor: #3d444d }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--text) }
  .head { font-size: 16px; font-weight: 600 } .title { font-weight: 600 } .faint { fill: var(--faint) }
  .own { fill: var(--own) } .peer { fill: var(--peer) } .floor { fill: var(--floor) }
";

pub(super) fn chart(report: &Report, summaries: &[Summary<'_>]) -> String {
    let mut groups = String::new();
    let mut y = TOP;
    for summary in summaries {
        y = group(&mut groups, summary, y);
    }
    let machine = &report.machine;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" role=\"img\" \
         aria-label=\"Cost of every proxy in every cell\">\n<style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"var(--ground)\"/>\n\
         <text class=\"head\" x=\"16\" y=\"28\">What a proxy costs: shorter is better</text>\n\
         <text class=\"faint\" x=\"16\" y=\"48\">{}, {} cores, medians of {} rounds. Each group has its own scale; the line ends at \
         its most and least round.</text>\n{groups}</svg>\n",
        escaped(&machine.date),
        machine.cores,
        report.settings.rounds,
    )
}

/// Draws one cell from `y` on and tells where the next begins.
fn group(out: &mut String, summary: &Summary<'_>, mut y: u32) -> u32 {
    let measure = Measure::cost_of(&summary.cell);
    let spreads: Vec<_> =
        summary.peers.iter().filter_map(|&peer| Some((peer, summary.spread(peer, measure)?))).collect();
    let longest = spreads.iter().map(|(_, spread)| spread.most).fold(0.0, f64::max);
    if longest <= 0.0 {
        return y;
    }
    let unit = match summary.cell.work {
        Work::Idle => "KiB resident for a session",
        _ => &format!("CPU seconds for a million {}", summary.cell.unit()),
    };
    writeln!(
        out,
        "<text x=\"16\" y=\"{}\"><tspan class=\"title\">{}</tspan><tspan class=\"faint\" dx=\"8\">{unit}</tspan></text>",
        y + 14,
        escaped(&summary.cell.to_string()),
    )
    .ok();
    y += TITLE;
    let best = summary.best(measure);
    let scale = f64::from(BARS) / longest;
    for (peer, spread) in spreads {
        let [least, median, most] =
            [spread.least, spread.median, spread.most].map(|value| value.max(0.0) * scale);
        let (base, middle) = (y + BAR - 4, f64::from(y) + f64::from(BAR - 3) / 2.0);
        let ratio = best.and_then(|best| summary.ratio(peer, best, measure));
        let ratio = ratio.map_or(String::new(), |ratio| format!(" ({ratio:.2} x best peer)"));
        let start = f64::from(NAMES);
        writeln!(
            out,
            "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{peer}</text>\
             <rect class=\"{}\" x=\"{NAMES}\" y=\"{y}\" width=\"{median:.1}\" height=\"{}\" rx=\"2\">\
             <title>{peer}: {}{ratio}</title></rect>\
             <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"var(--text)\" stroke-opacity=\".55\"/>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{base}\">{}</text>",
            NAMES - 8,
            colour(peer),
            BAR - 3,
            number(spread.median),
            start + least,
            start + most,
            start + most.max(median) + 6.0,
            number(spread.median),
        )
        .ok();
        y += BAR;
    }
    y + GAP
}

fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Floor | Peer::Direct => "floor",
        peer if peer.is_wicketgate() => "own",
        _ => "peer",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
