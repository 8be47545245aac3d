//! What is shown of the gateway, in words and rows, for a terminal or for lines.

use std::io::{Write, stdout};

use super::super::configuration::plural;
use super::super::table;
use super::sample::{Pace, Sample};

/// The columns of each table.
pub(super) const ROUTES: [&str; 6] = ["ROUTE", "SESSIONS", "UP MSG/S", "DOWN MSG/S", "UP B/S", "DOWN B/S"];
pub(super) const REFUSALS: [&str; 3] = ["REFUSED", "A SECOND", "IN ALL"];
pub(super) const BUSIEST: [&str; 7] = ["SESSION", "ROUTE", "CLIENT", "SUBJECT", "MSG/S", "B/S", "IN ALL"];

/// What is shown.
pub(super) struct Shown {
    /// The process, in one line.
    pub(super) process: String,
    /// What goes through it, in one line.
    pub(super) traffic: String,
    pub(super) routes: Vec<[String; 6]>,
    pub(super) refusals: Vec<[String; 3]>,
    pub(super) busiest: Vec<[String; 7]>,
}

impl Shown {
    pub(super) fn of(sample: &Sample, pace: &Pace) -> Self {
        let (process, overview) = (&sample.status.process, &sample.status.overview);
        let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "?".into());
        let number = |value: Option<u64>| or_unknown(value.map(|value| value.to_string()));
        let total = pace.total();
        let refused: f64 = pace.refusals.values().sum();
        let dash = |text: &Option<String>| table::printable(text.as_deref().unwrap_or("-"));
        Self {
            process: format!(
                "wicketgate {}, process {}, since {}, memory {}, files {} of {}{}",
                process.version,
                process.pid,
                process.since,
                or_unknown(process.memory.map(|memory| bytes(memory as f64))),
                number(process.open_files),
                number(process.open_files_limit),
                if overview.draining { ", draining" } else { "" },
            ),
            traffic: format!(
                "{}, {} messages/s, {}/s, {} refused/s, {}",
                plural(overview.sessions, "session"),
                rate(total.messages),
                bytes(total.bytes),
                rate(refused),
                plural(usize::try_from(overview.findings).unwrap_or(usize::MAX), "finding"),
            ),
            routes: overview
                .routes
                .iter()
                .map(|route| {
                    let [up, down] = pace.routes.get(&route.route).copied().unwrap_or_default();
                    [
                        table::printable(&route.route),
                        route.sessions.to_string(),
                        rate(up.messages),
                        rate(down.messages),
                        bytes(up.bytes),
                        bytes(down.bytes),
                    ]
                })
                .collect(),
            refusals: overview
                .refusals
                .iter()
                .map(|refusals| {
                    let a_second = pace.refusals.get(&refusals.reason).copied().unwrap_or_default();
                    [refusals.reason.clone(), rate(a_second), refusals.count.to_string()]
                })
                .collect(),
            busiest: sample
                .status
                .busiest
                .iter()
                .map(|busy| {
                    let (up, down) = (&busy.from_client, &busy.from_upstream);
                    [
                        busy.session.to_string(),
                        table::printable(&busy.route),
                        dash(&busy.client),
                        dash(&busy.subject),
                        rate(f64::from(up.message_rate) + f64::from(down.message_rate)),
                        bytes(f64::from(up.byte_rate) + f64::from(down.byte_rate)),
                        bytes(up.bytes as f64 + down.bytes as f64),
                    ]
                })
                .collect(),
        }
    }

    /// As lines.
    pub(super) fn print(self) -> std::io::Result<()> {
        let Self { process, traffic, routes, refusals, busiest } = self;
        writeln!(stdout(), "{process}\n{traffic}\n")?;
        table::print(ROUTES, routes)?;
        if !refusals.is_empty() {
            writeln!(stdout())?;
            table::print(REFUSALS, refusals)?;
        }
        if !busiest.is_empty() {
            writeln!(stdout())?;
            table::print(BUSIEST, busiest)?;
        }
        Ok(())
    }
}

/// `0.4`, `12`, `1300`.
fn rate(rate: f64) -> String {
    match rate {
        small if small < 10.0 && small > 0.0 => format!("{small:.1}"),
        rate => format!("{rate:.0}"),
    }
}

/// `900 B`, `1.5 KiB`, `12 MiB`.
fn bytes(count: f64) -> String {
    let (mut count, mut unit) = (count, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if count < 1024.0 {
            break;
        }
        (count, unit) = (count / 1024.0, next);
    }
    match unit {
        "B" => format!("{count:.0} B"),
        unit if count < 10.0 => format!("{count:.1} {unit}"),
        unit => format!("{count:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::sample;
    use super::*;

    #[test]
    fn figures_are_short() {
        let all = [0.0, 0.44, 12.0, 1300.2].map(rate);
        assert_eq!(all, ["0", "0.4", "12", "1300"]);
        let all = [0.0, 900.0, 1536.0, 12.0 * 1024.0 * 1024.0].map(bytes);
        assert_eq!(all, ["0 B", "900 B", "1.5 KiB", "12 MiB"]);
    }

    #[test]
    fn what_peers_have_said_moves_no_cursor() {
        let sample = sample(1, 100, 1);
        let shown = Shown::of(&sample, &Pace::default());
        assert!(shown.process.contains("process 1,") && shown.traffic.starts_with("2 sessions, "));
        assert_eq!(shown.busiest[0][3], "a\u{fffd}[2Jnn");
    }
}
