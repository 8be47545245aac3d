//! What one field of a record holds: nothing, a number, a text, or bytes.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing: it does not apply, or is not known.
    Null,
    /// A number, at most 2⁶³ - 1.
    Number(u64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes, in base64 where they are shown.
    Bytes(Cow<'a, [u8]>),
}

/// Of which kind a field's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// A moment: microseconds since 1970, shown as RFC 3339.
    Time,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
}

impl Cell<'_> {
    /// The same, held by itself.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Number(number) => Cell::Number(number),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Cell::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, where it is one.
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// A type that a field of a record may have.
pub(crate) trait Field {
    /// Of which kind its values are.
    const KIND: Kind;

    /// What it holds.
    fn cell(&self) -> Cell<'_>;
}

/// The largest number that a database and the JSON of others hold exactly enough.
const LARGEST: u64 = i64::MAX as u64;

macro_rules! number {
    ($($type:ty),+) => {$(
        impl Field for Option<$type> {
            const KIND: Kind = Kind::Number;
            fn cell(&self) -> Cell<'_> {
                self.map_or(Cell::Null, |number| Cell::Number(u64::from(number).min(LARGEST)))
            }
        }
    )+};
}

number!(u16, u64);

impl Field for &'static str {
    const KIND: Kind = Kind::Text;
    fn cell(&self) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(self))
    }
}

impl Field for Option<&'static str> {
    const KIND: Kind = Kind::Text;
    fn cell(&self) -> Cell<'_> {
        self.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))
    }
}

impl Field for Option<String> {
    const KIND: Kind = Kind::Text;
    fn cell(&self) -> Cell<'_> {
        self.as_deref().map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))
    }
}

impl Field for Option<IpAddr> {
    const KIND: Kind = Kind::Text;
    fn cell(&self) -> Cell<'_> {
        self.map_or(Cell::Null, |address| Cell::Text(Cow::Owned(address.to_string())))
    }
}

/// A moment, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// The moment that long before.
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Reads RFC 3339, down to microseconds.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp_nanos() / 1000).ok().map(Self)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// RFC 3339, always with six digits, so that the texts sort as the moments do.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000) else {
            return f.write_str("9999-12-31T23:59:59.999999Z");
        };
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second, micros) = at.to_hms_micro();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", u8::from(month))
    }
}

impl Field for Timestamp {
    const KIND: Kind = Kind::Time;
    fn cell(&self) -> Cell<'_> {
        Cell::Number(self.0.min(LARGEST))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn moments_are_shown_and_read_back() {
        for (micros, text) in
            [(0, "1970-01-01T00:00:00.000000Z"), (1_795_786_385_000_700, "2026-11-27T13:33:05.000700Z")]
        {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(micros)));
        }
        assert_eq!(Timestamp::parse("1970-01-01T01:00:00+01:00"), Some(Timestamp(0)));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
    }
}
