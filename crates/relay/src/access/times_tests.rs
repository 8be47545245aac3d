//! Windows of the week, at moments that are passed in.
#![allow(clippy::unwrap_used)]

use super::*;

fn times(zone: &str, windows: &[&str]) -> Times {
    Times { zone: zone.parse().unwrap(), windows: windows.iter().map(|text| text.parse().unwrap()).collect() }
}

/// A moment by UTC.
fn at(text: &str) -> SystemTime {
    DateTime::parse_from_rfc3339(&format!("{text}Z")).unwrap().into()
}

/// By going from one change to the next: where the rule opens, and where it closes.
fn changes(times: &Times, from: &str, to: &str) -> Vec<(String, bool)> {
    let (mut now, end) = (at(from), at(to));
    let mut open = times.cover(now);
    let mut changes = Vec::new();
    for _ in 0..1000 {
        let next = times.next_change(now).unwrap();
        assert!(next > now, "no way on from {now:?}");
        // Nothing changes in between.
        let before = next - Duration::from_secs(1);
        assert!(before < now || times.cover(before) == open, "{before:?}");
        if next > end {
            break;
        }
        if times.cover(next) != open {
            open = !open;
            changes.push((DateTime::<Utc>::from(next).format("%m-%dT%H:%M:%S").to_string(), open));
        }
        now = next;
    }
    changes
}

#[test]
fn a_window_begins_with_its_first_second_and_ends_before_its_last() {
    let office = times("UTC", &["mon-fri 08:00-18:00"]);
    // 2026-11-27 is a Friday.
    for (moment, open) in [
        ("2026-11-27T07:59:59", false),
        ("2026-11-27T07:59:59.999", false),
        ("2026-11-27T08:00:00", true),
        ("2026-11-27T17:59:59.999", true),
        ("2026-11-27T18:00:00", false),
        ("2026-11-28T12:00:00", false),
        ("2026-11-30T12:00:00", true),
    ] {
        assert_eq!(office.cover(at(moment)), open, "{moment}");
    }
    assert_eq!(
        changes(&office, "2026-11-27T12:00:00", "2026-11-30T23:00:00"),
        [
            ("11-27T18:00:00".to_owned(), false),
            ("11-30T08:00:00".to_owned(), true),
            ("11-30T18:00:00".to_owned(), false)
        ]
    );
}

#[test]
fn a_window_over_midnight_is_of_the_day_on_which_it_begins() {
    let night = times("UTC", &["fri 22:00-06:00"]);
    for (moment, open) in [
        ("2026-11-27T05:00:00", false),
        ("2026-11-27T22:00:00", true),
        ("2026-11-28T00:00:00", true),
        ("2026-11-28T05:59:59", true),
        ("2026-11-28T06:00:00", false),
        ("2026-11-28T22:00:00", false),
    ] {
        assert_eq!(night.cover(at(moment)), open, "{moment}");
    }
    // The week has no end.
    let sunday = times("UTC", &["sun 23:00-01:00"]);
    assert!(sunday.cover(at("2026-11-30T00:59:59")) && !sunday.cover(at("2026-11-30T01:00:00")));
    let to_midnight = times("UTC", &["fri 22:00-24:00"]);
    assert!(to_midnight.cover(at("2026-11-27T23:59:59")) && !to_midnight.cover(at("2026-11-28T00:00:00")));
    // Days without a time are whole, and such that meet are one.
    assert!(changes(&times("UTC", &["mon-sun"]), "2026-11-27T12:00:00", "2026-12-06T00:00:00").is_empty());
}

#[test]
fn the_clock_of_the_place_counts_where_it_is_put_forward_and_back() {
    let morning = times("Europe/Berlin", &["08:00-12:00"]);
    // 2026-03-29 at 01:00 by UTC, 02:00 becomes 03:00.
    assert_eq!(
        changes(&morning, "2026-03-28T00:00:00", "2026-03-29T23:00:00"),
        [
            ("03-28T07:00:00".to_owned(), true),
            ("03-28T11:00:00".to_owned(), false),
            ("03-29T06:00:00".to_owned(), true),
            ("03-29T10:00:00".to_owned(), false)
        ]
    );
    // Its start is left out: it begins with the hour after. Its end is: it ends there.
    let skipped = times("Europe/Berlin", &["02:30-12:00"]);
    assert_eq!(
        changes(&skipped, "2026-03-29T00:00:00", "2026-03-29T05:00:00"),
        [("03-29T01:00:00".to_owned(), true)]
    );
    let cut = times("Europe/Berlin", &["01:00-02:30"]);
    assert_eq!(
        changes(&cut, "2026-03-28T23:30:00", "2026-03-29T05:00:00"),
        [("03-29T00:00:00".to_owned(), true), ("03-29T01:00:00".to_owned(), false)]
    );
    // 2026-10-25 at 01:00 by UTC, 03:00 becomes 02:00, and the hour is there twice.
    assert_eq!(
        changes(&cut, "2026-10-24T22:30:00", "2026-10-25T05:00:00"),
        [
            ("10-24T23:00:00".to_owned(), true),
            ("10-25T00:30:00".to_owned(), false),
            ("10-25T01:00:00".to_owned(), true),
            ("10-25T01:30:00".to_owned(), false)
        ]
    );
}

#[test]
fn whoever_writes_no_window_is_told() {
    for text in [
        "",
        "mon-fri 08:00",
        "mon-fri 8:00-18:00",
        "08:00-25:00",
        "24:00-06:00",
        "08:60-09:00",
        "08:00-08:00",
        "monday",
        "mon- 08:00-09:00",
        "mon,,tue",
        "mon 08:00-09:00 x",
        "08:00:00:00-09:00",
        "08:00-24:01",
        "+8:00-09:00",
        "08:00 mon",
    ] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
    let days = |text: &str| text.parse::<Window>().unwrap().days;
    assert_eq!((days("fri-mon"), days("MON,wed"), days("08:00-09:00")), (0b111_0001, 0b101, EVERY_DAY));
    let check = |windows: Option<&[&str]>, zone: Option<&str>| {
        let mut problems = Problems::default();
        let text = |text: &str| At::nowhere(text.to_owned());
        let windows = windows.map(|all| OneOrMany(all.iter().map(|one| text(one)).collect()));
        Times::check(windows, zone.map(text), Place::UNKNOWN, &mut problems);
        problems.has_errors()
    };
    assert!(!check(None, None) && !check(Some(&["mon"]), Some("Europe/Berlin")));
    assert!(check(Some(&[]), Some("UTC")), "never");
    assert!(check(Some(&["mon"]), None), "by no clock");
    assert!(check(None, Some("UTC")), "a clock for nothing");
    assert!(check(Some(&["mon"]), Some("Mars/Olympus")));
}
