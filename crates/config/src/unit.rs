//! Values with a unit: spans of time and sizes in bytes.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A span of time: `250ms`, `10s`, `5m`, `1h`, `1d`, or parts joined as in `1m30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// A span of whole milliseconds.
    pub const fn millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// A span of whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl std::str::FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no span of time: write a number and a unit, as in 250ms, 10s, 5m, 1h");
        let (mut total, mut rest) = (0u64, text.trim());
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            rest = &rest[letters..];
            total = number.checked_mul(unit).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            0 => f.write_str("0s"),
            ms if ms % 1000 != 0 => write!(f, "{ms}ms"),
            ms if ms % 86_400_000 == 0 => write!(f, "{}d", ms / 86_400_000),
            ms if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            ms => write!(f, "{}s", ms / 1000),
        }
    }
}

/// A number of bytes: `512`, `64KiB`, `16MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is no size: write bytes, or a number with KiB, MiB, GiB or TiB, as in 64KiB")
        };
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit: u64 = match text[digits..].trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n != 0 && n % (1 << 40) == 0 => write!(f, "{}TiB", n >> 40),
            n if n != 0 && n % (1 << 30) == 0 => write!(f, "{}GiB", n >> 30),
            n if n != 0 && n % (1 << 20) == 0 => write!(f, "{}MiB", n >> 20),
            n if n != 0 && n % (1 << 10) == 0 => write!(f, "{}KiB", n >> 10),
            n => write!(f, "{n}"),
        }
    }
}

macro_rules! from_text {
    ($type:ident, $schema:tt) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

from_text!(Time, {
    "type": "string",
    "pattern": "^([0-9]+(ms|s|m|h|d))+$",
    "description": "A span of time: 250ms, 10s, 5m, 1h, 1d, or parts joined as in 1m30s."
});
from_text!(Size, {
    "type": ["string", "integer"],
    "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB|TiB)?$",
    "minimum": 0,
    "description": "A number of bytes: 512, 64KiB, 16MiB, 1GiB."
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, ms, again) in [
            ("250ms", 250, "250ms"),
            ("10s", 10_000, "10s"),
            ("1m30s", 90_000, "90s"),
            ("0s", 0, "0s"),
            ("1d", 86_400_000, "1d"),
            (" 5m ", 300_000, "5m"),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time, Time::millis(ms), "{text}");
            assert_eq!(time.to_string(), again);
        }
    }

    #[test]
    fn what_is_no_time_or_size_is_refused() {
        for text in ["", "10", "s", "10 s", "-1s", "1.5s", "1w", "10s5", "99999999999999999999s", "5mé", "é"]
        {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MiB", "1kb", "64 Ki B", "99999999999GiB", "1é"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, again) in [
            ("512", 512, "512"),
            ("64KiB", 65_536, "64KiB"),
            ("64 KiB", 65_536, "64KiB"),
            ("1024MiB", 1 << 30, "1GiB"),
            ("0", 0, "0"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size, Size(bytes), "{text}");
            assert_eq!(size.to_string(), again);
        }
    }
}
