//! A line of a capture: one message as JSON, with what is known of it. `test-policy` reads the same lines as cases, and what it
//! expects stands beside the message.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wicketgate_policy::{DataKind, Direction};

/// A message, and what is known of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What a case is called.
    pub name: Option<String>,
    /// Of which session it is; lines without a number are of one.
    pub session: u64,
    /// When it came, since the beginning of 1970.
    pub time: Option<Duration>,
    /// The subprotocol that the session negotiated, an empty text for none; none where it is not known.
    pub subprotocol: Option<String>,
    /// Which way it travels.
    pub direction: Direction,
    /// Text or binary.
    pub kind: DataKind,
    /// What it says.
    pub payload: Vec<u8>,
    /// The paths of fields whose values were covered before the line was written.
    pub covered: Vec<String>,
    /// What a policy is expected to make of it.
    pub expect: Option<Expected>,
}

/// What is expected: each part that is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// `forward`, `rewrite`, `drop`, `reply` or `close`.
    pub verdict: Option<String>,
    /// The close code.
    pub code: Option<u16>,
    /// The steps that found something, in their order.
    pub steps: Option<Vec<String>>,
    /// The text of the message that goes on, or of the answer.
    pub text: Option<String>,
}

/// Why a line is none of a capture.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLine {
    /// It is no such JSON object.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Its message is not there, or several are.
    #[error("it has one of `text`, `json` and `binary`")]
    Message,
    /// Its bytes are not readable.
    #[error("`binary` is no base64")]
    Base64,
    /// Its time is none.
    #[error("`time` is in seconds since the beginning of 1970")]
    Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine<'a> {
    name: Option<String>,
    session: Option<u64>,
    time: Option<f64>,
    subprotocol: Option<String>,
    direction: Option<RawDirection>,
    text: Option<String>,
    #[serde(borrow)]
    json: Option<&'a RawValue>,
    binary: Option<String>,
    #[serde(default)]
    covered: Vec<String>,
    expect: Option<Expected>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawDirection {
    ToUpstream,
    ToClient,
}

#[derive(Serialize)]
struct Written<'a> {
    session: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subprotocol: Option<&'a str>,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    covered: &'a [String],
}

impl Line {
    /// Reads a line; `direction` is that of lines that do not name theirs.
    ///
    /// # Errors
    /// A line that is none.
    pub fn read(line: &str, direction: Direction) -> Result<Self, InvalidLine> {
        let mut raw: RawLine<'_> = serde_json::from_str(line)?;
        let (kind, payload) = match (raw.text.take(), raw.json, raw.binary.take()) {
            (Some(text), None, None) => (DataKind::Text, text.into_bytes()),
            (None, Some(json), None) => (DataKind::Text, json.get().as_bytes().to_vec()),
            (None, None, Some(binary)) => {
                (DataKind::Binary, STANDARD.decode(binary).map_err(|_| InvalidLine::Base64)?)
            }
            _ => return Err(InvalidLine::Message),
        };
        let time = raw.time.map(microseconds).transpose()?;
        let direction = match raw.direction {
            Some(RawDirection::ToUpstream) => Direction::ToUpstream,
            Some(RawDirection::ToClient) => Direction::ToClient,
            None => direction,
        };
        let RawLine { name, session, subprotocol, covered, expect, .. } = raw;
        let session = session.unwrap_or_default();
        Ok(Self { name, session, time, subprotocol, direction, kind, payload, covered, expect })
    }

    /// The line as it is written, without its end. What is expected is left out.
    pub fn write(&self) -> String {
        let text = match self.kind {
            DataKind::Text => std::str::from_utf8(&self.payload).ok(),
            DataKind::Binary => None,
        };
        let written = Written {
            session: self.session,
            // Microseconds, as a clock of captures has them.
            time: self.time.map(|time| (time.as_secs_f64() * 1e6).round() / 1e6),
            subprotocol: self.subprotocol.as_deref(),
            direction: self.direction.label(),
            text,
            covered: &self.covered,
            binary: text.is_none().then(|| STANDARD.encode(&self.payload)),
        };
        // Texts and numbers under names: there is nothing that JSON could not hold.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

/// Seconds, to the microseconds that a float of this size holds.
fn microseconds(seconds: f64) -> Result<Duration, InvalidLine> {
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| InvalidLine::Time)?;
    let micros = (time.as_secs_f64() * 1e6).round();
    // Beyond the year 500000 there is no time.
    if micros < u64::MAX as f64 { Ok(Duration::from_micros(micros as u64)) } else { Err(InvalidLine::Time) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for (kind, payload) in [(DataKind::Text, "a\u{1}é\"\n"), (DataKind::Binary, "\0\u{7f}")] {
            let line = Line {
                name: None,
                session: u64::MAX,
                time: Some(Duration::from_micros(1_700_000_000_123_456)),
                subprotocol: Some(String::new()),
                direction: Direction::ToClient,
                kind,
                payload: payload.into(),
                covered: vec!["a.b".into()],
                expect: None,
            };
            let read = Line::read(&line.write(), Direction::ToUpstream).unwrap();
            assert_eq!(format!("{read:?}"), format!("{line:?}"));
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"text":"a","json":1}"#,
            r#"{"binary":"*"}"#,
            r#"{"text":"a","time":-1}"#,
            r#"{"text":"a","time":1e300}"#,
            r#"{"text":"a","more":1}"#,
            r#"{"text":"a","direction":"up"}"#,
        ] {
            assert!(Line::read(text, Direction::ToUpstream).is_err(), "{text}");
        }
    }
}
