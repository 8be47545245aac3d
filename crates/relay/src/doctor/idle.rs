//! How long a connection may be silent, and how old it may become: several at a time, each silent for longer than the one before.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout_at};

use super::control::{self, Granted};
use super::finding::{Check, Finding};
use super::look::Probe;
use super::path::Way;
use crate::identity::Identity;
use crate::probe::What;

/// Silent connections at a time.
const SILENT: u32 = 8;
/// How often endpoints and gateways say that they are there, a quarter later at most.
const PING: Duration = Duration::from_secs(25);
/// A limit from which on a lost ping costs nothing.
const COMFORT: Duration = Duration::from_secs(60);

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It still answers after so long.
    Lives(Duration),
    /// It was closed after so long.
    Closed(Duration),
    /// It did not answer any more after so long, and nobody has closed it.
    Forgotten(Duration),
}

/// The limit: the longest silence that was borne, and the shortest that was not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Limit {
    least: Duration,
    most: Option<Duration>,
    closed: bool,
}

/// Looks for both limits, up to this time.
pub(super) async fn measure(
    way: &Way,
    identity: &Identity,
    first: &Granted,
    longest: Duration,
    found: &mut Vec<Finding>,
) {
    let waits = (1..=SILENT).map(|step| longest * step / SILENT).collect();
    let (fates, used) = match round(way, first, waits).await {
        Ok(fates) => fates,
        Err(why) => {
            return found
                .push(Finding::fail(Check::IdleLimit, format!("no carriers to be silent on: {why}")));
        }
    };
    let mut limit = Limit::of(&fates);
    if let Some(most) = limit.most.filter(|_| !limit.closed)
        && let Ok(again) = control::ask(way, identity).await
    {
        // Nobody has said when: once more, between the two.
        let waits =
            (1..=SILENT).map(|step| limit.least + (most - limit.least) * step / (SILENT + 1)).collect();
        if let Ok((more, _)) = round(way, &again, waits).await {
            limit = Limit::of(&[fates, more].concat());
        }
    }
    judge(limit, used, longest, found);
}

fn judge(limit: Limit, used: Fate, longest: Duration, found: &mut Vec<Finding>) {
    if let Fate::Closed(age) | Fate::Forgotten(age) = used {
        let text =
            format!("a connection that was used all the time ended at an age of {:.1} s", age.as_secs_f64());
        found.push(Finding::warn(Check::LifetimeLimit, text));
        // What is silent ends then too, and says nothing of silence.
        if limit.most.is_some_and(|most| most + longest / SILENT >= age) {
            return;
        }
    } else {
        found.push(Finding::pass(Check::LifetimeLimit, format!("none within {longest:?}")));
    }
    let Some(most) = limit.most else {
        let text = format!("silent for {longest:?}, and every connection still answers");
        return found.push(Finding::pass(Check::IdleLimit, text));
    };
    let how = if limit.closed { "closed" } else { "dropped without a word" };
    let (least, most_text) = (limit.least.as_secs_f64(), most.as_secs_f64());
    let text = format!(
        "silent connections are {how}: after more than {least:.1} s, and after {most_text:.1} s at most"
    );
    found.push(if most <= PING {
        Finding::fail(Check::IdleLimit, text)
    } else if most < COMFORT {
        Finding::warn(Check::IdleLimit, text)
    } else {
        Finding::pass(Check::IdleLimit, format!("{text}; something is said every 20 s"))
    });
}

