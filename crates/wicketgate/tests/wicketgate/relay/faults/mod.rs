//! Twenty sessions that move bytes both ways while everything goes wrong, and the page that says what came of it.

mod checked;
mod clock;
mod disk;
mod extent;
mod flow;
mod line;
mod page;
mod random;
mod rows;
mod run;
mod services;
mod stage;
mod traffic;

use std::time::Instant;

use anyhow::Result;

use self::extent::Extent;
use self::page::Line;
use self::rows::{ROWS, Row};
use self::run::Moving;
use self::stage::{SESSIONS, Stage};

/// What the sessions of an agent that was started anew end with.
const RESTARTED: &str = "agent_restarted";

/// Runs one row on a stage.
async fn run(row: Row, stage: &mut Stage, extent: Extent) -> Result<Line> {
    let resumed = stage.said("resumed");
    let moving = Moving::start(stage)?;
    moving.each(extent.bytes()).await?;
    let cuts = row.befall(stage, &moving, extent).await?;
    let restarted = row == Row::AgentRestarted;
    let outcome = match restarted {
        true => moving.ended().await,
        false => {
            moving.each(extent.bytes()).await?;
            moving.finish().await
        }
    };
    let resumed: usize = stage.said("resumed").iter().zip(resumed).map(|(now, before)| now - before).sum();
    let alive =
        stage.clients.iter_mut().filter_map(|client| client.process.exited().ok()?.is_none().then_some(()));
    let (alive, typed) = (alive.count(), stage.said(RESTARTED).iter().filter(|said| **said > 0).count());
    let sessions = match restarted {
        true => format!("{typed} of {SESSIONS} end: `{RESTARTED}`"),
        false => format!("{} of {SESSIONS} go on", alive.min(outcome.whole)),
    };
    if !restarted {
        outcome.broken.iter().for_each(|why| println!("  {why}"));
    }
    Ok(Line { cuts, resumed, bytes: outcome.bytes, sessions, faults: outcome.faults })
}

/// With `UPDATE_GOLDEN=1` and `WICKETGATE_TEST_ALL=1` the page is written anew.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_outlive_what_the_page_says() {
    let extent = Extent::asked();
    let only = std::env::var("WICKETGATE_FAULTS").ok();
    let (mut stage, mut lines) = (None, Vec::new());
    for (row, name) in ROWS {
        let left_out = extent == Extent::Short && row.is_long();
        if left_out || only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            println!("left out: {name}");
            continue;
        }
        let start = Instant::now();
        if row == Row::ClockJumps {
            stage = None;
        }
        let environment = match row {
            Row::ClockJumps => clock::environment,
            _ => |_: &_, _| Vec::new(),
        };
        let mut on = match stage.take() {
            Some(stage) => stage,
            None => Stage::start(environment).await.unwrap(),
        };
        let line = run(row, &mut on, extent).await.unwrap_or_else(|error| {
            println!("{name}: {error:#}\n{}", on.tails());
            Line::failed()
        });
        println!("{name}: {line:?} in {:?}", start.elapsed());
        // Of what went wrong the next row is to know nothing.
        if line.holds() && row != Row::AgentRestarted {
            stage = Some(on);
        }
        lines.push((name, line));
    }
    if extent == Extent::All && only.is_none() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        page::write(&lines);
    }
    page::compare(&lines, &ROWS.map(|(_, name)| name));
}
