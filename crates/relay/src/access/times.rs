//! When a rule applies: windows of the week, by the clock of one place.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike, Days, NaiveTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use wicketgate_config::{At, OneOrMany, Place, Problems};

/// Windows of the week, by the clock of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    zone: Tz,
    windows: Vec<Window>,
}

/// A time of some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// A bit each, Monday's being the lowest: those on which it begins.
    days: u8,
    /// In seconds of the day.
    start: u32,
    /// In seconds of the day, itself outside. Where it is not later than the start, it is of the day after.
    end: u32,
}

/// The most windows of one rule.
const MAX_WINDOWS: usize = 100;
const DAY: u32 = 86_400;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const EVERY_DAY: u8 = 0x7f;

impl Times {
    /// Checks windows and the place whose clock they mean; none where there are none. What is wrong goes to `problems`.
    pub fn check(
        windows: Option<OneOrMany<At<String>>>,
        zone: Option<At<String>>,
        place: Place,
        problems: &mut Problems,
    ) -> Option<Self> {
        let windows = match (windows, &zone) {
            (Some(windows), _) => windows.0,
            (None, None) => return None,
            (None, Some(zone)) => {
                problems.error(
                    zone.place,
                    "a time zone without `times`",
                    "say when the rule applies, or take it away",
                );
                return None;
            }
        };
        if windows.is_empty() {
            problems.error(place, "this rule never applies", "name times, or take `times` away");
        }
        if let Some(beyond) = windows.get(MAX_WINDOWS) {
            problems.error(beyond.place, format!("more than {MAX_WINDOWS} times"), "take some away");
        }
        let read = |text: At<String>| {
            let window = text.parse::<Window>().map_err(|why| {
                let help =
                    "write days, a time of the day, or both: `mon-fri 08:00-18:00`, `sat,sun`, `22:00-06:00`";
                problems.error(text.place, format!("`{}` is no time of the week: {why}", text.value), help);
            });
            window.ok()
        };
        let windows = windows.into_iter().filter_map(read).collect();
        let Some(zone) = zone else {
            problems.error(
                place,
                "nothing says by whose clock",
                "add `timezone: Europe/Berlin`, or `timezone: UTC`",
            );
            return None;
        };
        match zone.parse::<Tz>() {
            Ok(zone) => Some(Self { zone, windows }),
            Err(_) => {
                let what = format!("`{}` is no time zone", zone.value);
                problems.error(zone.place, what, "name one of the IANA time zones, as in `Europe/Berlin`");
                None
            }
        }
    }

    /// Whether one of the windows is open at a moment.
    pub fn cover(&self, moment: SystemTime) -> bool {
        let local = DateTime::<Utc>::from(moment).with_timezone(&self.zone);
        let (day, second) = (local.weekday().num_days_from_monday(), local.num_seconds_from_midnight());
        self.windows.iter().any(|window| window.covers(day, second))
    }

    /// A moment after this one until which nothing opens and nothing closes.
    pub fn next_change(&self, moment: SystemTime) -> Option<SystemTime> {
        let now = DateTime::<Utc>::from(moment);
        let today = now.with_timezone(&self.zone).date_naive();
        // A day's moments may all be gone, and those of the next may be left out by the clock.
        let days = (0..=2).filter_map(|days| today.checked_add_days(Days::new(days)));
        let bounds = self.windows.iter().flat_map(|window| window.bounds());
        let moments = days.flat_map(|day| bounds.clone().map(move |at| day.and_time(at)));
        let moments = moments.flat_map(|local| {
            let local = self.zone.from_local_datetime(&local);
            // Twice where the clock is put back.
            [local.earliest(), local.latest()]
        });
        let next = moments.flatten().map(|local| local.to_utc()).filter(|next| *next > now).min()?;
        Some(self.clock_change(now, next).unwrap_or(next).into())
    }

    /// When the clock is put forward or back between two moments that are less than some days apart: that too opens and closes.
    fn clock_change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let offset = |at: i64| {
            let at = DateTime::from_timestamp(at, 0)?;
            Some(self.zone.offset_from_utc_datetime(&at.naive_utc()).fix())
        };
        let (mut before, mut after) = (from.timestamp(), to.timestamp());
        let old = offset(before)?;
        if offset(after)? == old {
            return None;
        }
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if offset(middle)? == old { before = middle } else { after = middle }
        }
        DateTime::from_timestamp(after, 0)
    }
}

impl Window {
    fn covers(self, day: u32, second: u32) -> bool {
        let begins_on = |day: u32| self.days & (1 << (day % 7)) != 0;
        match self.start < self.end {
            true => begins_on(day) && (self.start..self.end).contains(&second),
            false => (begins_on(day) && second >= self.start) || (begins_on(day + 6) && second < self.end),
        }
    }

    fn bounds(self) -> impl Iterator<Item = NaiveTime> + Clone {
        let at = |second: u32| NaiveTime::from_num_seconds_from_midnight_opt(second % DAY, 0);
        [self.start, self.end].into_iter().filter_map(at)
    }
}

impl FromStr for Window {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() {
            return Err("it has more than two parts");
        }
        let (named, time) = match second {
            Some(time) => (days(first)?, Some(time)),
            None if first.starts_with(|c: char| c.is_ascii_digit()) => (EVERY_DAY, Some(first)),
            None => (days(first)?, None),
        };
        let Some(time) = time else { return Ok(Self { days: named, start: 0, end: DAY }) };
        let (start, end) = time.split_once('-').ok_or("a time has a start and an end")?;
        let (start, end) = (clock(start)?, clock(end)?);
        match (start, end) {
            (DAY, _) => Err("no time starts at 24:00"),
            (start, end) if start == end => Err("it ends where it starts; a whole day is 00:00-24:00"),
            _ => Ok(Self { days: named, start, end }),
        }
    }
}

/// Days, or ranges of them.
fn days(text: &str) -> Result<u8, &'static str> {
    let number = |name: &str| {
        let day = DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
        day.ok_or("days are mon, tue, wed, thu, fri, sat and sun")
    };
    let mut named = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let length = (last + 7 - first) % 7;
        for day in first..=first + length {
            named |= 1 << (day % 7);
        }
    }
    Ok(named)
}

/// `HH:MM` or `HH:MM:SS`, up to 24:00; in seconds of the day.
fn clock(text: &str) -> Result<u32, &'static str> {
    let number = |part: &str, most: u32| -> Option<u32> {
        let is_number = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse().ok().filter(|number| is_number && *number <= most)
    };
    let parts: Vec<_> = text.split(':').collect();
    let second = match parts[..] {
        [hours, minutes] => Some((hours, minutes, "00")),
        [hours, minutes, seconds] => Some((hours, minutes, seconds)),
        _ => None,
    };
    let second = second.and_then(|(hours, minutes, seconds)| {
        Some(number(hours, 24)? * 3600 + number(minutes, 59)? * 60 + number(seconds, 59)?)
    });
    second.filter(|second| *second <= DAY).ok_or("a time is written HH:MM or HH:MM:SS, up to 24:00")
}

/// The longest sleep: the system's clock may be set, or its sleep may not count, meanwhile.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits for a moment by the system's clock; for ever where there is none.
pub async fn until(moment: Option<SystemTime>) {
    let Some(moment) = moment else { return std::future::pending().await };
    while let Ok(left) = moment.duration_since(SystemTime::now())
        && !left.is_zero()
    {
        tokio::time::sleep(left.min(LONGEST)).await;
    }
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;