/// The fates of connections that are silent for so long each, and of one that is not.
async fn round(way: &Way, granted: &Granted, waits: Vec<Duration>) -> Result<(Vec<Fate>, Fate), String> {
    let mut probes = Vec::new();
    for wait in waits {
        probes.push((wait, Probe::open(way, granted).await?));
    }
    let mut used = Probe::open(way, granted).await?;
    let step = (probes.last().map_or(Duration::ZERO, |(wait, _)| *wait) / 16)
        .clamp(Duration::from_millis(100), Duration::from_secs(5));
    let mut silent = tokio::task::JoinSet::new();
    for (wait, probe) in probes {
        silent.spawn(be_silent(probe, wait));
    }
    let mut fates = Vec::new();
    let start = Instant::now();
    let mut broke = None;
    let using = async {
        loop {
            sleep(step).await;
            if used.ask(What::Stamp, b"").await.is_err() {
                broke = Some(Fate::Closed(start.elapsed()));
                return std::future::pending::<()>().await;
            }
        }
    };
    let all = async {
        while let Some(fate) = silent.join_next().await {
            fates.extend(fate.ok());
        }
    };
    tokio::select! {
        () = all => {}
        () = using => {}
    }
    Ok((fates, broke.unwrap_or(Fate::Lives(start.elapsed()))))
}

async fn be_silent(mut probe: Probe, wait: Duration) -> Fate {
    let start = Instant::now();
    let mut byte = [0; 1];
    // Nothing is to come: what ends this before its time is the end of the connection.
    if timeout_at(start + wait, probe.pipe.stream.read(&mut byte)).await.is_ok() {
        return Fate::Closed(start.elapsed());
    }
    match probe.ask(What::Stamp, b"").await {
        Ok(_) => Fate::Lives(wait),
        Err(_) => Fate::Forgotten(wait),
    }
}

impl Limit {
    fn of(fates: &[Fate]) -> Self {
        let (mut most, mut closed) = (None, false);
        for fate in fates {
            if let Fate::Closed(after) | Fate::Forgotten(after) = *fate
                && most.is_none_or(|most| after < most)
            {
                (most, closed) = (Some(after), matches!(fate, Fate::Closed(_)));
            }
        }
        let lived = fates.iter().filter_map(|fate| match fate {
            Fate::Lives(time) => Some(*time),
            _ => None,
        });
        let least = lived.filter(|time| most.is_none_or(|most| *time <= most)).max().unwrap_or_default();
        Self { least, most, closed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_limit_lies_between_the_longest_that_lives_and_the_shortest_that_does_not() {
        let fates = [
            Fate::Lives(seconds(10)),
            Fate::Lives(seconds(20)),
            Fate::Closed(seconds(25)),
            Fate::Closed(seconds(26)),
        ];
        assert_eq!(Limit::of(&fates), Limit { least: seconds(20), most: Some(seconds(25)), closed: true });
        let silent = [Fate::Lives(seconds(10)), Fate::Forgotten(seconds(20)), Fate::Forgotten(seconds(30))];
        assert_eq!(Limit::of(&silent), Limit { least: seconds(10), most: Some(seconds(20)), closed: false });
        assert_eq!(
            Limit::of(&[Fate::Lives(seconds(10))]),
            Limit { least: seconds(10), most: None, closed: false }
        );
    }

    #[test]
    fn limits_are_judged_by_how_often_something_is_said() {
        let idle = |most: Option<u64>, used: Fate| {
            let mut found = Vec::new();
            let limit = Limit { least: Duration::ZERO, most: most.map(seconds), closed: true };
            judge(limit, used, seconds(400), &mut found);
            let of = |check| found.iter().find(|finding| finding.id == check).map(|finding| finding.severity);
            (of(Check::IdleLimit), of(Check::LifetimeLimit))
        };
        let lives = Fate::Lives(seconds(400));
        assert_eq!(idle(None, lives), (Some(Severity::Pass), Some(Severity::Pass)));
        assert_eq!(idle(Some(20), lives), (Some(Severity::Fail), Some(Severity::Pass)));
        assert_eq!(idle(Some(30), lives), (Some(Severity::Warn), Some(Severity::Pass)));
        assert_eq!(idle(Some(60), lives), (Some(Severity::Pass), Some(Severity::Pass)));
        // All end at one age, used or not.
        assert_eq!(idle(Some(30), Fate::Closed(seconds(30))), (None, Some(Severity::Warn)));
        assert_eq!(idle(Some(20), Fate::Closed(seconds(300))), (Some(Severity::Fail), Some(Severity::Warn)));
    }
}
