//! Figures and moments as people read them.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

/// A moment in UTC, to the second.
pub(crate) fn moment(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    let (hour, minute, second) = time.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", time.date())
}

/// A moment of the system's clock.
pub(crate) fn clock(time: SystemTime) -> String {
    moment(OffsetDateTime::from(time))
}

/// How long ago, in its two largest units.
pub(crate) fn ago(since: OffsetDateTime) -> String {
    let time = OffsetDateTime::now_utc() - since;
    span(Duration::from_secs(u64::try_from(time.whole_seconds()).unwrap_or(0)))
}

/// A span of time, in its two largest units.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A rate, with a digit behind the point where it is small.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        0.05..10.0 => format!("{rate:.1}"),
        // Never negative, and far below the largest number.
        _ => number(rate.round() as u64),
    }
}

/// Milliseconds in the unit that suits.
pub(crate) fn millis(millis: f64) -> String {
    match millis {
        0.0 => "–".into(),
        ..1.0 => format!("{:.0} µs", millis * 1000.0),
        ..10.0 => format!("{millis:.1} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

/// A span in the unit that suits; none where there was none.
pub(crate) fn time(time: Option<Duration>) -> String {
    millis(time.unwrap_or_default().as_secs_f64() * 1000.0)
}

/// Bytes in the unit that suits.
pub(crate) fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 100.0);
    format!("{value:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_as_people_read_them() {
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (number(0), number(999), rate(0.0), rate(3.26)),
            ("0".into(), "999".into(), "0".into(), "3.3".into())
        );
        assert_eq!(
            (bytes(512.0), bytes(1536.0), bytes(5e12)),
            ("512 B".into(), "1.5 KiB".into(), "4.5 TiB".into())
        );
        let times = [0.0, 0.0127, 2.34, 250.0, 1500.0].map(millis);
        assert_eq!(times, ["–", "13 µs", "2.3 ms", "250 ms", "1.5 s"]);
        assert_eq!((time(None), time(Some(Duration::from_millis(12)))), ("–".into(), "12 ms".into()));
        assert_eq!(span(Duration::from_secs(59)), "59 s");
        assert_eq!(span(Duration::from_secs(3_700)), "1 h 1 min");
        assert_eq!(span(Duration::from_secs(200_000)), "2 d 7 h");
        assert_eq!(clock(SystemTime::UNIX_EPOCH), "1970-01-01 00:00:00");
    }
}
